"""What quantization costs: the loss, the most likely tokens and the speed of each precision on the same text."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.inference.engine import Engine, ExportManifest, Generator
from playground.inference.onnx_encoder import OnnxEncoder

HIDE_EVERY = 7  # tokens, of what fills in hidden words
N_TIMED, ROUNDS = 32, 5
AT_ONCE = 32  # texts per batch of a classifier or tagger

Scores = tuple[float, np.ndarray, float | None]
"""Loss, most likely tokens or labels, and accuracy."""


@dataclass(frozen=True)
class PrecisionResult:
    """Results of one precision.

    Attributes:
        loss: mean −ln p (nats) of the target tokens or labels.
        best: the most likely token or label at each target.
        right: accuracy: the share of answers of which every token is right, or of right labels; None for running text.
        speed: tokens per second with one text at a time: generated ones, or those read by an encoder.
    """

    loss: float
    best: np.ndarray
    right: float | None
    speed: float

    def agreement(self, other: "PrecisionResult") -> float:
        """The share of positions where both have the same most likely token."""
        return float((self.best == other.best).mean())


def costs_of(
    folder: Path, precisions: Sequence[str], windows: np.ndarray, device: str = "cpu"
) -> dict[str, PrecisionResult]:
    """Measures the precisions of an export that continues text or fills in hidden words.

    Args:
        windows: texts int64 ``[batch, n]``, no longer than the context, or of two tokens.
        device: "auto", "cuda" or "cpu".

    Raises:
        PlaygroundError: when a file of the export cannot be used.
    """
    reads = ExportManifest.load(folder).objective == "mlm"
    told, timed = (_reading, _reads) if reads else (_writing, _writes)
    return _costs(
        precisions,
        lambda name: told(folder, name, windows, device),
        lambda name: timed(folder, name, windows[0], device),
    )


def costs_of_answers(
    folder: Path, precisions: Sequence[str], pairs: Sequence[tuple[list[int], list[int]]], device: str = "cpu"
) -> dict[str, PrecisionResult]:
    """As :func:`costs_of`, for an export that answers a text (sequence to sequence).

    Args:
        pairs: a text, and the right answer with <eos> at its end; together no longer than the context.
    """
    return _costs(
        precisions,
        lambda name: _answering(folder, name, pairs, device),
        lambda name: _answers(folder, name, pairs[0], device),
    )


def costs_of_labels(
    folder: Path,
    precisions: Sequence[str],
    texts: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    device: str = "cpu",
) -> dict[str, PrecisionResult]:
    """As :func:`costs_of`, for a classifier or tagger.

    Args:
        texts: their tokens.
        labels: of each text ``[1]``, or of its tokens ``[n]``, negative where there is no target.
    """
    return _costs(
        precisions,
        lambda name: _labelling(folder, name, texts, labels, device),
        lambda name: _reads(folder, name, texts[0], device),
    )


def _costs(
    precisions: Sequence[str], told: Callable[[str], Scores], timed: Callable[[str], Callable[[], int]]
) -> dict[str, PrecisionResult]:
    """Speeds are measured in turn, several times, and the best of each is kept, so that a busy machine favours none."""
    measured = {name: told(name) for name in precisions}
    ways = {name: timed(name) for name in precisions}
    best = dict.fromkeys(precisions, 0.0)
    for _ in range(ROUNDS):
        for name, once in ways.items():
            began = time.perf_counter()
            n = once()
            best[name] = max(best[name], n / (time.perf_counter() - began))
    return {name: PrecisionResult(*measured[name], best[name]) for name in precisions}


def _forced(model: Generator, logits: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Losses (nats) and most likely tokens ``[batch, n]`` with teacher forcing: each token is predicted after the right ones.

    Args:
        logits: of the first token ``[batch, vocabulary]``.
        tokens: the right tokens ``[batch, n]``.
    """
    losses, best, n = [], [], tokens.shape[1]
    for i in range(n):
        losses.append(_losses(logits, tokens[:, i]))
        best.append(logits.argmax(-1))
        if i + 1 < n:
            logits = model.decode_step(tokens[:, i])
    return np.stack(losses, axis=1), np.stack(best, axis=1)


def _writing(folder: Path, precision: str, windows: np.ndarray, device: str) -> Scores:
    """Scores of every token after the first, token by token through the engine."""
    model = Engine(folder, precision, batch=len(windows), device=device).model
    losses, best = _forced(model, model.prefill(windows[:, :1]), windows[:, 1:])
    return float(losses.mean()), best, None


def _writes(folder: Path, precision: str, text: np.ndarray, device: str) -> Callable[[], int]:
    """Greedy decoding of some tokens after the first token of a text; the result says how many."""
    model = Engine(folder, precision, device=device).model
    n = max(1, min(N_TIMED, model.about.context_length - 1))

    def once() -> int:
        model.greedy(n, text[None, :1])
        return n

    once()
    return once


def _reading(folder: Path, precision: str, windows: np.ndarray, device: str) -> Scores:
    """Scores of every seventh token, masked."""
    reader = OnnxEncoder(folder, precision, device)
    hidden = np.arange(min(HIDE_EVERY, windows.shape[1]) // 2, windows.shape[1], HIDE_EVERY)
    shown = windows.copy()
    shown[:, hidden] = reader.about.ids[3]
    logits = reader.logits(shown)[:, hidden]
    losses = _losses(logits.reshape(-1, logits.shape[-1]), windows[:, hidden].ravel())
    return float(losses.mean()), logits.argmax(-1), None


def _reads(folder: Path, precision: str, text: np.ndarray, device: str) -> Callable[[], int]:
    reader = OnnxEncoder(folder, precision, device)

    def once() -> int:
        reader.logits([text])
        return len(text)

    once()
    return once


def _begun(engine: Engine, source: Sequence[int]) -> np.ndarray:
    """Logits of an answer's first token."""
    bos = engine.about.ids[1]
    if engine.about.reads_pairs:
        engine.model.encode_source(source)
        return engine.model.prefill([[bos]])
    return engine.model.prefill([[*source, bos]])


def _answering(folder: Path, precision: str, pairs: Sequence[tuple[list[int], list[int]]], device: str) -> Scores:
    """Scores of every token of the right answers. If all are the most likely ones, greedy decoding writes the answer."""
    engine, losses, best, right = Engine(folder, precision, device=device), [], [], 0
    for source, answer in pairs:
        lost, said = _forced(engine.model, _begun(engine, source), np.array([answer]))
        losses.append(lost[0])
        best.append(said[0])
        is_whole = answer[-1] == engine.about.ids[2]  # of an answer that was cut the end is not known
        right += is_whole and said[0].tolist() == list(answer)
    return float(np.concatenate(losses).mean()), np.concatenate(best), right / len(pairs)


def _answers(folder: Path, precision: str, pair: tuple[list[int], list[int]], device: str) -> Callable[[], int]:
    """Generating one answer, its source included; the result says how many tokens."""
    engine, (source, answer) = Engine(folder, precision, device=device), pair

    def once() -> int:
        _begun(engine, source)
        for token in answer[:-1]:
            engine.model.decode_step(np.array([token]))
        return len(answer)

    once()
    return once


def _labelling(
    folder: Path, precision: str, texts: Sequence[np.ndarray], labels: Sequence[np.ndarray], device: str
) -> Scores:
    """Scores of the labels of texts, or of their tokens."""
    reader, losses, best, right = OnnxEncoder(folder, precision, device), [], [], []
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start : start + AT_ONCE]
        for text, wanted, logits in zip(some, labels[start : start + AT_ONCE], reader.logits(some), strict=True):
            rows = logits.reshape(-1, logits.shape[-1])[: len(text)]
            asked = np.flatnonzero(np.asarray(wanted) >= 0)
            losses.append(_losses(rows[asked], np.asarray(wanted)[asked]))
            best.append(rows[asked].argmax(-1))
            right.append(best[-1] == np.asarray(wanted)[asked])
    return float(np.concatenate(losses).mean()), np.concatenate(best), float(np.concatenate(right).mean())


def _losses(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """−ln p of each token under logits ``[n, vocabulary]``."""
    shifted = logits - logits.max(-1, keepdims=True)
    told = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -told[np.arange(len(tokens)), tokens]
