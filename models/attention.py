"""Attention: each query compares itself with all keys and takes a weighted mean of their values.

`attend` is the equation of Vaswani et al. 2017. `fused_attend` computes the same with torch's fused kernel.
`SelfAttention` and `CrossAttention` make queries, keys and values from the residual stream.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hooks import Hook, unchanged
from models.kv_cache import LayerCache
from models.masks import AttentionContext, AttentionMask, SourceContext, causal_mask
from models.positions import rotate
from models.spec import ModelSpec


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, hook: Hook = unchanged
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, softmax(QKᵀ/√d_k)·V (Vaswani et al. 2017, eq. 1).

    Args:
        q: queries ``[batch, heads, n_queries, d_k]``.
        k, v: keys and values ``[batch, heads, n_keys, d_k]``.
        mask: True where a query may look, broadcastable to ``[batch, heads, n_queries, n_keys]``; None: everywhere.
        hook: sees "scores" (before the mask) and "weights", both ``[batch, heads, n_queries, n_keys]``, and may change
            them.

    Returns:
        The weighted values ``[batch, heads, n_queries, d_k]`` and the weights, whose rows sum to 1. The row of a
        query that may look nowhere (padding on the left) is all 0.
    """
    scores = hook("scores", q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
    weights = hook("weights", masked_softmax(scores, mask))
    return weights @ v, weights


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """The softmax over the last axis of ``[..., n_keys]``, where the mask is True; 0 elsewhere, also in empty rows."""
    if mask is None:
        return scores.softmax(dim=-1)
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)  # softmax of a row of -inf is NaN


def fused_attend(
    q: Tensor, k: Tensor, v: Tensor, mask: AttentionMask, dropout: float = 0.0, hook: Hook | None = None
) -> Tensor:
    """`attend` in torch's fused kernel, or step by step where a hook looks. Both give the same.

    Args:
        q: queries ``[batch, heads, n_queries, d]``.
        k, v: keys and values ``[batch, kv_heads, n_keys, d]``. With fewer key-value heads, each serves
            heads/kv_heads neighbouring heads (grouped-query attention, Ainslie et al. 2023).
        mask: where queries may look, and ALiBi's bias.
        dropout: the probability with which an attention weight is dropped.
        hook: sees "scores", "weights" and "heads" (the result).

    Returns:
        The weighted values ``[batch, heads, n_queries, d]``.
    """
    groups = q.shape[1] // k.shape[1]
    if hook is None:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask.fused_mask, dropout_p=dropout, is_causal=mask.is_causal, enable_gqa=groups > 1
        )
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    allowed = causal_mask(q.shape[2], k.shape[2], q.device) if mask.is_causal else mask.mask

    def biased_and_dropped(name: str, value: Tensor) -> Tensor:
        if name == "scores" and mask.bias is not None:
            value = value + mask.bias
        value = hook(name, value)
        return F.dropout(value, dropout) if name == "weights" and dropout else value

    return hook("heads", attend(q, k, v, allowed, biased_and_dropped)[0])


class SelfAttention(nn.Module):
    """Multi-head attention of a text to itself (Vaswani et al. 2017, section 3.2.2).

    One matrix computes the queries, keys and values of all heads.
    """

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = spec.n_heads, spec.kv_heads, spec.head_dim
        self.qk_norm, self.dropout = spec.qk_norm, spec.dropout
        self.qkv = nn.Linear(spec.d_model, (self.heads + 2 * self.kv_heads) * self.head_dim, bias=spec.bias)
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)

    def forward(
        self, x: Tensor, context: AttentionContext, cache: LayerCache | None = None, hook: Hook | None = None
    ) -> Tensor:
        """``[batch, length, d_model]`` in and out.

        Args:
            x: the residual stream (after the norm, in a pre-norm model).
            context: the mask and the positions, the same for all layers.
            cache: the keys and values of the `context.start` tokens before; those of this piece are appended.
            hook: sees "q", "k", "v" (of this piece, after norm and rotation), "scores", "weights", "heads" and
                "output".
        """
        batch, length, _ = x.shape
        qkv = self.qkv(x).view(batch, length, -1, self.head_dim).transpose(1, 2)  # [batch, h + 2·h_kv, length, d]
        qk, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        if self.qk_norm:  # queries and keys are treated alike, so they stay in one tensor
            qk = F.rms_norm(qk, (self.head_dim,))
        if context.rope is not None:
            qk = rotate(qk, *context.rope)
        q, k = qk.split([self.heads, self.kv_heads], dim=1)
        if hook is not None:
            q, k, v = hook("q", q), hook("k", k), hook("v", v)
        if cache is not None:
            k, v = cache.append(k, v, context.start)
        dropout = self.dropout if self.training else 0.0
        mixed = fused_attend(q, k, v, context.mask, dropout, hook)  # [batch, h, length, d]
        x = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return x if hook is None else hook("output", x)


class CrossAttention(nn.Module):
    """Multi-head attention of a decoder to the source: queries from the target, keys and values from the encoder."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = spec.n_heads, spec.kv_heads, spec.head_dim
        self.qk_norm, self.dropout = spec.qk_norm, spec.dropout
        self.q = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)
        self.kv = nn.Linear(spec.d_model, 2 * self.kv_heads * self.head_dim, bias=spec.bias)
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``[batch, kv_heads, n_source, d]`` of the encoder's output ``[batch, n_source, d_model]``."""
        k, v = self.kv(memory).unflatten(-1, (-1, self.head_dim)).transpose(1, 2).chunk(2, dim=1)
        return (F.rms_norm(k, (self.head_dim,)) if self.qk_norm else k), v

    def forward(self, x: Tensor, source: SourceContext, hook: Hook | None = None) -> Tensor:
        """``[batch, length, d_model]`` in and out; the hook sees the same names as in `SelfAttention`."""
        q = self.q(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # [batch, h, length, d]
        if self.qk_norm:
            q = F.rms_norm(q, (self.head_dim,))
        k, v = source.keys, source.values
        if hook is not None:
            q, k, v = hook("q", q), hook("k", k), hook("v", v)
        mixed = fused_attend(q, k, v, source.mask, self.dropout if self.training else 0.0, hook)
        x = self.output(mixed.transpose(1, 2).flatten(2))
        return x if hook is None else hook("output", x)
