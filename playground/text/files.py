"""A person's own file as a source: .txt, .csv, .tsv, .jsonl and .parquet, read as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playground.core.errors import Message, PlaygroundError, sentences
from playground.core.paths import readable
from playground.text import archive_encodings, uploads
from playground.text.byte_alphabet import clean
from playground.text.conll import is_tagged
from playground.text.documents import DOCUMENT_SUFFIXES, NOT_READ, open_document
from playground.text.encodings import decoded, detect, no_encoding, notes_on
from playground.text.sources import Source
from playground.text.tables import TABLE_SUFFIXES, Table, open_rows, text_column

if TYPE_CHECKING:
    from playground.text.spec import DataSpec

PLAIN = (".txt", ".text", ".md", ".log", "")
READING = b"4"  # of tables: another number prepares them again


def open_file(spec: DataSpec) -> Source:
    """A file as a source. Plain text is one long text; a table gives a document or a pair for each row.

    Raises:
        PlaygroundError: when it may not be read, is missing, empty, not text, of an unknown kind, or lacks a column. What
            is wrong further down is found while reading: ``documents()`` raises it with its place.
    """
    readable(spec.path or "")
    provenance = _provenance(spec.path or "")
    spec, told = _as_chosen(spec)
    path = readable(spec.path or "")
    if not path.is_file():
        raise PlaygroundError(
            Message("{path} is a folder.", path=path)
            if path.is_dir()
            else Message("{path} does not exist.", path=path),
            "Choose a .txt, .csv, .jsonl or .parquet file.",
        )
    try:
        size = path.stat().st_size
        fingerprint = _fingerprint(path)
    except OSError as error:
        raise PlaygroundError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error
    if not size:
        raise PlaygroundError("{name} is empty.", "Choose a file with text in it.", name=path.name)
    suffix, notes = path.suffix.lower(), list
    if suffix in DOCUMENT_SUFFIXES:
        _no_columns(spec, path)
        no_encoding(path, spec.encoding)
        return open_document(path, fingerprint)
    if suffix in PLAIN:
        _no_columns(spec, path)
        encoding = spec.encoding or detect(path)
        fingerprint += "" if encoding.startswith("utf") else encoding  # a better guess prepares the text again
        documents, shape = (lambda: decoded(path, encoding)), "stream"
        notes = lambda: [*notes_on(path, encoding, guessed=not spec.encoding), *_told_of_tags(path, encoding)]
    elif suffix in TABLE_SUFFIXES:
        table = open_table(spec)
        if not (spec.text_column or spec.reads_pairs):  # Parquet is then read by this column alone
            spec = spec.replace(text_column=text_column(table))
            table = open_table(spec)
        documents, shape = choose(table, spec)
        notes = lambda: [*told, *table.notes()]
    else:
        raise PlaygroundError(
            "{name}: files ending in {suffix} are not read.",
            NOT_READ.get(suffix, "Save it as .txt, .docx or PDF, or a table as .csv, .jsonl or .parquet."),
            name=path.name,
            suffix=suffix,
        )
    return Source(
        documents=documents,
        shape=shape,
        fingerprint=fingerprint,
        whole=suffix in PLAIN,
        size=size,
        provenance=provenance,
        notes=notes,
    )


def _provenance(path: str) -> str:
    name = clean(uploads.display_name(path))
    return (
        Message("Written in the app: “{beginning}”.", beginning=name)
        if uploads.is_written(path)
        else Message("From the file {name}.", name=name)
    )


def _told_of_tags(path: Path, encoding: str) -> list[str]:
    """What to say where the lines of a plain text are words with tags."""
    if not is_tagged(path, encoding):
        return []
    return [
        sentences(
            Message("{name} has a word with tags on each line, and is read as it stands.", name=path.name),
            Message("To read its words as sentences, let its name end in .conll."),
        )
    ]


def _as_chosen(spec: DataSpec) -> tuple[DataSpec, list[str]]:
    """The spec of the texts of an archive in the encoding that was chosen for them, with what is to be told; others stay."""
    path = readable(spec.path or "")
    read = archive_encodings.texts_in_encoding(path, spec.encoding)
    return (
        (spec, []) if read == path else (spec.replace(path=str(read), encoding=None), archive_encodings.notes_on(read))
    )


def open_table(spec: DataSpec) -> Table:
    """The table of a spec whose file is one, see `tables.open_rows`.

    Raises:
        PlaygroundError: as ``open_file``.
    """
    spec, _ = _as_chosen(spec)
    path = readable(spec.path or "")
    if not path.is_file() or not path.stat().st_size:
        open_file(spec)
    named = (spec.source_column, spec.target_column) if spec.reads_pairs else (spec.text_column,)
    wanted = tuple(column for column in named if column)
    return open_rows(path, spec.encoding, wanted if len(wanted) == len(named) else ())


def columns(spec: DataSpec) -> list[str]:
    """The columns of a table, in order, for a page to offer; [] for plain text, and for the texts of an archive.

    Raises:
        PlaygroundError: as ``open_file``.
    """
    path = readable(spec.path or "")
    if path.suffix.lower() not in TABLE_SUFFIXES or uploads.is_unpacked(path):
        return []
    return list(open_table(spec.replace(text_column=None, source_column=None, target_column=None)).columns)


def _fingerprint(path: Path) -> str:
    """Of the content, without reading it all: size, time, and 32 places between the ends."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    if path.suffix.lower() in TABLE_SUFFIXES:
        digest.update(READING)
    with open(path, "rb") as file:
        for part in range(33):
            file.seek(max(0, status.st_size - (1 << 14)) * part // 32)
            digest.update(file.read(1 << 14))
    return digest.hexdigest()


def _no_columns(spec: DataSpec, path: Path) -> None:
    for name in (spec.text_column, spec.source_column, spec.target_column):
        if name is not None:
            raise PlaygroundError(
                "{name} is plain text: it has no column {column!r}.",
                "Columns are for .csv, .jsonl and .parquet.",
                name=path.name,
                column=name,
            )


def choose(table: Table, spec: DataSpec) -> tuple[Callable[[], Iterator], str]:
    """The documents or pairs in the columns that were named, or in the one that is meant without doubt.

    Returns:
        What ``Source`` takes as ``documents`` and ``shape``. A row that lacks the text is an empty document.

    Raises:
        PlaygroundError: for a column that is not there, or is in doubt; while reading, for a cell that is no text.
    """
    for column in (spec.text_column, spec.source_column, spec.target_column):
        if column is not None:
            table.check(column)
    if spec.source_column is not None and spec.target_column is not None:
        source, target = table.texts(spec.source_column), table.texts(spec.target_column)
        return (lambda: ((source(i, row), target(i, row)) for i, row in enumerate(table.rows(), 1))), "pairs"
    text = table.texts(spec.text_column or text_column(table))
    return (lambda: (text(i, row) for i, row in enumerate(table.rows(), 1))), "stream"
