"""Generators that stay on the GPU between steps; on a CPU the same classes use plain arrays."""

import weakref
from collections.abc import Sequence

import numpy as np
import onnxruntime as ort

from playground.inference.device_sampling import can_sample
from playground.inference.device_step import DeviceStep
from playground.inference.generator import Generator, Samples
from playground.inference.gpu_thread import on_gpu
from playground.inference.open_model import OpenedModel
from playground.inference.sampling import Sampling
from playground.inference.session import running_on
from playground.inference.step_names import BLOCK


class DeviceGenerator(Generator):
    """A generator whose steps run as a `DeviceStep` on a GPU, and on arrays of its own on a CPU.

    Attributes:
        opened: the model's session, shared by all generators of it.
        session: the session that this one uses.
        device_step: the step on a GPU; None on a CPU.
        reusable_attributes: what belongs to captured CUDA graphs, and can serve another generator of the same model and
            sizes when this one is gone.
    """

    reusable_attributes: tuple[str, ...] = ("device_step",)
    device_step: DeviceStep | None = None
    opened: OpenedModel
    session: ort.InferenceSession
    _logits: np.ndarray

    @property
    def logits(self) -> np.ndarray:
        """See `Generator.logits`; from a GPU, a copy."""
        if self.device_step is None:
            return self._logits
        return self.device_step.logits().reshape(self.batch, -1)

    def pick_greedy(self) -> np.ndarray:
        """See `Generator.pick_greedy`; on a GPU, the graph has chosen already."""
        if self.device_step is None:
            return super().pick_greedy()
        self.last = tokens = self.device_step.tokens()
        return tokens

    def sample(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Samples:
        """See `Generator.sample`; where the device can sample, the logits are not copied."""
        device_step = self.device_step
        if device_step is not None and can_sample(sampling, self.about.vocab_size) and device_step.can_sample():
            found = device_step.sample(sampling, rng.random(self.batch))
            self.last = found[0]
            return found
        found = super().sample(sampling, rng, seen)
        if device_step is not None:
            device_step.put("input_ids", found[0][:, None].astype(np.int64))
        return found

    def greedy_block(self, n: int) -> np.ndarray:
        """See `Generator.greedy_block`; from a GPU, BLOCK tokens are fetched at once."""
        device_step = self.device_step
        return super().greedy_block(n) if device_step is None else on_gpu(self._device_greedy_block, device_step, n)

    def _device_greedy_block(self, device_step: DeviceStep, n: int) -> np.ndarray:
        tokens = [self.pick_greedy()[:, None]]
        for start in range(1, n, BLOCK):
            steps = min(BLOCK, n - start)
            for i in range(steps):
                self._device_advance(device_step, None, wait=i + 1 == steps)
            tokens.append(device_step.latest(steps))
        self.last = tokens[-1][:, -1]
        return np.concatenate(tokens, axis=1)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """See `Generator.advance`."""
        if self.device_step is not None:
            on_gpu(self._device_advance, self.device_step, tokens)
            return
        self._before_step()
        if tokens is not None:
            self.last = np.asarray(tokens)
        self._cpu_step(self.pick_greedy() if self.last is None else self.last)
        self.length += 1

    def _cpu_step(self, tokens: np.ndarray) -> None:
        """A step on the CPU with the tokens ``[batch]``."""
        raise NotImplementedError

    def _device_advance(self, device_step: DeviceStep, tokens: np.ndarray | None, wait: bool = True) -> None:
        """A step on the device.

        Raises:
            PlaygroundError: when a text has ``max_length`` tokens already.
        """
        if tokens is not None:
            self.last = tokens
            device_step.put("input_ids", np.ascontiguousarray(tokens, dtype=np.int64).reshape(-1, 1))
        self._before_step()
        device_step.run(wait)
        self.length += 1

    def _before_step(self) -> None:
        """Checks that a step is possible and sets what it needs."""

    def _open(self) -> None:
        """Binds the memory. On a GPU one step is run, which captures it as a graph; where a card refuses, the next way is tried."""
        if running_on(self.opened.session) == "CUDA":
            on_gpu(self._open_here)  # as one piece: others may open the same model
        else:
            self._open_here()

    def _open_here(self) -> None:
        while True:
            self.session, self.uncaptured_reason = self.opened.session, self.opened.uncaptured_reason
            self.provider, self.device_step, self.block = running_on(self.session), None, 1
            sizes = (self.batch, self.max_length)
            left = None if self.uncaptured_reason else self.opened.take_reusable(sizes)
            try:
                if left is not None:
                    vars(self).update(left)
                else:
                    self._bind_memory()
                    self._try_device_step()
            except Exception as error:  # ONNX Runtime raises its own kinds
                if self.provider != "CUDA":
                    raise
                self.opened.fall_back(self.session, error)
                continue
            if self.device_step is not None:
                self.block = BLOCK
            if not self.uncaptured_reason:
                left = {name: vars(self)[name] for name in self.reusable_attributes}
                weakref.finalize(self, self.opened.reusable.append, (self.session, sizes, left))
            return

    def _try_device_step(self) -> None:
        """Runs both halves of the double buffer once; each writes one token further into the cache."""
        if self.device_step is not None:
            for _ in range(min(2, self.max_length)):
                self._before_step()
                self.device_step.run()
                self.length += 1
        self.length[:] = 0

    def _bind_memory(self) -> None:
        """Makes the buffers and ties them to the session, in `device_step` on a GPU."""
        raise NotImplementedError
