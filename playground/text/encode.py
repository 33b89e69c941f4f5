"""Spooled text into token files, a megabyte at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from playground.text.corpus_buffer import CorpusBuffer
from playground.text.tokenizers import Tokenizer

BATCH = 1 << 18  # characters encoded at once: bounds the memory, and is enough for every core

Counts = dict[str, int]


def encode_stream(
    buffer: CorpusBuffer, tokenizer: Tokenizer, paths: list[Path], dtype: np.dtype, step: Callable[[int], None]
) -> list[Counts]:
    """Writes the ids of each side, with ``<eos>`` after every document.

    Args:
        buffer: the text.
        tokenizer: cuts it.
        paths: the token file of each side.
        dtype: of the ids written.
        step: called with the bytes done; may raise to stop.

    Returns:
        ``bytes``, ``tokens`` and ``documents`` of each side.
    """
    counts: list[Counts] = [dict.fromkeys(("bytes", "tokens", "documents"), 0) for _ in paths]
    end = np.array([tokenizer.eos_id], dtype)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb", buffering=1 << 20)) for path in paths]

        def flush() -> None:
            for (side, text, ends), ids in zip(
                batch, tokenizer.encode_many([text for _, text, _ in batch]), strict=True
            ):
                files[side].write(ids.astype(dtype).tobytes())
                if ends:
                    files[side].write(end.tobytes())
                counts[side]["bytes"] += len(text.encode())
                counts[side]["tokens"] += len(ids) + ends
                counts[side]["documents"] += ends
            batch.clear()
            step(sum(count["bytes"] for count in counts))

        batch: list[tuple[int, str, bool]] = []
        waiting = 0
        for piece in buffer.pieces():
            batch.append(piece)
            waiting += len(piece[1])
            if waiting >= BATCH:
                flush()
                waiting = 0
        flush()
    if buffer.whole:
        for count in counts:
            count["documents"] = 1
    return counts


def encode_pairs(
    buffer: CorpusBuffer, tokenizer: Tokenizer, paths: list[Path], dtype: np.dtype, step: Callable[[int], None]
) -> list[Counts]:
    """Writes the ids of each side's pairs, and where each begins; otherwise as ``encode_stream``."""
    counts: list[Counts] = [dict.fromkeys(("bytes", "tokens", "documents"), 0) for _ in paths]
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(path, "wb", buffering=1 << 20)) for path in paths]
        offsets = [stack.enter_context(open(path.with_suffix(".offsets"), "wb", buffering=1 << 20)) for path in paths]

        def flush() -> None:
            encoded = tokenizer.encode_many([text for _, *pair in batch for text in pair])
            for (side, *pair), source, target in zip(batch, encoded[0::2], encoded[1::2], strict=True):
                begin = counts[side]["tokens"]
                files[side].write(np.concatenate([source, target]).astype(dtype).tobytes())
                offsets[side].write(np.array([begin, begin + len(source)], "<u8").tobytes())
                counts[side]["bytes"] += sum(len(text.encode()) for text in pair)
                counts[side]["tokens"] += len(source) + len(target)
                counts[side]["documents"] += 1
            batch.clear()
            step(sum(count["bytes"] for count in counts))

        batch: list[tuple[int, str, str]] = []
        waiting = 0
        for pair in buffer.pairs():
            batch.append(pair)
            waiting += len(pair[1]) + len(pair[2])
            if waiting >= BATCH:
                flush()
                waiting = 0
        flush()
        for file, count in zip(offsets, counts, strict=True):
            file.write(np.array([count["tokens"]], "<u8").tobytes())
    return counts
