"""Files of one JSON object per line: appended to by one process, read by many, never half read."""

import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from playground.core.atomic import disk_errors, replacing
from playground.core.errors import Message

Row = dict[str, Any]
PART = 1 << 20  # bytes read at once: with what is made of them, they fit into a processor's cache
LONGEST = 4 << 20  # bytes; a longer line is none of ours
_CHECKED = 64  # bytes before a cursor that must be the same for it to be valid
_SHIFT = 48  # a cursor is the offset in bytes, below a checksum of the bytes before it


def append(path: Path, *rows: Row) -> None:
    """Adds a line for each row, in one write.

    A line that a killed writer left torn is closed first, so that it spoils only itself.

    Raises:
        PlaygroundError: when the disk is full.
    """
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    with disk_errors(Message("writing {file}", file=path.name)):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                data = b"\n" + data
            while data:
                data = data[os.write(handle, data) :]
        finally:
            os.close(handle)


def parts(path: Path, cursor: int = 0) -> Iterator[tuple[bytes, int, bool]]:
    """The whole lines after ``cursor``, as bytes, some MB at a time: no more is ever in memory.

    Args:
        cursor: 0, or what an earlier call told. It carries a checksum of the bytes before it, so that a
            file rewritten since (a run resumed from an earlier step) is noticed and read from its beginning.

    Yields:
        Some lines (each ends in a newline; none where the file was only rewritten), the cursor after them, and
        whether reading began again at the start of the file, which only the first part can tell.
    """
    offset, checksum = cursor & ((1 << _SHIFT) - 1), cursor >> _SHIFT
    try:
        handle = _opened(path)
    except OSError:  # not there yet; or no file that can be read, as in a damaged folder
        if cursor:
            yield b"", 0, True
        return
    with os.fdopen(handle, "rb", buffering=0) as file:
        file.seek(max(0, offset - _CHECKED))
        before = file.read(min(offset, _CHECKED))
        restarted = bool(offset) and (zlib.crc32(before) != checksum or len(before) < min(offset, _CHECKED))
        if restarted:
            file.seek(0)
            before, offset = b"", 0
            yield b"", 0, True
        for passed, whole in _whole_lines(file):
            offset += len(passed) + len(whole)
            before = (before + passed[-_CHECKED:] + whole[-_CHECKED:])[-_CHECKED:]
            yield whole, (zlib.crc32(before) << _SHIFT | offset), False


def _opened(path: Path) -> int:
    """A handle to read a file by; refuses a folder, and a pipe, which would never end."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise IsADirectoryError(path)
    return handle


def _whole_lines(file: Any) -> Iterator[tuple[bytes, bytes]]:
    """(bytes of a line too long to be one of ours, whole lines after them), until the end of the file."""
    rest, in_long = b"", False
    while data := file.read(PART):
        data, passed = rest + data, b""
        if in_long:
            end = data.find(b"\n") + 1 or len(data)
            in_long = not data[:end].endswith(b"\n")
            passed, data = data[:end], data[end:]
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        if len(rest) > LONGEST:
            if passed or whole:
                yield passed, whole
            passed, whole, rest, in_long = rest, b"", b"", True
        if passed or whole:
            yield passed, whole


def read(path: Path, cursor: int = 0) -> tuple[list[Row], int, bool]:
    """All rows after ``cursor`` (see `parts`); torn or foreign lines are passed over.

    Returns:
        The rows, the cursor for the next call, and whether reading began again at the start of the file.
    """
    rows, next_cursor, has_restarted = [], cursor, False
    for data, after, restarted in parts(path, cursor):
        rows += parse(data)
        next_cursor, has_restarted = after, has_restarted or restarted
    return rows, next_cursor, has_restarted


def parse(data: bytes) -> list[Row]:
    """The objects of whole lines."""
    return [row for line in data.split(b"\n") if (row := parse_line(line)) is not None]


_quick = msgspec.json.Decoder()  # five times as quick as json, and stricter


def parse_line(line: bytes) -> Row | None:
    """The object of a line; None where it is torn or foreign."""
    try:
        row = _quick.decode(line)
    except (ValueError, RecursionError):
        try:
            row = json.loads(line)  # NaN, among others
        except (ValueError, RecursionError):
            return None
    return row if isinstance(row, dict) else None


def keep_only(path: Path, wanted: Callable[[Row], bool]) -> None:
    """Rewrites the file with the wanted rows only, in one step; readers with a cursor notice.

    Rows that ``wanted`` cannot judge, as their values are of another type, are left out.
    """
    if not path.exists():
        return
    with replacing(path) as file:
        for data, *_ in parts(path):
            file.writelines(line + b"\n" for line in data.split(b"\n") if _is_wanted(line, wanted))


def _is_wanted(line: bytes, wanted: Callable[[Row], bool]) -> bool:
    row = parse_line(line)
    try:
        return row is not None and wanted(row)
    except TypeError:
        return False
