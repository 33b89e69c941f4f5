"""Token ids on disk, read a window at a time: a file of any size takes no memory.

A window is read from the page cache straight into the batch (``pread``). Mapping the file would count every
page ever touched as this process's memory, and would end the process if the file became shorter.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import overload

import numpy as np

from playground.core.errors import PlaygroundError


def dtype_for(vocab_size: int) -> np.dtype:
    """The smallest type that holds every id: uint16 up to 65,536 tokens, else uint32; little-endian."""
    return np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")


class TokenFile:
    """A long row of token ids in a file.

    Args:
        path: the file, ids one after another.
        dtype: of an id in the file.

    Raises:
        PlaygroundError: when the file is missing or its size is not a whole number of ids.
    """

    def __init__(self, path: Path | str, dtype: np.dtype | str) -> None:
        self.path = Path(path)
        self.dtype = np.dtype(dtype)
        try:
            self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise PlaygroundError(
                "The tokens {name} cannot be read: {reason}.",
                "Prepare the data again.",
                name=self.path.name,
                reason=error.strerror,
            ) from error
        self.close = weakref.finalize(self, os.close, self._file)  # with the object, or when called
        size = os.fstat(self._file).st_size
        if size % self.dtype.itemsize:
            raise PlaygroundError("The tokens {name} are damaged.", "Prepare the data again.", name=self.path.name)
        self._length = size // self.dtype.itemsize

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> np.ndarray: ...
    def __getitem__(self, place: int | slice) -> np.ndarray | int:
        """One id, or a slice as int64 ``[n]``: a copy, in memory."""
        if isinstance(place, slice):
            start, stop, step = place.indices(self._length)
            if step < 1:
                raise ValueError("token files are read forwards")
            return self._read(start, max(0, stop - start))[::step]
        index = place + self._length if place < 0 else place
        if not 0 <= index < self._length:
            raise IndexError(place)
        return int(self._read(index, 1)[0])

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """Windows of the same length.

        Args:
            starts: where each begins, ``[B]``; every ``start + length`` is at most ``len(self)``.
            length: ids in each.

        Returns:
            int64 ``[B, length]``.
        """
        starts = np.asarray(starts, np.int64)
        if starts.size and (starts.min() < 0 or starts.max() + length > self._length):
            raise IndexError(f"windows of {length} do not fit into {self._length} tokens")
        rows = np.empty((len(starts), length), self.dtype)
        for row, start in zip(rows, starts.tolist(), strict=True):
            self._fill(row, start)
        return rows.astype(np.int64)

    def _read(self, start: int, length: int) -> np.ndarray:
        row = np.empty(length, self.dtype)
        self._fill(row, start)
        return row.astype(np.int64)

    def _fill(self, row: np.ndarray, start: int) -> None:
        """Fills ``row`` with the ids from ``start`` on."""
        rest = memoryview(row.data).cast("B")
        offset = start * self.dtype.itemsize
        while len(rest):
            count = _read_at(self._file, rest, offset)
            if not count:
                raise PlaygroundError(
                    "The tokens {name} became shorter.", "Prepare the data again.", name=self.path.name
                )
            rest, offset = rest[count:], offset + count


class PairFile:
    """(source, target) examples in two files: the ids of all, and where each begins.

    Args:
        path: the ids; ``path`` with the suffix ``.offsets`` holds ``2n + 1`` uint64 offsets:
            source 0, target 0, source 1, ..., the end.
        dtype: of an id.
    """

    def __init__(self, path: Path | str, dtype: np.dtype | str) -> None:
        self.tokens = TokenFile(path, dtype)
        self._offsets = TokenFile(Path(path).with_suffix(".offsets"), "<u8")
        if len(self._offsets) % 2 == 0:
            raise PlaygroundError("The pairs {name} are damaged.", "Prepare the data again.", name=Path(path).name)

    def __len__(self) -> int:
        return len(self._offsets) // 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The ids of source and target, int64 ``[n]`` each."""
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, middle, end = self._offsets[2 * index : 2 * index + 3].tolist()
        both = self.tokens[start:end]
        return both[: middle - start], both[middle - start :]

    def lengths(self) -> np.ndarray:
        """Ids in each source and target, int64 ``[n, 2]``."""
        return np.diff(self._offsets[:]).reshape(-1, 2)

    def close(self) -> None:
        """Closes both files."""
        self.tokens.close()
        self._offsets.close()


if hasattr(os, "preadv"):

    def _read_at(file: int, into: memoryview, offset: int) -> int:
        return os.preadv(file, [into], offset)

else:  # Windows, macOS before 11: seek and read, one at a time
    import threading

    _lock = threading.Lock()

    def _read_at(file: int, into: memoryview, offset: int) -> int:
        with _lock:
            os.lseek(file, offset, os.SEEK_SET)
            data = os.read(file, len(into))
        into[: len(data)] = data
        return len(data)
