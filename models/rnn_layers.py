"""Stacked recurrent layers on texts of different lengths: with torch's fused kernels, or step by step with a hook."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.hooks import Hook, scoped
from models.rnn_trace import trace_layer


@dataclass(frozen=True)
class RecurrentState:
    """What a recurrent model remembers of the text so far.

    Attributes:
        hidden: ``[layers, batch, channels]``.
        cell: the LSTM's cells, of the same shape; None for the others.
    """

    hidden: Tensor
    cell: Tensor | None = None

    def select(self, rows: Tensor) -> "RecurrentState":
        """Keeps, repeats or reorders the texts of the batch: text i becomes the old text ``rows[i]``."""
        return RecurrentState(self.hidden[:, rows], None if self.cell is None else self.cell[:, rows])

    def detach(self) -> "RecurrentState":
        """The same values, cut off from the graph that made them (truncated backpropagation through time)."""
        return RecurrentState(self.hidden.detach(), None if self.cell is None else self.cell.detach())


def real_first(mask: Tensor) -> tuple[Tensor, Tensor]:
    """How to bring the real tokens of each text to the front, whichever side the padding is on.

    Args:
        mask: ``[batch, length]``, True for real tokens.

    Returns:
        The place from which each token comes ``[batch, length]``, for `Tensor.gather`, and the lengths ``[batch]``.
    """
    return (~mask.bool()).int().argsort(dim=1, stable=True), mask.sum(1)


def put_back(hidden: Tensor, order: Tensor) -> Tensor:
    """Vectors ``[batch, length, channels]`` of tokens that `real_first` moved, at the tokens' own places."""
    return torch.zeros_like(hidden).scatter(1, order.unsqueeze(-1).expand_as(hidden), hidden)


def run_fused(
    layers: nn.RNNBase, x: Tensor, lengths: Tensor | None, state: RecurrentState | None
) -> tuple[Tensor, RecurrentState]:
    """All layers in torch's kernels.

    Args:
        layers: an RNN, LSTM or GRU, batch first.
        x: inputs ``[batch, length, input]``.
        lengths: how many tokens of each text are real ``[batch]``; None: all. The others are 0 in the result.
        state: where the texts stand; None: at their beginning.

    Returns:
        The last layer's hidden states ``[batch, length, channels]``, and the state at the end.
    """
    before = None
    if state is not None:
        before = state.hidden if state.cell is None else (state.hidden, state.cell)
    if lengths is None:
        hidden, after = layers(x, before)
        return hidden, RecurrentState(*after) if isinstance(after, tuple) else RecurrentState(after)
    packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
    packed, after = layers(packed, before)
    hidden, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    after = RecurrentState(*after) if isinstance(after, tuple) else RecurrentState(after)
    if state is not None:  # a text that has ended keeps its state
        going = (lengths > 0)[:, None]
        cell = None if state.cell is None or after.cell is None else torch.where(going, after.cell, state.cell)
        after = RecurrentState(torch.where(going, after.hidden, state.hidden), cell)
    return hidden, after


def run_traced(
    layers: nn.RNNBase,
    kind: str,
    x: Tensor,
    lengths: Tensor | None,
    state: RecurrentState,
    hook: Hook,
    begins: bool = False,
    first: int = 0,
) -> tuple[Tensor, RecurrentState]:
    """What `run_fused` computes, step by step, with the hook called for every gate.

    Args:
        layers, x, lengths: as in `run_fused`.
        kind: "tanh" or "relu" (plain RNN), "lstm" or "gru".
        state: where the texts stand.
        hook: sees the names of `models.rnn_trace` and "output", each after "layers.{i}.".
        begins: whether the texts begin here; then a text without a real token is read as if its first were one.
        first: the number that the lowest layer has in those names.
    """
    steps = torch.arange(x.shape[1], device=x.device)
    alive = None if lengths is None else steps < lengths.clamp(min=1 if begins else 0)[:, None]
    ends: list[tuple[Tensor, Tensor | None]] = []
    directions = 2 if layers.bidirectional else 1
    for i in range(layers.num_layers):
        outputs, at = [], f"layers.{first + i}."
        for direction in range(directions):
            row = directions * i + direction
            before = state.hidden[row], None if state.cell is None else state.cell[row]
            suffix = "_reverse" if direction else ""
            weight_ih, weight_hh, bias_ih, bias_hh = (
                getattr(layers, f"{name}_l{i}{suffix}", None)
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            assert weight_ih is not None and weight_hh is not None
            weights = weight_ih, weight_hh, bias_ih, bias_hh
            names = scoped(hook, f"{at}reverse." if direction else at)
            output, end = trace_layer(kind, weights, x, before, alive, bool(direction), names)
            outputs.append(output)
            ends.append(end)
        x = hook(f"{at}output", torch.cat(outputs, dim=-1))  # [batch, length, channels]
        if i + 1 < layers.num_layers and layers.dropout:
            x = F.dropout(x, layers.dropout, layers.training)
    hidden, cells = zip(*ends, strict=True)
    return x, RecurrentState(torch.stack(hidden), None if cells[0] is None else torch.stack(cells))
