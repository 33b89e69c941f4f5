"""A machine with an NVIDIA GPU as far as the benchmark can see, on a CPU: torch's "cuda" is the CPU, its streams and events do
nothing, a captured graph is a tape that is played again; ONNX Runtime runs on its double. So every line that only a GPU would
reach is run before there is one.
"""

import contextlib
from types import SimpleNamespace

import pytest
import torch
from torch.overrides import TorchFunctionMode

from playground.training import graphs
from tests.support.cuda_graph_double import Double, Tape
from tests.support.gpu_double import gpu  # noqa: F401

GIGABYTE = 10**9


class CudaIsHere(TorchFunctionMode):
    """Whatever is asked of "cuda" is done on the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        args, kwargs = torch.utils._pytree.tree_map(_here, (args, kwargs or {}))
        return args[0] if function is torch.Tensor.pin_memory else function(*args, **kwargs)


def _here(value):
    is_cuda = value == "cuda" if isinstance(value, str) else isinstance(value, torch.device) and value.type == "cuda"
    return "cpu" if is_cuda else value


class Event:
    def __init__(self, enable_timing: bool = False) -> None: ...
    def record(self) -> None: ...
    def elapsed_time(self, end: "Event") -> float:
        return 1.0  # ms


class Graph:
    def __init__(self) -> None:
        self.tape = Tape()

    def replay(self) -> None:
        self.tape.replay()


@contextlib.contextmanager
def recording(graph: Graph):
    with graph.tape:
        yield


@pytest.fixture
def pretended(gpu, monkeypatch):  # noqa: F811
    """torch and ONNX Runtime as if there were a card."""
    card = SimpleNamespace(
        name="NVIDIA H100 80GB HBM3", total_memory=85 * GIGABYTE, multi_processor_count=132, major=9, minor=0
    )
    stream = SimpleNamespace(wait_stream=lambda other: None)
    fakes = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 1,
        "set_device": lambda index: None,
        "get_device_name": lambda index: card.name,
        "get_device_properties": lambda index: card,
        "is_bf16_supported": lambda including_emulation=True: True,
        "synchronize": lambda: None,
        "Event": Event,
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda chosen: contextlib.nullcontext(),
        "CUDAGraph": Graph,
        "graph": recording,
        "is_current_stream_capturing": lambda: False,
        "reset_peak_memory_stats": lambda: None,
        "empty_cache": lambda: None,
        "memory_allocated": lambda: GIGABYTE,
        "max_memory_allocated": lambda: 3 * GIGABYTE,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch, "compile", lambda model, **options: model)  # a compiler's time, and no GPU's
    monkeypatch.setattr(graphs, "recorder", Double)
    with CudaIsHere():
        yield
