"""What every model returns, and the tap through which its inside can be watched or changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Tap = Callable[[str, Tensor], Tensor]
"""Called with the name and value of each activation; what it returns is used from there on."""


@dataclass(slots=True)
class Output:
    """What a forward pass gives back.

    Attributes:
        logits: ``[batch, length, vocabulary]``, or ``[n_rows, vocabulary]`` when only some rows were asked
            for.
        state: the cache to continue from; None when the pass was made without one.
        hidden: what the head read, ``[batch, length, d_model]``.
    """

    logits: Tensor
    state: Any
    hidden: Tensor


def scoped(tap: Tap | None, prefix: str) -> Tap | None:
    """The same tap, with `prefix` put before every name."""
    return None if tap is None else lambda name, value: tap(prefix + name, value)
