"""One decoding step on a GPU, double-buffered: what the next step needs never leaves the device."""

import logging
from collections.abc import Mapping

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, input_memory, read_buffer, write_buffer
from playground.inference.device_sampling import DeviceSampler
from playground.inference.gpu_thread import on_gpu
from playground.inference.sampling import Sampling
from playground.inference.step_names import BLOCK, GREEDY_TOKEN, GREEDY_TOKENS, NEXT_COUNT

log = logging.getLogger("playground")


def unused_step_inputs(batch: int) -> dict[str, np.ndarray]:
    """Zeros for the inputs that `rewrite_for_cuda.with_next_step` adds, for runs that are not steps (such as prefill).

    Returns:
        ``count`` int64 ``[batch, 1]`` and the ring buffer of greedy tokens int64 ``[batch, BLOCK]``.
    """
    return {"count": np.zeros((batch, 1), dtype=np.int64), GREEDY_TOKENS: np.zeros((batch, BLOCK), dtype=np.int64)}


class DeviceStep:
    """A decoding step that is run again and again, with two sets of buffers: each run reads one and writes the other.

    One set would not do: ONNX Runtime runs a step several times before it has captured its CUDA graph, so a run must
    not overwrite what it reads.

    Args:
        session: of a graph with the outputs that `rewrite_for_cuda.with_next_step` adds.
        batch: number of texts.
        first: initial values of the inputs that change from step to step, besides the tokens, by input name.
        next_from: the output from which each of these inputs comes, by input name.
        fixed: inputs that stay the same. An array that kernels read in CPU memory may still be written to.
        written: buffers of other outputs, such as a cache that is updated in place.
        logits: shape of the output ``logits``.
        capture: replay each of the two runs as a CUDA graph.

    Attributes:
        buffers: the two sets of buffers that are read, by input name.
        scores: the logits of the last step, on the device.
        next: which of the two sets the next step reads.
        count: steps that were run; step ``i`` puts its token at ``i % BLOCK`` of the ring buffer.

    Raises:
        PlaygroundError: when the session has no such inputs.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        batch: int,
        first: Mapping[str, np.ndarray],
        next_from: Mapping[str, str],
        fixed: Mapping[str, np.ndarray | ort.OrtValue],
        written: Mapping[str, ort.OrtValue],
        logits: tuple[int, ...],
        capture: bool,
    ) -> None:
        zeros, next_from = unused_step_inputs(batch), {"input_ids": GREEDY_TOKEN, "count": NEXT_COUNT, **next_from}
        first = {"input_ids": zeros["count"], "count": zeros["count"], **first}
        self.buffers = [{name: buffer_of(array, "cuda") for name, array in first.items()} for _ in range(2)]
        self.scores = buffer_of(np.zeros(logits, dtype=np.float32), "cuda")
        self.recent = buffer_of(zeros[GREEDY_TOKENS], "cuda")
        self.sampler: DeviceSampler | None = None
        self._may_sample = True  # until the device has refused
        self.count = 0
        self.next = 0
        where = input_memory(
            session
        )  # an array that kernels read in CPU memory stays one: what is written there is seen
        placed = lambda name, given: (
            buffer_of(given, "cuda") if isinstance(given, np.ndarray) and where[name] == "cuda" else given
        )
        inputs = {**{name: placed(name, given) for name, given in fixed.items()}, GREEDY_TOKENS: self.recent}
        outputs = {**written, "logits": self.scores, f"{GREEDY_TOKENS}_after": self.recent}
        self._runs = [
            BoundRun(
                session,
                {**inputs, **self.buffers[i]},
                {**outputs, **{next_from[name]: self.buffers[1 - i][name] for name in first}},
                capture,
            )
            for i in range(2)
        ]

    def put(self, name: str, array: np.ndarray) -> None:
        """Overwrites an input of the next step."""
        write_buffer(self.buffers[self.next][name], array)

    def begin(self, logits: np.ndarray) -> None:
        """Starts after a prefill from its logits float32 ``[batch, vocabulary]``: the next step reads the most likely tokens."""
        write_buffer(self.scores, logits.reshape(self.scores.shape()))
        self.put("input_ids", logits.argmax(-1)[:, None])

    def run(self, wait: bool = True) -> None:
        """Runs the next step.

        Args:
            wait: until it is done, see `binding.BoundRun.run`.

        Raises:
            RunFailed: when ONNX Runtime cannot run it.
        """
        self._runs[self.next].run(wait)
        self.next = 1 - self.next
        self.count += 1

    def latest(self, n: int) -> np.ndarray:
        """The most likely token after each of the last ``n`` steps (at most BLOCK), int64 ``[batch, n]``."""
        return read_buffer(self.recent)[:, np.arange(self.count - n, self.count) % BLOCK]

    def tokens(self) -> np.ndarray:
        """The tokens int64 ``[batch]`` that the next step reads: the most likely ones, unless others were put there."""
        return read_buffer(self.buffers[self.next]["input_ids"])[:, 0]

    def logits(self) -> np.ndarray:
        """A copy of the logits of the last step, float32, of the shape given at the start."""
        return read_buffer(self.scores)

    def can_sample(self) -> bool:
        """Whether the device samples tokens itself; this is tried once."""
        if self.sampler is None and self._may_sample:
            try:
                self.sampler = on_gpu(DeviceSampler, self.scores, [each["input_ids"] for each in self.buffers])
            except PlaygroundError as error:
                log.warning("Tokens are sampled on the CPU: %s", error.message)
                self._may_sample = False
        return self._may_sample

    def sample(self, sampling: Sampling, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples the tokens that the next step reads, see `device_sampling.DeviceSampler.sample`.

        Only after `can_sample` said yes.
        """
        assert self.sampler is not None
        return on_gpu(self.sampler.sample, self.next, sampling, uniforms)
