"""Opening what writes: on a GPU its graph is rewritten for CUDA first, and a step is captured where the provider allows."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import reason_of
from playground.inference.session import CUDA, NOT_ON_GPU, open_capturing, open_session, running_on, wanted

log = logging.getLogger("playground")
EVERY_SOURCE = "every source has a shape of its own"
MOST_SPARE = 8  # writers whose buffers are kept for others
T = TypeVar("T")
BIASED = "what ALiBi adds depends on the length of the text"


@dataclass
class Opened:
    """A session, what it can do, and what is tried next where a card refuses.

    Attributes:
        session: what runs.
        uncaptured: why a step of it is not replayed as one CUDA graph; "" where it is.
        again: opens it anew to run kernel by kernel.
        on_cpu: opens what runs on a CPU instead; None where a GPU was asked for by name.
        spare: buffers, and graphs captured on them, whose writer is gone: the next one takes them over, since a graph
            costs time to capture and is never quite given back.
    """

    session: ort.InferenceSession
    uncaptured: str = NOT_ON_GPU
    again: Callable[[], ort.InferenceSession] | None = None
    on_cpu: Callable[[], ort.InferenceSession] | None = None
    spare: deque = field(default_factory=lambda: deque(maxlen=MOST_SPARE))

    def step_down(self, failed: ort.InferenceSession, error: Exception) -> None:
        """What comes after a failure: a CUDA graph, then kernel by kernel, then the CPU.

        Args:
            failed: what has failed; another writer of the same model may have stepped down already.

        Raises:
            PlaygroundError: when nothing is left.
        """
        if failed is not self.session:
            return
        reason = reason_of(error)
        if not self.uncaptured:
            self.session, self.uncaptured = self.again(), reason
        elif self.on_cpu:
            log.warning("ONNX Runtime goes on with the CPU: %s", reason)
            self.session, self.uncaptured = self.on_cpu(), reason
        else:
            raise refused(reason) from error

    def taken_over(self, sizes: tuple[int, ...]) -> Any:
        """What a writer of these sizes has left; None where there is nothing."""
        others, found = [], None
        while self.spare and found is None:
            session, of, left = self.spare.popleft()
            if session is self.session and of == sizes:
                found = left
            elif session is self.session:
                others.append((session, of, left))
        self.spare.extend(others)
        return found


def refused(reason: str) -> PlaygroundError:
    """What is said where a GPU was asked for by name."""
    return PlaygroundError(
        f"ONNX Runtime cannot run this model on the GPU: {reason.rstrip('.')}.", "Choose device 'auto' or 'cpu'."
    )


def that_runs(open_: Callable[[str], T], try_: Callable[[T], Any], device: str) -> T:
    """What is opened for a device, if a trial shows that it runs there; else what is opened for the CPU.

    Args:
        open_: given "auto", "cuda" or "cpu".
        try_: a small run of it.

    Raises:
        PlaygroundError: when a GPU was asked for by name, and cannot run it.
    """
    made = open_(device)
    if device == "cpu" or CUDA not in wanted(device):
        return made
    try:
        try_(made)
        return made
    except Exception as error:  # ONNX Runtime raises its own kinds
        if device == "cuda":
            raise refused(reason_of(error)) from error
        log.warning("ONNX Runtime goes on with the CPU: %s", reason_of(error))
        return open_("cpu")


def open_fused(
    model: Path | bytes,
    device: str = "auto",
    threads: int = 0,
    batch: int = 1,
    half: bool = False,
    capture: bool = True,
) -> Opened:
    """A fused decoder (`onnx_export.fused`).

    Args:
        half: on CUDA, all floats in 16 bits; on a CPU the graph is taken as it is.
        capture: whether steps may be captured.

    Raises:
        PlaygroundError: as `session.open_session`.
    """
    graph = _for_a_gpu(model, device)
    if graph is None:
        return Opened(open_session(model, device, threads, batch))
    from playground.inference.for_cuda import for_cuda, has_bias

    uncaptured = BIASED if has_bias(graph) else "" if capture else EVERY_SOURCE
    return _on_cuda(for_cuda(graph, half).SerializeToString(), model, device, threads, batch, uncaptured)


def open_recurrent(
    model: Path | bytes | ort.InferenceSession, device: str = "auto", threads: int = 0, batch: int = 1
) -> Opened:
    """A recurrent writer (`onnx_export.recurrent`), or a session of one that runs on a CPU."""
    graph = None if isinstance(model, ort.InferenceSession) else _for_a_gpu(model, device)
    if graph is None:
        return Opened(open_session(model, device, threads, batch))
    from playground.inference.for_cuda import with_next_step

    return _on_cuda(with_next_step(graph).SerializeToString(), model, device, threads, batch, "")


def open_reader(model: Path, device: str = "auto", threads: int = 0, half: bool = False) -> ort.InferenceSession:
    """What reads whole texts; ``half``: on CUDA, all floats in 16 bits."""
    if half and (graph := _for_a_gpu(model, device)) is not None:
        from playground.inference.half import halve

        halve(graph.graph)
        session = open_session(graph.SerializeToString(), device, threads, batch=2)
        if running_on(session) == "CUDA":
            return session
    return open_session(model, device, threads, batch=2)


def _on_cuda(rewritten: bytes, model: Path | bytes, device: str, threads: int, batch: int, uncaptured: str) -> Opened:
    """Opens a graph that was rewritten; where CUDA cannot be loaded after all, the one before, on the CPU."""
    again = lambda: open_session(rewritten, device, threads, batch)
    session, reason = (again(), uncaptured) if uncaptured else open_capturing(rewritten, device, threads, batch)
    if running_on(session) != "CUDA":
        return Opened(open_session(model, "cpu", threads, batch))
    on_cpu = None if device == "cuda" else lambda: open_session(model, "cpu", threads, batch)
    return Opened(session, reason, again, on_cpu)


def _for_a_gpu(model: Path | bytes, device: str):
    """The graph, where CUDA shall run it; None elsewhere, and where it is missing or damaged."""
    if CUDA not in wanted(device):
        return None
    import onnx

    try:
        return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    except Exception:  # what is wrong is told by ONNX Runtime, in words
        return None
