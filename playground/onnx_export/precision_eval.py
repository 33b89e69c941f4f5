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
AT_ONCE = 32  # texts that a reader gets

Scores = tuple[float, np.ndarray, float | None]
"""Loss, most likely tokens or labels, and accuracy."""


@dataclass(frozen=True)
class PrecisionResult:
    """How one precision does.

    Attributes:
        loss: the mean −ln p (nats) of the tokens or labels that were asked.
        best: the most likely token at each of them.
        right: the share of answers that are right from the first token to the last, or of labels; None for running text.
        speed: tokens per second, one text at a time: written, or read by a model that reads both ways.
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
        windows: texts ``[batch, n]``, no longer than the context, or of two tokens.
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
    """As :func:`costs_of`, of an export that answers.

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
    """As :func:`costs_of`, of a fine-tuned reader.

    Args:
        texts: their tokens.
        labels: of each text ``[1]``, or of its tokens ``[n]`` with a negative number where none is asked.
    """
    return _costs(
        precisions,
        lambda name: _labelling(folder, name, texts, labels, device),
        lambda name: _reads(folder, name, texts[0], device),
    )


def _costs(
    precisions: Sequence[str], told: Callable[[str], Scores], timed: Callable[[str], Callable[[], int]]
) -> dict[str, PrecisionResult]:
    """Their speeds are taken in turn, several times, and the best of each kept: a busy machine must not favour one."""
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
    """Losses and likeliest tokens ``[batch, n]`` where these tokens are, each told after the right ones before it.

    Args:
        logits: of the first token.
    """
    losses, best, n = [], [], tokens.shape[1]
    for i in range(n):
        losses.append(_losses(logits, tokens[:, i]))
        best.append(logits.argmax(-1))
        if i + 1 < n:
            logits = model.decode_step(tokens[:, i])
    return np.stack(losses, axis=1), np.stack(best, axis=1)


def _writing(folder: Path, precision: str, windows: np.ndarray, device: str) -> Scores:
    """Every token after the first, told token by token through the engine."""
    model = Engine(folder, precision, batch=len(windows), device=device).model
    losses, best = _forced(model, model.prefill(windows[:, :1]), windows[:, 1:])
    return float(losses.mean()), best, None


def _writes(folder: Path, precision: str, text: np.ndarray, device: str) -> Callable[[], int]:
    """One text, some tokens of it; how many."""
    model = Engine(folder, precision, device=device).model
    n = max(1, min(N_TIMED, model.about.context_length - 1))

    def once() -> int:
        model.greedy(n, text[None, :1])
        return n

    once()
    return once


def _reading(folder: Path, precision: str, windows: np.ndarray, device: str) -> Scores:
    """Every seventh token, hidden."""
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
    if engine.about.architecture == "encoder-decoder":
        engine.model.encode_source(source)
        return engine.model.prefill([[bos]])
    return engine.model.prefill([[*source, bos]])


def _answering(folder: Path, precision: str, pairs: Sequence[tuple[list[int], list[int]]], device: str) -> Scores:
    """Every token of the right answers. Where all are the likeliest, it is what would be written."""
    engine, losses, best, right = Engine(folder, precision, device=device), [], [], 0
    for source, answer in pairs:
        lost, said = _forced(engine.model, _begun(engine, source), np.array([answer]))
        losses.append(lost[0])
        best.append(said[0])
        is_whole = answer[-1] == engine.about.ids[2]  # of an answer that was cut the end is not known
        right += is_whole and said[0].tolist() == list(answer)
    return float(np.concatenate(losses).mean()), np.concatenate(best), right / len(pairs)


def _answers(folder: Path, precision: str, pair: tuple[list[int], list[int]], device: str) -> Callable[[], int]:
    """One answer, with the reading of its question; how many tokens."""
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
    """The labels of whole texts, or of their tokens."""
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
