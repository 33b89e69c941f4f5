"""Opening what writes: on a GPU its graph is rewritten for CUDA first, and a step is captured where the provider allows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from playground.errors import PlaygroundError
from playground.inference.session import CUDA, NOT_ON_GPU, open_capturing, open_session, running_on, wanted

ON_CPU_WITH_BIAS = "attention with ALiBi has no CUDA kernel"
EVERY_SOURCE = "every source has a shape of its own"


@dataclass
class Opened:
    """A session, and what it can do.

    Attributes:
        session: what runs.
        uncaptured: why a step of it is not replayed as one CUDA graph; "" where it is.
        again: opens it anew to run kernel by kernel.
    """

    session: ort.InferenceSession
    uncaptured: str = NOT_ON_GPU
    again: Callable[[], ort.InferenceSession] | None = None

    def give_up(self, reason: str) -> None:
        """No CUDA graph: the card has refused."""
        self.session, self.uncaptured = self.again(), reason


def open_fused(
    model: Path | bytes, device: str = "auto", threads: int = 0, batch: int = 1, half: bool = False, capture: bool = True
) -> Opened:
    """A fused decoder (`onnx_export.fused`).

    Args:
        half: on CUDA, all floats in 16 bits; on a CPU the graph is taken as it is.
        capture: whether steps may be captured.

    Raises:
        PlaygroundError: as `session.open_session`; also when CUDA is asked for and cannot run the model.
    """
    on_cpu = lambda reason=NOT_ON_GPU: Opened(open_session(model, "cpu", threads, batch), reason)
    if CUDA not in wanted(device):
        return on_cpu()
    from playground.inference.for_cuda import for_cuda, writes_with_bias

    graph = _loaded(model)
    if graph is None:
        return Opened(open_session(model, device, threads, batch))  # which says in words what is wrong with it
    if writes_with_bias(graph):
        if device == "cuda":
            raise PlaygroundError("ONNX Runtime has no attention with ALiBi on CUDA.", "Choose device 'auto' or 'cpu'.")
        return on_cpu(ON_CPU_WITH_BIAS)
    opened = _on_cuda(for_cuda(graph, half).SerializeToString(), device, threads, batch, "" if capture else EVERY_SOURCE)
    return opened if running_on(opened.session) == "CUDA" else on_cpu()


def open_recurrent(model: Path | bytes | ort.InferenceSession, device: str = "auto", threads: int = 0, batch: int = 1) -> Opened:
    """A recurrent writer (`onnx_export.recurrent`), or a session of one that runs on a CPU."""
    if isinstance(model, ort.InferenceSession) or CUDA not in wanted(device):
        return Opened(open_session(model, device, threads, batch))
    from playground.inference.for_cuda import with_next_step

    graph = _loaded(model)
    if graph is None:
        return Opened(open_session(model, device, threads, batch))
    opened = _on_cuda(with_next_step(graph).SerializeToString(), device, threads, batch, "")
    return opened if running_on(opened.session) == "CUDA" else Opened(open_session(model, "cpu", threads, batch))


def open_reader(model: Path, device: str = "auto", threads: int = 0, half: bool = False) -> ort.InferenceSession:
    """What reads whole texts; ``half``: on CUDA, all floats in 16 bits."""
    if half and CUDA in wanted(device) and (graph := _loaded(model)) is not None:
        from playground.inference.half import halve

        halve(graph.graph)
        session = open_session(graph.SerializeToString(), device, threads, batch=2)
        if running_on(session) == "CUDA":
            return session
    return open_session(model, device, threads, batch=2)


def _on_cuda(model: bytes, device: str, threads: int, batch: int, uncaptured: str) -> Opened:
    again = lambda: open_session(model, device, threads, batch)
    if uncaptured:
        return Opened(again(), uncaptured)
    return Opened(*open_capturing(model, device, threads, batch), again)


def _loaded(model: Path | bytes):
    """The graph; None where it is missing or damaged."""
    import onnx

    try:
        return onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    except Exception:  # what is wrong is told by ONNX Runtime
        return None
