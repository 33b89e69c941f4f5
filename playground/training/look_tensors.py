"""The numbers of a look: activations, their gradients, and weights, as they are in the model that trains.

Activations are read through the models' hooks, as in `playground.inspection.capture`, on the device and in the number format
of the training. Nothing is written into the model: gradients are asked of the activations alone, never left in ``.grad``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from playground.runs.frames import WHOLE_LOGITS
from playground.training.device import Device
from playground.training.look_text import LookText

CORE = (".attention.weights", ".cross.weights", "embeddings", ".output", "final", "logits", ".hidden", ".cell")
OPTIONAL = (".mlp.hidden", ".gates.input", ".gates.forget", ".gates.cell", ".gates.output")
OPTIONAL += (".gates.reset", ".gates.update", ".gates.candidate")
ROOM = 2**20  # bytes of a frame that what is optional may fill up
LARGEST_SIDE = 64
"""Rows, and columns, of a matrix of weights that a frame shows one by one; a larger one is averaged over blocks."""
HALF_SCALE = 1024.0  # float16 gradients are made with the loss times this, and divided again in float32


@dataclass(frozen=True)
class Reading:
    """One pass over a text.

    Attributes:
        values: name → float32 on the CPU, without the batch axis: activations, or the loss's gradients with respect to them.
        probabilities: of the next token (or label) at the text's `position`, float32 ``[vocabulary]``.
        loss: the mean over what is asked (nats); None where nothing is.
    """

    values: dict[str, np.ndarray]
    probabilities: np.ndarray
    loss: float | None


def is_default(name: str) -> bool:
    """Whether an activation is in the default set of a frame."""
    return _is_core(name) or _is_optional(name)


def _is_core(name: str) -> bool:
    sublayer = name.endswith((".attention.output", ".cross.output", ".mlp.output", ".gates.output"))
    return name.endswith(CORE) and not sublayer and not _is_optional(name)


def _is_optional(name: str) -> bool:
    return name.endswith(OPTIONAL)


def within_room(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The default set without those optional kinds of activation that make the frame larger than ROOM.

    A kind is left out of all layers: a picture with the MLP of some layers would be read as a model that has no others.
    """
    kept = {name: value for name, value in values.items() if not _is_optional(name)}
    room = ROOM - 2 * sum(value.size for value in kept.values())
    for ending in OPTIONAL:
        kind = {name: value for name, value in values.items() if name.endswith(ending)}
        size = 2 * sum(value.size for value in kind.values())
        if size <= room:
            kept |= kind
            room -= size
    return {name: value for name, value in values.items() if name in kept}


def activations(model: nn.Module, text: LookText, device: Device, keep: Callable[[str], bool]) -> Reading:
    """One pass over the text, with dropout as the model's mode has it.

    Args:
        model: as it is trained: uncompiled, unwrapped, in evaluation mode.
        text: to be read.
        device: where the model is, and its number format.
        keep: which names to record.
    """
    held: dict[str, Tensor] = {}

    def hook(name: str, value: Tensor) -> Tensor:
        if keep(name):
            held[name] = value[0]
        return value

    with torch.no_grad(), device.autocast():
        logits = cast(Tensor, model(**text.inputs(device.torch), hook=hook).logits)
        if keep("logits"):
            held["logits"] = _shown_logits(logits, text)
        return Reading(_on_host(held), *_predictions(logits, text))


def gradients(model: nn.Module, text: LookText, device: Device, keep: Callable[[str], bool]) -> Reading | None:
    """∂loss/∂activation of every recorded activation; None where the text asks nothing, so that there is no loss.

    The gradient of a recurrent model's gate, cell or state at one token is the whole one, also by way of later tokens.
    Arguments as in `activations`.
    """
    held: dict[str, Tensor] = {}

    def hook(name: str, value: Tensor) -> Tensor:
        if not value.requires_grad:  # the embeddings of a body whose weights are frozen
            value.requires_grad_(True)
        if keep(name):
            held[name] = value
        return value

    with torch.enable_grad():
        with device.autocast():
            logits = cast(Tensor, model(**text.inputs(device.torch), hook=hook).logits)
        loss = text.loss(logits)
        if loss is None:
            return None
        scale = HALF_SCALE if device.dtype is torch.float16 else 1.0
        if keep("logits"):
            held["logits"] = logits
        edges = {name: _edges(name, value) for name, value in held.items()}
        found = iter(
            torch.autograd.grad(loss * scale, [edge for each in edges.values() for edge in each], allow_unused=True)
        )
    made: dict[str, Tensor] = {}
    for name, each in edges.items():
        whole = _whole([next(found) for _ in each], held[name])
        made[name] = (_shown_logits(whole, text) if name == "logits" else whole[0]).float() / scale
    return Reading(_on_host(made), *_predictions(logits.detach(), text))


def _edges(name: str, value: Tensor) -> list[GradientEdge]:
    """Where in the graph the gradient of an activation is to be had.

    What a recurrent layer shows of its gates, states and alignment is a copy, stacked of what it computed token by token:
    later tokens read the parts, not the copy. Its output is no copy: the layer above reads it.
    """
    node = value.grad_fn
    while node is not None and node.name() == "UnsqueezeBackward0":
        node = node.next_functions[0][0]
    if node is None or node.name() != "StackBackward0" or _is_output(name):
        return [get_gradient_edge(value)]
    return [GradientEdge(part, number) for part, number in node.next_functions if part is not None]


def _is_output(name: str) -> bool:
    return name.endswith(".output") and not name.endswith((".gates.output", ".cross.output"))


def _whole(parts: list[Tensor | None], like: Tensor) -> Tensor:
    """The gradient in the shape of its activation, of the gradients of its tokens; None: the loss does not depend on it."""
    known = next((part for part in parts if part is not None), None)
    if known is None:
        return torch.zeros_like(like)
    filled = [torch.zeros_like(known) if part is None else part for part in parts]
    return known if known.shape == like.shape else torch.stack(filled, dim=1).reshape(like.shape)


def _shown_logits(logits: Tensor, text: LookText) -> Tensor:
    """``[length, vocabulary]``, or of a large vocabulary the row at `position` alone ``[1, vocabulary]``."""
    rows = logits.flatten(0, -2)
    return rows if rows.shape[-1] <= WHOLE_LOGITS else rows[text.position][None]


def _predictions(logits: Tensor, text: LookText) -> tuple[np.ndarray, float | None]:
    loss = text.loss(logits)
    likely = logits.flatten(0, -2)[text.position].float().softmax(-1)
    return likely.cpu().numpy(), None if loss is None else float(loss)


def _on_host(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.detach().float().cpu().numpy() for name, value in tensors.items()}


def weights_of(model: nn.Module, names: Iterable[str] = ()) -> dict[str, Tensor]:
    """The weights as they are, by the state dict's names; not copied. ``names`` chooses some, in so far as they are there."""
    wanted = set(names)
    state = model.state_dict()
    return {
        name: value for name, value in state.items() if value.is_floating_point() and (not wanted or name in wanted)
    }


def block_means(matrix: np.ndarray) -> np.ndarray:
    """A matrix of at most LARGEST_SIDE rows and columns: the means over blocks of neighbouring rows and columns.

    Block i of n rows begins at row ⌊i·n/64⌋, so every number counts once. Other arrays, and smaller ones, stay as they are.
    """
    if matrix.ndim != 2:
        return matrix
    for axis in (0, 1):
        size = matrix.shape[axis]
        if size > LARGEST_SIDE:
            starts = np.arange(LARGEST_SIDE) * size // LARGEST_SIDE
            counts = np.diff(np.append(starts, size)).astype(np.float32)
            sums = np.add.reduceat(matrix, starts, axis=axis)
            matrix = sums / (counts[:, None] if axis == 0 else counts)
    return matrix


def shown_weights(weights: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Weights in a size to be shown, and of those that were averaged the rows and columns that they have."""
    shown = {name: block_means(value) for name, value in weights.items()}
    return shown, {
        name: list(weights[name].shape) for name, value in shown.items() if value.shape != weights[name].shape
    }
