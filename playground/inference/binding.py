"""Tying memory to a session: every input lies where its kernels read it, and what changes is seen at every run.

ONNX Runtime copies an input that is bound in the wrong memory to the right one, once, when it is bound; what is written
into the array afterwards is never seen. And what a CUDA graph has captured reads and writes fixed addresses, whatever is
bound later. So: an input that changes is made in the memory that its kernels read, and written to in place.
"""

import itertools
import weakref
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.gpu_thread import on_gpu
from playground.inference.session import running_on

NO_GRAPH_ID = "-1"  # the graph id for runs that neither capture nor replay
_ids = itertools.count(1)  # of captured graphs, unlike in the whole process: a graph never answers for another binding
_unneeded: deque[tuple[ort.InferenceSession, int]] = deque()  # graphs whose binding is gone, to be given back


def input_memory(session: ort.InferenceSession) -> dict[str, str]:
    """In which memory the kernels read each input: "cpu" or "cuda"."""
    names = [value.name for value in session.get_inputs()]
    if running_on(session) != "CUDA":
        return dict.fromkeys(names, "cpu")
    return dict(zip(names, map(_memory, session.get_input_memory_infos()), strict=True))


def _memory(info) -> str:
    """Pinned memory ("CudaPinned") belongs to the CPU."""
    return "cuda" if info.name.lower() == "cuda" else "cpu"


def state_memory(session: ort.InferenceSession) -> str:
    """In which memory lies what goes from one run to the next, as ONNX Runtime names it."""
    return "cuda" if running_on(session) == "CUDA" else "cpu"


def buffer_of(array: np.ndarray, memory: str) -> ort.OrtValue:
    """A buffer that begins with these numbers; in "cpu" memory it is the array itself."""
    make = ort.OrtValue.ortvalue_from_numpy
    array = np.ascontiguousarray(array)
    return make(array, "cpu", 0) if memory == "cpu" else on_gpu(make, array, memory, 0)


def write_buffer(value: ort.OrtValue, array: np.ndarray) -> None:
    """Writes into a buffer on a GPU."""
    on_gpu(value.update_inplace, np.ascontiguousarray(array))


def read_buffer(value: ort.OrtValue) -> np.ndarray:
    """What a buffer holds; of one on a GPU, a copy."""
    return value.numpy() if value.device_name() == "cpu" else on_gpu(value.numpy)


class RunFailed(PlaygroundError):
    """ONNX Runtime could not do a run; ``reason`` is what it says, in one line."""

    reason = ""


def reason_of(error: Exception) -> str:
    """What ONNX Runtime says, in one line."""
    return getattr(error, "reason", "") or (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def run_failed(error: Exception, on_a_gpu: bool) -> RunFailed:
    """What ONNX Runtime raised, in words."""
    reason = reason_of(error).rstrip(".")
    if on_a_gpu:
        hint = "Try fewer or shorter texts at once, or choose device 'cpu'."
        made = RunFailed("ONNX Runtime stopped on the GPU: {reason}.", hint, reason=reason)
    else:
        made = RunFailed("ONNX Runtime stopped: {reason}.", "Export the run again.", reason=reason)
    made.reason = reason
    return made


def run_once(session: ort.InferenceSession, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs of a single run.

    Raises:
        RunFailed: when it cannot be done.
    """
    on_a_gpu = running_on(session) == "CUDA"
    try:
        run = lambda: session.run(names, dict(feed))
        return on_gpu(run) if on_a_gpu else run()
    except Exception as error:  # ONNX Runtime raises its own kinds
        raise run_failed(error, on_a_gpu) from error


class BoundRun:
    """One way of running a session, as often as wanted.

    Args:
        session: what is run.
        inputs: an array, which is read anew at every run, or a buffer that lies where it is needed.
        outputs: an array or a buffer to write into; "cpu" or "cuda" lets ONNX Runtime make one there, see :meth:`made`.
        capture: replay all its kernels as one CUDA graph; all outputs must then be buffers on the device, and what
            kernels read in CPU memory stays as it was at the first run.

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
        """A buffer of another session may lie where this one cannot read it."""
        return value if value.device_name() == memory else buffer_of(read_buffer(value), memory)

    def _input(self, array: np.ndarray, memory: str) -> ort.OrtValue:
        value = buffer_of(array, memory)
        if memory == "cpu":
            self._kept.append(array)
        else:
            self._copied.append((value, array))
        return value

    def _run_options(self, capture: bool) -> tuple[ort.RunOptions | None, ort.RunOptions | None]:
        """For runs that are waited for, and for those that are not."""
        if not self._on_gpu:
            return None, None
        number = next(_ids) if capture else None
        both = ort.RunOptions(), ort.RunOptions()
        for options, unwaited in zip(both, "01", strict=True):
            options.add_run_config_entry("gpu_graph_id", str(number) if capture else NO_GRAPH_ID)
            options.add_run_config_entry("disable_synchronize_execution_providers", unwaited)
        if capture:
            weakref.finalize(self, _unneeded.append, (self.session, number))  # called anywhere: nothing may wait there
        return both

    def run(self, wait: bool = True) -> None:
        """Runs it on what the inputs hold now.

        Args:
            wait: until it is done. Where several runs of a session follow each other, only the last has to be waited for;
                before, nothing may be read or written.

        Raises:
            RunFailed: when it cannot be done.
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
