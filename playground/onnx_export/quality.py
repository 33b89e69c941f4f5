"""What shrinking costs: the loss of each precision on the same text."""

from pathlib import Path

import numpy as np

from playground.inference.engine import Engine


def loss_of(folder: Path, precision: str, windows: np.ndarray) -> float:
    """The mean −ln p of every token after the first (nats), told token by token through the engine.

    Args:
        windows: texts ``[batch, n]``, no longer than the context.
    """
    engine = Engine(folder, precision, batch=len(windows), device="cpu")
    logits = engine.model.read(windows[:, :1])
    total = 0.0
    for i in range(1, windows.shape[1]):
        shifted = logits - logits.max(-1, keepdims=True)
        told = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        total -= told[np.arange(len(windows)), windows[:, i]].mean()
        if i + 1 < windows.shape[1]:
            logits = engine.model.step(windows[:, i])
    return total / (windows.shape[1] - 1)
