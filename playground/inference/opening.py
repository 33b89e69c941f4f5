"""Opening what writes: on a GPU its graph is rewritten for CUDA first, and a step is captured where the provider allows."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from playground.errors import PlaygroundError
from playground.inference.session import CUDA, NOT_ON_GPU, open_capturing, open_session, running_on, wanted

log = logging.getLogger("playground")
EVERY_SOURCE = "every source has a shape of its own"
BIASED = "what ALiBi adds depends on the length of the text"


@dataclass
class Opened:
    """A session, what it can do, and what is tried next where a card refuses.

    Attributes:
        session: what runs.
        uncaptured: why a step of it is not replayed as one CUDA graph; "" where it is.
        again: opens it anew to run kernel by kernel.
        on_cpu: opens what runs on a CPU instead; None where a GPU was asked for by name.
    """

    session: ort.InferenceSession
    uncaptured: str = NOT_ON_GPU
    again: Callable[[], ort.InferenceSession] | None = None
    on_cpu: Callable[[], ort.InferenceSession] | None = None

    def step_down(self, error: Exception) -> None:
        """What comes after a failure: a CUDA graph, then kernel by kernel, then the CPU.

        Raises:
            PlaygroundError: when nothing is left.
        """
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if not self.uncaptured:
            self.session, self.uncaptured = self.again(), reason
        elif self.on_cpu:
            log.warning("ONNX Runtime goes on with the CPU: %s", reason)
            self.session, self.uncaptured = self.on_cpu(), reason
        else:
            raise PlaygroundError(
                f"ONNX Runtime cannot run this model on the GPU: {reason.rstrip('.')}.", "Choose device 'auto' or 'cpu'."
            ) from error


def open_fused(
    model: Path | bytes, device: str = "auto", threads: int = 0, batch: int = 1, half: bool = False, capture: bool = True
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


def open_recurrent(model: Path | bytes | ort.InferenceSession, device: str = "auto", threads: int = 0, batch: int = 1) -> Opened:
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
