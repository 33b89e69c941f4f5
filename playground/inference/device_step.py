"""Writing on a device: what a step needs of the one before never leaves it."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, input_memory, read_buffer, write_buffer
from playground.inference.gpu_thread import on_gpu

if TYPE_CHECKING:
    from playground.inference.device_sampling import DeviceSampler
    from playground.inference.sampling import Sampling

log = logging.getLogger("playground")

GREEDY_TOKEN, NEXT_LENGTHS, NEXT_POSITIONS, NEXT_COUNT = "likeliest", "seqlens_after", "positions_after", "count_after"
"""The outputs that a step hands to the next one; `for_cuda.with_next_step` adds them to a graph."""
GREEDY_TOKENS, BLOCK = "predicted", 16  # the likeliest tokens of some steps, so that they are fetched at once


def unused_step_inputs(batch: int) -> dict[str, np.ndarray]:
    """What such a graph takes besides, for runs that are no steps."""
    return {"count": np.zeros((batch, 1), dtype=np.int64), GREEDY_TOKENS: np.zeros((batch, BLOCK), dtype=np.int64)}


class DeviceStep:
    """A step of the same session in two laps: what one writes, the other reads.

    Two, because ONNX Runtime runs a step several times before it has captured it: memory that is read must not be written.

    Args:
        session: of a graph with `for_cuda.with_next_step`'s outputs.
        batch: how many texts.
        first: what is handed on besides the tokens, as it is at first, by the name of its input.
        handed: from which output each of these comes.
        fixed: the inputs that stay as they are, but for arrays that kernels read in CPU memory.
        written: buffers of other outputs, such as a cache that is written in place.
        logits: the shape of that output.
        capture: replay each lap as a CUDA graph.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        batch: int,
        first: Mapping[str, np.ndarray],
        handed: Mapping[str, str],
        fixed: Mapping[str, np.ndarray | ort.OrtValue],
        written: Mapping[str, ort.OrtValue],
        logits: tuple[int, ...],
        capture: bool,
    ) -> None:
        none, handed = unused_step_inputs(batch), {"input_ids": GREEDY_TOKEN, "count": NEXT_COUNT, **handed}
        first = {"input_ids": none["count"], "count": none["count"], **first}
        self.buffers = [{name: buffer_of(array, "cuda") for name, array in first.items()} for _ in range(2)]
        self.scores = buffer_of(np.zeros(logits, dtype=np.float32), "cuda")
        self.said = buffer_of(none[GREEDY_TOKENS], "cuda")
        self.chooser: DeviceSampler | None = None
        self.draws = True  # until the device has refused
        self.count = 0  # of laps that were run; where the graph puts a token is this modulo BLOCK
        self.next = 0  # the lap that runs next; its inputs hold what the one before gave
        where = input_memory(
            session
        )  # an array that kernels read in CPU memory stays one: what is written there is seen
        copied = lambda name, given: (
            buffer_of(given, "cuda") if isinstance(given, np.ndarray) and where[name] == "cuda" else given
        )
        fixed = {name: copied(name, given) for name, given in fixed.items()}
        fixed, written = (
            {**fixed, GREEDY_TOKENS: self.said},
            {**written, "logits": self.scores, f"{GREEDY_TOKENS}_after": self.said},
        )
        self._laps = [
            BoundRun(
                session,
                {**fixed, **self.buffers[i]},
                {**written, **{handed[name]: self.buffers[1 - i][name] for name in first}},
                capture,
            )
            for i in range(2)
        ]

    def put(self, name: str, array: np.ndarray) -> None:
        """Overwrites what the next lap reads."""
        write_buffer(self.buffers[self.next][name], array)

    def run(self, wait: bool = True) -> None:
        """The next lap; see `BoundRun.run`."""
        self._laps[self.next].run(wait)
        self.next = 1 - self.next
        self.count += 1

    def latest(self, n: int) -> np.ndarray:
        """The likeliest tokens after each of the last ``n`` laps, BLOCK at the most, ``[batch, n]``."""
        return read_buffer(self.said)[:, np.arange(self.count - n, self.count) % BLOCK]

    def tokens(self) -> np.ndarray:
        """The tokens ``[batch]`` that the next lap reads: the likeliest ones, unless others were put there."""
        return read_buffer(self.buffers[self.next]["input_ids"])[:, 0]

    def logits(self) -> np.ndarray:
        """What the last lap gave."""
        return read_buffer(self.scores)

    def can_draw(self) -> bool:
        """Whether the device draws tokens, which is tried once."""
        from playground.inference.device_sampling import DeviceSampler

        if self.chooser is None and self.draws:
            try:
                self.chooser = on_gpu(DeviceSampler, self.scores, [each["input_ids"] for each in self.buffers])
            except PlaygroundError as error:
                log.warning("Tokens are drawn on the CPU: %s", error.message)
                self.draws = False
        return self.draws

    def draw(self, sampling: "Sampling", uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws the tokens that the next lap reads, see `choosing.Chooser.draw`."""
        return on_gpu(self.chooser.draw, self.next, sampling, uniforms)
