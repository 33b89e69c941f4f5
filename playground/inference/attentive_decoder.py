"""Generating with an LSTM that looks at its source: the encoder runs once, then one step of the decoder for each token."""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, read_buffer, state_memory
from playground.inference.export_manifest import ExportManifest, graph_file
from playground.inference.generator import Generator, Texts, as_batch
from playground.inference.open_model import VARYING_SHAPES, open_and_try
from playground.inference.session import open_session, running_on
from playground.inference.source_encoder import open_source_encoder, run_source_encoder

Source = dict[str, np.ndarray | ort.OrtValue]
STATES = ("hidden", "cell")


class AttentiveDecoder(Generator):
    """Generates with the graphs of `onnx_export.attentive_graphs`; the state alternates between two buffers.

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

    uncaptured_reason = VARYING_SHAPES

    def __init__(
        self,
        folder: Path,
        about: ExportManifest,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        precision: str = "fp32",
    ) -> None:
        self.about, self.batch, self.max_length = about, batch, about.context_length
        file = lambda stem: graph_file(folder, stem, precision)
        self.encoder = open_source_encoder(file("encoder_model"), device, threads, batch)
        opened = lambda where: open_session(file("decoder_model"), where, threads, batch)
        self.session = open_and_try(opened, self._try, device)
        self.provider = running_on(self.session)
        self.length = np.zeros(batch, dtype=np.int32)
        self.source: Source | None = None
        self._steps: _Steps | None = None

    def _try(self, session: ort.InferenceSession) -> None:
        """Runs one token, to see whether it works."""
        _Steps(session, self.about, run_source_encoder(self.encoder, [0], 1), 1).feed(np.zeros(1, dtype=np.int64))

    @property
    def logits(self) -> np.ndarray:
        """See `Generator.logits`."""
        return self._begun().scores[:, 0]

    def encode_source(self, ids: Sequence[int]) -> None:
        """See `Generator.encode_source`; the source is the same for all texts of the batch."""
        self.source = run_source_encoder(self.encoder, ids, self.batch)

    def start(self, texts: Texts) -> None:
        """See `Generator.start`; the texts must be of equal length."""
        ids = as_batch(texts)
        self._steps = _Steps(self.session, self.about, _given(self.source), self.batch)
        for tokens in ids.T:
            self._steps.feed(tokens)
        self.length, self.last = np.full(self.batch, ids.shape[1], dtype=np.int32), None

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """See `Generator.advance`."""
        if tokens is None:
            tokens = self.pick_greedy() if self.last is None else self.last
        self.last = np.asarray(tokens)
        self._begun().feed(self.last)
        self.length = self.length + np.int32(1)

    def _begun(self) -> "_Steps":
        assert self._steps is not None, "start comes first"
        return self._steps

    def clone(self) -> "AttentiveDecoder":
        """See `Generator.clone`."""
        made = copy.copy(self)
        made.length, made._steps = self.length.copy(), None
        return made

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """See `Generator.all_logits`."""
        encoded = None if source is None else run_source_encoder(self.encoder, source, 1)
        steps, rows = _Steps(self.session, self.about, _given(encoded), 1), []
        for tokens in as_batch([ids]).T:
            steps.feed(tokens)
            rows.append(steps.scores[0, 0].copy())
        return np.stack(rows[start:])


class _Steps:
    """One text after another token: its buffers, bound once.

    Attributes:
        scores: the logits after the last token ``[batch, 1, vocabulary]``; the next one overwrites them.
    """

    def __init__(self, session: ort.InferenceSession, about: ExportManifest, source: Source, batch: int) -> None:
        first, memory = source["past_hidden"], state_memory(session)
        begins = np.array(read_buffer(first) if isinstance(first, ort.OrtValue) else first)
        both = [[buffer_of(begins.copy(), memory), buffer_of(np.zeros_like(begins), memory)] for _ in range(2)]
        self._ids = np.zeros((batch, 1), dtype=np.int64)
        self.scores = np.zeros((batch, 1, about.vocab_size), dtype=np.float32)
        seen = {name: value for name, value in source.items() if name != "past_hidden"}
        self._runs, self._next = (
            [
                BoundRun(
                    session,
                    {"input_ids": self._ids, **seen, **_named("past_", before)},
                    {"logits": self.scores, **_named("present_", after)},
                )
                for before, after in (both, both[::-1])
            ],
            0,
        )

    def feed(self, tokens: np.ndarray) -> None:
        """One more token of each text ``[batch]``."""
        self._ids[:, 0] = tokens
        self._runs[self._next].run()
        self._next = 1 - self._next


def _named(prefix: str, states: list[ort.OrtValue]) -> dict[str, ort.OrtValue]:
    return {prefix + name: state for name, state in zip(STATES, states, strict=True)}


def _given(source: Source | None) -> Source:
    """The source, or an error for a person who gave none."""
    if source is None:
        raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
    return source
