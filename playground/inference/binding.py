"""Binding memory to a session: every input lies where its kernels read it, and changes are seen at every run.

ONNX Runtime copies an input that is bound in the wrong memory to the right one only once, when it is bound; later writes to
the array are never seen. And a captured CUDA graph reads and writes fixed addresses, whatever is bound later. So an input that
changes is created in the memory that its kernels read, and is written to in place.
"""

import itertools
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.gpu_thread import on_gpu
from playground.inference.session import running_on

NOT_CAPTURED = -1  # graph id of runs that neither capture nor replay
_ids = itertools.count(1)  # of captured graphs, unique in the process, so that no binding replays another one's graph
_unneeded: deque[tuple[ort.InferenceSession, int]] = deque()  # graphs whose binding is gone, to be released


def input_memory(session: ort.InferenceSession) -> dict[str, str]:
    """The memory in which the kernels read each input, by input name: "cpu" or "cuda"."""
    names = [value.name for value in session.get_inputs()]
    if running_on(session) != "CUDA":
        return dict.fromkeys(names, "cpu")
    return dict(zip(names, map(_memory, session.get_input_memory_infos()), strict=True))


def _memory(info) -> str:
    """The memory of one input; pinned memory ("CudaPinned") belongs to the CPU."""
    return "cuda" if info.name.lower() == "cuda" else "cpu"


def state_memory(session: ort.InferenceSession) -> str:
    """The memory for what goes from one run to the next (cache, state), as ONNX Runtime names it: "cpu" or "cuda"."""
    return "cuda" if running_on(session) == "CUDA" else "cpu"


def buffer_of(array: np.ndarray, memory: str) -> ort.OrtValue:
    """A buffer with a copy of these numbers in "cuda" memory; in "cpu" memory it is the array itself, if contiguous."""
    make = ort.OrtValue.ortvalue_from_numpy
    array = np.ascontiguousarray(array)
    return make(array, "cpu", 0) if memory == "cpu" else on_gpu(make, array, memory, 0)


def write_buffer(value: ort.OrtValue, array: np.ndarray) -> None:
    """Overwrites a buffer on a GPU; shape and type must be the same."""
    on_gpu(value.update_inplace, np.ascontiguousarray(array))


def read_buffer(value: ort.OrtValue) -> np.ndarray:
    """The numbers in a buffer: of one on a GPU, a copy; of one on a CPU, the memory itself."""
    return value.numpy() if value.device_name() == "cpu" else on_gpu(value.numpy)


class RunFailed(PlaygroundError):
    """ONNX Runtime could not run a model; ``reason`` is its own message, in one line."""

    reason = ""


def reason_of(error: Exception) -> str:
    """The message of an error of ONNX Runtime, cut to one line."""
    return getattr(error, "reason", "") or (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def run_failed(error: Exception, on_a_gpu: bool) -> RunFailed:
    """The error to raise instead of one of ONNX Runtime's own."""
    reason = reason_of(error).rstrip(".")
    if on_a_gpu:
        hint = "Try fewer or shorter texts at once, or choose device 'cpu'."
        made = RunFailed("ONNX Runtime stopped on the GPU: {reason}.", hint, reason=reason)
    else:
        made = RunFailed("ONNX Runtime stopped: {reason}.", "Export the run again.", reason=reason)
    made.reason = reason
    return made


def run_once(session: ort.InferenceSession, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Runs a session once on arrays.

    Args:
        names: outputs to return.
        feed: arrays by input name.

    Returns:
        The outputs as arrays, in the order of ``names``.

    Raises:
        RunFailed: when ONNX Runtime cannot run it.
    """
    on_a_gpu = running_on(session) == "CUDA"
    try:
        run: Any = lambda: session.run(names, dict(feed))
        return on_gpu(run) if on_a_gpu else run()
    except Exception as error:  # ONNX Runtime raises its own kinds
        raise run_failed(error, on_a_gpu) from error


class BoundRun:
    """A session with its inputs and outputs bound, to be run as often as wanted.

    Args:
        session: what is run.
        inputs: by name, an array, which is read anew at every run, or a buffer that lies where it is needed.
        outputs: by name, an array or a buffer to write into; "cpu" or "cuda" lets ONNX Runtime make one there, see
            :meth:`made`.
        capture: replay all kernels as one CUDA graph. All outputs must then be buffers on the device, and what kernels read
            in CPU memory stays as it was at the first run.

    Raises:
        PlaygroundError: when the graph has no such input.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        inputs: Mapping[str, np.ndarray | ort.OrtValue],
        outputs: Mapping[str, np.ndarray | ort.OrtValue | str],
        capture: bool = False,
    ) -> None:
        self.session, self._on_gpu = session, running_on(session) == "CUDA"
        self.outputs = list(outputs)
        self._kept: list = []  # ONNX Runtime reads and writes this memory: it must live as long
        self._copied: list[tuple[ort.OrtValue, np.ndarray]] = []
        self._options, self._unwaited = self._run_options(capture)
        if self._on_gpu:
            on_gpu(self._bind, inputs, outputs)
        else:
            self._bind(inputs, outputs)

    def _bind(self, inputs: Mapping, outputs: Mapping) -> None:
        self.binding, where = self.session.io_binding(), input_memory(self.session)
        if unknown := inputs.keys() - where.keys():
            raise PlaygroundError(
                "The exported graph takes no {unknown}: it is another model's.",
                "Export the run again.",
                unknown=min(unknown),
            )
        for name, given in inputs.items():
            value = (
                self._moved(given, where[name]) if isinstance(given, ort.OrtValue) else self._input(given, where[name])
            )
            self._kept.append(value)
            self.binding.bind_ortvalue_input(name, value)
        for name, given in outputs.items():
            if isinstance(given, str):
                self.binding.bind_output(name, given)
                continue
            value = given if isinstance(given, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(given, "cpu", 0)
            self._kept.append(value)
            self.binding.bind_ortvalue_output(name, value)

    @staticmethod
    def _moved(value: ort.OrtValue, memory: str) -> ort.OrtValue:
        """A buffer in the memory where this session reads it: the same one, or a copy."""
        return value if value.device_name() == memory else buffer_of(read_buffer(value), memory)

    def _input(self, array: np.ndarray, memory: str) -> ort.OrtValue:
        value = buffer_of(array, memory)
        if memory == "cpu":
            self._kept.append(array)
        else:
            self._copied.append((value, array))
        return value

    def _run_options(self, capture: bool) -> tuple[ort.RunOptions | None, ort.RunOptions | None]:
        """Options for runs that are waited for, and for runs that are not; None on a CPU."""
        if not self._on_gpu:
            return None, None
        number = next(_ids) if capture else NOT_CAPTURED
        both = ort.RunOptions(), ort.RunOptions()
        for options, unwaited in zip(both, "01", strict=True):
            options.add_run_config_entry("gpu_graph_id", str(number))
            options.add_run_config_entry("disable_synchronize_execution_providers", unwaited)
        if capture:
            weakref.finalize(
                self, _unneeded.append, (self.session, number)
            )  # called in any thread at any time: it must not wait
        return both

    def run(self, wait: bool = True) -> None:
        """Runs the session on what the inputs hold now.

        Args:
            wait: until it is done. If several runs of a session follow each other, only the last must be waited for; before
                that, nothing may be read or written.

        Raises:
            RunFailed: when ONNX Runtime cannot run it.
        """
        try:
            if not self._on_gpu:
                self.session.run_with_iobinding(self.binding)
            else:
                on_gpu(self._run, self._options if wait else self._unwaited)
        except Exception as error:  # ONNX Runtime raises its own kinds
            raise run_failed(error, self._on_gpu) from error

    def _run(self, options: ort.RunOptions) -> None:
        while _unneeded:
            session, number = _unneeded.popleft()
            session.release_captured_graph(number)
        for value, array in self._copied:
            value.update_inplace(array)
        self.session.run_with_iobinding(self.binding, options)

    def made(self) -> dict[str, ort.OrtValue]:
        """The outputs of the last run, by name."""
        return dict(zip(self.outputs, self.binding.get_outputs(), strict=True))
