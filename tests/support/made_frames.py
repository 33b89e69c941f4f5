"""Frames of a living picture that nobody trained for: the same numbers for the same step."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import save

PIECES = ["The", " king", " of", " the", " land", " saw", " a", " light", ",", " and", " it", " was"]


@dataclass(frozen=True)
class Happened:
    """An event of a timeline."""

    step: int
    kind: str
    what: str


def made_frame(
    step: int, length: int = 12, layers: int = 2, heads: int = 3, width: int = 16, kind: str = "values", **about: Any
) -> bytes:
    """One frame of a decoder as a safetensors file; what ``about`` holds replaces what the frame says of itself."""
    return save(
        tensors(step, length, layers, heads, width),
        {"frame": json.dumps(said(step, length, layers, heads) | {"kind": kind} | about)},
    )


def tensors(step: int, length: int = 12, layers: int = 2, heads: int = 3, width: int = 16) -> dict[str, np.ndarray]:
    """Causal attention weights whose rows sum to 1, and activations around 0; float16."""
    random = np.random.default_rng(step)
    made = {"embeddings": random.normal(size=(length, width))}
    for layer in range(layers):
        weights = np.tril(random.random((heads, length, length)) ** 4 + 1e-3)
        made[f"layers.{layer}.attention.weights"] = weights / weights.sum(-1, keepdims=True)
        made[f"layers.{layer}.attention.output"] = random.normal(size=(length, width))
        made[f"layers.{layer}.mlp.hidden"] = random.normal(size=(length, 4 * width))
        made[f"layers.{layer}.output"] = random.normal(size=(length, width)) * (1 + layer)
    made["logits"] = random.normal(size=(length, 40))
    return {name: np.ascontiguousarray(value.astype(np.float16)) for name, value in made.items()}


def said(step: int, length: int, layers: int, heads: int) -> dict[str, Any]:
    """What such a frame says of itself: a loss that falls with the steps, 100 tokens and half a second for each."""
    pieces = [PIECES[i % len(PIECES)] for i in range(length)]
    return {
        "kind": "values",
        "step": step,
        "tokens": 100 * step,
        "seconds": step / 2,
        "loss": 5 / (1 + step / 100),
        "train_loss": None,
        "architecture": "decoder",
        "n_layers": layers,
        "n_heads": heads,
        "ids": list(range(length)),
        "pieces": pieces,
        "source_ids": None,
        "source_pieces": None,
        "likeliest": [[i, f" word{i}", 0.5 / 2**i] for i in range(16)],
        "targets": None,
    }
