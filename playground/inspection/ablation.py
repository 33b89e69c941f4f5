"""Ablation and activation patching: remove or replace a part of the computation, and measure the loss."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.hooks import Hook
from models.language_model import LanguageModel
from models.transformer import Source
from playground.core.errors import PlaygroundError
from playground.inspection.capture import capture, residual_streams
from playground.inspection.prediction_task import PredictionTask, log_probabilities, losses

Change = Callable[[Tensor], Tensor]
"""What is put in the place of an activation ``[batch, ...]``."""
Progress = Callable[[float], None]
"""What is told how much of a measurement is done, 0 to 1."""
MAX_BATCH_TOKENS = 2048
"""Tokens per batch: larger batches are not faster on a CPU, and the attention weights of long texts need memory."""


def nobody(share: float) -> None:
    """Where nobody wants to know how far a measurement is."""


@dataclass(frozen=True)
class Effect:
    """The predictions of the model and of the changed model for a text.

    Attributes:
        before, after: −ln p of each target (nats) ``[n_targets]``.
        rows_before, rows_after: probabilities at every position ``[n, vocabulary]``.
    """

    before: np.ndarray
    after: np.ndarray
    rows_before: np.ndarray
    rows_after: np.ndarray

    @property
    def loss_increase(self) -> float:
        """The increase of the mean loss (nats per token)."""
        return float(self.after.mean() - self.before.mean())


def effect(model: LanguageModel, task: PredictionTask, changes: Mapping[str, Change]) -> Effect:
    """The effect of changes on a model's predictions; with no changes both are equal to the bit."""
    hook = hook_of(changes)
    before, after = log_probabilities(model, task, hook_of({}))[0], log_probabilities(model, task, hook)[0]
    return Effect(losses(before, task), losses(after, task), before.exp().numpy(), after.exp().numpy())


@torch.no_grad()
def writes_on(
    model: LanguageModel,
    ids: Sequence[int],
    changes: Mapping[str, Change],
    n: int,
    end: int | None = None,
    source_ids: Sequence[int] | None = None,
    progress: Progress = nobody,
) -> list[int]:
    """What a changed model writes after a text, always its likeliest token.

    Args:
        ids: the text, at least one token.
        changes: in effect at every token that is written.
        n: how many tokens at most.
        end: the token that ends it, which is left out.
        source_ids: what an encoder–decoder answers.
        progress: is told the share that is done.
    """
    hook, text = hook_of(changes), list(ids)
    more = {} if source_ids is None else {"source": Source(torch.tensor([list(source_ids)]))}
    for i in range(n):
        progress(i / n)
        token = int(model(torch.tensor([text]), hook=hook, **more).logits[0, -1].argmax())
        if token == end:
            break
        text.append(token)
    return text[len(ids) :]


def hook_of(changes: Mapping[str, Change]) -> Hook:
    """The hook that makes the changes, by the names of `models.hooks.Hook`."""
    return lambda name, value: changes[name](value) if name in changes else value


def heads_name(part: str, layer: int) -> str:
    """The name of what a layer's heads give ``[batch, heads, n, d]``; parts as in `inspection.attention`."""
    side = {"self": "", "encoder": "encoder."}.get(part, "decoder.")
    return f"{side}layers.{layer}.{'cross' if part == 'cross' else 'attention'}.heads"


def without_heads(heads: Iterable[int], mean: bool = False) -> Change:
    """Zero ablation of heads ``[batch, heads, n, d]``, or mean ablation: their mean over the text."""
    chosen = list(heads)

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[:, chosen] = value[:, chosen].mean(2, keepdim=True) if mean else 0.0
        return value

    return change


def without(mean: bool = False) -> Change:
    """Zero ablation of a sublayer (such as an MLP's output ``[batch, n, d]``), or mean ablation."""
    return lambda value: value.mean(1, keepdim=True).expand_as(value) if mean else torch.zeros_like(value)


def held_at(level: float, units: Sequence[int] | None = None) -> Change:
    """A gate ``[batch, n, units]`` held at a level; by default all its units."""

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[..., slice(None) if units is None else list(units)] = level
        return value

    return change


def patched_heads(other: np.ndarray, heads: Iterable[int]) -> Change:
    """Replaces heads' outputs by those on another text (activation patching, Meng et al. 2022).

    Args:
        other: what the layer's heads gave there ``[heads, n, d]``, of as many tokens.
    """
    return _rows_of(other, heads)


def _rows_of(other: np.ndarray, rows: Iterable[int]) -> Change:
    """Replaces chosen rows of the first axis after the batch by values from another text ``[rows, ...]``."""
    chosen, there = list(rows), torch.from_numpy(other)

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[:, chosen] = there[chosen].to(value.dtype)
        return value

    return change


def patched(other: np.ndarray, units: Sequence[int] | None = None) -> Change:
    """A sub-layer's output, or a gate, as it was on another text; by default all its units.

    Args:
        other: the activation there ``[n, units]``, of as many tokens.
    """
    chosen, there = slice(None) if units is None else list(units), torch.from_numpy(other)

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[..., chosen] = there[:, chosen].to(value.dtype)
        return value

    return change


def patched_positions(other: np.ndarray, positions: Iterable[int]) -> Change:
    """The residual stream, at some positions, as it was on another text.

    From there on the model goes on with what it knew of that text: what then changes in its answer was carried by these
    positions at this depth (Wang et al. 2022; Meng et al. 2022, "causal tracing").

    Args:
        other: the stream there ``[n, d_model]``, of as many tokens.
    """
    return _rows_of(other, positions)


def recorded(model: LanguageModel, task: PredictionTask, *ends: str) -> dict[str, np.ndarray]:
    """What a model computes on a text, by name, to be patched into another one.

    Args:
        ends: how the names end, such as ".heads".
    """
    return capture(model, task.inputs.tolist(), task.source_ids, keep=lambda name: name.endswith(ends))


def same_length(task: PredictionTask, other: PredictionTask) -> None:
    """Checks that two texts can be patched into each other, position by position.

    Raises:
        PlaygroundError: when the texts have different numbers of tokens.
    """
    lengths = [(len(q.inputs), len(q.source_ids or ())) for q in (task, other)]
    if lengths[0] != lengths[1]:
        raise PlaygroundError(
            "The other text has {other} tokens and this one {length}.",
            "Patching needs as many: add or take away words.",
            other=lengths[1][0],
            length=lengths[0][0],
        )


def rank_heads(
    model: LanguageModel,
    task: PredictionTask,
    part: str = "self",
    mean: bool = False,
    other: PredictionTask | None = None,
    max_tokens: int = MAX_BATCH_TOKENS,
    progress: Progress = nobody,
) -> np.ndarray:
    """The increase of the loss when each head alone is removed (nats per token) ``[layers, heads]``.

    Args:
        part: whose heads, as in `inspection.attention`.
        mean: their mean over the text takes their place, instead of nothing.
        other: what they gave on this text of as many tokens takes their place.
        max_tokens: tokens in one batch.
        progress: is told the share that is done.
    """
    spec = model.spec
    there = {} if other is None else recorded(model, other, ".heads")

    def instead(name: str, own: Tensor, head: int) -> Tensor | float:
        if there:
            return torch.from_numpy(there[name][head])
        return own[head].mean(0) if mean else 0.0

    def remove(layer: int, head: int) -> tuple[str, Replace]:
        name = heads_name(part, layer)
        return name, lambda own: _with(own, head, instead(name, own, head))

    pairs = [(layer, head) for layer in range(spec.n_layers) for head in range(spec.n_heads)]
    loss_increase = _one_by_one(model, task, [remove(*pair) for pair in pairs], max_tokens, progress)
    return loss_increase.reshape(spec.n_layers, spec.n_heads)


def causal_trace(
    model: LanguageModel,
    task: PredictionTask,
    other: PredictionTask,
    width: int = 1,
    max_tokens: int = MAX_BATCH_TOKENS,
    progress: Progress = nobody,
) -> np.ndarray:
    """How much the loss grows when a position of the residual stream comes from another text ``[depths, n / width]``.

    Args:
        other: a text of as many tokens.
        width: how many neighbouring positions are patched together.
        max_tokens: tokens in one batch.
        progress: is told the share that is done.
    """
    held = recorded(model, other, "embeddings", ".output")
    there = {name: torch.from_numpy(held[name]) for name in residual_streams(model.spec)}
    n = len(task.inputs)

    def put(name: str, place: int) -> tuple[str, Replace]:
        part = slice(place, place + width)
        return name, lambda own: _with(own, part, there[name][part])

    changes = [put(name, place) for name in there for place in range(0, n, width)]
    return _one_by_one(model, task, changes, max_tokens, progress).reshape(len(there), -1)


def rank_gates(
    model: LanguageModel,
    task: PredictionTask,
    gates: Sequence[Sequence[str]],
    levels: Sequence[float] = (0.0, 1.0),
    other: PredictionTask | None = None,
    progress: Progress = nobody,
) -> np.ndarray:
    """The increase of the loss when all units of a gate are held at a level (nats per token) ``[gates, levels]``.

    Args:
        gates: each the names of one gate; both directions of a bidirectional layer.
        other: instead of the levels, what the gates were on this text of as many tokens ``[gates, 1]``.
        progress: is told the share that is done.
    """
    base = losses(log_probabilities(model, task, hook_of({}))[0], task).mean()
    there = {} if other is None else recorded(model, other, *(name for names in gates for name in names))
    kinds: list[Callable[[str], Change]] = (
        [lambda name: patched(there[name])] if there else [lambda name, x=level: held_at(x) for level in levels]
    )
    loss_increase = np.zeros((len(gates), len(kinds)))
    for i, names in enumerate(gates):
        progress(i / len(gates))
        for j, kind in enumerate(kinds):
            hook = hook_of({name: kind(name) for name in names})
            loss_increase[i, j] = losses(log_probabilities(model, task, hook)[0], task).mean() - base
    return loss_increase


Replace = Callable[[Tensor], Tensor]
"""What takes the place of an activation of one text, without the batch axis."""


def _with(own: Tensor, at: int | slice, value: Tensor | float) -> Tensor:
    own = own.clone()
    own[at] = value
    return own


def _one_by_one(
    model: LanguageModel,
    task: PredictionTask,
    changes: Sequence[tuple[str, Replace]],
    max_tokens: int,
    progress: Progress,
) -> np.ndarray:
    """The increase of the mean loss by each change alone; one batch holds a copy of the text per change."""
    base = losses(log_probabilities(model, task, hook_of({}))[0], task).mean()
    size = max(1, max_tokens // len(task.inputs))
    loss_increase = []
    for start in range(0, len(changes), size):
        progress(start / len(changes))
        piece = changes[start : start + size]

        def hook(name: str, value: Tensor, piece: Sequence[tuple[str, Replace]] = piece) -> Tensor:
            mine = [(i, replace) for i, (at, replace) in enumerate(piece) if at == name]
            if mine:
                value = value.clone()
            for i, replace in mine:
                value[i] = replace(value[i])
            return value

        batch = log_probabilities(model, task, hook, copies=len(piece))
        loss_increase.extend(losses(batch, task).mean(-1) - base)
    return np.array(loss_increase)
