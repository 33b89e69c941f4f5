"""From token ids to vectors: the token table, and the positions that are added to it."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from models.norms import norm
from models.positions import Positions, Sinusoidal
from models.spec import ModelSpec, SpecError


class Embedding(nn.Module):
    """Token vectors, plus learned or sinusoidal positions, then (BERT) a norm, then dropout.

    With sinusoidal positions the token vectors are scaled by √d_model first, as in Vaswani et al. 2017,
    section 3.4: they start small, and the sinusoids, whose amplitude is 1, would outweigh them.
    """

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.dropout = spec.dropout
        self.context_length = spec.context_length
        self.tokens = nn.Embedding(spec.vocab_size, spec.d_model)
        kind = None if spec.is_recurrent else spec.position
        self.positions = nn.Embedding(spec.context_length, spec.d_model) if kind == "learned" else None
        self.sinusoidal = Sinusoidal(spec.context_length, spec.d_model) if kind == "sinusoidal" else None
        self.norm = norm(spec) if spec.embedding_norm else None
        self.scale = math.sqrt(spec.d_model)

    def forward(self, ids: Tensor, positions: Positions | None = None) -> Tensor:
        """Vectors ``[batch, length, d_model]`` of tokens ``[batch, length]``; recurrent models need no positions.

        Raises:
            SpecError: when the text is longer than the learned positions reach.
        """
        x = self.tokens(ids)
        if self.positions is not None:
            assert positions is not None
            if positions.end > self.context_length:
                raise SpecError(
                    "This model has learned {learned} positions, not {asked}.",
                    "Shorten the text, or train with a longer context or with positions that are computed.",
                    learned=self.context_length,
                    asked=positions.end,
                )
            x = x + (
                positions.rows_of(self.positions.weight) if positions.ids is None else self.positions(positions.ids)
            )
        elif self.sinusoidal is not None:
            assert positions is not None
            x = x * self.scale + self.sinusoidal(positions)
        if self.norm is not None:
            x = self.norm(x)
        return F.dropout(x, self.dropout, self.training) if self.dropout else x
