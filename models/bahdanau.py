"""The LSTM encoder–decoder with additive attention: a decoder that looks back at every token of the source.

Bahdanau, Cho and Bengio 2015, "Neural machine translation by jointly learning to align and translate": the step from
recurrent models to the transformer. An encoder of LSTMs that reads both ways annotates each source token j with h_j.
Before each step i, the decoder compares its state with every annotation and reads their weighted mean:

    e_ij = vᵀ tanh(W s_{i-1} + U h_j)      how well the source around j fits what comes at i
    α_ij = softmax over j of e_ij          the alignment: over the real source tokens
    c_i  = Σ_j α_ij h_j                    the context
    s_i  = LSTM([y_{i-1}; c_i], s_{i-1})   y_{i-1}: the embedding of the token before

Differences from the paper: LSTMs in place of GRUs, and tanh(C [s_i; c_i]) before the output matrix in place of a maxout
layer (as in Luong et al. 2015, eq. 5). Of several decoder layers the first one asks and reads the context (as in Wu et al.
2016, section 3), so that the layers above it run over the whole target at once.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.attention import masked_softmax
from models.embedding import Embedding
from models.heads import LanguageModelHead
from models.hooks import Hook, Output, scoped
from models.language_model import LanguageModel
from models.rnn_layers import RecurrentState, put_back, real_first, run_fused, run_traced
from models.rnn_trace import NAMES, Held, lstm_step
from models.spec import ModelSpec, SpecError
from models.transformer import Source

ALIGNED = ("cross.scores", "cross.weights", "cross.output")
"""What a hook sees of the alignment in each pass, before the gates: scores e_ij and weights α_ij ``[batch, 1, target,
source]``, as those of a transformer's cross attention with one head; the context c_i ``[batch, target, d_model]``."""


@dataclass(frozen=True)
class Annotations:
    """The source as the decoder sees it.

    Attributes:
        values: h_j ``[batch, n_source, d_model]``.
        keys: U h_j, computed once ``[batch, n_source, d_model]``.
        padding_mask: ``[batch, n_source]``, True for real tokens; None: no padding.
    """

    values: Tensor
    keys: Tensor
    padding_mask: Tensor | None = None

    def select(self, rows: Tensor) -> "Annotations":
        """Text i becomes the old text ``rows[i]``."""
        mask = None if self.padding_mask is None else self.padding_mask[rows]
        return Annotations(self.values[rows], self.keys[rows], mask)


@dataclass(frozen=True)
class AttentiveState:
    """What the decoder remembers, and the source that it looks at.

    Attributes:
        layers: hidden states and cells of the decoder ``[layers, batch, d_model]``; None: nothing was read yet.
        source: the annotations, made once; None: nothing was read yet.
    """

    layers: RecurrentState | None = None
    source: Annotations | None = None

    def select(self, rows: Tensor) -> "AttentiveState":
        """Keeps, repeats or reorders the texts of the batch, as beam search does: text i becomes the old ``rows[i]``."""
        if self.layers is None or self.source is None:
            return self
        return AttentiveState(self.layers.select(rows), self.source.select(rows))


class Encoder(nn.Module):
    """A bidirectional LSTM: half of an annotation's channels have read the source up to j, half from its end back to j."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        dropout = spec.dropout if spec.n_layers > 1 else 0.0
        options = {"bias": spec.bias, "batch_first": True, "dropout": dropout, "bidirectional": True}
        self.recurrent = nn.LSTM(spec.d_model, spec.d_model // 2, spec.n_layers, **options)

    def forward(self, x: Tensor, lengths: Tensor | None, hook: Hook | None = None) -> Tensor:
        """Annotations ``[batch, n_source, d_model]`` of embeddings of the same shape; see `models.rnn_layers.run_fused`."""
        if hook is None:
            return run_fused(self.recurrent, x, lengths, None)[0]
        zeros = x.new_zeros(2 * self.recurrent.num_layers, len(x), self.recurrent.hidden_size)
        start = RecurrentState(zeros, zeros.clone())
        return run_traced(self.recurrent, "lstm", x, lengths, start, hook, begins=True)[0]


class AdditiveAttention(nn.Module):
    """The alignment model: a layer of tanh units that compares a state of the decoder with an annotation (eq. 6)."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.query = nn.Linear(spec.d_model, spec.d_model, bias=False)  # W
        self.key = nn.Linear(spec.d_model, spec.d_model, bias=False)  # U
        self.score = nn.Parameter(torch.zeros(spec.d_model))  # v

    def forward(self, state: Tensor, keys: Tensor) -> Tensor:
        """e_i ``[batch, n_source]`` of a state s_{i-1} ``[batch, d_model]`` and keys U h ``[batch, n_source, d_model]``."""
        return (torch.tanh(self.query(state).unsqueeze(1) + keys) @ self.score.unsqueeze(1)).squeeze(-1)


class Decoder(nn.Module):
    """LSTM layers; the first reads, besides the token before, the context that its own state before has asked for."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        d = spec.d_model
        self.start = nn.Linear(d // 2, spec.n_layers * d, bias=spec.bias)
        self.attention = AdditiveAttention(spec)
        self.cell = nn.LSTMCell(2 * d, d, bias=spec.bias)
        dropout = spec.dropout if spec.n_layers > 2 else 0.0
        above = {"bias": spec.bias, "batch_first": True, "dropout": dropout}
        self.recurrent = nn.LSTM(d, d, spec.n_layers - 1, **above) if spec.n_layers > 1 else None
        self.output = nn.Linear(2 * d, d, bias=spec.bias)
        self.n_layers, self.dropout = spec.n_layers, spec.dropout

    def initial(self, annotations: Tensor, padding_mask: Tensor | None) -> RecurrentState:
        """s_0 = tanh(W_s ←h_1), from what has read the whole source backwards (appendix A.2.2); cells start at 0.

        Args:
            annotations: ``[batch, n_source, d_model]``.
            padding_mask: ``[batch, n_source]``, True for real tokens; None: no padding.
        """
        batch, _, d = annotations.shape
        first = 0 if padding_mask is None else padding_mask.int().argmax(dim=1)
        backwards = annotations[torch.arange(batch, device=annotations.device), first, d // 2 :]
        hidden = torch.tanh(self.start(backwards)).view(batch, self.n_layers, d).transpose(0, 1)
        return RecurrentState(hidden, torch.zeros_like(hidden))

    def forward(
        self, x: Tensor, source: Annotations, before: RecurrentState, hook: Hook | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """All layers on embeddings ``[batch, length, d_model]`` of the tokens before.

        Args:
            x: y_{i-1} for each step.
            source: what is looked at.
            before: the state that the texts go on from.
            hook: sees `ALIGNED` and the gates of `models.rnn_trace` under "layers.0.", and the gates of each layer above.

        Returns:
            tanh(C [s_i; c_i]) ``[batch, length, d_model]``, and the state at the end.
        """
        assert before.cell is not None
        first = RecurrentState(before.hidden[0], before.cell[0])
        hidden, contexts, after = self._first_layer(x, source, first, hook)
        assert after.cell is not None
        ends = RecurrentState(after.hidden[None], after.cell[None])
        if self.recurrent is not None:
            if self.dropout:
                hidden = F.dropout(hidden, self.dropout, self.training)
            above = RecurrentState(before.hidden[1:].contiguous(), before.cell[1:].contiguous())
            if hook is None:
                hidden, last = run_fused(self.recurrent, hidden, None, above)
            else:
                hidden, last = run_traced(self.recurrent, "lstm", hidden, None, above, hook, first=1)
            assert last.cell is not None
            ends = RecurrentState(
                torch.cat([after.hidden[None], last.hidden]), torch.cat([after.cell[None], last.cell])
            )
        return torch.tanh(self.output(torch.cat([hidden, contexts], dim=-1))), ends

    def _first_layer(
        self, x: Tensor, source: Annotations, before: RecurrentState, hook: Hook | None
    ) -> tuple[Tensor, Tensor, RecurrentState]:
        """Its hidden states and the contexts ``[batch, length, d_model]``, and its state at the end ``[batch, d_model]``.

        What a hook changes keeps its new value, and all that depends on it is computed again, as in `models.rnn_trace`.
        """
        held: Held = {}
        steps, after = self._steps(x, source, before, held)
        if hook is not None:
            hook = scoped(hook, "layers.0.")
            for name in (*ALIGNED, *NAMES["lstm"]):
                value, a_head = torch.stack([step[name] for step in steps], dim=1), name in ALIGNED[:2]
                value = value.unsqueeze(1) if a_head else value  # [batch, 1 head, target, source]
                seen = hook(name, value)
                if seen is not value:
                    changed = seen != value
                    held[name] = (changed.squeeze(1), seen.squeeze(1)) if a_head else (changed, seen)
                    steps, after = self._steps(x, source, before, held)
        hidden, contexts = (torch.stack([step[name] for step in steps], dim=1) for name in ("hidden", "cross.output"))
        return hidden if hook is None else hook("output", hidden), contexts, after

    def _steps(
        self, x: Tensor, source: Annotations, before: RecurrentState, held: Held
    ) -> tuple[list[dict[str, Tensor]], RecurrentState]:
        """The first layer token by token: what it computes at each step, by name ``[batch, …]``, and its state at the end."""
        d = x.shape[-1]
        of_token, of_context = self.cell.weight_ih.split(d, dim=1)
        inputs = x @ of_token.T  # for all steps at once [batch, length, 4·d_model]
        if self.cell.bias:
            inputs = inputs + (self.cell.bias_ih + self.cell.bias_hh)
        hidden, cell, steps = before.hidden, before.cell, []
        for t, token in enumerate(inputs.unbind(1)):

            def hold(name: str, value: Tensor, t: int = t) -> Tensor:
                if name not in held:
                    return value
                changed, new = held[name]
                return torch.where(changed[:, t], new[:, t], value)

            scores = hold("cross.scores", self.attention(hidden, source.keys))
            weights = hold("cross.weights", masked_softmax(scores, source.padding_mask))  # [batch, n_source]
            context = hold("cross.output", (weights.unsqueeze(1) @ source.values).squeeze(1))
            seen = lstm_step(token + context @ of_context.T, hidden @ self.cell.weight_hh.T, hidden, cell, hold)
            hidden, cell = seen["hidden"], seen["cell"]
            steps.append(seen | dict(zip(ALIGNED, (scores, weights, context), strict=True)))
        return steps, RecurrentState(hidden, cell)


class LstmAttention(LanguageModel):
    """The encoder annotates the source; the decoder writes the target and looks at the annotations. One embedding for both."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec = spec
        self.embedding = Embedding(spec)
        self.encoder, self.decoder = Encoder(spec), Decoder(spec)
        self.head = LanguageModelHead(spec)

    def encode(self, source_ids: Tensor, source_mask: Tensor | None = None, hook: Hook | None = None) -> Tensor:
        """The annotations ``[batch, n_source, d_model]``; ids and mask (True for real tokens) ``[batch, n_source]``."""
        hook, order, lengths = scoped(hook, "encoder."), None, None
        if source_mask is not None:
            order, lengths = real_first(source_mask)
            source_ids = source_ids.gather(1, order)
        x = self.embedding(source_ids)
        if hook is not None:
            x = hook("embeddings", x)
        annotations = self.encoder(x, lengths, hook)
        if order is not None:
            annotations = put_back(annotations, order)
        return annotations if hook is None else hook("final", annotations)

    def forward(
        self,
        input_ids: Tensor,
        *,
        source: Source | None = None,
        state: AttentiveState | None = None,
        hook: Hook | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token of the target.

        Args:
            input_ids: the tokens before each step ``[batch, length]``; padding may follow on the right.
            source: the source text; not needed once the state has it.
            state: from `initial_state` or an earlier output; the text goes on from there.
            hook: see `models.hooks.Hook`; the names of each side begin with "encoder." or "decoder.".
            rows: flat indices into batch·length: only these get logits.

        Raises:
            SpecError: without a source.
        """
        annotations, before = self._started(source, state, hook)
        hook = scoped(hook, "decoder.")
        x = self.embedding(input_ids)
        if hook is not None:
            x = hook("embeddings", x)
        hidden, after = self.decoder(x, annotations, before, hook)
        if self.spec.dropout:
            hidden = F.dropout(hidden, self.spec.dropout, self.training)
        if hook is not None:
            hidden = hook("final", hidden)
        if state is not None:
            state = replace(state, layers=after, source=annotations)
        return Output(self.unembed(hidden, rows), state, hidden)

    def _started(
        self, source: Source | None, state: AttentiveState | None, hook: Hook | None
    ) -> tuple[Annotations, RecurrentState]:
        """What the decoder looks at and goes on from: from the state if it has them, else computed.

        Raises:
            SpecError: without a source.
        """
        if state is not None and state.layers is not None and state.source is not None:
            return state.source, state.layers
        ids, padding_mask, memory = source or Source()
        padding_mask = None if padding_mask is None else padding_mask.bool()
        if memory is None:
            if ids is None:
                raise SpecError("This model answers a source text; give it one.", "Pass source=Source(ids).")
            memory = self.encode(ids, padding_mask, hook)
        keys = self.decoder.attention.key(memory)
        return Annotations(memory, keys, padding_mask), self.decoder.initial(memory, padding_mask)

    def initial_state(self, batch: int, max_length: int | None = None) -> AttentiveState:
        """Nothing read yet; the source is encoded in the first pass made with it. The sizes are for other models."""
        return AttentiveState()
