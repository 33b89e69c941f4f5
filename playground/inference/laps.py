"""Writing on a device: what a step needs of the one before never leaves it."""

from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from playground.inference.binding import Bound, fetched, held, put


class Laps:
    """A step of the same session in two laps: what one writes, the other reads.

    Two, because ONNX Runtime runs a step several times before it has captured it: memory that is read must not be written.

    Args:
        session: of a graph with `for_cuda.with_next_step`'s outputs.
        first: what is handed on, as it is at first, by the name of its input: ``input_ids`` among them.
        handed: from which output each of these comes.
        fixed: the inputs that stay as they are.
        written: buffers of other outputs, such as a cache that is written in place.
        logits: the shape of that output.
        capture: replay each lap as a CUDA graph.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        first: Mapping[str, np.ndarray],
        handed: Mapping[str, str],
        fixed: Mapping[str, np.ndarray | ort.OrtValue],
        written: Mapping[str, ort.OrtValue],
        logits: tuple[int, ...],
        capture: bool,
    ) -> None:
        self.buffers = [{name: held(array, "cuda") for name, array in first.items()} for _ in range(2)]
        self.scores = held(np.zeros(logits, dtype=np.float32), "cuda")
        self.next = 0  # the lap that runs next; its inputs hold what the one before gave
        self._laps = [
            Bound(
                session,
                {**fixed, **self.buffers[i]},
                {"logits": self.scores, **written, **{handed[name]: self.buffers[1 - i][name] for name in first}},
                capture,
            )
            for i in range(2)
        ]

    def put(self, name: str, array: np.ndarray) -> None:
        """Overwrites what the next lap reads."""
        put(self.buffers[self.next][name], array)

    def run(self) -> None:
        """The next lap."""
        self._laps[self.next].run()
        self.next = 1 - self.next

    def tokens(self) -> np.ndarray:
        """The tokens ``[batch]`` that the next lap reads: the likeliest ones, unless others were put there."""
        return fetched(self.buffers[self.next]["input_ids"])[:, 0]

    def logits(self) -> np.ndarray:
        """What the last lap gave."""
        return fetched(self.scores)
