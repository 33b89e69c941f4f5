"""LoRA, low-rank adaptation: trains a product of two narrow matrices beside each frozen one (Hu et al. 2021)."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.attention import CrossAttention, SelfAttention
from models.block import MLP
from models.spec import SpecError

MATRICES = ("query", "key", "value", "output", "up", "down")
SUFFIXES = (".lora_a", ".lora_b")

M = TypeVar("M", bound=nn.Module)


class LoRALinear(nn.Linear):
    """y = Wx + b + (alpha/rank)·B A x, where W and b are frozen (Hu et al. 2021, eq. 3).

    One matrix of the model may stack several maps (queries, keys and values); each adapted map has its own A
    ``[rank, inputs]`` and B ``[rows, rank]``. B starts at 0, so the model computes the same as before at first.

    Args:
        linear: the layer to adapt; its weight and bias keep their names.
        rank, alpha: the rank of B A, and the scale: the output of B A is multiplied by alpha / rank.
        rows: the output rows of each adapted map, in order and without overlap.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, rows: list[tuple[int, int]]):
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.rank, self.alpha, self.rows = rank, alpha, rows
        adapted = sum(end - start for start, end in rows)
        self.lora_a = nn.Parameter(linear.weight.new_empty(len(rows) * rank, linear.in_features))
        self.lora_b = nn.Parameter(linear.weight.new_zeros(adapted, rank))
        nn.init.normal_(self.lora_a, std=linear.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``."""
        y = F.linear(x, self.weight, self.bias)
        narrow = F.linear(x, self.lora_a) * (self.alpha / self.rank)  # [..., maps · rank]
        if self.rows == [(0, self.out_features)]:
            return y + F.linear(narrow, self.lora_b)
        wide, parts, reached = [], list(self._maps()), 0
        for (start, end), index, b in parts:
            if start > reached:
                wide.append(y.new_zeros(*y.shape[:-1], start - reached))
            wide.append(F.linear(narrow[..., index : index + self.rank], b))
            reached = end
        if reached < self.out_features:
            wide.append(y.new_zeros(*y.shape[:-1], self.out_features - reached))
        return y + torch.cat(wide, dim=-1)

    def _maps(self) -> Iterator[tuple[tuple[int, int], int, Tensor]]:
        """For each adapted map: its output rows, the first of its rows in ``lora_a``, and its B ``[rows, rank]``."""
        place = 0
        for i, (start, end) in enumerate(self.rows):
            yield (start, end), i * self.rank, self.lora_b[place : place + end - start]
            place += end - start

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain linear layer with the weight W + (alpha/rank)·B A, which computes the same."""
        weight = self.weight.detach().clone()
        for (start, end), index, b in self._maps():
            weight[start:end] += (self.alpha / self.rank) * (b @ self.lora_a[index : index + self.rank])
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, weight.device, weight.dtype)
        plain.weight.copy_(weight)
        if self.bias is not None:
            plain.bias.copy_(self.bias)
        return plain.requires_grad_(self.weight.requires_grad)


def add_lora(model: nn.Module, rank: int, alpha: float, matrices: Iterable[str]) -> list[str]:
    """Adds adapters to the chosen matrices of every layer, in place; the model's own weights keep their names.

    Args:
        model: a model of `models.factory.build` (or a module that contains one).
        matrices: among MATRICES; those of cross attention are adapted like those of self-attention.

    Returns:
        The names of the adapted modules.

    Raises:
        SpecError: for a recurrent model, or when the rank is not smaller than both sides of a matrix.
    """
    chosen, adapted = set(matrices), []
    for name, module in list(model.named_modules()):
        for child, rows in _adapted_maps(module, chosen):
            linear = getattr(module, child)
            outputs = min(end - start for start, end in rows)
            if rank >= min(linear.in_features, outputs):
                raise SpecError(
                    "A rank of {rank} is no saving in a matrix of {rows} × {columns}.",
                    "Choose a rank below {highest}; 4 to 16 is usual.",
                    rank=rank,
                    rows=outputs,
                    columns=linear.in_features,
                    highest=min(linear.in_features, outputs),
                )
            setattr(module, child, LoRALinear(linear, rank, alpha, rows))
            adapted.append(f"{name}.{child}")
    if not adapted:
        raise SpecError(
            "LoRA works on the matrices of transformer layers, and this model has none.",
            "Train all weights, the last layers, or the head alone.",
        )
    return adapted


def _adapted_maps(module: nn.Module, chosen: set[str]) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The matrices of one module to adapt, and which of their output rows."""
    if isinstance(module, SelfAttention):
        q, kv = module.heads * module.head_dim, module.kv_heads * module.head_dim
        yield from _fused("qkv", ("query", "key", "value"), (q, kv, kv), chosen)
    elif isinstance(module, CrossAttention):
        kv = module.kv_heads * module.head_dim
        yield from _fused("q", ("query",), (module.heads * module.head_dim,), chosen)
        yield from _fused("kv", ("key", "value"), (kv, kv), chosen)
    if isinstance(module, (SelfAttention, CrossAttention)):
        yield from _fused("output", ("output",), (module.output.out_features,), chosen)
    elif isinstance(module, MLP):
        for child in ("up", "down"):
            yield from _fused(child, (child,), (getattr(module, child).out_features,), chosen)


def _fused(child: str, names: tuple[str, ...], sizes: tuple[int, ...], chosen: set[str]):
    """Where each named map lies in the matrix ``child`` that stacks them, if any of them is chosen."""
    rows, start = [], 0
    for name, size in zip(names, sizes):
        if name in chosen:
            rows.append((start, start + size))
        start += size
    if rows:
        yield child, rows


def merge_lora(model: M) -> M:
    """Replaces every adapted matrix by the plain one that computes the same, in place."""
    for module in list(model.modules()):
        for child, inner in list(module.named_children()):
            if isinstance(inner, LoRALinear):
                setattr(module, child, inner.merged())
    return model


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name belongs to an adapter."""
    return name.endswith(SUFFIXES)


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The adapters alone, by name: all that has to be kept beside the model they adapt."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items() if is_adapter(name)}
