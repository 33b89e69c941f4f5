"""The KV cache: the keys and values of every token so far, kept from one piece of text to the next."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

INITIAL_CAPACITY = 1024
"""Tokens for which a cache is made at first. It grows: a spec may name a context of 100 million tokens."""


class LayerCache:
    """Keys and values of one layer, in buffers that are filled from the left and grow when they are full.

    Args:
        shape: ``(batch, kv_heads, capacity, head_dim)``.
        like: a tensor of the type and on the device to use.

    Attributes:
        keys, values: the buffers, in this shape.
    """

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor):
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)  # [batch, kv_heads, capacity, d]
        self.values = torch.zeros_like(self.keys)

    def append(self, keys: Tensor, values: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """Writes ``[batch, kv_heads, length, d]`` at `start`; returns views of all so far, ``[..., start + length, d]``."""
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
        """Keeps, repeats or reorders the texts of the batch: text i becomes the old text ``rows[i]``."""
        self.keys, self.values = self.keys[rows], self.values[rows]


@dataclass
class DecoderState:
    """The state of a decoder. Each forward pass writes to it in place and adds to `length`.

    Attributes:
        layers: one cache per layer.
        length: tokens seen so far.
        padding_mask: ``[batch, length]``, False for padding; None while nothing was masked.
        positions: ``[batch, length]``, the positions of the tokens; None while they are simply 0, 1, 2, ...
        cross_kv: encoder–decoder: each layer's keys and values of the source, computed once.
        source_padding_mask: encoder–decoder: ``[batch, n_source]``, False for padding; None: no padding.
    """

    layers: list[LayerCache]
    length: int = 0
    padding_mask: Tensor | None = None
    positions: Tensor | None = None
    cross_kv: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    source_padding_mask: Tensor | None = None

    def select(self, rows: Tensor) -> "DecoderState":
        """Keeps, repeats or reorders the texts of the batch, as beam search does; in place."""
        for layer in self.layers:
            layer.select(rows)
        self.cross_kv = [(keys[rows], values[rows]) for keys, values in self.cross_kv]
        for name in ("padding_mask", "positions", "source_padding_mask"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value[rows])
        return self
