"""Opening exported models: for a GPU the graph is rewritten first, and steps are captured as CUDA graphs where possible."""

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
VARYING_SHAPES = "every source has a shape of its own"
MAX_REUSABLE = 8  # generators whose buffers are kept for others
T = TypeVar("T")
BIASED = "what ALiBi adds depends on the length of the text"


@dataclass
class OpenedModel:
    """A model's session, and what to try next when a GPU refuses to run it.

    Attributes:
        session: what runs.
        uncaptured_reason: why a step is not replayed as one CUDA graph; "" where it is.
        reopen: opens it anew to run kernel by kernel.
        reopen_on_cpu: opens it on the CPU instead; None where a GPU was asked for by name.
        reusable: buffers, with graphs captured on them, whose generator is gone. The next generator takes them over: a
            graph takes time to capture, and its memory is never released completely.
    """

    session: ort.InferenceSession
    uncaptured_reason: str = NOT_ON_GPU
    reopen: Callable[[], ort.InferenceSession] | None = None
    reopen_on_cpu: Callable[[], ort.InferenceSession] | None = None
    reusable: deque = field(default_factory=lambda: deque(maxlen=MAX_REUSABLE))

    def fall_back(self, failed: ort.InferenceSession, error: Exception) -> None:
        """Chooses the next way to run after a failure: from a CUDA graph to kernel by kernel, then to the CPU.

        Args:
            failed: the session that failed; another generator of the same model may have fallen back already.
            error: what it raised.

        Raises:
            PlaygroundError: when nothing is left.
        """
        if failed is not self.session:
            return
        reason = reason_of(error)
        if not self.uncaptured_reason and self.reopen:
            self.session, self.uncaptured_reason = self.reopen(), reason
        elif self.reopen_on_cpu:
            log.warning("ONNX Runtime goes on with the CPU: %s", reason)
            self.session, self.uncaptured_reason = self.reopen_on_cpu(), reason
        else:
            raise cannot_run_on_gpu(reason) from error

    def take_reusable(self, sizes: tuple[int, ...]) -> Any:
        """Buffers that a generator of these sizes (batch, max_length) has left; None where there are none."""
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
    """The error for a GPU that was asked for by name and cannot run a model."""
    return PlaygroundError(
        "ONNX Runtime cannot run this model on the GPU: {reason}.",
        "Choose device 'auto' or 'cpu'.",
        reason=reason.rstrip("."),
    )


def open_and_try(open_: Callable[[str], T], try_: Callable[[T], Any], device: str) -> T:
    """Opens something for a device if a trial run works there, otherwise for the CPU.

    Args:
        open_: opens it; takes "auto", "cuda" or "cpu".
        try_: runs it once on little; what it raises means that it does not work.
        device: "auto", "cuda" or "cpu".

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
    """Opens a fused decoder (`onnx_export.fused`).

    Args:
        model: the file of the graph, or its bytes.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.
        batch: number of texts.
        half: on CUDA, compute with all floats in 16 bits; on a CPU the graph is used as it is.
        capture: whether steps may be captured as CUDA graphs.

    Raises:
        PlaygroundError: as `session.open_session`.
    """
    graph = _for_a_gpu(model, device)
    if graph is None:
        return OpenedModel(open_session(model, device, threads, batch))
    from playground.inference.rewrite_for_cuda import for_cuda, has_bias

    uncaptured_reason = BIASED if has_bias(graph) else "" if capture else VARYING_SHAPES
    return _on_cuda(for_cuda(graph, half).SerializeToString(), model, device, threads, batch, uncaptured_reason)


def open_recurrent(
    model: Path | bytes | ort.InferenceSession, device: str = "auto", threads: int = 0, batch: int = 1
) -> OpenedModel:
    """Opens a recurrent decoder (`onnx_export.rnn_graphs`).

    Args:
        model: the file of the graph, its bytes, or an open session that runs on a CPU.
        device, threads, batch: as in :func:`open_fused`.

    Raises:
        PlaygroundError: as `session.open_session`.
    """
    graph = None if isinstance(model, ort.InferenceSession) else _for_a_gpu(model, device)
    if graph is None or isinstance(model, ort.InferenceSession):
        return OpenedModel(open_session(model, device, threads, batch))
    from playground.inference.rewrite_for_cuda import with_next_step

    return _on_cuda(with_next_step(graph).SerializeToString(), model, device, threads, batch, "")


def open_encoder(model: Path, device: str = "auto", threads: int = 0, half: bool = False) -> ort.InferenceSession:
    """Opens a model that reads whole texts.

    Args:
        device, threads: as in :func:`open_fused`.
        half: on CUDA, compute with all floats in 16 bits.

    Raises:
        PlaygroundError: as `session.open_session`.
    """
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
    """Opens a rewritten graph; if CUDA cannot be loaded after all, the original one on the CPU."""
    again = lambda: open_session(rewritten, device, threads, batch)
    session, reason = (
        (again(), uncaptured_reason) if uncaptured_reason else open_capturing(rewritten, device, threads, batch)
    )
    if running_on(session) != "CUDA":
        return OpenedModel(open_session(model, "cpu", threads, batch))
    on_cpu = None if device == "cuda" else lambda: open_session(model, "cpu", threads, batch)
    return OpenedModel(session, reason, again, on_cpu)


def _for_a_gpu(model: Path | bytes, device: str):
    """The graph if CUDA is to run it; None otherwise, and if it is missing or damaged."""
    if CUDA not in wanted(device):
        return None
    import onnx

    try:
        return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    except Exception:  # ONNX Runtime then says what is wrong
        return None
