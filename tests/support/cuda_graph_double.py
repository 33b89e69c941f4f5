"""What a CUDA graph does, done on a CPU.

While a step is recorded, every operator that torch runs is noted with the very tensors it was given; Python numbers
are noted as they are. A replay runs the noted operators again, on the same memory, and no Python of ours: what the
step decided on the host, or read from a number, stays as it was. As on a GPU, what is recorded has not been
computed (its results are spoilt), and waiting for the device while recording is an error.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from playground.training.device import choose_device

WAITING = ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal", "masked_select", "_unique2", "_pin_memory")
FROM_THE_HOST = ("lift_fresh",)  # torch.tensor(...): a copy from memory that is not pinned


class Waited(AssertionError):
    """The host would have waited for the device."""


class NoWaiting(TorchDispatchMode):
    """Fails loudly where a GPU would make the host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        if name in WAITING:
            raise Waited(name)
        if name == "index" and any(i is not None and i.dtype is torch.bool for i in args[1]):
            raise Waited("an index of True and False has to be counted")
        return func(*args, **(kwargs or {}))


class Tape(NoWaiting):
    """Notes operators, and runs them again."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name.removeprefix("aten::") in FROM_THE_HOST:
            raise Waited(f"{func._schema.name}: a number comes from the host")
        results = super().__torch_dispatch__(func, types, args, kwargs)
        if torch.Tag.inplace_view not in func.tags:  # those look at memory in another way, and do nothing to it
            memory = tree_map(_memory_of, (args, kwargs or {}, results))
            self.noted.append((func, *memory, torch.is_grad_enabled()))
        return results

    def replay(self) -> None:
        for func, args, kwargs, results, learning in self.noted:
            with torch.set_grad_enabled(learning):  # some kernels ask whether there will be a way back
                again = func(*args, **kwargs)
            for result, value in zip(_made(func, results), _made(func, again), strict=True):
                if result.data_ptr() != value.data_ptr():
                    result.copy_(value)

    def spoil(self) -> None:
        with torch.no_grad():
            for func, _, _, results, _ in self.noted:
                for result in _made(func, results):
                    if result.is_floating_point():
                        result.fill_(torch.nan)


def _memory_of(value):
    """The same memory, with the shape it has now."""
    return value.detach() if isinstance(value, Tensor) else value


def _made(func, results) -> list[Tensor]:
    """The tensors that an operator made, and did not merely change or look at in another way."""
    returned = func._schema.returns
    results = results if isinstance(results, (tuple, list)) and len(returned) > 1 else [results]
    own = [result for result, about in zip(results, returned) if about.alias_info is None]
    return [leaf for leaf in tree_leaves(own) if isinstance(leaf, Tensor)]


class Event:
    def record(self) -> None: ...
    def synchronize(self) -> None: ...


class Double:
    """A `playground.training.graphs.Recorder` without a GPU; ``made`` are all there have been."""

    made: list["Double"] = []

    def __init__(self, device: torch.device) -> None:
        self.recorded, self.replays = 0, 0
        Double.made.append(self)

    def warm(self, step) -> None:
        with NoWaiting():
            step()

    def record(self, step):
        tape = Tape()
        with tape:
            numbers = step()
        tape.spoil()
        self.recorded += 1

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return replay, numbers

    def pinned(self, size: int) -> Tensor:
        return torch.empty(size, dtype=torch.uint8)

    def event(self) -> Event:
        return Event()

    def wait(self) -> None: ...
    def tidy(self) -> None: ...


class Anew(Double):
    """Runs the step itself each time, operator by operator: what replaying has to equal."""

    def record(self, step):
        self.recorded += 1
        numbers = torch.empty(2)
        return lambda: numbers.copy_(step()), numbers


def with_graphs(training, local_rank: int = 0):
    """The CPU, as if it could replay graphs."""
    return replace(choose_device(training, local_rank), graphs=True)
