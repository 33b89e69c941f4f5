"""Which tokens each token may look at: the causal triangle, padding, and both together with a cache."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.kv_cache import DecoderState
from models.positions import Positions, alibi_bias


@dataclass(frozen=True, slots=True)
class AttentionMask:
    """What the queries of one forward pass may look at: decided once, the same for all layers.

    Attributes:
        mask: True where a query may look, broadcastable to ``[batch, heads, n_queries, n_keys]``; None:
            everywhere.
        bias: added to the scores before the mask (ALiBi), ``[(batch,) heads, n_queries, n_keys]``.
        triangle: the plain causal triangle and no more, which fused attention knows without a mask.
        fused: mask and bias as the one tensor that fused attention takes.
    """

    mask: Tensor | None = None
    bias: Tensor | None = None
    triangle: bool = False
    fused: Tensor | None = None


def causal_mask(n_queries: int, n_keys: int, device: torch.device | None = None) -> Tensor:
    """``[n_queries, n_keys]``, True at and before each query; the queries are the last of the keys."""
    return torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)


def attention_mask_of(
    places: Positions,
    *,
    causal: bool,
    real: Tensor | None = None,
    slopes: Tensor | None = None,
    key_places: Tensor | None = None,
    device: torch.device | None = None,
) -> AttentionMask:
    """The view of a piece of text onto itself and what came before it.

    Args:
        places: where the queries stand; the keys are they and the `places.start` tokens before.
        causal: whether a token sees only itself and what came before.
        real: ``[batch, n_keys]``, False for padding; None: no padding.
        slopes: ALiBi's ``[heads]``, or None.
        key_places: ``[batch, n_keys]``, where the keys stand, with `places.ids`.
        device: where to put the mask.
    """
    n_queries, n_keys = places.length, places.start + places.length
    if slopes is None and real is None and (not causal or n_queries == 1 or places.start == 0):
        return AttentionMask(triangle=causal and n_queries > 1)
    mask = causal_mask(n_queries, n_keys, device) if causal and n_queries > 1 else None
    if real is not None:
        keys = real[:, None, None, :]  # [batch, 1, 1, n_keys]
        mask = keys if mask is None else mask & keys
    if slopes is None:
        return AttentionMask(mask, fused=mask)
    if places.ids is None:
        key_places = torch.arange(n_keys, device=device)
        query_places = key_places[places.start :]
    else:
        query_places = places.ids
    bias = alibi_bias(slopes, query_places, key_places)
    return AttentionMask(mask, bias, fused=bias if mask is None else bias.masked_fill(~mask, -torch.inf))


def resolve_positions(
    ids: Tensor,
    attention_mask: Tensor | None,
    position_ids: Tensor | None,
    state: DecoderState | None,
    context: int,
) -> tuple[Positions, Tensor | None, Tensor | None]:
    """Where the tokens stand, which keys are real, and where the keys stand.

    With a padding mask a token's place is the number of real tokens before it, so that padding, left or
    right, changes nothing for the rest. The state remembers the mask and the places of earlier pieces.

    Args:
        ids: the piece, ``[batch, length]``.
        attention_mask: ``[batch, length]`` for this piece or ``[batch, start+length]`` for everything so far.
        position_ids: ``[batch, length]`` or ``[length]``, or None.
        state: the cache, or None.
        context: the length up to which places need not be looked at (looking waits for the GPU).

    Returns:
        The places, ``real`` ``[batch, n_keys]`` or None, and ``key_places`` ``[batch, n_keys]`` or None.
    """
    batch, length = ids.shape
    start = 0 if state is None else state.length
    real = attention_mask = None if attention_mask is None else attention_mask.bool()
    if state is not None:
        real = state.real = _joined(attention_mask, state.real, batch, start, length, ids.device)
    if position_ids is None and real is None and (state is None or state.places is None):
        return Positions(start, length, None, start + length), None, None
    if position_ids is not None:
        new = position_ids.expand(batch, length)
    elif real is not None:
        new = (real.cumsum(1) - 1).clamp(min=0)[:, start:]
    else:
        new = state.places[:, -1:] + torch.arange(1, length + 1, device=ids.device)
    keys = new
    if start:
        before = state.places if state.places is not None else torch.arange(start, device=ids.device)
        keys = torch.cat([before.expand(batch, start), new], dim=1)
    if state is not None:
        state.places = keys
    reach = start + length
    if (position_ids is not None or reach > context) and not torch.compiler.is_compiling():
        reach = int(new.max()) + 1
    return Positions(start, length, new, reach), real, keys


def _joined(
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
