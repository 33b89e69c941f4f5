"""Memory bound to a session, on a CPU and on a double of a GPU."""

import numpy as np
import onnxruntime as ort

from playground.inference import session as sessions
from playground.inference.gpu_thread import on_gpu
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
