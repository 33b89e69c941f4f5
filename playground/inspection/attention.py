"""The attention weights of every head, and statistics of them."""

from collections.abc import Sequence

import numpy as np

from models.language_model import LanguageModel
from models.spec import ModelSpec
from playground.inspection.capture import capture

PARTS = {"self": "layers.{}.attention.weights"}
PARTS_OF_PAIRS = {
    "cross": "decoder.layers.{}.cross.weights",
    "decoder": "decoder.layers.{}.attention.weights",
    "encoder": "encoder.layers.{}.attention.weights",
}


def parts_of(spec: ModelSpec) -> dict[str, str]:
    """Where a model has attention weights: by part, the names that a hook sees; of an LSTM with attention its alignment."""
    if spec.architecture == "lstm-attention":
        return {"cross": PARTS_OF_PAIRS["cross"]}
    return PARTS_OF_PAIRS if spec.reads_pairs else PARTS


def attention_layers(spec: ModelSpec) -> int:
    """How many layers of each part have attention weights; of an LSTM with attention, only the decoder's first."""
    return 1 if spec.architecture == "lstm-attention" else spec.n_layers


def attention_heads(spec: ModelSpec) -> int:
    """How many heads each of these layers has."""
    return 1 if spec.architecture == "lstm-attention" else spec.n_heads


def attention_weights(
    model: LanguageModel, ids: Sequence[int], source_ids: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """The weights of one text.

    Returns:
        By part ("self"; for an encoder–decoder "cross", "decoder", "encoder"; for an LSTM with attention "cross"), float32
        ``[layers, heads, queries, keys]``. Each row sums to 1; where a token may not look there is exactly 0.
    """
    held = capture(model, ids, source_ids, keep=lambda name: name.endswith(".weights"))
    parts, n_layers = parts_of(model.spec), attention_layers(model.spec)
    return {part: np.stack([held[name.format(layer)] for layer in range(n_layers)]) for part, name in parts.items()}


def may_look(part: str, causal: bool, n_queries: int, n_keys: int) -> np.ndarray:
    """Where a query may look at a key ``[queries, keys]``: at all of them, or at itself and what came before.

    Args:
        part: as in :func:`attention_weights`.
        causal: whether the model reads in one direction; the decoder of an encoder–decoder always does.
    """
    if part == "decoder" or (part == "self" and causal):
        return np.tri(n_queries, n_keys, dtype=bool)
    return np.ones((n_queries, n_keys), dtype=bool)


def entropy(weights: np.ndarray) -> np.ndarray:
    """The entropy of a head's attention: −Σ w ln w (nats), the mean over queries; ``[..., queries, keys]`` to ``[...]``.

    0: all attention on one token; ln(n): the same weight on all n tokens.
    """
    return -(weights * np.log(np.maximum(weights, 1e-30))).sum(-1).mean(-1)


def distance(weights: np.ndarray) -> np.ndarray:
    """The mean distance of attention (tokens): Σ w·|query − key|, the mean over queries; ``[..., n, n]`` to ``[...]``."""
    queries, keys = weights.shape[-2:]
    distances = np.abs(np.arange(queries)[:, None] - np.arange(keys)[None])
    return (weights * distances).sum(-1).mean(-1)


def rollout(weights: np.ndarray) -> np.ndarray:
    """How much of each input token reaches each position after each layer (attention rollout, Abnar & Zuidema 2020, eq. 1).

    Each layer is half its heads' mean and half the residual connection; the layers are multiplied.

    Args:
        weights: ``[layers, heads, n, n]``.

    Returns:
        ``[layers, n, n]``, rows sum to 1.
    """
    n = weights.shape[-1]
    mixed = 0.5 * weights.mean(1) + 0.5 * np.eye(n, dtype=weights.dtype)
    reached = [mixed[0]]
    for layer in mixed[1:]:
        reached.append(layer @ reached[-1])
    return np.stack(reached)


def pooled(weights: np.ndarray, largest: int) -> np.ndarray:
    """Smaller matrices by max pooling, so that a thin line stays visible.

    Args:
        weights: ``[..., queries, keys]``; NaN, such as where a query may not look, stays only where a square has no other.
        largest: rows and columns that the picture may have.
    """
    for axis in (-2, -1):
        n = weights.shape[axis]
        if n > largest:
            edges = np.arange(largest) * n // largest
            weights = np.fmax.reduceat(weights, edges, axis=axis)
    return weights
