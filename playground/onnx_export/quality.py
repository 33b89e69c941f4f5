"""What shrinking costs: the loss, the likeliest tokens and the speed of each precision on the same text."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.inference.engine import About, Engine
from playground.inference.reader import Reader

HIDE_EVERY = 7  # tokens, of what fills in hidden words
N_TIMED = 96


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


def cost_of(folder: Path, precision: str, windows: np.ndarray, device: str = "cpu") -> Cost:
    """Measures one precision of an export that continues text or fills in hidden words.

    Args:
        windows: texts ``[batch, n]``, no longer than the context.
    """
    if About.read(folder).objective == "mlm":
        return _reading(Reader(folder, precision, device), windows)
    return _writing(folder, precision, windows, device)


def _writing(folder: Path, precision: str, windows: np.ndarray, device: str) -> Cost:
    """Every token after the first, told token by token through the engine."""
    model = Engine(folder, precision, batch=len(windows), device=device).model
    logits, losses, best = model.read(windows[:, :1]), [], []
    for i in range(1, windows.shape[1]):
        losses.append(_losses(logits, windows[:, i]).mean())
        best.append(logits.argmax(-1))
        if i + 1 < windows.shape[1]:
            logits = model.step(windows[:, i])
    alone = Engine(folder, precision, device=device).model
    n = min(N_TIMED, alone.room - 2) if alone.about.architecture not in ("rnn", "lstm", "gru") else N_TIMED
    alone.greedy(2, windows[:1, :1])
    began = time.perf_counter()
    alone.greedy(n, windows[:1, :1])
    return Cost(float(np.mean(losses)), np.stack(best, axis=1), n / (time.perf_counter() - began))


def _reading(reader: Reader, windows: np.ndarray) -> Cost:
    """Every seventh token, hidden."""
    hidden = np.arange(HIDE_EVERY // 2, windows.shape[1], HIDE_EVERY)
    shown = windows.copy()
    shown[:, hidden] = reader.about.ids[3]
    logits = reader.logits(shown)[:, hidden]
    seconds = []
    for text in shown[:8]:
        began = time.perf_counter()
        reader.logits([text])
        seconds.append(time.perf_counter() - began)
    losses = _losses(logits.reshape(-1, logits.shape[-1]), windows[:, hidden].ravel())
    return Cost(float(losses.mean()), logits.argmax(-1), windows.shape[1] / float(np.median(seconds)))


def _losses(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """−ln p of each token under logits ``[n, vocabulary]``."""
    shifted = logits - logits.max(-1, keepdims=True)
    told = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -told[np.arange(len(tokens)), tokens]
