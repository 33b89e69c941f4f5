"""Recurrent models: gates over time, what units respond to, and how fast memory and gradients decay."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.language_model import LanguageModel
from playground.inspection.capture import capture


def trace(model: LanguageModel, ids: Sequence[int], source_ids: Sequence[int] | None = None) -> dict[str, np.ndarray]:
    """Every gate and state of one text, by name ("layers.0.gates.forget", "layers.1.hidden" …), ``[n, units]``.

    Of an LSTM with attention, both sides: "encoder.layers.0.hidden" over the source, "decoder.layers.0.hidden" over the target.
    """
    held = capture(model, ids, source_ids, keep=lambda name: ".gates." in name or name.endswith((".hidden", ".cell")))
    return {name: value for name, value in held.items() if name != "logits"}


def selectivity(values: np.ndarray) -> np.ndarray:
    """How strongly a unit responds to a few tokens only: (max − mean) / std over the text ``[n, units]``; ``[units]``.

    A unit that is high at one token of n has √(n−1); a sine has about 1.
    """
    size = np.abs(values)
    return (size.max(0) - size.mean(0)) / np.maximum(size.std(0), 1e-9)


def contrast(values: np.ndarray, start: int, end: int) -> np.ndarray:
    """How much higher each unit is inside the tokens ``[start, end)`` than outside, in standard deviations.

    ``[n, units]`` to ``[units]``; 0 where the span is empty or everything.
    """
    inside = np.zeros(len(values), dtype=bool)
    inside[start:end] = True
    if inside.all() or not inside.any():
        return np.zeros(values.shape[1])
    return (values[inside].mean(0) - values[~inside].mean(0)) / np.maximum(values.std(0), 1e-9)


@torch.no_grad()
def states_along(model: LanguageModel, windows: np.ndarray, name: str) -> np.ndarray:
    """One activation on many windows of text ``[windows, n]``; ``[windows, n, units]`` float32."""
    held: list[Tensor] = []

    def hook(found: str, value: Tensor) -> Tensor:
        if found == name:
            held.append(value)
        return value

    model(torch.from_numpy(windows.astype(np.int64)), hook=hook)
    return held[0].float().numpy()


def passages(
    states: np.ndarray, units: Sequence[int], signs: Sequence[float], width: int, k: int = 8
) -> list[tuple[int, int, float]]:
    """Where the given units are high together: (window, position, score), the best first, none overlapping.

    Args:
        states: ``[windows, n, units]``.
        signs: +1 for a unit that is to be high, -1 for one that is to be low.
        width: how many tokens long a passage is; the score is its mean, in standard deviations.
    """
    chosen = states[..., list(units)] * np.asarray(signs, dtype=np.float32)
    chosen = (chosen - chosen.mean((0, 1))) / np.maximum(chosen.std((0, 1)), 1e-9)
    score = chosen.mean(-1)
    width = max(1, min(width, score.shape[1]))
    sums = np.cumsum(np.pad(score, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, width:] - sums[:, :-width]) / width  # [windows, n - width + 1]
    found: list[tuple[int, int, float]] = []
    for index in np.argsort(-means, axis=None):
        window, position = divmod(int(index), means.shape[1])
        if all(window != other or abs(position - at) >= width for other, at, _ in found):
            found.append((window, position, float(means[window, position])))
        if len(found) == k:
            break
    return found


@torch.no_grad()
def influence(model: LanguageModel, ids: Sequence[int], seed: int = 0) -> np.ndarray:
    """How long a token is remembered: the change of the last layer's state when that token is replaced.

    Returns:
        ``[n replaced, n positions]``: ‖h′_t − h_t‖ / ‖h_t‖, 0 before the replaced token.
    """
    text = torch.tensor(list(ids))
    n = len(text)
    others = torch.from_numpy(np.random.default_rng(seed).permutation(text.numpy()))
    if len(set(text.tolist())) > 1:  # another token than its own, from the same text
        while (others == text).any():
            others = torch.where(others == text, others.roll(1), others)
    changed = text.repeat(n, 1)
    changed[torch.arange(n), torch.arange(n)] = others
    base, after = model(text[None]).hidden, model(changed).hidden
    return ((after - base).norm(dim=-1) / base.norm(dim=-1).clamp(min=1e-9)).numpy()


def gradient_by_distance(model: LanguageModel, windows: np.ndarray) -> np.ndarray:
    """The gradient of the last prediction's loss with respect to each token, by distance (Pascanu et al. 2013).

    Args:
        windows: texts ``[windows, n + 1]``; the last token of each is the one predicted.

    Returns:
        ‖∂L/∂e_{n−d}‖ by distance d = 0 … n−1, the mean over the windows ``[n]``; e is the token's embedding.
    """
    ids = torch.from_numpy(windows.astype(np.int64))
    leaves: list[Tensor] = []

    def hook(name: str, value: Tensor) -> Tensor:
        if name == "embeddings":
            leaves.append(value.detach().requires_grad_())
            return leaves[-1]
        return value

    with torch.enable_grad():
        logits = model(ids[:, :-1], hook=hook).logits[:, -1].float()
        loss = F.cross_entropy(logits, ids[:, -1], reduction="sum")
        (gradient,) = torch.autograd.grad(loss, leaves)
    return gradient.norm(dim=-1).mean(0).flip(0).numpy()
