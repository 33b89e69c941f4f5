"""Numbers about prepared text: which tokens it is made of, how long they are, how well a tokenizer packs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playground.text.prepare import Prepared
from playground.text.spec import BASE_SIZE, TokenizerSpec
from playground.text.token_files import PairFile, TokenFile
from playground.text.tokenizers import Tokenizer
from playground.text.vocabulary import learn

COUNTED = 5_000_000  # tokens looked at, from the beginning of the training part
CHUNK = 1 << 20
ESTIMATED = 50_000  # characters that an estimate is learnt and counted on: a tenth of a second


@dataclass(frozen=True)
class Statistics:
    """What the training part is made of.

    Args:
        counts: how often each token occurs, ``[vocabulary]``.
        counted: how many tokens were looked at.
        lengths: bytes of each token, ``[vocabulary]``; 0 for special tokens.
        pieces: each token as text.
    """

    counts: np.ndarray
    counted: int
    lengths: np.ndarray
    pieces: list[str]

    def by_rank(self, most: int = 400) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Ranks from 1, counts and pieces, from the most frequent token on; thinned out at even ratios."""
        order = np.argsort(-self.counts, kind="stable")
        order = order[: np.count_nonzero(self.counts)]
        ranks = (
            np.unique(np.geomspace(1, max(1, len(order)), most).round().astype(int))
            if len(order)
            else np.array([], int)
        )
        chosen = order[ranks - 1]
        return ranks, self.counts[chosen], [self.pieces[i] for i in chosen]

    def by_length(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lengths in bytes; the share of all tokens in the vocabulary, and of all in the text, that have each."""
        known = self.lengths > 0
        top = int(self.lengths.max(initial=1))
        vocabulary = np.bincount(self.lengths[known], minlength=top + 1)[1:]
        text = np.bincount(self.lengths[known], weights=self.counts[known], minlength=top + 1)[1:]
        return np.arange(1, top + 1), vocabulary / max(1, vocabulary.sum()), text / max(1.0, text.sum())

    def never(self) -> int:
        """How many tokens of the vocabulary do not occur, bytes and special tokens left out."""
        return int(np.count_nonzero(self.counts[BASE_SIZE:] == 0))


@dataclass(frozen=True)
class Estimate:
    """How much a text is to a model.

    Args:
        tokens: how many there are to train on.
        vocabulary: how many different ones.
        size: UTF-8 bytes of the text.
        exact: False where they were estimated from a part.
    """

    tokens: int
    vocabulary: int
    size: int
    exact: bool = False


def statistics(prepared: Prepared, most: int = COUNTED) -> Statistics:
    """Counts the tokens of the training part, a million at a time."""
    tokens = _tokens(prepared.train)
    size = prepared.tokenizer.size
    counts = np.zeros(size, np.int64)
    counted = min(len(tokens), most)
    for start in range(0, counted, CHUNK):
        counts += np.bincount(tokens[start : min(start + CHUNK, counted)], minlength=size)
    ids = range(size)
    lengths = np.array([len(prepared.tokenizer.decode_bytes([i])) for i in ids])  # special tokens: 0
    return Statistics(counts, counted, lengths, prepared.tokenizer.pieces(ids))


def _tokens(part: TokenFile | PairFile) -> TokenFile:
    return part.tokens if isinstance(part, PairFile) else part


def sample(prepared: Prepared, place: float, length: int = 220) -> list[int]:
    """Tokens of the training part from a place (0 to 1) on; of pairs, whole ones with ``<eos>`` between.

    Args:
        place: where to look.
        length: about how many tokens.
    """
    part = prepared.train
    if isinstance(part, TokenFile):
        start = round(place * max(0, len(part) - length))
        return part[start : start + length].tolist()
    ids: list[int] = []
    index = round(place * (len(part) - 1))
    while len(ids) < length and index < len(part):
        source, target = part[index]
        ids += [*source.tolist(), prepared.tokenizer.bos_id, *target.tolist(), prepared.tokenizer.eos_id]
        index += 1
    return ids


def text_of(prepared: Prepared, side: str, characters: int) -> str:
    """The beginning of one side as text; special tokens as line ends."""
    tokens = _tokens(getattr(prepared, side))
    ids, tokenizer = tokens[: min(len(tokens), characters)], prepared.tokenizer
    ends = np.flatnonzero(ids == tokenizer.eos_id)
    text = "\n".join(tokenizer.decode(part[part != tokenizer.eos_id]) for part in np.split(ids, ends))
    return text[:characters]


def learn_from(prepared: Prepared, spec: TokenizerSpec, characters: int = 600_000) -> Tokenizer:
    """Another tokenizer, learnt from the beginning of the training part."""
    text = text_of(prepared, "train", characters)
    return learn(spec, lambda: iter([text]))


def packing(tokenizer: Tokenizer, text: str) -> float:
    """Characters a token, on a text; more is denser."""
    return len(text) / max(1, len(tokenizer.encode(text)))


def estimate(text: str, spec: TokenizerSpec, share: float = 1.0) -> Estimate:
    """How many tokens a text will be, told while it is written: learnt and counted on a part from its middle.

    Args:
        text: without lone surrogates (``uploads.tidy``).
        spec: how it will be cut.
        share: of the text that is trained on; the rest is held back.
    """
    size = round(share * len(text.encode()))
    if spec.kind == "byte":
        return Estimate(size, spec.vocab_size, size, exact=True)
    start = max(0, (len(text) - ESTIMATED) // 2)
    part = text[start : start + ESTIMATED]
    tokenizer = learn(spec, lambda: iter([part]))
    tokens = len(tokenizer.encode_many([part])[0]) if part else 0
    return Estimate(round(tokens * size / max(1, len(part.encode()))), tokenizer.size, size)
