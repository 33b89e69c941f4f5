"""A person's own file as a source: .txt, .csv, .tsv, .jsonl and .parquet, read as a stream."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playground.errors import PlaygroundError
from playground.text.encodings import decoded, detect, lines
from playground.text.sources import Source

if TYPE_CHECKING:
    from playground.text.spec import DataSpec

LONGEST_FIELD = 1 << 26  # characters in one cell of a table, held in memory whole
TEXT_NAMES = ("text", "content", "document", "body", "sentence", "review", "review_body", "story")
PLAIN = (".txt", ".text", ".md", ".log", "")

Row = dict[str, object]


def open_file(spec: DataSpec) -> Source:
    """A file as a source. Plain text is one long text; a table gives a document or a pair for each row.

    Raises:
        PlaygroundError: when it is missing, empty, not text, of an unknown kind, or lacks a column. What
            is wrong further down is found while reading: ``documents()`` raises it with its place.
    """
    path = Path(spec.path).expanduser()
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise PlaygroundError(f"{path} {what}.", "Choose a .txt, .csv, .jsonl or .parquet file.")
    try:
        size = path.stat().st_size
        fingerprint = _fingerprint(path)
    except OSError as error:
        raise PlaygroundError(f"{path} cannot be read: {error.strerror}.") from error
    if not size:
        raise PlaygroundError(f"{path.name} is empty.", "Choose a file with text in it.")
    suffix = path.suffix.lower()
    if suffix in PLAIN:
        _no_columns(spec, path)
        encoding = spec.encoding or detect(path)
        documents, shape = (lambda: decoded(path, encoding)), "stream"
    elif suffix in TABLES:
        documents, shape = _table(path, spec)
    else:
        raise PlaygroundError(
            f"{path.name}: files ending in {suffix} are not read.",
            "Save it as .txt, .csv, .jsonl or .parquet.",
        )
    return Source(
        documents=documents,
        shape=shape,
        fingerprint=fingerprint,
        whole=suffix in PLAIN,
        size=size,
        provenance=f"The file {path.name}.",
    )


def _table(path: Path, spec: DataSpec) -> tuple[Callable[[], Iterator], str]:
    """The documents or pairs of a table, reading the chosen columns alone."""
    read = TABLES[path.suffix.lower()]
    if read is not _parquet_rows:
        spec = spec.replace(encoding=spec.encoding or detect(path))
    elif not (spec.text_column or spec.reads_pairs):
        spec = spec.replace(text_column=_text_column(first_row(read(path, spec), path.name), path.name))
    rows = read(path, spec)
    return choose(rows, first_row(rows, path.name), spec, path.name)


def columns(spec: DataSpec) -> list[str]:
    """The columns of a table, in order, for a page to offer; [] for plain text.

    Raises:
        PlaygroundError: as ``open_file``.
    """
    path = Path(spec.path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in TABLES:
        return []
    if not path.is_file() or not path.stat().st_size:
        open_file(spec)
    return list(first_row(TABLES[suffix](path, spec.replace(text_column=None)), path.name))


def _fingerprint(path: Path) -> str:
    """Of the content, without reading it all: size, time, and 32 places between the ends."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with open(path, "rb") as file:
        for part in range(33):
            file.seek(max(0, status.st_size - (1 << 14)) * part // 32)
            digest.update(file.read(1 << 14))
    return digest.hexdigest()


def _no_columns(spec: DataSpec, path: Path) -> None:
    for name in (spec.text_column, spec.source_column, spec.target_column):
        if name is not None:
            raise PlaygroundError(
                f"{path.name} is plain text: it has no column {name!r}.",
                "Columns are for .csv, .jsonl and .parquet.",
            )


def first_row(rows: Callable[[], Iterator[Row]], name: str) -> Row:
    """The first row of a table; a table without one is a PlaygroundError."""
    row = next(iter(rows()), None)
    if row is None:
        raise PlaygroundError(f"{name} has no rows.", "Choose a file with text in it.")
    return row


def choose(
    rows: Callable[[], Iterator[Row]], first: Row, spec: DataSpec, name: str
) -> tuple[Callable[[], Iterator], str]:
    """The documents or pairs in the columns that were named, or in the one that is meant without doubt.

    Args:
        rows: a call reads the table.
        first: its first row, which has every column.
        spec: names the columns.
        name: of the table, for errors.

    Returns:
        What ``Source`` takes as ``documents`` and ``shape``.
    """
    for column in (spec.text_column, spec.source_column, spec.target_column):
        if column is not None and column not in first:
            raise PlaygroundError(f"{name} has no column {column!r}.", f"It has {_listed(first)}.")
    if spec.reads_pairs:
        source, target = spec.source_column, spec.target_column
        return (lambda: ((_text(row, source), _text(row, target)) for row in rows())), "pairs"
    column = spec.text_column or _text_column(first, name)
    return (lambda: (_text(row, column) for row in rows())), "stream"


def _text_column(first: Row, name: str) -> str:
    if len(first) == 1:
        return next(iter(first))
    by_lower = {column.lower(): column for column in first}
    for known in TEXT_NAMES:
        if known in by_lower:
            return by_lower[known]
    raise PlaygroundError(
        f"Which column of {name} holds the text?", f"Name one as text_column: it has {_listed(first)}."
    )


def _listed(row: Row) -> str:
    names = list(row)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _text(row: Row, column: str) -> str:
    """A cell as text; one that is missing or null is empty, and left out later."""
    value = row.get(column)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _csv_rows(path: Path, spec: DataSpec) -> Callable[[], Iterator[Row]]:
    encoding = spec.encoding or detect(path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(next(lines(path, encoding), ""))

    def rows() -> Iterator[Row]:
        csv.field_size_limit(LONGEST_FIELD)
        reader = csv.reader(lines(path, encoding), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise PlaygroundError(
                    f"{path.name} breaks off in the row that begins on line {start}: {error}.",
                    'Look for a quote " that is not closed; inside a cell, write it twice.',
                ) from error
            if cells is None:
                return
            if not cells:
                continue
            if header is None:
                header = _header(cells, path)
            elif len(cells) > len(header):
                raise PlaygroundError(
                    f"Line {start} of {path.name} has {len(cells)} cells, but the header has {len(header)}.",
                    "Put a cell that holds the separator in quotes.",
                )
            else:
                yield dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))

    return rows


def _header(cells: list[str], path: Path) -> list[str]:
    names = [name.strip() for name in cells]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise PlaygroundError(
            f"{path.name} has two columns named {double!r}.", "Give each column its own name."
        )
    return names


def _delimiter(header: str) -> str:
    """The separator that the first line has most of; a comma when it has none."""
    return max(",;\t|", key=header.count)


def _json_rows(path: Path, spec: DataSpec) -> Callable[[], Iterator[Row]]:
    encoding = spec.encoding or detect(path)

    def rows() -> Iterator[Row]:
        names: list[str] | None = None
        for number, line in enumerate(lines(path, encoding, LONGEST_FIELD), 1):
            if not line.strip():
                continue
            row = _record(line, number, path)
            if names is None:
                names = list(row)
            wanted = [spec.source_column, spec.target_column] if spec.reads_pairs else [spec.text_column]
            for name in wanted:
                if name is not None and name in names and name not in row:
                    raise PlaygroundError(
                        f"Line {number} of {path.name} has no {name!r}.",
                        f"It has {_listed(row) or 'nothing'}.",
                    )
            yield row

    return rows


def _record(line: str, number: int, path: Path) -> Row:
    """One line of .jsonl; a bare string counts as the column ``text``."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        list_hint = "This is one JSON list: " if number == 1 and line.lstrip().startswith("[") else ""
        raise PlaygroundError(
            f"Line {number} of {path.name} is not JSON: {getattr(error, 'msg', error)}.",
            f'{list_hint}write one object a line, such as {{"text": "..."}}.',
        ) from error
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        raise PlaygroundError(
            f"Line {number} of {path.name} is no JSON object.",
            'Write one object a line, such as {"text": "..."}.',
        )
    return value


def _parquet_rows(path: Path, spec: DataSpec) -> Callable[[], Iterator[Row]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise PlaygroundError("Parquet files need the package pyarrow.", "Run: pip install pyarrow") from None

    def rows() -> Iterator[Row]:
        try:
            with parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
                names = file.schema_arrow.names
                wanted = [spec.source_column, spec.target_column] if spec.reads_pairs else [spec.text_column]
                chosen = wanted if all(name in names for name in wanted) else None
                for batch in file.iter_batches(batch_size=512, columns=chosen):
                    yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise PlaygroundError(
                f"{path.name} is not a Parquet table that can be read: {error}.", "Save it again."
            ) from error

    return rows


TABLES: dict[str, Callable[[Path, DataSpec], Callable[[], Iterator[Row]]]] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
    ".json": _json_rows,
    ".parquet": _parquet_rows,
}
