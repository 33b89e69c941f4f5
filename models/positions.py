"""How a transformer knows the position of a token: sinusoidal, learned, rotary, ALiBi, or not at all.

Learned and sinusoidal positions are added to the embeddings (`models.embedding`), rotary positions turn
queries and keys, ALiBi lowers attention scores with distance.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

INITIAL_TABLE_LENGTH = 8192
"""Positions for which a table is made at first. It grows: a spec may name a context of 100 million tokens."""


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of the tokens of one piece of text, and of all tokens that they may look at (the keys).

    Attributes:
        start: how many tokens came before this piece.
        length: how many tokens the piece has.
        ids: ``[batch, length]`` where the positions are not simply start, start+1, ... (padding, position_ids).
        end: all positions are below this.
        padding_mask: ``[batch, start + length]``, False for keys that are padding; None: no padding.
        key_positions: ``[batch, start + length]``, where there are `ids`; the positions of the keys.
    """

    start: int
    length: int
    ids: Tensor | None = None
    end: int = 0
    padding_mask: Tensor | None = None
    key_positions: Tensor | None = None

    def rows_of(self, table: Tensor) -> Tensor:
        """The rows ``[length, ...]`` or ``[batch, length, ...]`` of a table with one row per position."""
        return table[self.start : self.start + self.length] if self.ids is None else table[self.ids]


def sinusoidal(length: int, d_model: int, device: torch.device | None = None) -> Tensor:
    """Sines and cosines, one frequency per pair of channels (Vaswani et al. 2017, section 3.5).

    ``table[p, 2i] = sin(p / 10000^(2i/d))`` and ``table[p, 2i+1] = cos(p / 10000^(2i/d))``.

    Returns:
        The table ``[length, d_model]``.
    """
    frequencies = 10000.0 ** (-torch.arange(0, d_model, 2, device=device, dtype=torch.float64) / d_model)
    angles = torch.arange(length, device=device, dtype=torch.float64)[:, None] * frequencies  # [length, ⌈d/2⌉]
    table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)  # [length, 2⌈d/2⌉]
    return table[:, :d_model].float()


class Sinusoidal(nn.Module):
    """Sinusoidal positions: the table of `sinusoidal`, which grows when a longer text comes."""

    table: Tensor

    def __init__(self, length: int, d_model: int):
        super().__init__()
        self.d_model = d_model
        self.register_buffer("table", sinusoidal(min(length, INITIAL_TABLE_LENGTH), d_model), persistent=False)

    def forward(self, positions: Positions) -> Tensor:
        """The rows of the table, ``[length, d_model]`` or ``[batch, length, d_model]``."""
        if positions.end > len(self.table):
            self.table = sinusoidal(2 * positions.end, self.d_model, self.table.device).to(self.table.dtype)
        return positions.rows_of(self.table)


class Rotary(nn.Module):
    """Rotary positions, RoPE (Su et al. 2021): channel pair i of a query or key at position p is rotated by p·θ^(-2i/d).

    The pairs are (i, i + d/2), the convention of Llama in transformers. The module makes cosines and signed sines
    ``[length, d]`` of `Positions` (``[batch, 1, length, d]`` where these have ids), once for all layers.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, head_dim: int, theta: float, length: int):
        super().__init__()
        self.head_dim, self.theta = head_dim, theta
        for name, table in zip(("cos", "sin"), self._tables(min(length, INITIAL_TABLE_LENGTH)), strict=True):
            self.register_buffer(name, table, persistent=False)

    def _tables(self, length: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
        channels = torch.arange(0, self.head_dim, 2, device=device, dtype=torch.float32)
        frequencies = 1.0 / self.theta ** (channels / self.head_dim)
        angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies  # [length, d/2]
        return angles.cos().repeat(1, 2), torch.cat([-angles.sin(), angles.sin()], dim=-1)

    def forward(self, positions: Positions) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines for `rotate`, ``[length, d]`` or ``[batch, 1, length, d]`` each."""
        if positions.end > len(self.cos):
            cos, sin = self._tables(2 * positions.end, self.cos.device)
            self.cos, self.sin = cos.to(self.cos.dtype), sin.to(self.sin.dtype)
        cos, sin = positions.rows_of(self.cos), positions.rows_of(self.sin)
        return (cos, sin) if positions.ids is None else (cos.unsqueeze(1), sin.unsqueeze(1))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates each channel pair (x₁, x₂) to (x₁cos - x₂sin, x₂cos + x₁sin) (Su et al. 2021, eq. 34).

    Args:
        x: queries or keys ``[batch, heads, length, d]``.
        cos, sin: from `Rotary`; the sine of the first half is negated there, so that swapping the halves is
            all that is left of the rotation.

    Returns:
        The same shape as `x`.
    """
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cos.to(x.dtype), swapped, sin.to(x.dtype))


def alibi_slopes(n_heads: int) -> list[float]:
    """The slope of each head: how fast its scores fall with distance (Press et al. 2022, section 3).

    For a power of two the geometric sequence 2^(-8/n), 2^(-16/n), ...; otherwise the sequence of the power
    below, filled up with every other slope of the power above.
    """
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * power, 2)]
    return slopes + between[: n_heads - power]


def alibi_bias(slopes: Tensor, query_positions: Tensor, key_positions: Tensor) -> Tensor:
    """ALiBi's bias -slope·|i - j| for query position i and key position j, to both sides alike, for encoders too.

    Args:
        slopes: ``[heads]``.
        query_positions, key_positions: ``[n_queries]`` and ``[n_keys]``, or both with a batch in front.

    Returns:
        What is added to the scores, ``[heads, n_queries, n_keys]``, or ``[batch, heads, n_queries, n_keys]``.
    """
    distance = (query_positions[..., :, None] - key_positions[..., None, :]).abs()  # [(batch,) n_queries, n_keys]
    return distance.unsqueeze(-3) * -slopes[:, None, None]
