"""Where in a model fine-tuning changed the weights, and how much."""

import math
import re
from collections import defaultdict
from dataclasses import dataclass

from torch import nn

_LAYER = re.compile(r"^((?:encoder|decoder)\.)?layers\.(\d+)\.(attention|cross|mlp)")
_RECURRENT = re.compile(r"^((?:encoder|decoder)\.)?recurrent\.\w+_l(\d+)")


@dataclass(frozen=True)
class WeightChange:
    """One part of a model.

    Attributes:
        part: such as "embedding", "layer 0 attention", "layer 0 mlp", "head".
        change: ‖W − W₀‖ / ‖W₀‖ of all its weights together (Frobenius norms); 0 where nothing moved.
        parameters: how many weights it has.
    """

    part: str
    change: float
    parameters: int


def weight_changes(before: nn.Module, after: nn.Module) -> list[WeightChange]:
    """How far each part of a language model moved, from its input to its output.

    Args:
        before, after: two models of one shape, such as a parent's and its fine-tuned run's body.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # of (W − W₀)², of W₀²
    sizes: dict[str, int] = defaultdict(int)
    old = before.state_dict()
    for name, new in after.state_dict().items():
        part = part_of(name)
        entry = sums[part]
        entry[0] += float((new.float() - old[name].float()).square().sum())
        entry[1] += float(old[name].float().square().sum())
        sizes[part] += new.numel()
    order = sorted(sums, key=_place)
    return [
        WeightChange(part, math.sqrt(d / n) if n else math.sqrt(d), sizes[part])
        for part in order
        for d, n in [sums[part]]
    ]


def part_of(name: str) -> str:
    """The part that a parameter belongs to."""
    if found := _LAYER.match(name):
        return f"{(found[1] or '').replace('.', ' ')}layer {found[2]} {found[3]}"
    if name.startswith("decoder.attention."):
        return "decoder layer 0 cross"
    if name.startswith(("decoder.cell.", "decoder.start.")):
        return "decoder layer 0"
    if found := _RECURRENT.match(name):
        above = found[1] == "decoder."  # the first layer of such a decoder is its cell
        return f"{(found[1] or '').replace('.', ' ')}layer {int(found[2]) + above}"
    return "embedding" if name.startswith("embedding.") else "head"


def _place(part: str) -> tuple[int, int, int]:
    """Order from input to output."""
    if part in ("embedding", "head"):
        return (0, 0, 0) if part == "embedding" else (9, 0, 0)
    side = 2 if part.startswith("decoder") else 1
    words = part.split()
    number = next(int(word) for word in words if word.isdigit())
    return side, number, ("attention", "cross", "mlp").index(words[-1]) if not words[-1].isdigit() else 0
