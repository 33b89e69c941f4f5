"""Files that people bring: copied to disk in parts, kept once by content, under their own name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from playground.core import paths
from playground.core.atomic import disk_errors
from playground.core.errors import Message, PlaygroundError
from playground.core.terminal import TURNING
from playground.text import file_check
from playground.text.byte_alphabet import clean
from playground.text.documents import DOCUMENT_SUFFIXES, NOT_READ, check
from playground.text.encodings import detect
from playground.text.tables import TABLE_SUFFIXES as TABLES
from playground.text.zip_archives import TEXT_SUFFIXES, unpack

PART = 1 << 20  # bytes copied at once
MOST_NOTES = 5
KEPT, MEMBERS = ".archive", "members.json"  # beside texts of an archive: it, and which of its files are not Unicode
SHARED = ".shared"  # the mark beside one that was written or taken twice, so that nobody may take it away
UNPACKED = ".unpacked"  # the mark beside texts of an archive, which holds the archive's name
WRITTEN = ".written"  # the mark beside a text that was written here, which can be edited
LONGEST_NAME = 200
LEAST, MOST = 50, 2_000_000  # characters of a text that is written


@dataclass(frozen=True)
class Upload:
    """A file that was kept.

    Args:
        path: ``home()/uploads/<hash of its content>/<its name>``.
        size: bytes.
        when: it was brought, seconds since 1970.
        is_new: whether its content was not here before it was kept now.
        notes: sentences on how the texts of an archive were read, told once, when it is brought.
    """

    path: Path
    size: int
    when: float
    notes: tuple[str, ...] = ()
    is_new: bool = False

    @property
    def name(self) -> str:
        return display_name(self.path)


def is_written(path: Path | str) -> bool:
    """True for a text that was written or pasted in the app."""
    return paths.is_upload(path) and (Path(path).parent / WRITTEN).exists()


def is_unpacked(path: Path | str) -> bool:
    """True for the texts of an archive: a table that no person wrote, in Unicode."""
    return paths.is_upload(path) and (Path(path).parent / UNPACKED).exists()


def display_name(path: Path | str) -> str:
    """What a file is called: its name, that of the archive it comes from, or the first words of a text written here."""
    path = Path(path)
    if is_unpacked(path):
        with suppress(OSError):  # no page ends for the sake of a name
            return (path.parent / UNPACKED).read_text(encoding="utf-8", errors="replace") or path.name
    return path.stem if is_written(path) else path.name


def text_title(path: str | None, corpus: str) -> str:
    """What a text is called: as its file, or by the last part of the name of a corpus or dataset."""
    return display_name(path) if path else corpus.rpartition("/")[2]


def portable_path(path: str) -> str:
    """A path as it may leave this machine: of an upload, from the folder of uploads on; of any other file, its name."""
    parts = re.split(r"[/\\]", path)
    return "/".join(["uploads", *parts[-2:]]) if _is_digest(parts) else parts[-1][:LONGEST_NAME] or "file"


def local_path(path: str) -> str:
    """The path that a run from elsewhere names, as one of this machine: of the upload with that content, else a bare name, which
    is never read (`playground.core.paths.readable`)."""
    parts = re.split(r"[/\\]", path)
    if _is_digest(parts):
        suffix = Path(parts[-1]).suffix.lower()
        for kept in sorted((folder() / parts[-2]).glob("[!.]*")):
            if kept.suffix.lower() == suffix and paths.is_upload(kept):
                return str(kept)
    return parts[-1][:LONGEST_NAME] or "file"


def _is_digest(parts: list[str]) -> bool:
    return len(parts) > 1 and paths.is_digest(parts[-2]) and parts[-1] not in ("", ".", "..")


def folder() -> Path:
    """Where uploads are kept."""
    return paths.uploads()


def uploads() -> list[Upload]:
    """All that were kept, the newest first."""
    kept = []
    for path in folder().glob("[0-9a-f]*/*"):
        try:
            status = path.stat()
        except OSError:
            continue
        if not path.name.startswith("."):
            kept.append(Upload(path, status.st_size, status.st_mtime))
    return sorted(kept, key=lambda upload: -upload.when)


def keep(file: BinaryIO, name: str) -> Upload:
    """Copies an open file to disk, in parts, and keeps it; equal content is kept once.

    A .zip of text files, PDF and Word documents becomes one .jsonl with a document for each file.

    Args:
        file: read from where it stands.
        name: what the person calls it; only its last part counts.

    Raises:
        PlaygroundError: when it is empty, of a kind that is not read, an archive that is not safe, or the
            disk is full.
    """
    name = safe_name(name)
    suffix = Path(name).suffix.lower()
    if suffix not in (*TEXT_SUFFIXES, *TABLES, *DOCUMENT_SUFFIXES, ".zip", ".log", ""):
        raise PlaygroundError(
            "{name}: files ending in {suffix} are not read.",
            NOT_READ.get(suffix, "Save it as .txt, .docx or PDF, or a table as .csv, .jsonl or .parquet."),
            name=name,
            suffix=suffix,
        )
    with disk_errors(Message("keeping {file}", file=name)):
        folder().mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=folder()))
        try:
            copy = work / name
            digest = _copy(file, copy)
            if not copy.stat().st_size:
                raise PlaygroundError("{name} is empty.", "Choose a file with text in it.", name=name)
            notes: list[str] = []
            guessed: dict[str, str] = {}
            if suffix in (*TABLES, ".zip"):
                file_check.check(copy)
            if suffix == ".zip":
                archive, copy = copy, unpack(copy, work / f"{Path(name).stem}.jsonl", notes, guessed)
            elif suffix in DOCUMENT_SUFFIXES:
                check(copy)
            elif suffix not in TABLES:
                detect(copy)  # a picture named .txt is told now, not when it is read
            upload = _settle(copy, folder() / digest)
            if suffix == ".zip" and not is_unpacked(upload.path):
                (upload.path.parent / UNPACKED).write_text(name, encoding="utf-8")
            if not upload.is_new and is_written(upload.path):
                share(upload.path)
            if guessed and not (upload.path.parent / KEPT).exists():
                _keep_archive(archive, guessed, upload.path.parent / KEPT)
            return replace(upload, notes=_shortened(notes))
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _keep_archive(archive: Path, guessed: dict[str, str], place: Path) -> None:
    """Keeps an archive too, so that its files can be read in another encoding than was guessed."""
    kept = archive.parent / KEPT
    kept.mkdir()
    os.replace(archive, kept / archive.name)
    (kept / MEMBERS).write_text(json.dumps(guessed, ensure_ascii=False), encoding="utf-8")
    os.rename(kept, place)


def _shortened(notes: list[str]) -> tuple[str, ...]:
    """The first of many sentences, and how many more there are."""
    more = len(notes) - MOST_NOTES
    return (
        (*notes[:MOST_NOTES], Message("Other files of which this is to be said: {more:,}.", more=more))
        if more > 0
        else tuple(notes)
    )


def write(text: str) -> Upload:
    """Keeps a text that a person wrote or pasted, under its first words.

    Raises:
        PlaygroundError: when it is too short or too long, or the disk is full.
    """
    text = tidy(text)
    if len(text.strip()) < LEAST:
        raise PlaygroundError(
            "The text is too short to learn from: it has {length} of at least {least} characters.",
            "Write or paste more of it.",
            length=len(text.strip()),
            least=LEAST,
        )
    if len(text) > MOST:
        raise PlaygroundError(
            "The text has {length:,} characters; the box takes {most:,}.",
            "Save it as a .txt file, and bring the file.",
            length=len(text),
            most=MOST,
        )
    upload = keep(io.BytesIO(text.encode()), f"{title(text)}.txt")
    (upload.path.parent / WRITTEN).touch()
    if not upload.is_new:
        share(upload.path)
    return upload


def share(path: Path | str) -> None:
    """Marks a text that more than one person has: `discard` leaves it."""
    (Path(path).parent / SHARED).touch()


def discard(path: Path) -> None:
    """Removes a text that was written here; one that was brought, or that somebody else has too, stays."""
    place = path.parent
    if (
        place.parent != folder()
        or not is_written(path)
        or {each.name for each in place.iterdir()} != {path.name, WRITTEN}
    ):
        return
    with disk_errors(Message("removing {file}", file=path.name)):
        gone = Path(tempfile.mkdtemp(prefix=".part-", dir=folder()))
        try:
            os.replace(place, gone / place.name)  # nobody sees it half gone
        finally:
            shutil.rmtree(gone, ignore_errors=True)


def tidy(text: str) -> str:
    """A text from a box as a file would hold it: line ends as ``\\n``, and no sign that is no text."""
    text = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]", "", text)


def title(text: str, most: int = 40) -> str:
    """The first words of a text, at most so many characters of them."""
    words = re.sub(r'[<>:"/\\|?*\s]+', " ", text[:1000]).strip(" .")
    if len(words) > most:
        words = words[: most + 1].rsplit(" ", 1)[0][:most].rstrip(" .,;:") + "…"
    return words or "text"


def _copy(file: BinaryIO, path: Path) -> str:
    """Writes the file and returns the hash of its content."""
    digest = hashlib.sha256()
    with open(path, "wb") as copy:
        while part := file.read(PART):
            digest.update(part)
            copy.write(part)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest()[:20]


def _settle(copy: Path, place: Path) -> Upload:
    """Moves a whole file to its place; one that is there already stays, under its first name."""
    place.mkdir(exist_ok=True)
    there = [path for path in place.iterdir() if path.suffix.lower() == copy.suffix.lower() and path.name[:1] != "."]
    if there:
        path = there[0]
    else:
        path = place / copy.name
        os.replace(copy, path)
    return Upload(path, path.stat().st_size, path.stat().st_mtime, is_new=not there)


def safe_name(name: str) -> str:
    """The last part of a name, without signs that a file system or a page could trip over."""
    last = re.split(r"[/\\]", clean(name))[-1]
    last = re.sub(rf'[\x00-\x1f\x7f-\x9f\u2028\u2029{TURNING}<>:"|?*]', "_", last).strip(". ")
    stem, suffix = Path(last).stem[:80], Path(last).suffix[:12]
    return (stem + suffix) or "upload.txt"
