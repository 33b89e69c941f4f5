"""Parquet tables, read in a process of its own, with limits.

A file of a few hundred bytes can hold a cell a million times, or a list of a thousand million numbers, and what reads it
is compiled code that may fall over a damaged one: there, nothing worse than a sentence comes of it.
``python -m playground.text.parquet FILE COLUMN …`` writes a line of JSON that says that it reads, then the rows as a
stream of Arrow, some at a time and each as large as it is once unfolded, and at the end another line. Either line is null, or
an object that says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from playground.core import limited_process
from playground.core.errors import PlaygroundError, from_json, to_json
from playground.text.json_tables import Row
from playground.text.size_limits import (
    LONGEST_RECORD,
    MOST_COLUMNS,
    MOST_VALUES,
    check_columns,
    too_large,
    too_wide,
    weight,
)

BATCHES = (512, 32, 1)  # rows decoded at once; fewer, where the memory does not suffice for so many
PART, VALUES = 1 << 20, 1 << 17  # bytes of rows, about, that are told at once, and values in them
SECONDS = 600.0  # on the CPU that reading one file may take
BEGINNING = 500, 1 << 23  # rows, and what they hold, that are kept at hand: a page asks for them again and again
MOST_KEPT = 8  # files of which these are
LONGEST_WORD = 1 << 16  # bytes of what is said before or after the rows

Beginning = tuple[list[Row], bool]  # the first rows of a file, and whether these are all
_beginnings: dict[tuple, Beginning] = {}
_lock = threading.Lock()


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
            raise PlaygroundError("{path} cannot be read: {reason}.", path=path, reason=error.strerror) from error
        version = str(path), status.st_size, status.st_mtime_ns, status.st_ino
        told = _decoded_rows(path, wanted)
        if (kept := _kept(version, wanted)) is None:
            kept = _keep(version, wanted, told)
        else:
            told = islice(told, len(kept[0]), None)
        begun, whole = kept
        yield from begun
        if not whole:
            yield from told

    return rows


def _keep(version: tuple, wanted: tuple[str, ...], told: Iterator[Row]) -> Beginning:
    """Reads the first rows, and keeps them at hand."""
    most, left = BEGINNING
    begun: list[Row] = []
    whole = True
    for row in told:
        begun.append(row)
        left -= weight(row, left)
        if len(begun) == most or left < 0:
            whole = False
            break
    with _lock:
        while len(_beginnings) >= MOST_KEPT:
            del _beginnings[next(iter(_beginnings))]
        _beginnings[version, wanted] = begun, whole
    return begun, whole


def _kept(version: tuple, wanted: tuple[str, ...]) -> Beginning | None:
    """The first rows, where they are at hand: read with these columns, or with all."""
    with _lock:
        if kept := _beginnings.get((version, wanted)):
            return kept
        begun, whole = _beginnings.get((version, ()), ([], False))
    if begun and all(name in begun[0] for name in wanted):
        return [{name: row[name] for name in wanted} for row in begun], whole
    return None


def _decoded_rows(path: Path, wanted: tuple[str, ...]) -> Iterator[Row]:
    """The rows that the reading process tells; what is wrong is raised."""
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.text.parquet", str(path.absolute()), *wanted],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=limited_process.environment(),
        cwd="/",
    )
    try:
        assert isinstance(process.stdout, BufferedReader)
        arrow = _arrow()  # while the other process starts
        _hear(process.stdout)
        with arrow.ipc.open_stream(process.stdout) as batches:
            for batch in batches:
                yield from batch.to_pylist()
        _hear(process.stdout)
        return
    except (OSError, ValueError, TypeError, ArithmeticError, LookupError, NotImplementedError):
        pass  # it fell while it told something; or Python has no such date or time zone
    finally:
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()
    raise PlaygroundError(
        "{name} could not be read to its end.",
        "It may be damaged, or too large for the memory: save the columns that are needed as .csv, and bring that.",
        name=path.name,
    )


def _arrow() -> Any:
    try:
        import pyarrow.ipc
    except ImportError:
        raise PlaygroundError("Parquet files need the package pyarrow.", "Run: pip install pyarrow") from None
    return pyarrow


def _hear(out: BinaryIO) -> None:
    """Raises what the reading process says is wrong; ValueError where it says nothing."""
    said = json.loads(out.readline(LONGEST_WORD))
    if said is not None:
        raise PlaygroundError(from_json(said["message"]), from_json(said["hint"]))


# The reading process


def main(path: str, *wanted: str) -> None:
    """Reads a file and tells what is in it."""
    out = sys.stdout.buffer
    limited_process.limit(limited_process.MEMORY, SECONDS)
    try:
        _tell(Path(path), wanted, out)
        said = None
    except PlaygroundError as error:
        said = {"message": error.message, "hint": error.hint}
    out.write(json.dumps(to_json(said)).encode() + b"\n")
    out.flush()


def _tell(path: Path, wanted: tuple[str, ...], out: BinaryIO) -> None:
    """Writes the stream; with the line before it, where it comes so far."""
    import pyarrow
    from pyarrow import parquet

    row = 0
    try:
        with contextlib.ExitStack() as open_:
            file = open_.enter_context(parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False))
            if file.metadata.num_columns > MOST_COLUMNS:  # leaves: a column may have several
                raise too_wide(path.name, f"{file.metadata.num_columns:,}")
            _check_counts(file.metadata)
            names = file.schema_arrow.names
            check_columns(names, path.name)
            chosen = list(dict.fromkeys(wanted)) if wanted and all(name in names for name in wanted) else None
            stream = None
            for batch in _batches(file, chosen):
                batch.validate(full=True)
                for part in _parts(batch):
                    if part is None:
                        raise too_large(path.name, row + 1)
                    if stream is None:
                        out.write(b"null\n")
                        out.flush()
                        stream = open_.enter_context(pyarrow.ipc.new_stream(out, part.schema))
                    stream.write_batch(part)
                    out.flush()
                    row += part.num_rows
            if stream is None:
                out.write(b"null\n")
                out.flush()
                open_.enter_context(pyarrow.ipc.new_stream(out, file.schema_arrow))
    except MemoryError:  # also pyarrow's own
        raise too_large(path.name, row + 1) from None
    except (pyarrow.ArrowException, OSError, ValueError, ArithmeticError, RecursionError) as error:
        raise PlaygroundError(
            "{name} is not a Parquet table that can be read: {reason}.",
            "Save it again.",
            name=path.name,
            reason=_shortened(str(error)),
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


def _parts(batch: Any) -> Iterator[Any]:
    """The rows of a batch, about `PART` at a time, as they are once unfolded; None for one row that is too large."""
    if batch.num_rows == 1:
        part = _plain(batch)
        yield part if _is_small(part) else None
        return
    size, values = _measured(batch.columns)
    if size <= PART and values <= VALUES:
        yield _plain(batch)
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _is_small(row: Any) -> bool:
    """Whether a row may be held in memory as Python has it."""
    size, values = _measured(row.columns)
    if values > MOST_VALUES or size > 4 * LONGEST_RECORD:  # a letter has up to four bytes
        return False
    return size <= LONGEST_RECORD or weight(row.to_pylist(), LONGEST_RECORD) <= LONGEST_RECORD


def _measured(arrays: list[Any]) -> tuple[int, int]:
    """Bytes that arrays take once unfolded, at most, and how many values they have, with all parts of these."""
    from pyarrow import ExtensionArray, types

    size = values = 0
    for array in arrays:
        kind, parts = array.type, []
        if isinstance(array, ExtensionArray):
            parts = [array.storage]
        elif types.is_struct(kind):
            parts = array.flatten()
        elif types.is_map(kind):
            first, last = (array.offsets[i].as_py() for i in (0, -1))
            parts = [each.slice(first, last - first) for each in (array.keys, array.items)]
        elif types.is_nested(kind):
            parts = [array.flatten()]
        elif types.is_dictionary(kind):
            size += len(array) * _longest(array.dictionary)
        inside = _measured(parts)
        size, values = size + (inside[0] if parts else array.nbytes), values + inside[1] + len(array)
    return size, values


def _longest(values: Any) -> int:
    """Bytes of the longest of some values, at most."""
    from pyarrow import compute as functions
    from pyarrow import types

    compute: Any = functions  # made when it is imported, so that no type checker knows them

    if types.is_primitive(values.type):
        return 8
    try:
        return compute.max(compute.binary_length(values)).as_py() or 0
    except NotImplementedError:
        return values.nbytes


def _plain(batch: Any) -> Any:
    """The rows with each category, and each view of a part, as what it stands for."""
    import pyarrow

    plain = pyarrow.schema([field.with_type(_unfolded(field.type)) for field in batch.schema])
    return batch if plain.types == batch.schema.types else batch.cast(plain)


def _unfolded(kind: Any) -> Any:
    """The type of what is in an array, without categories and views."""
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(kind):
        return _unfolded(kind.value_type)
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_unfolded(field.type)) for field in kind])
    if types.is_map(kind):
        return pyarrow.map_(_unfolded(kind.key_type), _unfolded(kind.item_type))
    if types.is_nested(kind) and hasattr(kind, "value_type"):
        inside = kind.value_field.with_type(_unfolded(kind.value_type))
        if types.is_list_view(kind) or types.is_large_list_view(kind) or inside.type != kind.value_type:
            return pyarrow.large_list(inside)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pyarrow.large_string() if types.is_string_view(kind) else pyarrow.large_binary()
    return kind


if __name__ == "__main__":
    main(*sys.argv[1:])
