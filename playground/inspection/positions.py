"""Position encodings: the four kinds side by side, and what happens without them."""

import copy
from collections.abc import Collection, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from models.factory import build
from models.language_model import LanguageModel
from models.positions import alibi_slopes, sinusoidal
from models.spec import ModelSpec

MAX_VALUES = 2**27  # logits and attention weights of one layer that are held at once


def sinusoidal_table(n: int, d_model: int) -> np.ndarray:
    """The sinusoidal table ``[n, d_model]`` (Vaswani et al. 2017, section 3.5)."""
    return sinusoidal(n, d_model).numpy()


def sinusoidal_formula(position: int, dimension: int, d_model: int) -> tuple[str, float]:
    """One cell of the sinusoidal table: its formula with the numbers filled in (LaTeX), and its value."""
    pair = dimension - dimension % 2
    angle = position / 10000 ** (pair / d_model)
    name, value = ("sin", np.sin(angle)) if dimension % 2 == 0 else ("cos", np.cos(angle))
    equation = (
        rf"\{name}\left(\frac{{{position}}}{{10000^{{{pair}/{d_model}}}}}\right) = \{name}({angle:.4f}) = {value:.4f}"
    )
    return equation, float(value)


def angles(n: int, head_dim: int, theta: float) -> np.ndarray:
    """The rotation of each pair of channels at each position (radians) ``[n, head_dim / 2]`` (Su et al. 2021, eq. 15)."""
    return np.arange(n)[:, None] * theta ** (-np.arange(0, head_dim, 2) / head_dim)


def rotary_match(n: int, head_dim: int, theta: float) -> np.ndarray:
    """q·k of two equal unit vectors by distance after rotation, 1 at distance 0: the mean cosine over the pairs ``[n]``."""
    return np.cos(angles(n, head_dim, theta)).mean(1)


def alibi_table(n: int, n_heads: int) -> np.ndarray:
    """What ALiBi adds to the scores by head and distance ``[heads, n]`` (Press et al. 2022)."""
    return -np.array(alibi_slopes(n_heads))[:, None] * np.arange(n)


def cosines(table: np.ndarray) -> np.ndarray:
    """The cosine similarity of each pair of rows of a table: ``[n, channels]`` to ``[n, n]``."""
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def by_distance(similarity: np.ndarray) -> np.ndarray:
    """The mean of each diagonal of ``[n, n]``: similarity by distance ``[n]``."""
    return np.array([np.diagonal(similarity, d).mean() for d in range(len(similarity))])


def untrained(spec: ModelSpec, seed: int) -> LanguageModel:
    """The model with the weights that training began with: the same seed gives the same random numbers."""
    state = torch.get_rng_state()
    try:
        torch.manual_seed(seed)
        return build(spec).eval()
    finally:
        torch.set_rng_state(state)


def without_positions(model: LanguageModel) -> LanguageModel:
    """A copy with the same weights and no position encoding. (A decoder can still infer positions from the causal mask.)"""
    spec = model.spec
    blind = copy.deepcopy(model)
    embedding = blind.embedding
    if embedding.positions is not None:
        torch.nn.init.zeros_(embedding.positions.weight)
    elif embedding.sinusoidal is not None:
        embedding.sinusoidal.table.zero_()
    elif spec.position in ("rotary", "alibi"):
        blind = build(spec.replace(position="none")).eval()
        blind.load_state_dict(model.state_dict())
    return blind


def other_order(n: int, fixed: Collection[int] = (), seed: int = 0) -> list[int]:
    """A random order of n things, in which those that are fixed stay at their places.

    It is another one than 0, 1, 2, … wherever two of them can move.
    """
    movable = [i for i in range(n) if i not in fixed]
    random = np.random.default_rng(seed)
    while True:
        mixed, order = random.permutation(movable).tolist(), list(range(n))
        for place, i in zip(movable, mixed, strict=True):
            order[place] = i
        if len(movable) < 2 or mixed != movable:
            return order


@torch.no_grad()
def prediction_at(model: LanguageModel, ids: Sequence[int], place: int) -> np.ndarray:
    """What a model expects at one place of a text: of the next token, or, where it sees both sides, of that one
    ``[vocabulary]``."""
    return model(torch.tensor([list(ids)])).logits[0, place].float().softmax(-1).numpy()


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """The total variation distance of two distributions, ½ Σ|p − q|: 0 for equal ones, 1 for disjoint ones."""
    return float(0.5 * np.abs(p - q).sum())


@torch.no_grad()
def loss_by_position(model: LanguageModel, windows: np.ndarray, piece: int = 16) -> np.ndarray:
    """The mean loss at each position over windows of text: ``[windows, n + 1]`` to ``[n]`` (nats).

    ``piece`` is the largest batch; it is made smaller where memory asks for it.
    """
    n, heads = windows.shape[1] - 1, 0 if model.spec.is_recurrent else model.spec.n_heads
    piece = max(1, min(piece, MAX_VALUES // (n * (model.spec.vocab_size + heads * n))))  # windows at once
    total = np.zeros(n)
    for start in range(0, len(windows), piece):
        ids = torch.from_numpy(windows[start : start + piece].astype(np.int64))
        logits = model(ids[:, :-1]).logits.float()
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(len(ids), -1)
        total += loss.sum(0).numpy()
    return total / len(windows)
