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
MAX_REUSABLE = 8  # writers whose buffers are kept for others
T = TypeVar("T")
BIASED = "what ALiBi adds depends on the length of the text"


@dataclass
class OpenedModel:
    """A session, what it can do, and what is tried next where a card refuses.

    Attributes:
        session: what runs.
        uncaptured_reason: why a step of it is not replayed as one CUDA graph; "" where it is.
        again: opens it anew to run kernel by kernel.
        on_cpu: opens what runs on a CPU instead; None where a GPU was asked for by name.
        spare: buffers, and graphs captured on them, whose writer is gone: the next one takes them over, since a graph
            costs time to capture and is never quite given back.
    """

    session: ort.InferenceSession
    uncaptured_reason: str = NOT_ON_GPU
    reopen: Callable[[], ort.InferenceSession] | None = None
    reopen_on_cpu: Callable[[], ort.InferenceSession] | None = None
    reusable: deque = field(default_factory=lambda: deque(maxlen=MAX_REUSABLE))

    def fall_back(self, failed: ort.InferenceSession, error: Exception) -> None:
        """What comes after a failure: a CUDA graph, then kernel by kernel, then the CPU.

        Args:
            failed: what has failed; another writer of the same model may have stepped down already.

        Raises:
            PlaygroundError: when nothing is left.
        """
        if failed is not self.session:
            return
        reason = reason_of(error)
        if not self.uncaptured_reason:
            self.session, self.uncaptured_reason = self.reopen(), reason
        elif self.reopen_on_cpu:
            log.warning("ONNX Runtime goes on with the CPU: %s", reason)
            self.session, self.uncaptured_reason = self.reopen_on_cpu(), reason
        else:
            raise cannot_run_on_gpu(reason) from error

    def take_reusable(self, sizes: tuple[int, ...]) -> Any:
        """What a writer of these sizes has left; None where there is nothing."""
        others, found = [], None
        while self.reusable and found is None:
            session, of, left = self.reusable.popleft()
            if session is self.session and of == sizes:
                found = left
            elif session is self.session:
                others.append((session, of, left))
        self.reusable.extend(others)
        return found


def cannot_run_on_gpu(reason: str) -> PlaygroundError:
    """What is said where a GPU was asked for by name."""
    return PlaygroundError(
        "ONNX Runtime cannot run this model on the GPU: {reason}.",
        "Choose device 'auto' or 'cpu'.",
        reason=reason.rstrip("."),
    )


def open_and_try(open_: Callable[[str], T], try_: Callable[[T], Any], device: str) -> T:
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
            raise cannot_run_on_gpu(reason_of(error)) from error
        log.warning("ONNX Runtime goes on with the CPU: %s", reason_of(error))
        return open_("cpu")


def open_fused(
    model: Path | bytes,
    device: str = "auto",
    threads: int = 0,
    batch: int = 1,
    half: bool = False,
    capture: bool = True,
) -> OpenedModel:
    """A fused decoder (`onnx_export.fused`).

    Args:
        half: on CUDA, all floats in 16 bits; on a CPU the graph is taken as it is.
        capture: whether steps may be captured.

    Raises:
        PlaygroundError: as `session.open_session`.
    """
    graph = _for_a_gpu(model, device)
    if graph is None:
        return OpenedModel(open_session(model, device, threads, batch))
    from playground.inference.rewrite_for_cuda import for_cuda, has_bias

    uncaptured_reason = BIASED if has_bias(graph) else "" if capture else EVERY_SOURCE
    return _on_cuda(for_cuda(graph, half).SerializeToString(), model, device, threads, batch, uncaptured_reason)


def open_recurrent(
    model: Path | bytes | ort.InferenceSession, device: str = "auto", threads: int = 0, batch: int = 1
) -> OpenedModel:
    """A recurrent writer (`onnx_export.recurrent`), or a session of one that runs on a CPU."""
    graph = None if isinstance(model, ort.InferenceSession) else _for_a_gpu(model, device)
    if graph is None:
        return OpenedModel(open_session(model, device, threads, batch))
    from playground.inference.rewrite_for_cuda import with_next_step

    return _on_cuda(with_next_step(graph).SerializeToString(), model, device, threads, batch, "")


def open_encoder(model: Path, device: str = "auto", threads: int = 0, half: bool = False) -> ort.InferenceSession:
    """What reads whole texts; ``half``: on CUDA, all floats in 16 bits."""
    if half and (graph := _for_a_gpu(model, device)) is not None:
        from playground.inference.fp16 import halve

        halve(graph.graph)
        session = open_session(graph.SerializeToString(), device, threads, batch=2)
        if running_on(session) == "CUDA":
            return session
    return open_session(model, device, threads, batch=2)


def _on_cuda(
    rewritten: bytes, model: Path | bytes, device: str, threads: int, batch: int, uncaptured_reason: str
) -> OpenedModel:
    """Opens a graph that was rewritten; where CUDA cannot be loaded after all, the one before, on the CPU."""
    again = lambda: open_session(rewritten, device, threads, batch)
    session, reason = (
        (again(), uncaptured_reason) if uncaptured_reason else open_capturing(rewritten, device, threads, batch)
    )
    if running_on(session) != "CUDA":
        return OpenedModel(open_session(model, "cpu", threads, batch))
    on_cpu = None if device == "cuda" else lambda: open_session(model, "cpu", threads, batch)
    return OpenedModel(session, reason, again, on_cpu)


def _for_a_gpu(model: Path | bytes, device: str):
    """The graph, where CUDA shall run it; None elsewhere, and where it is missing or damaged."""
    if CUDA not in wanted(device):
        return None
    import onnx

    try:
        return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    except Exception:  # what is wrong is told by ONNX Runtime, in words
        return None
