"""Attention computed by hand: one head, one query, and every intermediate value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from models.block import Block
from models.language_model import LanguageModel
from models.transformer import Stack
from playground.inspection.capture import capture


@dataclass(frozen=True)
class HeadSteps:
    """softmax(q·Kᵀ/√d_k + bias, where allowed)·V for one query (Vaswani et al. 2017, eq. 1).

    Attributes:
        q: the query ``[d_k]``.
        k, v: keys and values ``[keys, d_k]``.
        products: q·k_j ``[keys]``.
        scale: what they are divided by, √d_k or 1.
        scaled: the quotients, plus ``bias`` where there is one ``[keys]``.
        bias: what positions add (ALiBi) ``[keys]``, or None.
        allowed: False where the query may not look ``[keys]``.
        weights: the softmax ``[keys]``: 0 exactly where not allowed, and 1 together.
        parts: w_j·v_j ``[keys, d_k]``.
        mixed: their sum ``[d_k]``.
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    products: np.ndarray
    scale: float
    scaled: np.ndarray
    bias: np.ndarray | None
    allowed: np.ndarray
    weights: np.ndarray
    parts: np.ndarray
    mixed: np.ndarray


def attention_steps(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    allowed: np.ndarray,
    scaling: bool = True,
    bias: np.ndarray | None = None,
) -> HeadSteps:
    """Attention of one query, in float64 (Vaswani et al. 2017, eq. 1).

    Args:
        q: ``[d_k]``.
        k, v: ``[keys, d_k]``.
        allowed: where the query may look ``[keys]``; at least one place.
        scaling: divide by √d_k.
        bias: added after the division ``[keys]``.
    """
    q, k, v = (np.asarray(x, dtype=np.float64) for x in (q, k, v))
    products = k @ q
    scale = math.sqrt(len(q)) if scaling else 1.0
    scaled = products / scale + (0 if bias is None else bias)
    powers = np.where(allowed, np.exp(scaled - scaled[allowed].max()), 0.0)
    weights = powers / powers.sum()
    parts = weights[:, None] * v
    return HeadSteps(q, k, v, products, scale, scaled, bias, allowed, weights, parts, parts.sum(0))


EXAMPLE = {
    "The": (0.1, 0.2, 0.3),
    "cat": (0.4, 0.5, 0.6),
    "sat": (0.7, 0.8, 0.9),
    "on": (0.2, 0.3, 0.4),
    "the": (0.1, 0.2, 0.3),
    "mat": (0.5, 0.6, 0.7),
}
EXAMPLE_QUERY = 2
"""“The cat sat on the mat”, asked by “sat”; queries, keys and values are the vectors themselves."""


def worked_example(vectors: np.ndarray, query: int, causal: bool, scaling: bool) -> HeadSteps:
    """The worked example: each token's vector ``[tokens, d]`` is its query, its key and its value."""
    vectors = np.asarray(vectors, dtype=np.float64)
    allowed = np.arange(len(vectors)) <= query if causal else np.ones(len(vectors), dtype=bool)
    return attention_steps(vectors[query], vectors, vectors, allowed, scaling)


@dataclass(frozen=True)
class RunSteps:
    """One head of a trained model at one query.

    Attributes:
        x: what the layer's projections read at the query and at every key: ``[d_model]``, ``[keys, d_model]``.
        head: the arithmetic.
        heads: what every head mixes at this query ``[heads, d_k]``; one after another they are the concatenation.
        output: the concatenation times the output matrix ``[d_model]``.
        rotated: whether q and k were rotated by their positions before they met.
        normed: whether q and k were divided by their size (QK-norm).
    """

    x: np.ndarray
    x_keys: np.ndarray
    head: HeadSteps
    heads: np.ndarray
    output: np.ndarray
    rotated: bool
    normed: bool


def run_steps(
    model: LanguageModel,
    ids: Sequence[int],
    layer: int,
    head: int,
    query: int,
    part: str = "self",
    source_ids: Sequence[int] | None = None,
) -> RunSteps:
    """The values of one head of a trained model on a text.

    Args:
        model: a transformer, on the CPU.
        ids: the tokens of the text; of an encoder–decoder the target.
        layer, head, query: which head of which layer, and the position of the query.
        part: "self"; for an encoder–decoder "cross", "decoder" or "encoder".
        source_ids: the source text of an encoder–decoder.
    """
    spec = model.spec
    held = capture(model, ids, source_ids)
    side = {"self": "", "encoder": "encoder."}.get(part, "decoder.")
    name = f"{side}layers.{layer}.{'cross' if part == 'cross' else 'attention'}."
    stack = cast("Stack", model if part == "self" else getattr(model, "encoder" if part == "encoder" else "decoder"))
    group = spec.n_heads // spec.kv_heads
    q, k, v = held[name + "q"][head, query], held[name + "k"][head // group], held[name + "v"][head // group]
    bias = None
    if stack.slopes is not None and part != "cross":
        bias = -float(stack.slopes[head]) * np.abs(np.arange(len(k)) - query)
    causal = spec.is_causal and part in ("self", "decoder")
    allowed = np.arange(len(k)) <= query if causal else np.ones(len(k), dtype=bool)
    x = _attention_input(cast("Block", stack.layers[layer]), held, side, layer, part)
    x_keys = held["encoder.final"] if part == "cross" else x
    return RunSteps(
        x[query],
        x_keys,
        attention_steps(q, k, v, allowed, bias=bias),
        held[name + "heads"][:, query],
        held[name + "output"][query],
        spec.position == "rotary" and part != "cross",
        spec.qk_norm,
    )


@torch.no_grad()
def _attention_input(block: Block, held: dict[str, np.ndarray], side: str, layer: int, part: str) -> np.ndarray:
    """What a layer's attention reads ``[length, d_model]``: the residual stream, normed first in a pre-norm model."""
    residual = held[f"{side}layers.{layer - 1}.output" if layer else f"{side}embeddings"]
    stream = torch.from_numpy(residual)
    if part == "cross" and block.cross_norm is not None:
        stream = stream + torch.from_numpy(held[f"{side}layers.{layer}.attention.output"])
        return (block.attention_norm(stream) if block.post else block.cross_norm(stream)).numpy()
    return (stream if block.post else block.attention_norm(stream)).numpy()
