"""A GPU for ONNX Runtime, on a CPU: what its memory and its CUDA graphs do to those who use them, with the CPU's arithmetic.

- An input bound in the wrong memory is copied once, when it is bound; what is written into its array later is not seen.
- Memory on the device is nobody's array: it is read and written by copies alone, in the one thread that uses the GPU.
- With ``enable_cuda_graph``, the first run under a graph id runs several times; later ones use the memory that was bound
  then, whatever is bound now, and what kernels read in CPU memory stays as it was. Outputs in CPU memory are not written.
- With ``disable_synchronize_execution_providers`` a run has only begun when the call returns.
- Attention (GroupQueryAttention) has 16-bit kernels alone. Its ``total_sequence_length`` is read in CPU memory, everything
  else on the device; of what is computed from it, as ALiBi's bias is, no CUDA graph can be made. With a bias it takes the
  tokens that it reads at once for the last ones of each text.
"""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from playground.inference import device_sampling
from playground.inference import session as sessions
from playground.inference.gpu_thread import is_here
from playground.inference.session import CUDA

REAL_SESSION, REAL_VALUE = ort.InferenceSession, ort.OrtValue
WARM_UPS = 2
NO_IMAGE = "CUDA error 209: no kernel image is available for execution on the device"
ON_CPU = {"GroupQueryAttention": (6,), "LSTM": (4,), "GRU": (4,), "RNN": (4,)}  # inputs that kernels read in CPU memory


class Refused(RuntimeError):
    """What ONNX Runtime says in its own way."""


class Value:
    """An OrtValue in one of two memories."""

    def __init__(self, real: REAL_VALUE, device: str, array: np.ndarray | None = None) -> None:
        self.real, self.device, self.array = real, device, array

    @classmethod
    def ortvalue_from_numpy(cls, array: np.ndarray, device: str = "cpu", number: int = 0) -> "Value":
        if device == "cpu":
            return cls(REAL_VALUE.ortvalue_from_numpy(array, "cpu", 0), "cpu", array)
        owned()
        copied = array.copy()
        return cls(REAL_VALUE.ortvalue_from_numpy(copied, "cpu", 0), "cuda", copied)

    def copy(self, device: str) -> "Value":
        copied = self.real.numpy().copy()
        return Value(REAL_VALUE.ortvalue_from_numpy(copied, "cpu", 0), device, copied)

    def update_inplace(self, array: np.ndarray) -> None:
        owned()
        mine = self.real.numpy()
        assert array.dtype == mine.dtype and array.shape == mine.shape and array.flags.c_contiguous
        self.real.update_inplace(array)

    def numpy(self) -> np.ndarray:
        if self.device == "cpu":
            return self.real.numpy()
        owned()
        return self.real.numpy().copy()

    def shape(self) -> list[int]:
        return list(self.real.shape())

    def device_name(self) -> str:
        return self.device


def owned() -> None:
    """Every thread that runs a session keeps memory for good; and what has not been waited for is not there yet."""
    assert is_here(), "the GPU is used outside its thread"
    assert not Session.running, "read or written while runs are under way"


class Binding:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value | str] = {}
        self.made: dict[str, Value] = {}

    def bind_ortvalue_input(self, name: str, value: Value) -> None:
        needed = self.session.memory[name] if self.session.on_cuda else "cpu"
        assert self.session.on_cuda or value.device == "cpu", "a session of the CPU would read an address of the GPU"
        self.inputs[name] = value if value.device == needed else value.copy(needed)

    def bind_ortvalue_output(self, name: str, value: Value) -> None:
        self.outputs[name] = value

    def bind_output(self, name: str, device: str) -> None:
        self.outputs[name] = device

    def get_outputs(self) -> list[Value]:
        return list(self.made.values())

    def run(self, inputs: dict[str, Value], lost: bool) -> None:
        """``lost``: as a replay, which copies nothing to the CPU."""
        real = REAL_SESSION.io_binding(self.session)
        for name, value in inputs.items():
            real.bind_ortvalue_input(name, value.real)
        for name, value in self.outputs.items():
            if isinstance(value, str) or (lost and value.device == "cpu"):
                real.bind_output(name, "cpu")
            else:
                real.bind_ortvalue_output(name, value.real)
        REAL_SESSION.run_with_iobinding(self.session, real)
        for (name, value), made in zip(self.outputs.items(), real.get_outputs(), strict=True):
            self.made[name] = Value(made, value) if isinstance(value, str) else value


class Session(REAL_SESSION):
    refuses_capture = False  # when the session is made
    breaks_capture = False  # at the first captured run
    breaks = False  # at every run
    waits = 0  # runs that were waited for
    running: set = set()  # sessions whose last run was not waited for

    def __init__(self, model, options=None, providers=()) -> None:
        asked = [provider for provider in providers if isinstance(provider, tuple) and provider[0] == CUDA]
        self.on_cuda = bool(asked)
        self.captures = self.on_cuda and asked[0][1].get("enable_cuda_graph") == "1"
        if self.on_cuda:
            owned()
            assert asked[0][1]["use_tf32"] == "0", "products of 32 bits would be rounded to 10"
        graph = (onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)).graph
        types = {value.name: value.type.tensor_type.elem_type for value in graph.input}
        attention = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
        self.attends = bool(attention)
        self.biased = any(len(node.input) > 10 and node.input[10] for node in attention)
        whole = any(types[node.input[3]] != onnx.TensorProto.FLOAT16 for node in attention)
        if self.captures and (whole or self.biased or Session.refuses_capture):
            raise Refused("This session cannot use the graph capture feature as requested by the user")
        self.memory = {value.name: "cuda" for value in graph.input}
        for node in graph.node:
            for i in ON_CPU.get(node.op_type, ()):
                if i < len(node.input) and node.input[i] in self.memory:
                    self.memory[node.input[i]] = "cpu"
        self.captured: dict[str, tuple[Binding, dict[str, Value]]] = {}
        self.replays = 0
        super().__init__(model, options, providers=["CPUExecutionProvider"])

    def get_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"] if self.on_cuda else ["CPUExecutionProvider"]

    def get_input_memory_infos(self) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(name={"cuda": "Cuda", "cpu": "Cpu"}[self.memory[value.name]]) for value in self.get_inputs()
        ]

    def io_binding(self) -> Binding:
        if self.on_cuda:
            owned()
        return Binding(self)

    def run(self, names, feed, options=None):
        if self.on_cuda:
            owned()
            if Session.breaks:
                raise Refused(NO_IMAGE)
        return super().run(names, feed, options)

    def lengths_fit(self, inputs: dict[str, Value]) -> None:
        """Attention never looks further than ``total_sequence_length``; a bias is counted from just there. With one, tokens
        that are read at once are counted back from the end of each text, as an H200 showed."""
        if "total_sequence_length" in inputs and self.attends:
            said, longest = (
                int(inputs["total_sequence_length"].real.numpy()[0]),
                int(inputs["seqlens_k"].real.numpy().max()) + 1,
            )
            assert said >= longest and (not self.biased or said == longest), f"{longest} tokens, said to be {said}"
            if self.biased and inputs["input_ids"].shape()[1] > 1:
                lengths = inputs["seqlens_k"].real.numpy()
                assert lengths.min() == lengths.max(), "the first tokens of a shorter text would see nothing"

    def run_with_iobinding(self, binding: Binding, options=None) -> None:
        if not self.on_cuda:
            binding.run(binding.inputs, lost=False)
            return
        Session.running.discard(id(self))  # runs of one session come one after the other
        owned()
        Session.waits += (
            options is None or options.get_run_config_entry("disable_synchronize_execution_providers") != "1"
        )
        if options is not None and options.get_run_config_entry("disable_synchronize_execution_providers") == "1":
            assert all(value == "cuda" or getattr(value, "device", "") == "cuda" for value in binding.outputs.values())
            Session.running.add(id(self))
        if Session.breaks:
            raise Refused(NO_IMAGE)
        number = options.get_run_config_entry("gpu_graph_id") if options is not None else "0"
        if not self.captures or number == "-1":
            self.lengths_fit(binding.inputs)
            binding.run(binding.inputs, lost=False)
        elif number in self.captured:
            self.replays += 1
            old, inputs = self.captured[number]
            self.lengths_fit(inputs)
            old.run(inputs, lost=True)
        else:
            self.lengths_fit(binding.inputs)
            if Session.breaks_capture:
                raise Refused("CUDA failure 900: operation not permitted when stream is capturing")
            for _ in range(1 + WARM_UPS):
                binding.run(binding.inputs, lost=False)
            kept = {
                name: value if value.device == "cuda" else value.copy("cpu") for name, value in binding.inputs.items()
            }
            self.captured[number] = binding, kept

    def release_captured_graph(self, number: int = 0) -> None:
        self.captured.pop(str(number), None)


@pytest.fixture
def gpu(monkeypatch):
    """ONNX Runtime runs on the double wherever CUDA may be used; gives the class of its sessions."""
    device_sampling._opened.cache_clear()
    monkeypatch.setattr(sessions, "has_cuda", lambda: True)
    monkeypatch.setattr(sessions, "cuda_mismatch", lambda: None)
    monkeypatch.setattr(sessions, "preload", lambda: None)
    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(ort, "OrtValue", Value)
    monkeypatch.setattr(Session, "refuses_capture", False)
    monkeypatch.setattr(Session, "breaks_capture", False)
    monkeypatch.setattr(Session, "breaks", False)
    monkeypatch.setattr(Session, "running", set())
    device_sampling._opened.cache_clear()
    return Session
