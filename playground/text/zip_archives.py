"""The text files of a .zip archive as documents: read one after another; no file is extracted."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TextIO, cast

from playground.core.atomic import is_damaged_zip
from playground.core.errors import Message, PlaygroundError
from playground.text.documents import DOCUMENT_SUFFIXES, DocumentReader
from playground.text.encodings import decoded, detect, notes_on
from playground.text.tables import TABLE_SUFFIXES as TABLES

TEXT_SUFFIXES = (".txt", ".text", ".md")
PART = 1 << 20  # bytes copied at once
LARGEST_ARCHIVE = 2_000_000_000  # bytes of text that an archive may hold
MOST_FILES = 100_000
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # what LZMA needs of memory, a file says itself


def unpack(archive: Path, into: Path, notes: list[str], guessed: dict[str, str], encoding: str | None = None) -> Path:
    """Text files of an archive as documents: ``{"name": ..., "text": ...}``, one a line. No file is extracted.

    Args:
        notes: gets sentences on encodings that were guessed, and on damaged places.
        guessed: gets the files that are not Unicode, with their encodings.
        encoding: of all files that are not Unicode; None guesses that of each.

    Raises:
        PlaygroundError: when it is damaged, locked, holds no text, or a name in it leads out of its folder.
    """
    try:
        with zipfile.ZipFile(archive) as files, open(into, "w", encoding="utf-8") as lines:
            members = _members(files, archive.name, notes)
            left = LARGEST_ARCHIVE
            for member in members:
                left -= _document(files, member, into.parent, lines, left, archive.name, notes, guessed, encoding)
    except Exception as error:
        if not is_damaged_zip(error):
            raise
        reason = "it is locked with a password" if "encrypted" in str(error) else "it is damaged, or no zip"
        if isinstance(error, NotImplementedError):
            reason = "it is packed in a way that is not known here"
        raise PlaygroundError(
            "The archive {name} cannot be opened: {reason}.",
            "Pack it again, as a plain .zip.",
            name=archive.name,
            reason=reason,
        ) from error
    return into


def check_member_count(files: zipfile.ZipFile, name: str) -> None:
    """Refuses an archive of more files than are read."""
    if len(files.infolist()) > MOST_FILES:
        raise PlaygroundError(
            "{name} holds more than {most_files:,} files.",
            "Pack fewer, larger files.",
            name=name,
            most_files=MOST_FILES,
        )


def _members(files: zipfile.ZipFile, name: str, notes: list[str]) -> list[zipfile.ZipInfo]:
    """The text files of an archive, after every name in it was looked at; what is left out is told."""
    check_member_count(files, name)
    everything = files.infolist()
    if any(member.compress_type not in PACKED for member in everything):
        raise NotImplementedError
    for member in everything:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
        if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.filename) or is_link:
            raise PlaygroundError(
                "The archive {name} holds {member!r}, which leads out of its folder.",
                "Such archives are not opened; pack the text files again.",
                name=name,
                member=member.filename,
            )
    hidden = lambda m: m.filename.startswith("__MACOSX") or PurePosixPath(m.filename).name.startswith(".")
    meant = [m for m in everything if not m.is_dir() and not hidden(m)]
    is_text = lambda m: m.file_size and PurePosixPath(m.filename).suffix.lower() in (*TEXT_SUFFIXES, *DOCUMENT_SUFFIXES)
    texts, others = list(filter(is_text, meant)), [m.filename for m in meant if not is_text(m)]
    if not texts:
        is_table = any(PurePosixPath(other).suffix.lower() in TABLES for other in others)
        way = "Unpack it, and bring the table." if is_table else "Pack text files or documents into it."
        raise PlaygroundError("The archive {name} holds no .txt, .pdf or .docx files.", way, name=name)
    if others:
        notes.append(
            Message(
                "Files of {name} that are empty or no .txt, .md, .pdf or .docx, left out: {n_others:,} ({others}).",
                name=name,
                n_others=len(others),
                others=others[0],
            )
        )
    return sorted(texts, key=lambda member: member.filename)


def _document(
    files: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    work: Path,
    lines: TextIO,
    left: int,
    name: str,
    notes: list[str],
    guessed: dict[str, str],
    chosen: str | None,
) -> int:
    """Writes one file of the archive as a line; returns its bytes, counted while reading."""
    taken = 0
    suffix = PurePosixPath(member.filename).suffix.lower()
    part = work / f".member{suffix if suffix in DOCUMENT_SUFFIXES else '.txt'}"
    with files.open(member) as packed, open(part, "wb") as copy:
        while data := packed.read(PART):
            taken += len(data)
            if taken > left:
                raise PlaygroundError(
                    "The archive {name} holds more than {largest_archive:g} GB of text.",
                    "Pack less of it.",
                    name=name,
                    largest_archive=LARGEST_ARCHIVE / 1000000000.0,
                )
            copy.write(data)
    try:
        if suffix in DOCUMENT_SUFFIXES:
            texts: Iterable[str] = DocumentReader(part)
        else:
            encoding = detect(part)
            if not encoding.startswith("utf"):
                guessed[member.filename] = encoding
                encoding = chosen or encoding
            texts = decoded(part, encoding)
            notes += [note.replace(part.name, member.filename) for note in notes_on(part, encoding, guessed=not chosen)]
        lines.write('{"name": ' + json.dumps(member.filename, ensure_ascii=False) + ', "text": "')
        for text in texts:
            lines.write(json.dumps(text, ensure_ascii=False)[1:-1])
        lines.write('"}\n')
    except PlaygroundError as error:
        message = cast(Message, error.message).mapped(
            lambda text: text.replace(part.name, f"{member.filename} in {name}")
        )
        raise PlaygroundError(message, error.hint) from error
    return taken
