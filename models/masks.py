"""Which tokens each token may look at: the causal triangle, padding, and both together with a cache."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.kv_cache import DecoderState
from models.positions import Positions, alibi_bias


@dataclass(frozen=True, slots=True)
class AttentionMask:
    """Where the queries of one forward pass may look. It is made once and is the same for all layers.

    Attributes:
        mask: True where a query may look, broadcastable to ``[batch, heads, n_queries, n_keys]``; None:
            everywhere.
        bias: added to the scores before the mask (ALiBi), ``[(batch,) heads, n_queries, n_keys]``.
        is_causal: the plain causal triangle and nothing else, which the fused kernel knows without a mask.
        fused_mask: mask and bias in the one tensor that the fused kernel takes.
    """

    mask: Tensor | None = None
    bias: Tensor | None = None
    is_causal: bool = False
    fused_mask: Tensor | None = None


@dataclass(frozen=True, slots=True)
class AttentionContext:
    """What the self-attention of every layer needs besides the residual stream.

    Attributes:
        mask: where the queries may look.
        rope: cosines and signed sines of rotary positions, from `models.positions.Rotary`; None: no rotation.
        start: how many tokens came before this piece; their keys and values are in the cache.
    """

    mask: AttentionMask
    rope: tuple[Tensor, Tensor] | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the cross attention of one layer looks at.

    Attributes:
        keys, values: of the source, ``[batch, kv_heads, n_source, d]``.
        mask: which tokens of the source are not padding.
    """

    keys: Tensor
    values: Tensor
    mask: AttentionMask


def causal_mask(n_queries: int, n_keys: int, device: torch.device | None = None) -> Tensor:
    """``[n_queries, n_keys]``, True at and before each query; the queries are the last of the keys."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


def padding_mask_of(padding_mask: Tensor | None) -> AttentionMask:
    """The mask of queries that may look at every real key; ``[batch, n_keys]``, False for padding."""
    mask = None if padding_mask is None else padding_mask[:, None, None, :]
    return AttentionMask(mask, fused_mask=mask)


def attention_mask_of(
    positions: Positions, *, causal: bool, slopes: Tensor | None = None, device: torch.device | None = None
) -> AttentionMask:
    """The mask of a piece of text that looks at itself and at what came before it.

    Args:
        positions: of the queries, and which keys are padding. The keys are the queries' tokens and the
            `positions.start` tokens before.
        causal: whether a token sees only itself and what came before.
        slopes: ALiBi's ``[heads]``, or None.
        device: where to put the mask.
    """
    n_queries, n_keys, padding_mask = positions.length, positions.start + positions.length, positions.padding_mask
    if slopes is None and padding_mask is None and (not causal or n_queries == 1 or positions.start == 0):
        return AttentionMask(is_causal=causal and n_queries > 1)
    mask = causal_mask(n_queries, n_keys, device) if causal and n_queries > 1 else None
    if padding_mask is not None:
        keys = padding_mask[:, None, None, :]  # [batch, 1, 1, n_keys]
        mask = keys if mask is None else mask & keys
    if slopes is None:
        return AttentionMask(mask, fused_mask=mask)
    if positions.ids is None:
        key_positions = torch.arange(n_keys, device=device)
        query_positions = key_positions[positions.start :]
    else:
        query_positions = positions.ids
        key_positions = query_positions if positions.key_positions is None else positions.key_positions
    bias = alibi_bias(slopes, query_positions, key_positions)
    return AttentionMask(mask, bias, fused_mask=bias if mask is None else bias.masked_fill(~mask, -torch.inf))


def resolve_positions(
    ids: Tensor,
    attention_mask: Tensor | None,
    position_ids: Tensor | None,
    state: DecoderState | None,
    context_length: int,
) -> Positions:
    """The positions of a piece of text, and which of the keys so far are padding.

    With a padding mask, a token's position is the number of real tokens before it. So padding on either side
    changes nothing for the other tokens. The state remembers the mask and the positions of earlier pieces.

    Args:
        ids: the piece, ``[batch, length]``.
        attention_mask: ``[batch, length]`` for this piece or ``[batch, start + length]`` for everything so far;
            True (or 1) for real tokens.
        position_ids: ``[batch, length]`` or ``[length]``, or None.
        state: the cache, or None.
        context_length: below this length the largest position is not read from the tensor: reading waits for the
            GPU.
    """
    batch, length = ids.shape
    start = 0 if state is None else state.length
    padding_mask = attention_mask = None if attention_mask is None else attention_mask.bool()
    before = None if state is None else state.positions
    if state is not None:
        padding_mask = _padding_so_far(attention_mask, state.padding_mask, batch, start, length, ids.device)
        state.padding_mask = padding_mask
    if position_ids is None and padding_mask is None and before is None:
        return Positions(start, length, None, start + length)
    if position_ids is not None:
        new = position_ids.expand(batch, length)
    elif padding_mask is not None:
        new = (padding_mask.cumsum(1) - 1).clamp(min=0)[:, start:]
    else:
        assert before is not None
        new = before[:, -1:] + torch.arange(1, length + 1, device=ids.device)
    keys = new
    if start:
        before = before if before is not None else torch.arange(start, device=ids.device)
        keys = torch.cat([before.expand(batch, start), new], dim=1)
    if state is not None:
        state.positions = keys
    end = start + length
    if (position_ids is not None or end > context_length) and not torch.compiler.is_compiling():
        end = int(new.max()) + 1
    return Positions(start, length, new, end, padding_mask, keys)


def _padding_so_far(
    mask: Tensor | None, before: Tensor | None, batch: int, start: int, length: int, device: torch.device
) -> Tensor | None:
    """Which keys so far are real, ``[batch, start + length]``; None while nothing was ever masked."""
    if mask is None and before is None:
        return None
    if mask is not None and mask.shape[1] == start + length:
        return mask
    if before is None:
        before = torch.ones(batch, start, dtype=torch.bool, device=device)
    if mask is None:
        mask = torch.ones(batch, length, dtype=torch.bool, device=device)
    return torch.cat([before, mask], dim=1)
