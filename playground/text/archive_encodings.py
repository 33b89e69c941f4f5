"""Archives that hold files in older encodings: kept beside their texts, to read these again in the one that is chosen."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from playground.core.atomic import disk_errors
from playground.core.errors import Message
from playground.core.paths import is_upload
from playground.text.encodings import CHUNK
from playground.text.uploads import KEPT, MEMBERS
from playground.text.zip_archives import unpack

REREAD = ".read"  # beside the texts of an archive: a folder for each encoding that was chosen
NOTES = ".notes.json"


def has_older_encodings(path: Path | str) -> bool:
    """Whether a file holds the texts of an archive, some of which are not Unicode."""
    return is_upload(path) and (Path(path).parent / KEPT / MEMBERS).is_file()


def guessed_encodings(path: Path | str) -> dict[str, str]:
    """The files of an archive that are not Unicode, each with the encoding that was guessed."""
    return json.loads((Path(path).parent / KEPT / MEMBERS).read_text(encoding="utf-8"))


def most_frequent_guesses(path: Path | str) -> list[str]:
    """The encodings that were guessed, the most frequent first."""
    return [encoding for encoding, _ in Counter(guessed_encodings(path).values()).most_common()]


def first_characters(path: Path | str, encoding: str | None) -> str:
    """How the first file that is not Unicode begins, read in an encoding; None takes the one that was guessed."""
    name, found = next(iter(guessed_encodings(path).items()))
    with zipfile.ZipFile(_archive(Path(path))) as files, files.open(name) as packed:
        return packed.read(CHUNK).decode(encoding or found, "replace")


def texts_in_encoding(path: Path, encoding: str | None) -> Path:
    """The texts of an archive, with the files that are not Unicode read in ``encoding``; made when first asked for.

    Any other file, and every file when no encoding is chosen, is read as it is: ``path``.

    Raises:
        PlaygroundError: where a file of the archive is not in this encoding.
    """
    if encoding is None or not has_older_encodings(path):
        return path
    place = path.parent / REREAD / codecs.lookup(encoding).name
    if not (place / path.name).is_file():
        with disk_errors(Message("reading {file}", file=path.name)):
            place.parent.mkdir(exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".part-", dir=place.parent))
            try:
                notes: list[str] = []
                unpack(_archive(path), work / path.name, notes, {}, encoding)
                (work / NOTES).write_text(json.dumps(notes), encoding="utf-8")
                if not place.is_dir():
                    os.rename(work, place)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return place / path.name


def notes_on(path: Path) -> list[str]:
    """What is to be told of `texts_in_encoding`."""
    place = path.with_name(NOTES)
    return json.loads(place.read_text(encoding="utf-8")) if place.is_file() else []


def _archive(path: Path) -> Path:
    return next(each for each in (path.parent / KEPT).iterdir() if each.suffix.lower() == ".zip")
