"""A look at a table or an archive that somebody brings, before it is kept: in a process of its own, see `playground.core.limited_process`."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from itertools import islice
from pathlib import Path

from playground.core import limited_process
from playground.core.atomic import is_damaged_zip
from playground.core.errors import PlaygroundError
from playground.text.encodings import CHUNK, decoded, detect
from playground.text.tables import PARQUET, open_rows
from playground.text.zip_archives import check_member_count

MEMORY = 1 << 30  # bytes of data that it may take to read what the pages show of a file
SEEN = (1 << 23) // CHUNK  # parts of a file that tell whether it is in the encoding that was guessed


def check(path: Path) -> None:
    """Reads in a child what the pages will read of a file: its first rows and its columns; or the names in an archive.

    Raises:
        PlaygroundError: when it cannot be read, or only with too much memory or time.
    """
    limited_process.in_child("playground.text.file_check:check_here", str(path), what=path.name, memory=MEMORY)


def check_here(path: str) -> None:
    """What the child does; raises as `check`."""
    place = Path(path)
    if place.suffix.lower() == ".zip":
        _check_member_count(place)
    elif place.suffix.lower() in PARQUET or _is_surely_unicode(place):
        _ = open_rows(place, None).columns
    else:
        with suppress(PlaygroundError):  # what is wrong may be the guess: on the page, another encoding can be chosen
            _ = open_rows(place, None).columns


def _is_surely_unicode(path: Path) -> bool:
    """Whether a file is Unicode without doubt."""
    encoding = detect(path)
    try:
        for _ in islice(decoded(path, encoding), SEEN):
            pass
    except PlaygroundError:
        return False
    return encoding.startswith("utf")


def _check_member_count(path: Path) -> None:
    """Lists the files of an archive, which may say that they are millions; what is wrong is told when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as files:
            check_member_count(files, path.name)
    except Exception as error:
        if not is_damaged_zip(error):
            raise
