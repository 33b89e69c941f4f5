"""Files of one JSON object a line: appended to by one process, read by many, never half read."""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground.atomic import disk_errors, write_bytes

Row = dict[str, Any]
_CHECKED = 64  # bytes before a cursor that must be the same for it to be valid
_SHIFT = 48  # a cursor is the offset in bytes, below a checksum of the bytes before it


def append(path: Path, *rows: Row) -> None:
    """Adds a line for each row, in one write.

    A line that a killed writer left torn is closed first, so that it spoils only itself.

    Raises:
        PlaygroundError: when the disk is full.
    """
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    with disk_errors(f"writing {path.name}"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                data = b"\n" + data
            while data:
                data = data[os.write(handle, data) :]
        finally:
            os.close(handle)


def read(path: Path, cursor: int = 0) -> tuple[list[Row], int, bool]:
    """The whole lines after ``cursor``; torn or foreign lines are passed over.

    Args:
        cursor: 0, or what an earlier call returned. It carries a checksum of the bytes before it, so that a
            file rewritten since (a run resumed from an earlier step) is noticed and read from its beginning.

    Returns:
        The rows, the cursor for the next call, and whether reading began again at the start of the file.
    """
    offset, checksum = cursor & ((1 << _SHIFT) - 1), cursor >> _SHIFT
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return [], 0, cursor != 0
    with os.fdopen(handle, "rb") as file:
        file.seek(max(0, offset - _CHECKED))
        before = file.read(min(offset, _CHECKED))
        restarted = bool(offset) and (zlib.crc32(before) != checksum or len(before) < min(offset, _CHECKED))
        if restarted:
            file.seek(0)
            before, offset = b"", 0
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    if whole:
        offset += len(whole)
        before = (before + whole[-_CHECKED:])[-_CHECKED:]
    return _parse(whole), (zlib.crc32(before) << _SHIFT | offset) if offset else 0, restarted


def _parse(data: bytes) -> list[Row]:
    rows = []
    for line in data.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def keep_only(path: Path, wanted: Callable[[Row], bool]) -> None:
    """Rewrites the file with the wanted rows only, in one step; readers with a cursor notice."""
    rows, _, _ = read(path)
    kept = [row for row in rows if wanted(row)]
    if path.exists():
        write_bytes(path, b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in kept))
