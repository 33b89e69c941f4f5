"""Parquet tables, read in a process of its own, with limits.

A file of a few hundred bytes can hold a cell a million times, or a list of a thousand million numbers, and what reads it
is compiled code that may fall over a damaged one: there, nothing worse than a sentence comes of it.
``python -m playground.text.parquet FILE COLUMN …`` writes a JSON text a line: the names of the columns that it reads, then
some rows at a time, how many and each column of them, and at the end null; or an object that says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from playground import gate
from playground.errors import PlaygroundError
from playground.text.cells import plain
from playground.text.records import Row
from playground.text.sizes import (
    LONGEST_RECORD,
    MOST_COLUMNS,
    MOST_VALUES,
    check_columns,
    too_large,
    too_wide,
    values_in,
    weight,
)

BATCHES = (512, 32, 1)  # rows decoded at once; fewer, where the memory does not suffice for so many
PART = 1 << 20  # bytes of rows, about, that are told at once
SECONDS = 600.0  # on the CPU that reading one file may take
BEGINNING = 500, 1 << 23  # rows, and what they hold, that are kept at hand: a page asks for them again and again
BETWEEN = "\x1e"  # texts of a column that are told as one
BYTES = "\0bytes"  # marks what JSON does not know


def parquet_rows(path: Path, wanted: tuple[str, ...] = ()) -> Callable[[], Iterator[Row]]:
    """A call that reads the rows of a file.

    Args:
        wanted: columns that are enough, where all of them are there.

    Raises:
        PlaygroundError: while reading, for what is no table or is damaged, and for a row that is too large.
    """

    def rows() -> Iterator[Row]:
        try:
            status = path.stat()
        except OSError as error:
            raise PlaygroundError(f"{path} cannot be read: {error.strerror}.") from error
        begun, whole = _beginning(path, wanted, (status.st_size, status.st_mtime_ns, status.st_ino))
        yield from begun
        if not whole:
            yield from islice(_told(path, wanted), len(begun), None)

    return rows


@lru_cache(maxsize=8)
def _beginning(path: Path, wanted: tuple[str, ...], version: tuple[int, ...]) -> tuple[list[Row], bool]:
    """The first rows, and whether these are all."""
    most, left = BEGINNING
    begun = []
    told = _told(path, wanted)
    for row in told:
        begun.append(row)
        left -= weight(row, left)
        if len(begun) == most or left < 0:
            return begun, False
    return begun, True


def _told(path: Path, wanted: tuple[str, ...]) -> Iterator[Row]:
    """The rows that the reading process tells; what is wrong is raised."""
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.text.parquet", str(path.absolute()), *wanted],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=gate.environment(), cwd="/",
    )  # fmt: skip
    try:
        names = _said(process.stdout)
        while said := _said(process.stdout):
            n, *columns = said
            columns = [column.split(BETWEEN) if isinstance(column, str) else column for column in columns]
            for cells in zip(*columns) if columns else [()] * n:
                yield dict(zip(names, cells))
        if said is None:
            return
    except (ValueError, TypeError):  # it fell while it told something
        pass
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    raise PlaygroundError(
        f"{path.name} could not be read to its end.",
        "It may be damaged, or too large for the memory: save the columns that are needed as .csv, and bring that.",
    )


def _said(out: BinaryIO) -> Any:
    said = json.loads(out.readline(8 * LONGEST_RECORD), object_hook=_object)
    if isinstance(said, PlaygroundError):
        raise said
    return said


def _object(value: dict) -> Any:
    """An object of a cell; one that stands for bytes, or for what is wrong."""
    if len(value) == 1 and isinstance(found := value.get(BYTES), str):
        return found.encode("latin-1", "replace")
    if len(value) == 1 and isinstance(found := value.get("\0wrong"), list):
        return PlaygroundError(*found)
    return value


# The reading process


def main(path: str, *wanted: str) -> None:
    """Reads a file and tells what is in it."""
    out = sys.stdout.buffer
    gate.limit(gate.MEMORY, SECONDS)
    try:
        for text in _texts(Path(path), wanted):
            out.write(text.encode() + b"\n")
            out.flush()
    except PlaygroundError as error:
        out.write(json.dumps({"\0wrong": [error.message, error.hint]}).encode() + b"\n")


def _texts(path: Path, wanted: tuple[str, ...]) -> Iterator[str]:
    """The lines to tell."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise PlaygroundError("Parquet files need the package pyarrow.", "Run: pip install pyarrow") from None
    row = 0
    try:
        with parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            if file.metadata.num_columns > MOST_COLUMNS:  # leaves: a column may have several
                raise too_wide(path.name, f"{file.metadata.num_columns:,}")
            _check_counts(file.metadata)
            names = file.schema_arrow.names
            check_columns(names, path.name)
            chosen = list(dict.fromkeys(wanted)) if wanted and all(name in names for name in wanted) else None
            yield json.dumps(chosen or names)
            for batch in _batches(file, chosen):
                for text, rows in _parts(batch):
                    if not text:
                        raise too_large(path.name, row + 1)
                    row += rows
                    yield text
        yield "null"
    except MemoryError:  # also pyarrow's own
        raise too_large(path.name, row + 1) from None
    except (pyarrow.ArrowException, OSError, ValueError, ArithmeticError, RecursionError) as error:
        raise PlaygroundError(
            f"{path.name} is not a Parquet table that can be read: {_shortened(str(error))}.", "Save it again."
        ) from error


def _check_counts(metadata: Any) -> None:
    """Refuses a file whose end does not say the same everywhere of how many rows there are."""
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    if min(rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        raise ValueError("its numbers of rows do not add up")


def _shortened(text: str) -> str:
    """What pyarrow says, which may hold anything that the file does."""
    return text[:300].strip(" .")


def _batches(file: Any, columns: list[str] | None) -> Iterator[Any]:
    """Some rows at a time. Where memory does not suffice for them, fewer at a time from there on."""
    sizes = list(BATCHES)
    for group in range(file.metadata.num_row_groups):
        done = 0
        while True:
            skipped = done
            try:
                for batch in file.iter_batches(sizes[0], row_groups=[group], columns=columns, use_threads=False):
                    new, skipped = batch.slice(min(skipped, batch.num_rows)), max(0, skipped - batch.num_rows)
                    if new.num_rows:
                        done += new.num_rows
                        yield new
                break
            except MemoryError:
                if len(sizes) == 1:
                    raise
                del sizes[0]


def _parts(batch: Any) -> Iterator[tuple[str, int]]:
    """The rows of a batch as JSON, about `PART` at a time, with how many these are; "" for one row that is too large."""
    text = None
    if batch.num_rows == 1 or _unfolded(batch) <= PART:
        try:
            text = _json(batch)
        except MemoryError:
            if batch.num_rows == 1:
                raise
        if text and len(text) <= LONGEST_RECORD and values_in(text, MOST_VALUES) <= MOST_VALUES:
            yield text, batch.num_rows
            return
    if batch.num_rows == 1:
        yield "", 1
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _unfolded(batch: Any) -> int:
    """Bytes of the rows, at most, where those of a category count as often as they are there."""
    import pyarrow
    from pyarrow import compute

    size = batch.nbytes
    for column in batch.columns:
        if pyarrow.types.is_dictionary(column.type) and not pyarrow.types.is_primitive(column.type.value_type):
            with contextlib.suppress(pyarrow.ArrowException):  # made of parts: where they are too many, memory tells
                size += batch.num_rows * (compute.max(compute.binary_length(column.dictionary)).as_py() or 0)
    return size


def _json(batch: Any) -> str:
    columns = [_joined(column.to_pylist()) for column in batch.columns]
    return json.dumps([batch.num_rows, *columns], ensure_ascii=False, default=_known)


def _joined(values: list) -> list | str:
    """Texts as one, which is told quicker than each, where all of a column are such."""
    try:
        text = BETWEEN.join(values)
    except TypeError:
        return values
    return text if text.count(BETWEEN) == len(values) - 1 else values


def _known(value: object) -> object:
    """What JSON does not know: dates and exact numbers as text, as a table shows them; bytes stay bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {BYTES: bytes(value).decode("latin-1")}
    if isinstance(value, (date, time, timedelta, UUID, Decimal)):
        return plain(value) or None
    return str(value)


if __name__ == "__main__":
    main(*sys.argv[1:])
