"""Words of the pieces that a tokenizer cuts them into, and attention from word to word."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

_BYTE = re.compile(r"\\x([0-9a-f]{2})")
_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")
_ALONE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Writing without spaces: a piece of it is a word by itself."""


def words_of(pieces: Sequence[str]) -> list[range]:
    """The tokens of each word, in the order of the text.

    A piece goes on with the word before it where letters or digits meet without a space between, or where it is a later
    byte of a character.

    Args:
        pieces: as ``Tokenizer.pieces`` gives them, parts of a character as ``\\xe4``.
    """
    characters = _grouped(len(pieces), lambda i: _is_later_byte(pieces[i]))
    said = [written(pieces, character) for character in characters]
    words = _grouped(len(said), lambda i: _meet(said[i - 1], said[i]))
    return [range(characters[word.start].start, characters[word.stop - 1].stop) for word in words]


def _grouped(n: int, goes_on: Callable[[int], bool]) -> list[range]:
    """The numbers below n, those that go on with the one before together with it."""
    starts = [i for i in range(n) if i == 0 or not goes_on(i)]
    return [range(start, end) for start, end in pairwise([*starts, n])]


def _is_later_byte(piece: str) -> bool:
    byte = _BYTE.match(piece)
    return byte is not None and 0x80 <= int(byte[1], 16) < 0xC0


def _meet(before: str, after: str) -> bool:
    end, start = "" if _BYTE.fullmatch(before[-4:]) else before[-1:], after[:1]
    return end.isalnum() and start.isalnum() and not _ALONE.search(end + start)


def written(pieces: Sequence[str], word: range) -> str:
    """A word as it is read: its pieces in a row, with the characters that its bytes make."""
    said = "".join(pieces[word.start : word.stop])
    return _BYTES.sub(lambda found: _characters(found[0]), said)


def _characters(said: str) -> str:
    return bytes(int(byte, 16) for byte in _BYTE.findall(said)).decode("utf-8", "backslashreplace")


def between_words(weights: np.ndarray, queries: Sequence[range], keys: Sequence[range]) -> np.ndarray:
    """Attention from word to word: the sum over the pieces of what is attended to, the mean over those that attend.

    So a row still sums to 1.

    Args:
        weights: ``[..., queries, keys]``, 0 where a token may not look.
        queries, keys: the tokens of each word, as :func:`words_of` gives them.

    Returns:
        ``[..., words, words]``.
    """
    summed = np.add.reduceat(weights, [word.start for word in keys], axis=-1)
    total = np.add.reduceat(summed, [word.start for word in queries], axis=-2)
    return total / np.array([len(word) for word in queries], dtype=weights.dtype)[:, None]
