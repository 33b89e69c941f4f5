"""What shrinking costs: the loss, the likeliest tokens and the speed of each precision on the same text."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.inference.engine import About, Engine
from playground.inference.reader import Reader

HIDE_EVERY = 7  # tokens, of what fills in hidden words
N_TIMED, ROUNDS = 32, 5


@dataclass(frozen=True)
class Cost:
    """How one precision does.

    Attributes:
        loss: the mean −ln p (nats) of the tokens that were asked.
        best: the likeliest token at each of them.
        speed: tokens a second, one text at a time: written, or read by a model that reads both ways.
    """

    loss: float
    best: np.ndarray
    speed: float

    def agreement(self, other: "Cost") -> float:
        """The share of places where both have the same likeliest token."""
        return float((self.best == other.best).mean())


def costs_of(folder: Path, precisions: Sequence[str], windows: np.ndarray, device: str = "cpu") -> dict[str, Cost]:
    """Measures the precisions of an export that continues text or fills in hidden words.

    Their speeds are taken in turn, several times, and the best of each kept: a busy machine must not favour one.

    Args:
        windows: texts ``[batch, n]``, no longer than the context.
    """
    reads = About.read(folder).objective == "mlm"
    told = {name: (_reading if reads else _writing)(folder, name, windows, device) for name in precisions}
    timed = {name: (_reads if reads else _writes)(folder, name, windows, device) for name in precisions}
    best = dict.fromkeys(precisions, 0.0)
    for _ in range(ROUNDS):
        for name, once in timed.items():
            began = time.perf_counter()
            n = once()
            best[name] = max(best[name], n / (time.perf_counter() - began))
    return {name: Cost(*told[name], best[name]) for name in precisions}


def _writing(folder: Path, precision: str, windows: np.ndarray, device: str) -> tuple[float, np.ndarray]:
    """Every token after the first, told token by token through the engine."""
    model = Engine(folder, precision, batch=len(windows), device=device).model
    logits, losses, best = model.read(windows[:, :1]), [], []
    for i in range(1, windows.shape[1]):
        losses.append(_losses(logits, windows[:, i]).mean())
        best.append(logits.argmax(-1))
        if i + 1 < windows.shape[1]:
            logits = model.step(windows[:, i])
    return float(np.mean(losses)), np.stack(best, axis=1)


def _writes(folder: Path, precision: str, windows: np.ndarray, device: str) -> Callable[[], int]:
    """One text, some tokens of it; how many."""
    model = Engine(folder, precision, device=device).model
    n = min(N_TIMED, model.about.context_length - 1)

    def once() -> int:
        model.greedy(n, windows[:1, :1])
        return n

    once()
    return once


def _reading(folder: Path, precision: str, windows: np.ndarray, device: str) -> tuple[float, np.ndarray]:
    """Every seventh token, hidden."""
    reader = Reader(folder, precision, device)
    hidden = np.arange(HIDE_EVERY // 2, windows.shape[1], HIDE_EVERY)
    shown = windows.copy()
    shown[:, hidden] = reader.about.ids[3]
    logits = reader.logits(shown)[:, hidden]
    losses = _losses(logits.reshape(-1, logits.shape[-1]), windows[:, hidden].ravel())
    return float(losses.mean()), logits.argmax(-1)


def _reads(folder: Path, precision: str, windows: np.ndarray, device: str) -> Callable[[], int]:
    reader = Reader(folder, precision, device)

    def once() -> int:
        reader.logits(windows[:1])
        return windows.shape[1]

    once()
    return once


def _losses(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """−ln p of each token under logits ``[n, vocabulary]``."""
    shifted = logits - logits.max(-1, keepdims=True)
    told = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -told[np.arange(len(tokens)), tokens]
