"""Generating with the fused graph: attention in one operator, keys and values updated in place."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, read_buffer, state_memory
from playground.inference.device_generator import DeviceGenerator
from playground.inference.device_step import DeviceStep, unused_step_inputs
from playground.inference.export_manifest import ExportManifest
from playground.inference.generator import CACHE_DTYPES, Texts
from playground.inference.open_model import OpenedModel, open_fused
from playground.inference.source_encoder import open_source_encoder, run_source_encoder
from playground.inference.step_names import NEXT_LENGTHS, NEXT_POSITIONS


class FusedDecoder(DeviceGenerator):
    """Generates with the fused graph (`onnx_export.fused`), whose key–value cache is updated in place.

    Keys and values are kept in buffers that are inputs and outputs at once, so a step writes only those of the new token.

    Args:
        model: the file of the graph, its bytes, or the opened model of another generator; each has a cache of its own.
        about: what is known of the model.
        batch: number of texts.
        max_length: tokens of each text that the cache holds; 0, or more than the model's context, is the context.
        device: "auto", "cuda" or "cpu".
        threads: of the CPU; 0 chooses by the size of the model.
        half: on a GPU, compute with all floats in 16 bits.

    Raises:
        PlaygroundError: when the graph cannot be used, or the cache is larger than the machine's memory.
    """

    captures = True
    reusable_attributes = ("device_step", "_cache", "_total")

    def __init__(
        self,
        model: Path | bytes | OpenedModel,
        about: ExportManifest,
        batch: int = 1,
        max_length: int = 0,
        device: str = "auto",
        threads: int = 0,
        half: bool = False,
    ) -> None:
        self.opened = (
            model if isinstance(model, OpenedModel) else open_fused(model, device, threads, batch, half, self.captures)
        )
        self.about, self.batch, self.max_length = (
            about,
            batch,
            min(max_length or about.context_length, about.context_length),
        )
        self.length = np.zeros(batch, dtype=np.int32)  # tokens in the cache, text by text
        self._total = np.zeros(1, dtype=np.int32)
        self._ids, self._positions = np.zeros((batch, 1), dtype=np.int64), np.zeros((batch, 1), dtype=np.int64)
        self._logits = np.zeros((batch, about.vocab_size), dtype=np.float32)
        self._open()

    def _bind_memory(self) -> None:
        self._cache = self._empty_cache(self.batch)
        if self.provider == "CUDA":
            self._total[0] = self.max_length
            self.device_step = self._make_device_step()
        else:
            self._cpu_run = self._bind_run(self._ids, np.arange(self.batch), self.length, self._total, self._positions)

    def clone(self) -> "FusedDecoder":
        """See `Generator.clone`."""
        return FusedDecoder(self.opened, self.about, self.batch, self.max_length)

    def _empty_cache(self, batch: int) -> dict[str, ort.OrtValue]:
        about = self.about
        shape = (batch, about.n_kv_heads, self.max_length, about.head_dim)
        types = {value.name: value.type for value in self.session.get_inputs()}
        if "past_key_values.0.key" not in types:
            raise PlaygroundError("The exported graph keeps no past: it is another model's.", "Export the run again.")
        kept = CACHE_DTYPES[types["past_key_values.0.key"]]
        check_memory(2 * about.n_layers * math.prod(shape) * np.dtype(kept).itemsize, self.max_length)
        return {
            f"{i}.{kind}": buffer_of(np.zeros(shape, dtype=kept), state_memory(self.session))
            for i in range(about.n_layers)
            for kind in ("key", "value")
        }

    def cached(self, layer: int, kind: str) -> np.ndarray:
        """A copy of the cache of one layer.

        Args:
            kind: "key" or "value".

        Returns:
            ``[batch, kv_heads, max_length, head_dim]``, float32, float16 or int8.
        """
        return read_buffer(self._cache[f"{layer}.{kind}"])

    def _make_device_step(self) -> DeviceStep:
        """A step on the device.

        Kernels read the length of the longest text in CPU memory, where a captured step does not see it change. So it
        gets the largest possible length; how far each text really reaches is in ``seqlens_k``.
        """
        batch = self.batch
        first: dict[str, np.ndarray] = {"seqlens_k": np.zeros(batch, np.int32)}
        if self._adds_positions:
            first["position_ids"] = np.zeros((batch, 1), np.int64)
        fixed = {"rows": np.arange(batch), "total_sequence_length": self._total, **self._fixed_inputs()}
        next_from = {"seqlens_k": NEXT_LENGTHS, "position_ids": NEXT_POSITIONS}
        shape = (batch, self.about.vocab_size)
        return DeviceStep(
            self.session, batch, first, next_from, fixed, self._cache_outputs(), shape, not self.uncaptured_reason
        )

    @property
    def _adds_positions(self) -> bool:
        """Whether positions are added to the token vectors, so that the graph needs their numbers."""
        return self.about.position in ("learned", "sinusoidal")

    def _fixed_inputs(self) -> dict[str, np.ndarray | ort.OrtValue]:
        """The inputs whose buffers stay the same."""
        return {**_named("past_key_values", self._cache)}

    def _cache_outputs(self) -> dict[str, ort.OrtValue]:
        return _named("present", self._cache)

    def _bind_run(self, ids, rows, before, total, positions) -> BoundRun:
        """Binds these arrays, the cache and the logits to the graph, which reads and writes them in place."""
        inputs = {**self._step_inputs(ids, rows, before, total, positions), **self._fixed_inputs()}
        return BoundRun(self.session, inputs, {**self._cache_outputs(), "logits": self._logits})

    def _step_inputs(self, ids, rows, before, total, positions) -> dict[str, np.ndarray]:
        inputs = {"input_ids": ids, "rows": rows.astype(np.int64), "seqlens_k": before, "total_sequence_length": total}
        inputs |= {"position_ids": positions} if self._adds_positions else {}
        return inputs if self.provider == "CPU" else {**inputs, **unused_step_inputs(len(rows))}

    def start(self, texts: Texts) -> None:
        """See `Generator.start`; texts may differ in length."""
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        if len(texts) != self.batch or lengths.min() < 1 or lengths.max() > self.max_length:
            raise PlaygroundError(
                "A text must have 1 to {max_length} tokens.", "Cut it, or give a prompt.", max_length=self.max_length
            )
        n = int(lengths.max())
        ids = np.zeros((self.batch, n), dtype=np.int64)
        for i, text in enumerate(texts):
            ids[i, : len(text)] = text
        rows = np.arange(self.batch) * n + lengths - 1  # of each text's last token, in the texts laid end to end
        positions = np.tile(np.arange(n, dtype=np.int64), (self.batch, 1))
        # All are read as if they were as long as the longest: no token sees those after it, so what follows a shorter text
        # changes nothing, and its place in the cache is written anew. (Told the true lengths, attention with a bias counts
        # the tokens from the end of each text on CUDA, and the first ones of a shorter text would see nothing.)
        last = np.full(self.batch, n - 1, dtype=np.int32)
        self._bind_run(ids, rows, last, np.array([n], dtype=np.int32), positions).run()
        self.length[:] = lengths
        self.last = None
        if self.device_step is not None:
            self._hand_over(self.device_step, lengths)

    def _hand_over(self, device_step: DeviceStep, lengths: np.ndarray) -> None:
        """Gives the first step after a prefill the logits, the most likely tokens and their positions."""
        device_step.begin(self._logits)
        device_step.put("seqlens_k", lengths)
        if self._adds_positions:
            device_step.put("position_ids", lengths[:, None].astype(np.int64))

    def _before_step(self) -> None:
        longest = int(self.length.max())
        if longest >= self.max_length:
            raise PlaygroundError(
                "The cache holds {max_length} tokens and is full.",
                "Read a shorter text anew.",
                max_length=self.max_length,
            )
        self._total[0] = longest + 1 if self.uncaptured_reason else self.max_length

    def _cpu_step(self, tokens: np.ndarray) -> None:
        self._ids[:, 0] = tokens
        self._positions[:, 0] = self.length
        self._cpu_run.run()

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """See `Generator.all_logits`."""
        n = len(ids)
        if not 1 <= n <= self.max_length:
            raise PlaygroundError(
                "A text must have 1 to {max_length} tokens.", "Cut it, or give a prompt.", max_length=self.max_length
            )
        cache, logits = self._empty_cache(1), np.zeros((n - start, self.about.vocab_size), dtype=np.float32)
        text, positions = np.array([ids], dtype=np.int64), np.arange(n, dtype=np.int64)[None]
        last, total = np.array([n - 1], dtype=np.int32), np.array([n], dtype=np.int32)
        inputs = self._step_inputs(text, np.arange(start, n), last, total, positions)
        inputs |= {**_named("past_key_values", cache), **self._cross_kv_of(source)}
        BoundRun(self.session, inputs, {**_named("present", cache), "logits": logits}).run()
        return logits

    def _cross_kv_of(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        """The inputs that one text takes of a source."""
        return {}


def check_memory(size: int, max_length: int) -> None:
    """Refuses a cache before its memory is requested: some systems grant more than they have, then kill the process.

    Args:
        size: bytes of a cache.
        max_length: tokens of each text that it holds.

    Raises:
        PlaygroundError: when it is larger than the machine's memory.
    """
    has = psutil.virtual_memory().total
    if size > has:
        raise PlaygroundError(
            "A cache for {max_length:,} tokens takes {size:,.0f} GB, and this machine has {has:,.0f} GB of memory.",
            "Export a run with a shorter context.",
            max_length=max_length,
            size=size / 1000000000.0,
            has=has / 1000000000.0,
        )


def _named(kind: str, cache: dict[str, ort.OrtValue]) -> dict[str, ort.OrtValue]:
    return {f"{kind}.{name}": buffer for name, buffer in cache.items()}


class FusedEncoderDecoder(FusedDecoder):
    """Generates with an encoder–decoder: the source's keys and values stay where the encoder put them.

    Args:
        encoder: the encoder, as a file or a session.
        model, about, batch, device, threads, half: as of :class:`FusedDecoder`.
    """

    captures = False  # every source has other shapes, and its own place in memory

    def __init__(
        self,
        encoder: Path | ort.InferenceSession,
        model: Path | OpenedModel,
        about: ExportManifest,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        half: bool = False,
    ) -> None:
        self.encoder = open_source_encoder(encoder, device, threads, batch)
        self.cross_kv: dict[str, np.ndarray | ort.OrtValue] = {}
        self._source: tuple[tuple[int, ...], dict] | None = None  # of the last call of `all_logits`
        super().__init__(model, about, batch, 0, device, threads, half)

    def _bind_memory(self) -> None:
        if self.cross_kv:  # before the first source there is nothing to bind
            super()._bind_memory()

    def encode_source(self, ids: Sequence[int]) -> None:
        """See `Generator.encode_source`.

        Args:
            ids: the source text, at least one token; the same for all texts of the batch.
        """
        self.cross_kv = run_source_encoder(self.encoder, ids, self.batch)
        self._open()

    def _fixed_inputs(self) -> dict[str, np.ndarray | ort.OrtValue]:
        return {**super()._fixed_inputs(), **self.cross_kv}

    def _cross_kv_of(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        if source is None:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        kept = self._source  # one object: others may ask at the same time
        if kept is None or kept[0] != tuple(source):
            kept = self._source = (tuple(source), run_source_encoder(self.encoder, source, 1))
        return kept[1]

    def start(self, texts: Texts) -> None:
        """See `Generator.start`.

        Raises:
            PlaygroundError: also when there is no source yet.
        """
        if not self.cross_kv:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        super().start(texts)

    def clone(self) -> "FusedEncoderDecoder":
        """See `Generator.clone`; the clone has no source yet."""
        return FusedEncoderDecoder(self.encoder, self.opened, self.about, self.batch)
