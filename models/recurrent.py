"""RNN, LSTM and GRU language models: with torch's fused kernels, or step by step with a hook on every gate."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.embedding import Embedding
from models.heads import LanguageModelHead
from models.hooks import Hook, Output, scoped
from models.language_model import LanguageModel
from models.rnn_trace import trace_layer
from models.spec import ModelSpec, SpecError

_KERNELS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


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


class Recurrent(LanguageModel):
    """Embeddings, recurrent layers, head. In a bidirectional model half of the channels read from right to left."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec = spec
        self.embedding = Embedding(spec)
        self.directions = 2 if spec.bidirectional else 1
        self.width = spec.d_model // self.directions
        options = {"nonlinearity": spec.nonlinearity} if spec.architecture == "rnn" else {}
        self.recurrent = _KERNELS[spec.architecture](
            spec.d_model,
            self.width,
            spec.n_layers,
            bias=spec.bias,
            batch_first=True,
            dropout=spec.dropout if spec.n_layers > 1 else 0.0,
            bidirectional=spec.bidirectional,
            **options,
        )
        self.head = LanguageModelHead(spec)

    def forward(
        self,
        input_ids: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        state: RecurrentState | None = None,
        hook: Hook | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token.

        Args:
            input_ids: ``[batch, length]``.
            attention_mask: ``[batch, length]``, True for real tokens; the others are skipped.
            position_ids: not used: a recurrent model has no positions.
            state: from `initial_state` or an earlier output; the text goes on from there.
            hook: see `models.hooks.Hook`; the names are those of `models.rnn_trace`, and "layers.{i}.output".
            rows: flat indices into batch·length: only these get logits.

        Raises:
            SpecError: for a bidirectional model with a state.
        """
        if state is not None and self.spec.bidirectional:
            raise SpecError("A bidirectional model reads its whole text at once; it cannot go on from a state.")
        order, lengths = None, None
        if attention_mask is not None:  # real tokens first, whichever side the padding is on
            order = (~attention_mask.bool()).int().argsort(dim=1, stable=True)
            lengths = attention_mask.sum(1)
            input_ids = input_ids.gather(1, order)
        x = self.embedding(input_ids)
        if hook is not None:
            x = hook("embeddings", x)
        hidden, after = self._fused(x, lengths, state) if hook is None else self._traced(x, lengths, state, hook)
        if order is not None:
            hidden = torch.zeros_like(hidden).scatter(1, order.unsqueeze(-1).expand_as(hidden), hidden)
        if self.spec.dropout:
            hidden = F.dropout(hidden, self.spec.dropout, self.training)
        if hook is not None:
            hidden = hook("final", hidden)
        return Output(self.unembed(hidden, rows), None if state is None else after, hidden)

    def _fused(self, x: Tensor, lengths: Tensor | None, state: RecurrentState | None) -> tuple[Tensor, RecurrentState]:
        before = None
        if state is not None:
            before = state.hidden if state.cell is None else (state.hidden, state.cell)
        if lengths is None:
            hidden, after = self.recurrent(x, before)
            return hidden, RecurrentState(*after) if isinstance(after, tuple) else RecurrentState(after)
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        packed, after = self.recurrent(packed, before)
        hidden, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
        after = RecurrentState(*after) if isinstance(after, tuple) else RecurrentState(after)
        if state is not None:  # a text that has ended keeps its state
            going = (lengths > 0)[:, None]
            cell = None if state.cell is None or after.cell is None else torch.where(going, after.cell, state.cell)
            after = RecurrentState(torch.where(going, after.hidden, state.hidden), cell)
        return hidden, after

    def _traced(
        self, x: Tensor, lengths: Tensor | None, state: RecurrentState | None, hook: Hook
    ) -> tuple[Tensor, RecurrentState]:
        """What `_fused` computes, step by step, with the hook called for every gate."""
        steps = torch.arange(x.shape[1], device=x.device)
        alive = None if lengths is None else steps < lengths.clamp(min=1 if state is None else 0)[:, None]
        state = state or self._zeros(len(x))
        ends: list[tuple[Tensor, Tensor | None]] = []
        for i in range(self.spec.n_layers):
            outputs = []
            for direction in range(self.directions):
                row = self.directions * i + direction
                before = state.hidden[row], None if state.cell is None else state.cell[row]
                suffix = "_reverse" if direction else ""
                weight_ih, weight_hh, bias_ih, bias_hh = (
                    getattr(self.recurrent, f"{name}_l{i}{suffix}", None)
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
                assert weight_ih is not None and weight_hh is not None
                weights = weight_ih, weight_hh, bias_ih, bias_hh
                names = scoped(hook, f"layers.{i}.reverse." if direction else f"layers.{i}.")
                output, end = trace_layer(self._kind(), weights, x, before, alive, bool(direction), names)
                outputs.append(output)
                ends.append(end)
            x = hook(f"layers.{i}.output", torch.cat(outputs, dim=-1))  # [batch, length, d_model]
            if i + 1 < self.spec.n_layers and self.spec.dropout:
                x = F.dropout(x, self.spec.dropout, self.training)
        hidden, cells = zip(*ends, strict=True)
        return x, RecurrentState(torch.stack(hidden), None if cells[0] is None else torch.stack(cells))

    def _kind(self) -> str:
        return self.spec.nonlinearity if self.spec.architecture == "rnn" else self.spec.architecture

    def initial_state(self, batch: int, max_length: int | None = None) -> RecurrentState:
        """All zeros. `max_length` is for transformers: a recurrent state never grows.

        Raises:
            SpecError: for a bidirectional model.
        """
        if self.spec.bidirectional:
            raise SpecError(
                "A bidirectional model reads its whole text at once and has no state to continue from.",
                "Turn bidirectional off to continue text.",
            )
        return self._zeros(batch)

    def _zeros(self, batch: int) -> RecurrentState:
        weight = self.embedding.tokens.weight
        zeros = weight.new_zeros(self.spec.n_layers * self.directions, batch, self.width)
        return RecurrentState(zeros, zeros.clone() if self.spec.architecture == "lstm" else None)
