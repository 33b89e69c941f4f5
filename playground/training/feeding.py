"""Batches made ahead in a thread, and brought to a GPU without waiting for it."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from playground.training.batches import Batch

AHEAD = 3  # steps whose batches wait
SLOTS = 4  # copies to the device that may be on their way
ALIGNED = 16  # bytes


class Feeder:
    """Makes what the next steps need while this one runs.

    What is made must be a pure function of the step; the thread holds ``make`` alone and never speaks to the device.

    Args:
        make: what a step needs, by its number.
        last: no step from here on is made.
    """

    def __init__(self, make: Callable[[int], Any], last: int) -> None:
        self.make, self.last = make, last
        self.expected: int | None = None
        self._over = threading.Event()
        self._made: queue.Queue = queue.Queue(AHEAD)
        self._thread: threading.Thread | None = None

    def get(self, step: int) -> Any:
        """What ``step`` needs; the first call, and one for another step than the next, begins anew.

        Raises:
            Exception: what ``make`` raised for this step.
        """
        if step != self.expected or self._thread is None:
            self.close()
            self._start(step)
        made, error = self._made.get()
        self.expected = step + 1
        if error is not None:
            self.close()
            raise error
        return made

    def _start(self, step: int) -> None:
        self._over, self._made = threading.Event(), queue.Queue(AHEAD)
        arguments = (self.make, step, self.last, self._made, self._over)
        self._thread = threading.Thread(target=_make_ahead, args=arguments, name="batches", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, whatever it is doing, and forgets what it made."""
        thread, self._thread, self.expected = self._thread, None, None
        if thread is None:
            return
        self._over.set()
        while thread.is_alive():
            try:
                self._made.get_nowait()  # it may wait for room
            except queue.Empty:
                thread.join(0.01)

    def __del__(self) -> None:
        self._over.set()


def _make_ahead(
    make: Callable[[int], Any], step: int, last: int, made: queue.Queue, over: threading.Event
) -> None:
    while not over.is_set():
        try:
            item = (make(step), None) if step < last else (None, IndexError(f"There is no step {step}."))
        except Exception as error:
            item = (None, error)
        while not over.is_set():
            try:
                made.put(item, timeout=0.5)  # looks now and then whether it is over
                break
            except queue.Full:
                pass
        if item[1] is not None:
            return
        step += 1


Shape = tuple[tuple[str, torch.Size, torch.dtype], ...]


def shape_of(batches: list[Batch]) -> tuple[Shape, ...]:
    """What tells batches of one shape from those of another: names, shapes and types of all tensors."""
    return tuple(tuple((name, t.shape, t.dtype) for name, t in _tensors(batch)) for batch in batches)


def _tensors(batch: Batch) -> list[tuple[str, Tensor]]:
    return [*batch.inputs.items(), ("targets", batch.targets)]


class Room:
    """The place of all batches of one shape on the device: one block of memory, so that one copy fills it.

    Attributes:
        batches: views into the block, for good: a recorded step reads them.
    """

    def __init__(self, batches: list[Batch], device: torch.device) -> None:
        self.places: list[tuple[int, int]] = []
        size = 0
        for batch in batches:
            for _, tensor in _tensors(batch):
                self.places.append((size, size + tensor.nbytes))
                size += -(-tensor.nbytes // ALIGNED) * ALIGNED
        self.block = torch.zeros(size, dtype=torch.uint8, device=device)
        places = iter(self.places)
        self.batches = [self._like(batch, places) for batch in batches]

    def _like(self, batch: Batch, places) -> Batch:
        views = []
        for _, tensor in _tensors(batch):
            start, end = next(places)
            views.append(self.block[start:end].view(tensor.dtype).view(tensor.shape))
        return Batch(dict(zip(batch.inputs, views)), views[-1], batch.n_targets, batch.n_tokens)


class Courier:
    """Copies batches to the device through pinned memory, a few buffers in turn; nobody waits for a copy to be done.

    Args:
        pinned: gives so many bytes of memory that the device can read by itself.
        event: makes something to ``record`` after a copy and to ``synchronize`` with before its buffer is used again.
    """

    def __init__(self, pinned: Callable[[int], Tensor], event: Callable[[], Any]) -> None:
        self.pinned = pinned
        self.buffers = [torch.empty(0, dtype=torch.uint8)] * SLOTS
        self.done = [event() for _ in range(SLOTS)]
        self.turn = 0

    def bring(self, batches: list[Batch], room: Room) -> None:
        """Fills ``room`` with batches of its shape, in the order of the device's work."""
        turn, self.turn = self.turn, (self.turn + 1) % SLOTS
        self.done[turn].synchronize()  # four copies ago: done long since, unless the device is far behind
        size = room.block.numel()
        if self.buffers[turn].numel() < size:
            self.buffers[turn] = self.pinned(size)
        buffer = self.buffers[turn][:size]
        packed, places = buffer.numpy(), iter(room.places)
        for batch in batches:
            for _, tensor in _tensors(batch):
                start, end = next(places)
                packed[start:end] = np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8)
        room.block.copy_(buffer, non_blocking=True)
        self.done[turn].record()
