"""How a transformer knows where a token stands: sinusoidal, learned, rotary, ALiBi, or not at all.

Learned and sinusoidal positions are added to the embeddings (`models.embedding`), rotary positions turn
queries and keys, ALiBi lowers attention scores with distance.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

FIRST = (
    8192  # places of a table that is made before a text asks for more; a context may be said to be 100 million tokens
)


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the tokens of one piece of text stand.

    Attributes:
        start: how many tokens came before this piece.
        length: how many tokens the piece has.
        ids: ``[batch, length]`` where that is not simply start, start+1, ... (padding, places of one's own).
        reach: no place is as high as this.
    """

    start: int
    length: int
    ids: Tensor | None = None
    reach: int = 0

    def rows_of(self, table: Tensor) -> Tensor:
        """The rows ``[length, ...]`` or ``[batch, length, ...]`` of a table with one row a place."""
        return table[self.start : self.start + self.length] if self.ids is None else table[self.ids]


def sinusoidal(length: int, d_model: int, device: torch.device | None = None) -> Tensor:
    """Fixed waves, one pair of channels a frequency (Vaswani et al. 2017, section 3.5).

    ``table[p, 2i] = sin(p / 10000^(2i/d))`` and ``table[p, 2i+1] = cos(p / 10000^(2i/d))``.

    Returns:
        The table ``[length, d_model]``.
    """
    frequencies = 10000.0 ** (-torch.arange(0, d_model, 2, device=device, dtype=torch.float64) / d_model)
    angles = torch.arange(length, device=device, dtype=torch.float64)[:, None] * frequencies  # [length, ⌈d/2⌉]
    table = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)  # [length, 2⌈d/2⌉]
    return table[:, :d_model].float()


class Sinusoidal(nn.Module):
    """The table of `sinusoidal`, kept and grown when a longer text comes."""

    def __init__(self, length: int, d_model: int):
        super().__init__()
        self.d_model = d_model
        self.register_buffer("table", sinusoidal(min(length, FIRST), d_model), persistent=False)

    def forward(self, places: Positions) -> Tensor:
        """``[length, d_model]`` or ``[batch, length, d_model]``."""
        if places.reach > len(self.table):
            self.table = sinusoidal(2 * places.reach, self.d_model, self.table.device).to(self.table.dtype)
        return places.rows_of(self.table)


class Rotary(nn.Module):
    """Rotary positions (Su et al. 2021): channel pair i of a query or key at place p is turned by
    p·θ^(-2i/d).

    The pairs are (i, i + d/2), the convention of Llama in transformers. The module turns `Places` into
    cosines and signed sines ``[length, d]`` (``[batch, 1, length, d]`` for places of one's own), the same for
    every layer.
    """

    def __init__(self, head_dim: int, theta: float, length: int):
        super().__init__()
        self.head_dim, self.theta = head_dim, theta
        for name, table in zip(("cos", "sin"), self._tables(min(length, FIRST)), strict=True):
            self.register_buffer(name, table, persistent=False)

    def _tables(self, length: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
        channels = torch.arange(0, self.head_dim, 2, device=device, dtype=torch.float32)
        frequencies = 1.0 / self.theta ** (channels / self.head_dim)
        angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * frequencies  # [length, d/2]
        return angles.cos().repeat(1, 2), torch.cat([-angles.sin(), angles.sin()], dim=-1)

    def forward(self, places: Positions) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines for `rotate`."""
        if places.reach > len(self.cos):
            cos, sin = self._tables(2 * places.reach, self.cos.device)
            self.cos, self.sin = cos.to(self.cos.dtype), sin.to(self.sin.dtype)
        cos, sin = places.rows_of(self.cos), places.rows_of(self.sin)
        return (cos, sin) if places.ids is None else (cos.unsqueeze(1), sin.unsqueeze(1))


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns each channel pair (x₁, x₂) into (x₁cos - x₂sin, x₂cos + x₁sin).

    Args:
        x: queries or keys ``[batch, heads, length, d]``.
        cos, sin: from `Rotary`; the sine of the first half is negated there, so that swapping the halves is
            all that is left of the rotation.
    """
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cos.to(x.dtype), swapped, sin.to(x.dtype))


def alibi_slopes(n_heads: int) -> list[float]:
    """How fast each head's attention falls with distance (Press et al. 2022).

    For a power of two the geometric sequence 2^(-8/n), 2^(-16/n), ...; otherwise the sequence of the power
    below, filled up with every other slope of the power above.
    """
    power = 2 ** math.floor(math.log2(n_heads))
    slopes = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * power, 2)]
    return slopes + between[: n_heads - power]


def alibi_bias(slopes: Tensor, query_places: Tensor, key_places: Tensor) -> Tensor:
    """-slope·|i - j| for query place i and key place j, the same to both sides, for encoders too.

    Args:
        slopes: ``[heads]``.
        query_places, key_places: ``[n_queries]`` and ``[n_keys]``, or both with a batch in front.

    Returns:
        What is added to the scores, ``[heads, n_queries, n_keys]``, or ``[batch, heads, n_queries, n_keys]``.
    """
    distance = (query_places[..., :, None] - key_places[..., None, :]).abs()  # [(batch,) n_queries, n_keys]
    return distance.unsqueeze(-3) * -slopes[:, None, None]
