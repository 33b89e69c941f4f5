"""Switch a part of a model off, or put in what it computed on another text, and see what changes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.output import Tap
from playground.errors import PlaygroundError
from playground.inspection.asking import Question, answers, losses
from playground.inspection.capture import capture

Change = Callable[[Tensor], Tensor]
"""What is put in the place of an activation ``[batch, ...]``."""


@dataclass(frozen=True)
class Effect:
    """A text as the model and the changed model tell it.

    Attributes:
        before, after: −ln p of each token asked about (nats) ``[n asked]``.
        rows_before, rows_after: probabilities at every place ``[n, vocabulary]``.
    """

    before: np.ndarray
    after: np.ndarray
    rows_before: np.ndarray
    rows_after: np.ndarray

    @property
    def harm(self) -> float:
        """How much the mean loss grew (nats a token)."""
        return float(self.after.mean() - self.before.mean())


def effect(model: nn.Module, asked: Question, changes: Mapping[str, Change]) -> Effect:
    """What changes do to a model's answers; no changes do nothing, to the bit."""
    tap = tapped(changes)
    before, after = answers(model, asked, tapped({}))[0], answers(model, asked, tap)[0]
    return Effect(losses(before, asked), losses(after, asked), before.exp().numpy(), after.exp().numpy())


def tapped(changes: Mapping[str, Change]) -> Tap:
    """The tap that makes the changes, by the names of `models.output.Tap`."""
    return lambda name, value: changes[name](value) if name in changes else value


def heads_name(part: str, layer: int) -> str:
    """The name of what a layer's heads give ``[batch, heads, n, d]``; parts as in `inspection.attention`."""
    side = {"self": "", "encoder": "encoder."}.get(part, "decoder.")
    return f"{side}layers.{layer}.{'cross' if part == 'cross' else 'attention'}.heads"


def without_heads(heads: Iterable[int], mean: bool = False) -> Change:
    """Heads that give nothing, or always their mean over the text."""
    chosen = list(heads)

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[:, chosen] = value[:, chosen].mean(2, keepdim=True) if mean else 0.0
        return value

    return change


def without(mean: bool = False) -> Change:
    """A sub-layer (such as an MLP's output ``[batch, n, d]``) that gives nothing, or its mean over the text."""
    return lambda value: value.mean(1, keepdim=True).expand_as(value) if mean else torch.zeros_like(value)


def held_at(level: float, units: Sequence[int] | None = None) -> Change:
    """A gate ``[batch, n, units]`` held at a level; all its units unless told."""

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[..., slice(None) if units is None else list(units)] = level
        return value

    return change


def patched_heads(other: np.ndarray, heads: Iterable[int]) -> Change:
    """Heads that give what they gave on another text (activation patching, Meng et al. 2022).

    Args:
        other: what the layer's heads gave there ``[heads, n, d]``, of as many tokens.
    """
    chosen, there = list(heads), torch.from_numpy(other)

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[:, chosen] = there[chosen].to(value.dtype)
        return value

    return change


def heads_of(model: nn.Module, asked: Question) -> dict[str, np.ndarray]:
    """What every head gives on a text, by name, to be patched into another one."""
    return capture(model, asked.inputs.tolist(), asked.source_ids, keep=lambda name: name.endswith(".heads"))


def same_length(asked: Question, other: Question) -> None:
    """Patching puts place on place.

    Raises:
        PlaygroundError: when the texts have different numbers of tokens.
    """
    lengths = [(len(q.inputs), len(q.source_ids or ())) for q in (asked, other)]
    if lengths[0] != lengths[1]:
        raise PlaygroundError(
            f"The other text has {lengths[1][0]} tokens and this one {lengths[0][0]}.",
            "Patching needs as many: add or take away words.",
        )


def rank_heads(
    model: nn.Module, asked: Question, part: str = "self", mean: bool = False, most: int = 16_384
) -> np.ndarray:
    """How much removing each head, alone, hurts (nats a token) ``[layers, heads]``.

    One batch holds the text many times, each time without another head.

    Args:
        most: tokens in one batch.
    """
    n_layers, n_heads = model.spec.n_layers, model.spec.n_heads
    pairs = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    base = losses(answers(model, asked, tapped({}))[0], asked).mean()
    size = max(1, most // len(asked.inputs))
    harm = np.zeros((n_layers, n_heads))
    for start in range(0, len(pairs), size):
        piece = pairs[start : start + size]
        changes = {heads_name(part, layer): _each_its_own(piece, layer, mean) for layer in range(n_layers)}
        batch = answers(model, asked, tapped(changes), copies=len(piece))
        for (layer, head), loss in zip(piece, losses(batch, asked), strict=True):
            harm[layer, head] = loss.mean() - base
    return harm


def _each_its_own(pairs: Sequence[tuple[int, int]], layer: int, mean: bool) -> Change:
    """In the i-th copy of the text, the i-th head is taken away where it is of this layer."""
    mine = [(i, head) for i, (other, head) in enumerate(pairs) if other == layer]

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        for i, head in mine:
            value[i, head] = value[i, head].mean(0) if mean else 0.0
        return value

    return change
