"""Attention: queries look at keys and mix values (Vaswani et al. 2017)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hooks import Tap
from models.kv_cache import LayerCache
from models.masks import AttentionMask, causal_mask
from models.positions import rotate
from models.spec import ModelSpec


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    dropout: float = 0.0,
    tap: Tap | None = None,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, softmax(QKᵀ/√d_k)·V (Vaswani et al. 2017, eq. 1).

    Args:
        q: queries ``[batch, heads, n_queries, d_k]``.
        k, v: keys and values ``[batch, heads, n_keys, d_k]``.
        mask: True where a query may look, broadcastable to ``[batch, heads, n_queries, n_keys]``.
        bias: added to the scores before the mask, such as ALiBi's.
        dropout: share of the weights dropped at random.
        tap: sees "scores" (before the mask) and "weights", and may change them.

    Returns:
        The mixed values ``[batch, heads, n_queries, d_k]`` and the weights, whose rows sum to 1; the row of a
        query that may look nowhere (padding on the left) is all 0.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if tap is not None:
        scores = tap("scores", scores)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0.0)  # softmax of a row of -inf is NaN
    if tap is not None:
        weights = tap("weights", weights)
    dropped = F.dropout(weights, dropout) if dropout else weights
    return dropped @ v, weights


def mix(q: Tensor, k: Tensor, v: Tensor, view: AttentionMask, dropout: float = 0.0, tap: Tap | None = None) -> Tensor:
    """Attention as a view allows it: fused, or step by step when somebody watches. Both give the same.

    Args:
        q: ``[batch, heads, n_queries, d]``.
        k, v: ``[batch, kv_heads, n_keys, d]``; with fewer of them, each serves heads/kv_heads neighbouring
            heads (grouped-query attention, Ainslie et al. 2023).

    Returns:
        ``[batch, heads, n_queries, d]``.
    """
    groups = q.shape[1] // k.shape[1]
    if tap is None:
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=view.fused, dropout_p=dropout, is_causal=view.triangle, enable_gqa=groups > 1
        )
    if groups > 1:
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    mask = causal_mask(q.shape[2], k.shape[2], q.device) if view.triangle else view.mask
    return tap("heads", attend(q, k, v, mask, view.bias, dropout, tap)[0])


class SelfAttention(nn.Module):
    """A text looks at itself through several heads; one matrix computes all queries, keys and values."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = spec.n_heads, spec.kv_heads, spec.head_dim
        self.qk_norm, self.dropout = spec.qk_norm, spec.dropout
        self.qkv = nn.Linear(spec.d_model, (self.heads + 2 * self.kv_heads) * self.head_dim, bias=spec.bias)
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)

    def forward(
        self,
        x: Tensor,
        view: AttentionMask,
        turns: tuple[Tensor, Tensor] | None = None,
        cache: LayerCache | None = None,
        start: int = 0,
        tap: Tap | None = None,
    ) -> Tensor:
        """``[batch, length, d_model]`` in and out.

        Args:
            x: the (normed) residual stream.
            view: what each token may look at.
            turns: cosines and sines of rotary positions.
            cache: keys and values of the `start` tokens before, to which these are appended.
            tap: sees "q", "k", "v" (of this piece, after norm and rotation), "scores", "weights", "heads",
                "output".
        """
        batch, length, _ = x.shape
        qkv = self.qkv(x).view(batch, length, -1, self.head_dim).transpose(1, 2)  # [batch, h + 2·h_kv, length, d]
        qk, v = qkv.split([self.heads + self.kv_heads, self.kv_heads], dim=1)
        if self.qk_norm:  # queries and keys are treated alike, so they go together
            qk = F.rms_norm(qk, (self.head_dim,))
        if turns is not None:
            qk = rotate(qk, *turns)
        q, k = qk.split([self.heads, self.kv_heads], dim=1)
        if tap is not None:
            q, k, v = tap("q", q), tap("k", k), tap("v", v)
        if cache is not None:
            k, v = cache.append(k, v, start)
        mixed = mix(q, k, v, view, self.dropout if self.training else 0.0, tap)  # [batch, h, length, d]
        x = self.output(mixed.transpose(1, 2).reshape(batch, length, -1))
        return x if tap is None else tap("output", x)


class CrossAttention(nn.Module):
    """The decoder's text looks at the encoder's: queries from here, keys and values from there."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = spec.n_heads, spec.kv_heads, spec.head_dim
        self.qk_norm, self.dropout = spec.qk_norm, spec.dropout
        self.q = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)
        self.kv = nn.Linear(spec.d_model, 2 * self.kv_heads * self.head_dim, bias=spec.bias)
        self.output = nn.Linear(spec.d_model, spec.d_model, bias=spec.bias)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values ``[batch, kv_heads, n_source, d]`` of a memory ``[batch, n_source, d_model]``."""
        k, v = self.kv(memory).unflatten(-1, (-1, self.head_dim)).transpose(1, 2).chunk(2, dim=1)
        return (F.rms_norm(k, (self.head_dim,)) if self.qk_norm else k), v

    def forward(
        self, x: Tensor, keys_values: tuple[Tensor, Tensor], view: AttentionMask, tap: Tap | None = None
    ) -> Tensor:
        """``[batch, length, d_model]`` in and out; the tap sees the same names as in `SelfAttention`."""
        q = self.q(x).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # [batch, h, length, d]
        if self.qk_norm:
            q = F.rms_norm(q, (self.head_dim,))
        k, v = keys_values
        if tap is not None:
            q, k, v = tap("q", q), tap("k", k), tap("v", v)
        mixed = mix(q, k, v, view, self.dropout if self.training else 0.0, tap)
        x = self.output(mixed.transpose(1, 2).flatten(2))
        return x if tap is None else tap("output", x)
