"""What a transformer remembers between pieces of text: the keys and values of every token so far."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

FIRST_ROOM = (
    1024  # tokens that a cache has room for before a text asks for more; a context may be said to be 100 million
)


class LayerCache:
    """Keys and values of one layer, in buffers made once and filled from the left."""

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor):
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)  # [batch, kv_heads, capacity, d]
        self.values = torch.zeros_like(self.keys)

    def append(self, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Writes ``[batch, kv_heads, length, d]`` at `start`; returns all so far, without copying."""
        end = start + keys.shape[2]
        if end > self.keys.shape[2]:
            self._grow(max(end, 2 * self.keys.shape[2]))
        self.keys[:, :, start:end] = keys
        self.values[:, :, start:end] = values
        return self.keys[:, :, :end], self.values[:, :, :end]

    def _grow(self, capacity: int) -> None:
        batch, heads, old, d = self.keys.shape
        for name in ("keys", "values"):
            grown = getattr(self, name).new_zeros(batch, heads, capacity, d)
            grown[:, :, :old] = getattr(self, name)
            setattr(self, name, grown)

    def select(self, rows: Tensor) -> None:
        self.keys, self.values = self.keys[rows], self.values[rows]


@dataclass
class DecoderState:
    """The state of a decoder: written to in place by each forward pass, which also moves `length` on.

    Attributes:
        layers: one cache a layer.
        length: tokens seen so far.
        real: ``[batch, length]``, False for padding; None while nothing was masked.
        places: ``[batch, length]``, where the tokens stand; None while that is simply 0, 1, 2, ...
        crossed: encoder–decoder: each layer's keys and values of the source, computed once.
        source_real: encoder–decoder: ``[batch, n_source]``, False for padding; None: no padding.
    """

    layers: list[LayerCache]
    length: int = 0
    real: Tensor | None = None
    places: Tensor | None = None
    crossed: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    source_real: Tensor | None = None

    def select(self, rows: Tensor) -> "DecoderState":
        """Keeps, repeats or reorders the texts of the batch, as beam search does; in place."""
        for layer in self.layers:
            layer.select(rows)
        self.crossed = [(keys[rows], values[rows]) for keys, values in self.crossed]
        for name in ("real", "places", "source_real"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value[rows])
        return self
