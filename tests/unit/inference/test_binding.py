"""Memory bound to a session, on a CPU and on a double of a GPU."""

import numpy as np
import onnxruntime as ort
import pytest

from playground.core.errors import PlaygroundError
from playground.inference import session as sessions
from playground.inference.binding import (
    BoundRun,
    RunFailed,
    buffer_of,
    input_memory,
    read_buffer,
    reason_of,
    run_once,
    state_memory,
)
from playground.inference.gpu_thread import on_gpu
from playground.onnx_export.graph import Graph
from tests.support.made_exports import DECODERS


def test_the_double_shows_what_a_stale_input_does(exports, gpu):
    """Numbers that are bound in an array of the CPU and written over afterwards are not seen: why `binding` exists."""
    _, folder = exports(DECODERS["gpt2"])
    session = sessions.open_session(folder / "model.onnx", "cuda")
    binding, ids = on_gpu(session.io_binding), np.array([[5]], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones((1, 1), np.int64), "position_ids": np.zeros((1, 1), np.int64)}
    feed |= {value.name: np.zeros((1, 2, 0, 16), np.float32) for value in session.get_inputs() if "past" in value.name}

    def run_twice() -> list[np.ndarray]:
        for name, array in feed.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cpu", 0))
        binding.bind_output("logits", "cpu")
        said = []
        for token in (5, 9):
            ids[0, 0] = token
            session.run_with_iobinding(binding)
            said.append(binding.get_outputs()[0].numpy().copy())
        return said

    first, second = on_gpu(run_twice)
    assert (first == second).all()


def doubling() -> ort.InferenceSession:
    """A session for y = 2·x with x ``[n, 2]``, on a CPU."""
    g = Graph("double")
    g.output(
        "y", "float", ["n", 2], g("MatMul", g.input("x", "float", ["n", 2]), g.weight("w", 2 * np.eye(2, dtype="f")))
    )
    return sessions.open_session(g.model().SerializeToString(), "cpu")


def test_an_array_is_read_anew_and_an_output_written_in_place():
    x, y = np.ones((3, 2), np.float32), np.zeros((3, 2), np.float32)
    bound = BoundRun(doubling(), {"x": x}, {"y": y})
    for value in (1, 5):
        x[:] = value
        bound.run()
        assert (y == 2 * value).all()


def test_an_output_of_one_run_is_the_input_of_the_next():
    """As a cache and a state go round; ONNX Runtime makes the first output itself."""
    session = doubling()
    assert input_memory(session) == {"x": "cpu"} and state_memory(session) == "cpu"
    first = BoundRun(session, {"x": np.ones((1, 2), np.float32)}, {"y": state_memory(session)})
    first.run()
    second = BoundRun(session, {"x": first.made()["y"]}, {"y": "cpu"})
    second.run()
    assert read_buffer(second.made()["y"]).tolist() == [[4, 4]]


def test_a_buffer_on_the_cpu_is_the_array_itself():
    array = np.zeros((2, 2), np.float32)
    value = buffer_of(array, "cpu")
    array[:] = 7
    assert (read_buffer(value) == 7).all()


def test_an_input_of_another_model_is_told_by_its_name():
    with pytest.raises(PlaygroundError, match="takes no position_ids: it is another model's"):
        BoundRun(doubling(), {"position_ids": np.zeros((1, 1), np.int64)}, {})


def test_what_onnx_runtime_refuses_is_one_line_with_its_reason():
    session = doubling()
    assert run_once(session, ["y"], {"x": np.ones((1, 2), np.float32)})[0].tolist() == [[2, 2]]
    with pytest.raises(RunFailed, match="ONNX Runtime stopped: .*x") as told:
        run_once(session, ["y"], {"x": np.ones((1, 3), np.float32)})
    assert told.value.reason and "\n" not in told.value.message and reason_of(told.value) == told.value.reason
    bound = BoundRun(session, {"x": np.ones((1, 3), np.float32)}, {"y": "cpu"})
    with pytest.raises(RunFailed, match="ONNX Runtime stopped"):
        bound.run()
    assert reason_of(ValueError("first\nsecond")) == "first" and reason_of(MemoryError()) == "MemoryError"
