"""Heads, which turn the vectors of the last layer into logits: of tokens, of a text's class, of each token's tag."""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.block import ACTIVATIONS
from models.hooks import Hook, Output
from models.norms import norm
from models.spec import ModelSpec


def softcap(logits: Tensor, cap: float) -> Tensor:
    """cap·tanh(logits/cap): close to the logits while they are small, never beyond ±cap (Gemma 2, 2024)."""
    return cap * torch.tanh(logits / cap)


class LanguageModelHead(nn.Module):
    """Scores every token of the vocabulary.

    Tied, the output matrix is the token table and not a parameter of the head. BERT's head puts a dense
    layer, an activation (GELU as a rule) and a norm before it, and adds a bias per token.
    """

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.cap = spec.logit_softcap
        self.dense = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias) if spec.head_transform else None
        self.activation = ACTIVATIONS[spec.head_activation]
        self.norm = norm(spec) if spec.head_transform else None
        self.bias = nn.Parameter(torch.zeros(spec.vocab_size)) if spec.head_transform else None
        self.weight = None if spec.tie_embeddings else nn.Parameter(torch.zeros(spec.vocab_size, spec.d_model))

    def forward(self, hidden: Tensor, token_table: Tensor) -> Tensor:
        """Logits ``[..., vocabulary]`` of ``[..., d_model]``; tied, with the token table ``[vocabulary, d_model]``."""
        if self.dense is not None and self.norm is not None:
            hidden = self.norm(self.activation(self.dense(hidden)))
        logits = F.linear(hidden, token_table if self.weight is None else self.weight, self.bias)
        return logits if self.cap is None else softcap(logits, self.cap)


class ClassificationHead(nn.Module):
    """Scores the classes of a whole text from its pooled vectors.

    Args:
        d_model: channels of the vectors.
        n_classes: how many classes there are.
        dropout: the probability with which a pooled channel is dropped in training.
        pooling: "mean" of the real tokens, or the "first" or "last" real token.

    Raises:
        ValueError: for another pooling.
    """

    def __init__(self, d_model: int, n_classes: int, dropout: float = 0.0, pooling: str = "mean"):
        super().__init__()
        if pooling not in ("mean", "first", "last"):
            raise ValueError(f"pooling is mean, first or last, not {pooling!r}")
        self.dropout, self.pooling = dropout, pooling
        self.classes = nn.Linear(d_model, n_classes)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits ``[batch, n_classes]`` of ``[batch, length, d_model]``; the mask is True for real tokens."""
        pooled = self.pool(hidden, attention_mask)
        return self.classes(F.dropout(pooled, self.dropout, self.training))

    def pool(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """One vector per text, ``[batch, d_model]``; the mean of a text without a real token is 0."""
        if mask is None:
            mask = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        if self.pooling == "mean":
            share = mask / mask.sum(1, keepdim=True).clamp(min=1)  # [batch, length]
            return (share.to(hidden.dtype).unsqueeze(1) @ hidden).squeeze(1)
        order = mask if self.pooling == "first" else mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
        rows = torch.arange(len(hidden), device=hidden.device)
        return hidden[rows, order.int().argmax(dim=1)]


class TaggingHead(nn.Module):
    """Scores the tags of every token, such as parts of speech.

    Args:
        d_model: channels of the vectors.
        n_tags: how many tags there are.
        dropout: the probability with which a channel is dropped in training.
    """

    def __init__(self, d_model: int, n_tags: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout
        self.tags = nn.Linear(d_model, n_tags)

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Logits ``[batch, length, n_tags]`` of ``[batch, length, d_model]``; padding is scored too."""
        return self.tags(F.dropout(hidden, self.dropout, self.training))


class ModelWithHead(nn.Module):
    """A language model with another head: ``body`` gives a vector per token, ``head`` classes or tags.

    The body's own head is not used.

    Args:
        body: any model that returns ``hidden``; not an encoder–decoder, which reads two texts.
        head: a `ClassificationHead` or a `TaggingHead`.
    """

    spec: ModelSpec
    __call__: Callable[..., Output]

    def __init__(self, body: nn.Module, head: nn.Module):
        super().__init__()
        self.spec = cast(ModelSpec, body.spec)
        self.body, self.head = body, head

    def forward(self, input_ids: Tensor, *, attention_mask: Tensor | None = None, hook: Hook | None = None) -> Output:
        """Logits ``[batch, n_classes]``, or ``[batch, length, n_tags]``.

        Args:
            input_ids: ``[batch, length]``.
            attention_mask: ``[batch, length]``, True for real tokens; None: all are.
            hook: sees the body's activations.
        """
        no_rows = input_ids.new_zeros(0)  # of the body's own logits
        hidden = self.body(input_ids, attention_mask=attention_mask, rows=no_rows, hook=hook).hidden
        return Output(self.head(hidden, attention_mask), None, hidden)
