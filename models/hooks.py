"""What every model returns, and the hook through which its activations can be recorded or changed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from torch import Tensor

Hook = Callable[[str, Tensor], Tensor]
"""Called with the name and the value of each activation. The model goes on with what it returns."""


def unchanged(name: str, value: Tensor) -> Tensor:
    """The hook that changes nothing."""
    return value


@overload
def scoped(hook: Hook, prefix: str) -> Hook: ...
@overload
def scoped(hook: Hook | None, prefix: str) -> Hook | None: ...
def scoped(hook: Hook | None, prefix: str) -> Hook | None:
    """The same hook, called with `prefix` before every name; None stays None."""
    return None if hook is None else lambda name, value: hook(prefix + name, value)


@dataclass(slots=True)
class Output:
    """The result of a forward pass.

    Attributes:
        logits: ``[batch, length, vocabulary]``, or ``[n_rows, vocabulary]`` where `rows` asked for some only.
        state: the cache or recurrent state to continue from; None when the pass was made without one.
        hidden: the input of the head, ``[batch, length, d_model]``.
    """

    logits: Tensor
    state: Any
    hidden: Tensor
