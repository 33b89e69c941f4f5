"""A corpus on its way to tokens: one UTF-8 file, an index of documents, and which side each is on.

Texts of any size pass through in parts, so memory stays flat. Which documents validate is decided by a
hash of their content: equal documents (and pairs with equal sources) always fall on the same side.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from playground.core.errors import PlaygroundError
from playground.text.sources import Source
from playground.text.tokenizers import clean, cuts

CHUNK = 1 << 16  # bytes read at once; larger blocks of changing size leave holes in the heap
PIECE = 1 << 13  # the most characters encoded as one string
SPAN = 1 << 16  # bytes of each part of a sample
TRAIN, VALIDATION = 0, 1
RECORD = np.dtype([("hash", "<u8"), ("source", "<u8"), ("target", "<u8")])  # the sizes are bytes
SHORT = 4  # times less than was asked for is too little to validate on
FEW = 1 << 12  # documents up to which the split is balanced by their bytes


class CorpusBuffer:
    """The text of a source, copied to disk and split.

    Args:
        folder: where the two files are made; the caller removes it.
        source: read once, here.
        seed: another seed validates on other documents.
        fraction: the part of the text to validate on.
        max_bytes: stop after so much text.
        step: called with the bytes read so far; may raise to stop.

    Attributes:
        documents, size: how many were kept, and their bytes.
        skipped, first_skipped: how many were left out since they, or a part of the pair, have no text; the number of
            the first, counted from 1.
    """

    def __init__(
        self,
        folder: Path,
        source: Source,
        seed: int,
        fraction: float,
        max_bytes: int | None,
        step: Callable[[int], None],
    ) -> None:
        self.shape, self.whole = source.shape, source.whole
        self._text, self._index = folder / "spool.txt", folder / "spool.index"
        self._key = str(seed).encode()
        self.documents = self.size = self.skipped = self.first_skipped = 0
        written = False
        with open(self._text, "wb") as text, open(self._index, "wb", buffering=1 << 20) as index:
            for document in _limited(source.documents(), max_bytes):
                record, data = self._record(document)
                blank = not data.strip()
                if blank and not self.whole or (source.shape == "pairs" and not _both(document)):
                    self.skipped += 1
                    self.first_skipped = self.first_skipped or self.documents + self.skipped
                    continue
                written |= not blank
                text.write(data)
                if not self.whole:
                    index.write(np.array(record, RECORD).tobytes())
                self.documents += 1
                self.size += len(data)
                if self.documents % 256 == 0 or len(data) > SPAN:
                    step(self.size)
        if not written:
            raise PlaygroundError("There is no text in this corpus.", "Choose another file or column.")
        if self.documents == 1 and self.shape == "stream":
            self.whole = True
        if self.whole:
            self.documents = 1
            self._end = self._cut(fraction)
        elif self.documents <= FEW:
            chosen = self._choose(fraction)
            self._validates = lambda hashes: np.isin(hashes, chosen)
        else:
            self._validates = lambda hashes: hashes < np.uint64(int(fraction * 2**64))

    def _record(self, document: str | tuple[str, str]) -> tuple[tuple[int, int, int], bytes]:
        parts = (document, "") if isinstance(document, str) else document
        if self.whole:
            return (0, 0, 0), clean(parts[0]).encode()
        source, target = (clean(part).encode() for part in parts)
        digest = hashlib.blake2b(source.strip(), digest_size=8, key=self._key).digest()
        return (int.from_bytes(digest, "little"), len(source), len(target)), source + target

    def _cut(self, fraction: float) -> int:
        """Where the validation part of one long text begins: after a line end, else after a space, if one is near.

        Near is within a quarter of the smaller part. Blank lines at the two ends count for neither part.
        """
        with open(self._text, "rb") as file:
            first, last = _written(file, self.size)
            aim = max(first + 1, min(last - 1, first + round((last - first) * (1 - fraction))))
            reach = min(SPAN, min(aim - first, last - aim) // 4)
            file.seek(max(0, aim - reach - 4))
            begin = file.tell()
            near = file.read(aim + reach + 4 - begin)
        aim -= begin
        for end in (b"\n", b" "):
            ahead, behind = near.find(end, aim - 1, aim + reach), near.rfind(end, max(0, aim - reach - 1), aim)
            if max(ahead, behind) >= 0:
                return begin + (ahead if ahead >= 0 else behind) + 1
        starts = [i for i, byte in enumerate(near) if byte & 0xC0 != 0x80 and first < begin + i < last]
        return begin + min(starts, key=lambda i: abs(i - aim), default=last - begin)

    def _choose(self, fraction: float) -> np.ndarray:
        """The hashes that validate: in their order, those that fit into ``fraction`` of the bytes.

        Where hardly anything fits, as with a few chapters and a title page, it is the one nearest to that size.
        """
        index = np.fromfile(self._index, RECORD)
        hashes, place = np.unique(index["hash"], return_inverse=True)
        if len(hashes) < 2:
            raise PlaygroundError(
                "There are no two different examples, so none can be kept for validation."
                if self.shape == "pairs"
                else "There are no two different documents, so none can be kept for validation.",
                "Add more text.",
            )
        sizes = np.bincount(place, weights=(index["source"] + index["target"]).astype(float))
        room = fraction * sizes.sum() * 1.01
        wanted, chosen = room, []
        for digest, size in zip(hashes, sizes, strict=True):
            if size <= room:
                chosen.append(digest)
                room -= size
        if wanted - room < wanted / SHORT and (fitting := np.flatnonzero(sizes <= sizes.sum() / 2)).size:
            return hashes[fitting[[np.abs(np.log(np.maximum(sizes[fitting], 1) / wanted)).argmin()]]]
        return np.array(chosen or [hashes[np.argmin(sizes)]])

    def _records(self) -> Iterator[tuple[int, int, int, int]]:
        """(side, offset, source bytes, target bytes) of every document, in order."""
        if self.whole:
            yield TRAIN, 0, self._end, 0
            yield VALIDATION, self._end, self.size - self._end, 0
            return
        offset = 0
        with open(self._index, "rb") as file:
            while data := file.read(RECORD.itemsize * 4096):
                block = np.frombuffer(data, RECORD)
                sides = self._validates(block["hash"]).tolist()
                for side, source, target in zip(sides, block["source"].tolist(), block["target"].tolist(), strict=True):
                    yield int(side), offset, source, target
                    offset += source + target

    def pieces(self) -> Iterator[tuple[int, str, bool]]:
        """(side, text of at most ``PIECE`` characters, whether a document ends here), in order."""
        with open(self._text, "rb") as file:
            for side, offset, size, _ in self._records():
                previous = None
                for piece in _pieces(_decoded(file, offset, size)):
                    if previous is not None:
                        yield side, previous, False
                    previous = piece
                if previous is not None:
                    yield side, previous, not self.whole

    def pairs(self) -> Iterator[tuple[int, str, str]]:
        """(side, source, target), in order."""
        with open(self._text, "rb") as file:
            for side, _, source, target in self._records():
                yield side, file.read(source).decode(), file.read(target).decode()

    def training_text(self) -> Iterator[str]:
        """The training side, in parts; for counting characters."""
        with open(self._text, "rb") as file:
            for start, end in self._training_runs():
                yield from _decoded(file, start, end - start)

    def sample(self, limit: int) -> Iterator[str]:
        """About ``limit`` bytes of the training side in parts of 64 kB, drawn evenly from all of it."""
        total = sum(end - start for start, end in self._training_runs())
        rate = min(1.0, limit / max(1, total))
        passed = taken = 0
        with open(self._text, "rb") as file:
            for start, end in self._training_runs():
                for offset in range(start, end, SPAN):
                    size = min(SPAN, end - offset)
                    passed += size
                    if taken + size <= passed * rate:
                        taken += size
                        file.seek(offset)
                        yield file.read(size).decode("utf-8", "ignore")

    def _training_runs(self) -> Iterator[tuple[int, int]]:
        """Byte ranges of the training side, neighbours joined up to ``SPAN``."""
        start = end = 0
        for side, offset, source, target in self._records():
            if side == VALIDATION:
                continue
            if offset != end or end - start >= SPAN:
                if end > start:
                    yield start, end
                start = offset
            end = offset + source + target
        if end > start:
            yield start, end


def _both(pair: tuple[str, str]) -> bool:
    return all(part.strip() for part in pair)


def _limited(documents: Iterable, max_bytes: int | None) -> Iterator:
    """The documents until ``max_bytes`` of UTF-8 are reached; the one that would pass it is shortened."""
    left = max_bytes
    for document in documents:
        if left is not None:
            size = sum(len(clean(part).encode()) for part in ([document] if isinstance(document, str) else document))
            if size > left:
                if isinstance(document, str):
                    yield clean(document).encode()[:left].decode("utf-8", "ignore")
                return
            left -= size
        yield document


def _written(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the text begins and ends, without the blanks around it; some of it is no blank."""
    first, last = 0, size
    while not (block := file.read(CHUNK)).strip():
        first += len(block)
    first += len(block) - len(block.lstrip())
    while True:
        file.seek(max(0, last - CHUNK))
        block = file.read(last - file.tell())
        if block.strip():
            return first, last - len(block) + len(block.rstrip())
        last -= len(block)


def _decoded(file, offset: int, size: int) -> Iterator[str]:
    """The text of a byte range, in parts."""
    file.seek(offset)
    decoder = codecs.getincrementaldecoder("utf-8")()
    while size > 0:
        data = file.read(min(CHUNK, size))
        size -= len(data)
        if text := decoder.decode(data, final=size == 0):
            yield text


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    """The same text in pieces that can be encoded one by one, wherever the parts given were cut."""
    rest = ""
    for text in texts:
        *done, rest = cuts(rest + text, PIECE)
        yield from done
    if rest:
        yield rest
