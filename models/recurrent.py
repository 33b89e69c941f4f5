"""RNN, LSTM and GRU language models: with torch's fused kernels, or step by step with a hook on every gate."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.embedding import Embedding
from models.heads import LanguageModelHead
from models.hooks import Hook, Output
from models.language_model import LanguageModel
from models.rnn_layers import RecurrentState, put_back, real_first, run_fused, run_traced
from models.spec import ModelSpec, SpecError

_KERNELS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


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
        if attention_mask is not None:
            order, lengths = real_first(attention_mask)
            input_ids = input_ids.gather(1, order)
        x = self.embedding(input_ids)
        if hook is not None:
            x = hook("embeddings", x)
        if hook is None:
            hidden, after = run_fused(self.recurrent, x, lengths, state)
        else:
            hidden, after = run_traced(
                self.recurrent, self._kind(), x, lengths, state or self._zeros(len(x)), hook, state is None
            )
        if order is not None:
            hidden = put_back(hidden, order)
        if self.spec.dropout:
            hidden = F.dropout(hidden, self.spec.dropout, self.training)
        if hook is not None:
            hidden = hook("final", hidden)
        return Output(self.unembed(hidden, rows), None if state is None else after, hidden)

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
