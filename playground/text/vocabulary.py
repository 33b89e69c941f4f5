"""Learning a vocabulary from text: which strings become tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from playground.text.byte_alphabet import byte_letters
from playground.text.spec import BASE_SIZE, SPECIALS, TokenizerSpec
from playground.text.tokenizers import PATTERNS, Tokenizer, with_lexicon

if TYPE_CHECKING:
    import tokenizers


def learn(
    spec: TokenizerSpec,
    texts: Callable[[], Iterable[str]],
    sample: Callable[[], Iterable[str]] | None = None,
    lexicon: Sequence[str] = (),
) -> Tokenizer:
    """Learns a tokenizer; the same texts give the same one.

    Args:
        spec: the kind and the most tokens there may be.
        texts: a call reads all of the training text, in parts; characters are counted on it.
        sample: a call reads some of it, drawn evenly; merges and words are learnt on it. None: ``texts``.
        lexicon: Chinese words that the kind "word" keeps whole, the longest first.

    Returns:
        A tokenizer of at most ``spec.vocab_size`` tokens, fewer where the text has no more to give.
    """
    sample = sample or texts
    if spec.kind == "bpe":
        return _byte_pairs(spec.vocab_size, sample())
    room = spec.vocab_size - BASE_SIZE
    if spec.kind == "char":
        strings = _characters(texts(), room)
    elif spec.kind == "word":
        strings = _words(sample(), room, lexicon)
    else:
        strings = []
    vocabulary = {name: i for i, name in enumerate([*SPECIALS, *byte_letters()])}
    for string in strings:
        vocabulary.setdefault(string, len(vocabulary))
    return _assemble(spec.kind, vocabulary, lexicon)


def _byte_pairs(size: int, sample: Iterable[str]) -> Tokenizer:
    from tokenizers import models, trainers

    inner = _pipeline("bpe", models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(SPECIALS),
        initial_alphabet=byte_letters(),
        show_progress=False,
    )
    inner.train_from_iterator(sample, trainer)
    return Tokenizer(inner)


def _characters(texts: Iterable[str], most: int) -> list[str]:
    """The most frequent characters beyond ASCII, written in byte letters."""
    counts = np.zeros(0x110000, np.int64)
    for text in texts:
        found = np.bincount(np.frombuffer(text.encode("utf-32-le"), "<u4"))
        counts[: len(found)] += found
    counts[:128] = 0  # single bytes, which have a token already
    seen = np.flatnonzero(counts)
    frequent = seen[np.argsort(-counts[seen], kind="stable")][:most]
    letters = byte_letters()
    return ["".join(letters[byte] for byte in chr(point).encode()) for point in frequent]


def _words(sample: Iterable[str], most: int, lexicon: Sequence[str]) -> list[str]:
    """The most frequent words, written in byte letters; ties in alphabetical order."""
    from tokenizers import models, trainers

    inner = _pipeline("word", models.WordLevel(), lexicon)
    inner.train_from_iterator(
        sample, trainers.WordLevelTrainer(vocab_size=most + 256, special_tokens=[], show_progress=False)
    )
    ranks = inner.get_vocab()
    alphabet = set(byte_letters())
    return [word for word in sorted(ranks, key=lambda word: ranks[word]) if word not in alphabet][:most]


def _assemble(kind: str, vocabulary: dict[str, int], lexicon: Sequence[str]) -> Tokenizer:
    from tokenizers import models

    # Bytes are never looked up whole: an uncut text may read "<eos>".
    inner = _pipeline(kind, models.BPE(vocab=vocabulary, merges=[], ignore_merges=kind != "byte"), lexicon)
    inner.add_special_tokens(list(SPECIALS))
    return Tokenizer(inner)


def _pipeline(kind: str, model: tokenizers.models.Model, lexicon: Sequence[str] = ()) -> tokenizers.Tokenizer:
    """Cut by the kind's pattern, write in byte letters, look up; and the way back."""
    from tokenizers import Regex, decoders, pre_tokenizers
    from tokenizers import Tokenizer as Inner

    inner = Inner(model)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if kind in PATTERNS:
        pattern = with_lexicon(lexicon) if kind == "word" else PATTERNS[kind]
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        inner.pre_tokenizer = pre_tokenizers.Sequence([split, letters])
    else:
        inner.pre_tokenizer = letters
    inner.decoder = decoders.ByteLevel()
    return inner
