"""Whole training steps as CUDA graphs: recorded once for each shape of batch, then started by one call.

A small model's step is hundreds of kernels of a few microseconds each, and starting them one by one from Python takes
longer than running them. A recorded step (forward, loss, backward, clipping, optimizers) is started as a whole.

Runs stay exact. No step that counts is made in another way than by a replay: a recording is warmed up and made with
weights, optimizer state and chance as they are, which are put back afterwards, so it does not matter when a shape is
seen for the first time, or again after it was forgotten. What changes from step to step is read on the device: the
batch (`DeviceBuffer`), the learning rates (`playground.training.optimizers.LearningRates`), what the loss is divided by, and the seed
of dropout, which torch hands to a graph at every replay.
"""

# pyright: reportPrivateImportUsage=false
# torch has no public names for its kernels on many tensors at once (torch._foreach_…).

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from models.spec import ModelSpec
from playground.training.batches import Batch
from playground.training.pinned_transfer import DeviceBuffer, PinnedTransfer, shapes_of

WARM_UPS = 2  # kernels are loaded, workspaces made, code compiled
MAX_RECORDINGS = 24  # recordings kept; the one unused for longest gives way


class NotRecorded(Exception):
    """A step could not be made a graph; everything is as it was before. The message says why."""


class Recorder(Protocol):
    """What records and replays; `Cuda`, or a double of it in the tests."""

    def warm(self, step: Callable[[], Any]) -> None:
        """Runs a step once, as preparation for recording it."""
        ...

    def record(self, step: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Records a step without running it; returns what replays it, and the tensor that its results are written to."""
        ...

    def pinned(self, size: int) -> Tensor:
        """``size`` bytes of page-locked memory, uint8 ``[size]``."""
        ...

    def event(self) -> Any:
        """Something to ``record`` after a copy and to ``synchronize`` with later."""
        ...

    def wait(self) -> None:
        """Waits until the device has done all that was started."""
        ...

    def tidy(self) -> None:
        """Gives back memory that only recording needed."""
        ...


class Cuda:
    """CUDA graphs through torch, all in one pool of memory (they never run at the same time)."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()

    def warm(self, step: Callable[[], Any]) -> None:
        """Runs the step on the stream it will be recorded on; also one that breaks off is over for what comes after."""
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        try:
            with torch.cuda.stream(self.stream):
                step()
        finally:
            torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def record(self, step: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Records what the step would do, and does not do it; what replays it, and where its numbers will lie."""
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads may go on with what they do meanwhile: only this one must not wait or allocate.
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                numbers = step()
        except BaseException:
            self._free_chance()
            raise
        return graph.replay, numbers

    def _free_chance(self) -> None:
        """A recording that broke off may have left the generator waiting for its end, and unusable: it gets a new state."""
        with contextlib.suppress(Exception):
            fresh = torch.Generator(self.device).graphsafe_get_state()
            torch.cuda.default_generators[self.device.index].graphsafe_set_state(fresh)

    def pinned(self, size: int) -> Tensor:
        """``size`` bytes of page-locked memory, uint8 ``[size]``."""
        return torch.empty(size, dtype=torch.uint8, pin_memory=True)

    def event(self) -> torch.cuda.Event:
        """A CUDA event; a thread that waits for it sleeps."""
        return torch.cuda.Event(blocking=True)  # whoever waits sleeps, and leaves the core to the app

    def wait(self) -> None:
        """Until all that was started is done."""
        torch.cuda.synchronize(self.device)

    def tidy(self) -> None:
        """After a recording: gives back what was needed for it alone."""
        torch.cuda.empty_cache()


recorder: Callable[[torch.device], Recorder] = Cuda


class StepGraphs:
    """Runs training steps by replaying them.

    Args:
        step: a whole optimizer step on batches that lie on the device; returns its numbers (loss, gradient norm),
            leaves no gradients, and reads everything that changes from tensors that stay.
        changing: all tensors that a step changes, in place, and that outlive it.
        device: where they are.
    """

    def __init__(
        self,
        step: Callable[[list[Batch]], Tensor],
        changing: list[Tensor],
        device: torch.device,
    ) -> None:
        self.step, self.changing, self.device = step, changing, device
        self.recorder = recorder(device)
        self.transfer = PinnedTransfer(self.recorder.pinned, self.recorder.event)
        self.known: OrderedDict[tuple, tuple[DeviceBuffer, Callable[[], None], Tensor]] = OrderedDict()

    def run(self, batches: list[Batch], reseed: Callable[[], None]) -> Tensor:
        """One step; its numbers, on the device and in memory of their own.

        Args:
            batches: on the host.
            reseed: sets what dropout draws from, as for this step.

        Raises:
            NotRecorded: when its shape is new and cannot be recorded; the step has not been made.
        """
        key = shapes_of(batches)
        if key not in self.known:
            self.known[key] = self._recorded(batches, reseed)
            while len(self.known) > MAX_RECORDINGS:
                self.recorder.wait()
                self.known.popitem(last=False)
        self.known.move_to_end(key)
        buffer, replay, numbers = self.known[key]
        self.transfer.copy(batches, buffer)
        reseed()
        replay()
        return numbers.clone()  # the next replay writes over them

    def _recorded(
        self, batches: list[Batch], reseed: Callable[[], None]
    ) -> tuple[DeviceBuffer, Callable[[], None], Tensor]:
        before: list[Tensor] = []
        try:
            buffer = DeviceBuffer(batches, self.device)
            self.transfer.copy(batches, buffer)
            before += [tensor.detach().clone() for tensor in self.changing]
            step = lambda: self.step(buffer.batches)
            for _ in range(WARM_UPS):
                reseed()
                self.recorder.warm(step)
            replay, numbers = self.recorder.record(step)
        except Exception as error:
            raise NotRecorded(_reason(error)) from error
        finally:
            for tensor in self.changing:
                tensor.grad = None  # a step that broke off has left some
            if before:  # else there was no memory for it, and nothing has changed
                with torch.no_grad():
                    torch._foreach_copy_(self.changing, before)
        del before
        self.recorder.tidy()
        return buffer, replay, numbers

    def close(self) -> None:
        """Forgets all recordings, and gives their memory back."""
        self.recorder.wait()
        self.known.clear()
        self.recorder.tidy()


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether this, or what it came of, is a lack of memory: ending a broken recording raises an error of its own."""
    while error is not None:
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "out of memory" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: BaseException) -> str:
    """The first line of the first error; of a lack of memory, in place of torch's long account of it, just that."""
    if _is_out_of_memory(error):
        return "not enough memory beside a copy of weights and optimizer state"
    while cause := error.__cause__ or error.__context__:
        error = cause
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def can_be_recorded(spec: ModelSpec, padded: bool) -> bool:
    """Whether this model's steps can become graphs at all: a matter of its settings, never of what happened before.

    Args:
        spec: of the model.
        padded: whether it is told what is padding, in a text or in its source. Recurrent kernels are told on the host, once for every batch.
    """
    if not spec.is_recurrent:
        return True
    redrawn = spec.dropout > 0 and spec.n_layers > 1  # cuDNN's dropout between layers has a seed of its own
    return not (padded or redrawn)
