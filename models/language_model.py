"""What all language models here have in common: a token table below, a head above, and the calls between."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from models.embedding import Embedding
from models.heads import LanguageModelHead, ModelWithHead
from models.hooks import Output
from models.spec import ModelSpec


class LanguageModel(nn.Module):
    """A model of `models.factory.build`: `Recurrent`, `LstmAttention`, `Transformer` or `EncoderDecoder`.

    Attributes:
        spec: its hyperparameters.
        embedding: tokens (and positions) to vectors.
        head: vectors to logits.
    """

    spec: ModelSpec
    embedding: Embedding
    head: LanguageModelHead
    __call__: Callable[..., Output]

    def unembed(self, hidden: Tensor, rows: Tensor | None = None) -> Tensor:
        """The logits of final vectors.

        Args:
            hidden: ``[batch, length, d_model]``, after the last norm.
            rows: flat indices into batch·length; None: all.

        Returns:
            ``[batch, length, vocabulary]``, or ``[n_rows, vocabulary]``.
        """
        chosen = hidden if rows is None else hidden.flatten(0, 1)[rows]
        return self.head(chosen, self.embedding.tokens.weight)

    def logit_lens(self, residual: Tensor) -> Tensor:
        """The logits ``[..., vocabulary]`` as if a layer's output ``[..., d_model]`` were the last (nostalgebraist 2020)."""
        return self.unembed(residual)

    def initial_state(self, batch: int, max_length: int | None = None) -> Any:
        """The state of `batch` texts of which nothing was read yet.

        Raises:
            SpecError: for a model that reads its whole text at once.
        """
        raise NotImplementedError

    def encode(self, source_ids: Tensor) -> Tensor:
        """The encoder's output ``[batch, n_source, d_model]`` for a source ``[batch, n_source]``.

        Raises:
            NotImplementedError: for a model without an encoder and a decoder.
        """
        raise NotImplementedError


AnyModel = LanguageModel | ModelWithHead
"""A model for language, or one that was fine-tuned for labels."""
