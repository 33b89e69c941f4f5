"""Generating with a recurrent model: the hidden state takes the place of a key–value cache."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.inference.binding import BoundRun, buffer_of, state_memory
from playground.inference.device_generator import DeviceGenerator
from playground.inference.device_step import DeviceStep, unused_step_inputs
from playground.inference.export_manifest import ExportManifest
from playground.inference.generator import Texts, as_batch
from playground.inference.open_model import OpenedModel, open_recurrent


class RnnDecoder(DeviceGenerator):
    """Generates with an RNN, LSTM or GRU that reads from left to right; its state alternates between two buffers.

    Args:
        model: the file of the graph, its bytes, a session, or the opened model of another generator.
        about: what is known of the model.
        batch: number of texts, which must be of equal length.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.

    Raises:
        PlaygroundError: when the graph cannot be used.
    """

    def __init__(
        self,
        model: Path | bytes | ort.InferenceSession | OpenedModel,
        about: ExportManifest,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.opened = model if isinstance(model, OpenedModel) else open_recurrent(model, device, threads, batch)
        self.about, self.batch, self.max_length = about, batch, about.context_length
        self.length = np.zeros(batch, dtype=np.int32)
        given = [value.name for value in self.opened.session.get_inputs()]
        self._names = [name.removeprefix("past_") for name in given if name.startswith("past_")]
        self._ids = np.zeros((batch, 1), dtype=np.int64)
        self._scores = np.zeros((batch, 1, about.vocab_size), dtype=np.float32)
        self._logits = self._scores[:, 0]
        self._zeros = np.zeros((about.n_layers, batch, about.d_model), dtype=np.float32)
        self._open()

    def _bind_memory(self) -> None:
        if self.provider == "CUDA":
            self.device_step = self._make_device_step()
            return
        self._first, second = self._states("cpu"), self._states("cpu")
        pairs = ((self._first, second), (second, self._first))
        self._steps = [self._bind_run(self._ids, self._scores, *pair) for pair in pairs]
        self._before = 0  # which buffers hold the state: 0 or 1

    def _states(self, memory: str) -> list[ort.OrtValue]:
        return [buffer_of(self._zeros.copy(), memory) for _ in self._names]

    def _make_device_step(self) -> DeviceStep:
        first = {f"past_{name}": self._zeros for name in self._names}
        next_from = {f"past_{name}": f"present_{name}" for name in self._names}
        return DeviceStep(
            self.session, self.batch, first, next_from, {}, {}, self._scores.shape, not self.uncaptured_reason
        )

    def _bind_run(self, ids: np.ndarray, logits: np.ndarray, before: list | dict, after: list) -> BoundRun:
        """A run that reads the state in some buffers and writes it to others."""
        inputs = {f"past_{name}": state for name, state in zip(self._names, before, strict=True)}
        outputs = {f"present_{name}": state for name, state in zip(self._names, after, strict=True)}
        inputs |= {} if self.provider == "CPU" else unused_step_inputs(len(ids))
        return BoundRun(self.session, {"input_ids": ids, **inputs}, {"logits": logits, **outputs})

    def start(self, texts: Texts) -> None:
        """See `Generator.start`; the texts must be of equal length."""
        ids = as_batch(texts)
        logits = np.zeros((*ids.shape, self.about.vocab_size), dtype=np.float32)
        after = (
            self._first
            if self.device_step is None
            else [self.device_step.buffers[self.device_step.next][f"past_{name}"] for name in self._names]
        )
        self._bind_run(ids, logits, [self._zeros] * len(self._names), after).run()
        self._before, self.length, self.last = 0, np.full(self.batch, ids.shape[1], dtype=np.int32), None
        self._logits = logits[:, -1]
        if self.device_step is not None:
            self.device_step.begin(self._logits)

    def _cpu_step(self, tokens: np.ndarray) -> None:
        self._ids[:, 0] = tokens
        self._steps[self._before].run()
        self._before, self._logits = 1 - self._before, self._scores[:, 0]

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """See `Generator.all_logits`."""
        zeros = self._zeros[:, :1].copy()
        logits = np.zeros((1, len(ids), self.about.vocab_size), dtype=np.float32)
        after = [buffer_of(zeros.copy(), state_memory(self.session)) for _ in self._names]
        self._bind_run(as_batch([ids]), logits, [zeros] * len(after), after).run()
        return logits[0, start:]

    def clone(self) -> "RnnDecoder":
        """See `Generator.clone`."""
        return RnnDecoder(self.opened, self.about, self.batch)
