"""Generating with graphs of ONNX's standard operators, whose key–value cache goes in and comes out at each step."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.inference.binding import BoundRun, buffer_of, state_memory
from playground.inference.export_manifest import ExportManifest, graph_file
from playground.inference.generator import CACHE_DTYPES, Generator, Texts, as_batch
from playground.inference.open_model import open_and_try
from playground.inference.session import open_session, running_on
from playground.inference.source_encoder import open_source_encoder, run_source_encoder


class StandardDecoder(Generator):
    """Generates with a graph of standard operators: transformers that `FusedDecoder` cannot run, such as heads of odd widths.

    Args:
        folder: of the export.
        about: what is known of the model.
        batch: number of texts, which must be of equal length.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.
        precision: which of the export's files.

    Raises:
        PlaygroundError: when a file cannot be used.
    """

    uncaptured_reason = "the cache grows with every token"

    def __init__(
        self,
        folder: Path,
        about: ExportManifest,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        precision: str = "fp32",
    ) -> None:
        pairs = about.architecture == "encoder-decoder"
        self.about, self.batch, self.max_length = about, batch, about.context_length
        file = lambda stem: graph_file(folder, stem, precision)
        self.encoder = open_source_encoder(file("encoder_model"), device, threads, batch) if pairs else None
        opened = lambda where: open_session(file("decoder_model" if pairs else "model"), where, threads, batch)
        self._use(open_and_try(opened, self._try, device))
        self.cross_kv: dict[str, np.ndarray | ort.OrtValue] = {}
        self.state: dict[str, ort.OrtValue] = {}
        self.length = np.zeros(batch, dtype=np.int32)
        self._logits = np.zeros((batch, 1, about.vocab_size), dtype=np.float32)

    def _use(self, session: ort.InferenceSession) -> None:
        self.session, self.provider = session, running_on(session)
        self.inputs = {value.name: value.type for value in session.get_inputs()}
        self.outputs = [value.name for value in session.get_outputs() if value.name.startswith("present")]

    def _try(self, session: ort.InferenceSession) -> None:
        """Runs one token, to see whether it works."""
        self._use(session)
        self.all_logits([0], 0, [0] if self.encoder else None)

    @property
    def logits(self) -> np.ndarray:
        """See `Generator.logits`."""
        return self._logits[:, -1]

    def encode_source(self, ids: Sequence[int]) -> None:
        """See `Generator.encode_source`; the source is the same for all texts of the batch."""
        if self.encoder is None:
            super().encode_source(ids)
        else:
            self.cross_kv = run_source_encoder(self.encoder, ids, self.batch)

    def _empty(self, batch: int) -> dict[str, ort.OrtValue]:
        shape = (batch, self.about.n_kv_heads, 0, self.about.head_dim)
        kept = {name: CACHE_DTYPES[kind] for name, kind in self.inputs.items() if name.startswith("past")}
        return {name: buffer_of(np.zeros(shape, dtype=of), state_memory(self.session)) for name, of in kept.items()}

    def start(self, texts: Texts) -> None:
        """See `Generator.start`; the texts must be of equal length."""
        ids = as_batch(texts)
        self.length, self.last = np.zeros(self.batch, dtype=np.int32), None
        self.state = self._empty(self.batch)
        self._append(ids)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """See `Generator.advance`."""
        if tokens is None:
            tokens = self.pick_greedy() if self.last is None else self.last
        self.last = np.asarray(tokens)
        self._append(np.asarray(tokens, dtype=np.int64).reshape(-1, 1))

    def clone(self) -> "StandardDecoder":
        """See `Generator.clone`."""
        made = copy.copy(self)
        made.length = self.length.copy()
        return made

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """See `Generator.all_logits`."""
        cross_kv = {} if source is None or self.encoder is None else run_source_encoder(self.encoder, source, 1)
        return self._run(as_batch([ids]), 0, self._empty(1), cross_kv)[0][0, start:]

    def _append(self, ids: np.ndarray) -> None:
        self._logits, self.state = self._run(ids, int(self.length[0]), self.state, self.cross_kv)
        self.length = self.length + np.int32(ids.shape[1])

    def _run(
        self, ids: np.ndarray, before: int, state: dict, cross_kv: dict
    ) -> tuple[np.ndarray, dict[str, ort.OrtValue]]:
        """Logits float32 ``[batch, n, vocabulary]`` and the new cache. The cache grows, so it is bound anew each time."""
        batch, n = ids.shape
        feed = {"input_ids": ids, **state, **cross_kv}
        if "attention_mask" in self.inputs:
            feed["attention_mask"] = np.ones((batch, before + n), dtype=np.int64)
        if "position_ids" in self.inputs:
            feed["position_ids"] = np.tile(np.arange(before, before + n), (batch, 1))
        logits = np.zeros((batch, n, self.about.vocab_size), dtype=np.float32)
        bound = BoundRun(
            self.session, feed, {"logits": logits, **dict.fromkeys(self.outputs, state_memory(self.session))}
        )
        bound.run()
        made = {
            name.replace("present", "past_key_values"): value
            for name, value in bound.made().items()
            if name != "logits"
        }
        return logits, made
