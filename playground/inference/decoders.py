"""What writes texts, token by token, with an exported model: no torch, a cache in place, many texts at once."""

import copy
import math
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil

from playground.core.errors import PlaygroundError
from playground.inference.binding import BoundRun, buffer_of, read_buffer, state_memory, write_buffer
from playground.inference.device_step import BLOCK, NEXT_LENGTHS, NEXT_POSITIONS, DeviceStep, unused_step_inputs
from playground.inference.export_manifest import ExportManifest, graph_file
from playground.inference.gpu_thread import on_gpu
from playground.inference.open_model import OpenedModel, open_and_try, open_fused, open_recurrent
from playground.inference.sampling import Sampling, pick, steps
from playground.inference.session import NOT_ON_GPU, open_session, running_on

CACHE_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}
Samples = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Tokens, the probability that the model gave each, and that with which it was drawn; each ``[batch]``."""


class Generator:
    """What writes several texts at once: `start` reads what stands there, `advance` adds a token to each.

    Attributes:
        about, batch: its sizes, and how many texts.
        max_length: how many tokens of each text there can be.
        length: how many there are, ``[batch]``.
        provider: what really runs it: "CPU" or "CUDA".
        uncaptured_reason: why a step is not replayed as one CUDA graph; "" where it is.
        last: the tokens that were chosen last ``[batch]``; None before.
    """

    about: ExportManifest
    batch: int
    max_length: int
    length: np.ndarray
    provider: str
    uncaptured_reason: str = NOT_ON_GPU
    last: np.ndarray | None = None
    block: int = 1  # tokens that are best chosen at once

    def start(self, texts: Sequence[Sequence[int]]) -> None:
        """Begins anew with these texts, one for each place of the batch.

        Raises:
            PlaygroundError: when a text is empty or longer than `max_length`.
        """
        raise NotImplementedError

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """One more token for each text ``[batch]``; None takes those that were chosen last.

        Raises:
            PlaygroundError: when a text is `max_length` long already.
        """
        raise NotImplementedError

    @property
    def logits(self) -> np.ndarray:
        """Of what follows each text, float32 ``[batch, vocabulary]``; the next call may write over them."""
        raise NotImplementedError

    def pick_greedy(self) -> np.ndarray:
        """Chooses the likeliest next token of each text ``[batch]``."""
        self.last = self.logits.argmax(-1)
        return self.last

    def draw(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Samples:
        """Chooses the next token of each text by chance.

        Args:
            seen: the texts so far, for the repetition penalty.
        """
        found = [sample_one(row, sampling, rng, seen[i] if seen else None) for i, row in enumerate(self.logits)]
        tokens, probabilities, shares = (np.array(values) for values in zip(*found, strict=True))
        self.last = tokens
        return tokens, probabilities, shares

    def prefill(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """:meth:`start`, and the logits."""
        self.start(texts)
        return self.logits

    def decode_step(self, tokens: np.ndarray) -> np.ndarray:
        """:meth:`advance`, and the logits."""
        self.advance(np.asarray(tokens))
        return self.logits

    def greedy_block(self, n: int) -> np.ndarray:
        """The ``n`` likeliest next tokens of each text ``[batch, n]``; the last of them is not read yet.

        Raises:
            PlaygroundError: when `max_length` is reached before the last.
        """
        said = np.empty((self.batch, n), dtype=np.int64)
        said[:, 0] = self.pick_greedy()
        for i in range(1, n):
            self.advance()
            said[:, i] = self.pick_greedy()
        return said

    def greedy(self, n: int, texts: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """The ``n`` likeliest next tokens of each text ``[batch, n]``.

        Args:
            texts: what to begin anew with; None goes on where the last call ended.
        """
        if texts is None:
            self.advance()
        else:
            self.start(texts)
        return self.greedy_block(n)

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """Logits of what follows each token of one text from ``start`` on, float32 ``[n - start, vocabulary]``; of an
        encoder–decoder, in answer to a source. What is being written stays.
        """
        raise NotImplementedError

    def clone(self) -> "Generator":
        """The same weights with a cache of its own."""
        raise NotImplementedError


def sample_one(
    logits: np.ndarray, sampling: Sampling, rng: np.random.Generator, seen: Sequence[int] | None
) -> tuple[int, float, float]:
    """One draw on the CPU, as `sampling.choose`: a token, its own probability, and that with which it was drawn."""
    history = steps(logits, sampling, list(seen) if seen is not None else None)
    token = pick(history[-1][1], rng)
    return token, float(history[0][1][token]), float(history[-1][1][token])


class _DeviceGenerator(Generator):
    """What the writers share that keep everything in `Laps` on a GPU; on a CPU they have arrays of their own.

    Attributes:
        laps: on a GPU; None on a CPU.
        reusable_attributes: what belongs to captured laps, and can serve another writer of the same model and sizes.
    """

    reusable_attributes: tuple[str, ...] = ("device_step",)
    device_step: DeviceStep | None = None

    @property
    def logits(self) -> np.ndarray:
        if self.device_step is None:
            return self._logits
        return self.device_step.logits().reshape(self.batch, -1)

    def pick_greedy(self) -> np.ndarray:
        # On a device the graph has chosen.
        self.last = self._logits.argmax(-1) if self.device_step is None else self.device_step.tokens()
        return self.last

    def draw(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Samples:
        from playground.inference.device_sampling import can_draw

        if self.device_step is not None and can_draw(sampling, self.about.vocab_size) and self.device_step.can_draw():
            found = self.device_step.draw(sampling, rng.random(self.batch))
            self.last = found[0]
            return found
        found = super().draw(sampling, rng, seen)
        if self.device_step is not None:
            self.device_step.put("input_ids", found[0][:, None].astype(np.int64))
        return found

    def greedy_block(self, n: int) -> np.ndarray:
        return super().greedy_block(n) if self.device_step is None else on_gpu(self._device_greedy_block, n)

    def _device_greedy_block(self, n: int) -> np.ndarray:
        said = [self.pick_greedy()[:, None]]
        for start in range(1, n, BLOCK):
            steps = min(BLOCK, n - start)
            for i in range(steps):
                self._go_on(None, wait=i + 1 == steps)
            said.append(self.device_step.latest(steps))
        self.last = said[-1][:, -1]
        return np.concatenate(said, axis=1)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        if self.device_step is not None:
            on_gpu(self._go_on, tokens)
            return
        self._before_step()
        if tokens is not None:
            self.last = np.asarray(tokens)
        elif self.last is None:
            self.pick_greedy()
        self._step()
        self.length += 1

    def _step(self) -> None:
        """A step on the CPU, with the tokens that were chosen."""
        raise NotImplementedError

    def _go_on(self, tokens: np.ndarray | None, wait: bool = True) -> None:
        """A step on the device.

        Raises:
            PlaygroundError: when a text is `max_length` long already.
        """
        if tokens is not None:
            self.last = tokens
            self.device_step.put("input_ids", np.ascontiguousarray(tokens, dtype=np.int64).reshape(-1, 1))
        self._before_step()
        self.device_step.run(wait)
        self.length += 1

    def _before_step(self) -> None:
        """What is to be checked or told before a step."""

    def _open(self) -> None:
        """Ties the memory. On a GPU both laps are tried, which captures them; where a card refuses, what comes next is tried."""
        if running_on(self.opened.session) == "CUDA":
            on_gpu(self._open_here)  # as one piece: others may open the same model
        else:
            self._open_here()

    def _open_here(self) -> None:
        while True:
            self.session, self.uncaptured_reason = self.opened.session, self.opened.uncaptured_reason
            self.provider, self.device_step, self.block = running_on(self.session), None, 1
            left = None if self.uncaptured_reason else self.opened.take_reusable((self.batch, self.max_length))
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
                weakref.finalize(self, self.opened.reusable.append, (self.session, (self.batch, self.max_length), left))
            return

    def _try_device_step(self) -> None:
        for _ in range(
            min(2, self.max_length) if self.device_step is not None else 0
        ):  # each writes one token further into the cache
            self._before_step()
            self.device_step.run()
            self.length += 1
        self.length[:] = 0

    def _bind_memory(self) -> None:
        raise NotImplementedError


class FusedDecoder(_DeviceGenerator):
    """One text, or several, with the fused graph (`onnx_export.fused`): the cache never moves.

    Keys and values are kept in buffers that are inputs and outputs at once, so a step writes only the new token's.

    Args:
        model: the file of the graph, its bytes, or what another one opened: each has a cache of its own.
        about: its sizes.
        batch: how many texts are written at once.
        max_length: how many tokens of each the cache holds; the model's context, which is the most, unless told.
        half: on a GPU, all floats in 16 bits.
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
            self._one = self._bound(self._ids, np.arange(self.batch), self.length, self._total, self._positions)

    def clone(self) -> "FusedDecoder":
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
        """A copy of the keys ("key") or values of a layer ``[batch, kv_heads, max_length, head_dim]``."""
        return read_buffer(self._cache[f"{layer}.{kind}"])

    def _make_device_step(self) -> DeviceStep:
        """A step on the device. How long the longest text is, which kernels read on the CPU, is told a captured step as the
        most it can be, for it would not see that number change: how far each text reaches is in ``seqlens_k``.
        """
        batch = self.batch
        first = {"seqlens_k": np.zeros(batch, np.int32)}
        if self._adds_positions:
            first["position_ids"] = np.zeros((batch, 1), np.int64)
        fixed = {"rows": np.arange(batch), "total_sequence_length": self._total, **self._fixed_inputs()}
        handed = {"seqlens_k": NEXT_LENGTHS, "position_ids": NEXT_POSITIONS}
        shape = (batch, self.about.vocab_size)
        return DeviceStep(
            self.session, batch, first, handed, fixed, self._cache_outputs(), shape, not self.uncaptured_reason
        )

    @property
    def _adds_positions(self) -> bool:
        return self.about.position in ("learned", "sinusoidal")

    def _fixed_inputs(self) -> dict[str, np.ndarray | ort.OrtValue]:
        """The inputs that stay where they are."""
        return _named("past_key_values", self._cache)

    def _cache_outputs(self) -> dict[str, ort.OrtValue]:
        return _named("present", self._cache)

    def _bound(self, ids, rows, before, total, places) -> BoundRun:
        """Ties these arrays, the cache and the logits to the graph: it reads and writes them where they are."""
        inputs = {**self._step_inputs(ids, rows, before, total, places), **self._fixed_inputs()}
        return BoundRun(self.session, inputs, {**self._cache_outputs(), "logits": self._logits})

    def _step_inputs(self, ids, rows, before, total, places) -> dict[str, np.ndarray]:
        inputs = {"input_ids": ids, "rows": rows.astype(np.int64), "seqlens_k": before, "total_sequence_length": total}
        inputs |= {"position_ids": places} if self._adds_positions else {}
        return inputs if self.provider == "CPU" else {**inputs, **unused_step_inputs(len(rows))}

    def start(self, texts: Sequence[Sequence[int]]) -> None:
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        if len(texts) != self.batch or lengths.min() < 1 or lengths.max() > self.max_length:
            raise PlaygroundError(
                "A text must have 1 to {max_length} tokens.", "Cut it, or give a prompt.", max_length=self.max_length
            )
        n = int(lengths.max())
        ids = np.zeros((self.batch, n), dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        rows = np.arange(self.batch) * n + lengths - 1
        places = np.tile(np.arange(n, dtype=np.int64), (self.batch, 1))
        self._bound(ids, rows, lengths - 1, np.array([n], dtype=np.int32), places).run()
        self.length[:] = lengths
        self.last = None
        if self.device_step is not None:
            self._hand_over(lengths)

    def _hand_over(self, lengths: np.ndarray) -> None:
        """To the first lap after a text was read: its logits, the likeliest tokens, and where they will stand."""
        write_buffer(self.device_step.scores, self._logits)
        self.device_step.put("input_ids", self._logits.argmax(-1)[:, None])
        self.device_step.put("seqlens_k", lengths)
        if self._adds_positions:
            self.device_step.put("position_ids", lengths[:, None].astype(np.int64))

    def _before_step(self) -> None:
        longest = int(self.length.max())
        if longest >= self.max_length:
            raise PlaygroundError(
                "The cache holds {max_length} tokens and is full.",
                "Read a shorter text anew.",
                max_length=self.max_length,
            )
        self._total[0] = longest + 1 if self.uncaptured_reason else self.max_length

    def _step(self) -> None:
        self._ids[:, 0] = self.last
        self._positions[:, 0] = self.length
        self._one.run()

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        n = len(ids)
        if not 1 <= n <= self.max_length:
            raise PlaygroundError(
                "A text must have 1 to {max_length} tokens.", "Cut it, or give a prompt.", max_length=self.max_length
            )
        cache, logits = self._empty_cache(1), np.zeros((n - start, self.about.vocab_size), dtype=np.float32)
        text, places = np.array([ids], dtype=np.int64), np.arange(n, dtype=np.int64)[None]
        last, total = np.array([n - 1], dtype=np.int32), np.array([n], dtype=np.int32)
        inputs = self._step_inputs(text, np.arange(start, n), last, total, places)
        inputs |= {**_named("past_key_values", cache), **self._seen(source)}
        BoundRun(self.session, inputs, {**_named("present", cache), "logits": logits}).run()
        return logits

    def _seen(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        """What one text sees of a source."""
        return {}


def check_memory(size: int, max_length: int) -> None:
    """Before memory is asked for: some systems give more than they have, and kill whoever uses it.

    Args:
        size: bytes of a cache.
        max_length: tokens of each text that it holds.

    Raises:
        PlaygroundError: when the machine has less than that.
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
    """An encoder–decoder: what the decoder looks at in the source stays where the encoder put it.

    Args:
        reader: the encoder, as a file or a session.
        model, about, batch, device, threads, half: as of :class:`FusedDecoder`.
    """

    captures = False  # every source has other shapes, and its own place in memory

    def __init__(
        self,
        reader: Path | ort.InferenceSession,
        model: Path | OpenedModel,
        about: ExportManifest,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        half: bool = False,
    ) -> None:
        self.reader = open_source_encoder(reader, device, threads, batch)
        self.cross_kv: dict[str, np.ndarray | ort.OrtValue] = {}
        self._source: tuple[tuple[int, ...], dict] | None = None  # that `all_logits` was asked of last
        super().__init__(model, about, batch, 0, device, threads, half)

    def _bind_memory(self) -> None:
        if self.cross_kv:  # before the first source there is nothing to tie
            super()._bind_memory()

    def encode_source(self, ids: Sequence[int]) -> None:
        """Reads the source, once for all tokens of the answer."""
        self.cross_kv = run_source_encoder(self.reader, ids, self.batch)
        self._open()

    def _fixed_inputs(self) -> dict[str, np.ndarray | ort.OrtValue]:
        return {**super()._fixed_inputs(), **self.cross_kv}

    def _seen(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        if source is None:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        kept = self._source  # one object: others may ask at the same time
        if kept is None or kept[0] != tuple(source):
            kept = self._source = (tuple(source), run_source_encoder(self.reader, source, 1))
        return kept[1]

    def start(self, texts: Sequence[Sequence[int]]) -> None:
        if not self.cross_kv:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        super().start(texts)

    def clone(self) -> "FusedEncoderDecoder":
        return FusedEncoderDecoder(self.reader, self.opened, self.about, self.batch)


def open_source_encoder(
    reader: Path | ort.InferenceSession, device: str, threads: int, batch: int
) -> ort.InferenceSession:
    """An encoder, where it runs."""
    return open_and_try(
        lambda where: open_session(reader, where, threads, batch), lambda made: run_source_encoder(made, [0], 1), device
    )


def run_source_encoder(
    reader: ort.InferenceSession, ids: Sequence[int], batch: int
) -> dict[str, np.ndarray | ort.OrtValue]:
    """What a decoder takes of a source: its mask ``[batch, n]`` and ``cross.{i}.key/value``, which every layer looks at and
    which stay where the encoder put them.
    """
    tiled = np.tile(np.asarray(ids, dtype=np.int64), (batch, 1))
    mask = np.ones_like(tiled)
    names = [value.name for value in reader.get_outputs() if value.name.startswith("cross")]
    bound = BoundRun(reader, {"input_ids": tiled, "attention_mask": mask}, dict.fromkeys(names, state_memory(reader)))
    bound.run()
    return {**bound.made(), "encoder_attention_mask": mask}


class RnnDecoder(_DeviceGenerator):
    """An RNN, LSTM or GRU that reads from left to right: its state goes to and fro between two buffers.

    Args:
        model: the file of the graph, or what another one opened.
        about, batch, device, threads: as of :class:`FusedDecoder`.
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
        self._steps = [self._bound(self._ids, self._scores, *pair) for pair in pairs]
        self._before = 0  # in which buffers the state is: the first, or the second

    def _states(self, memory: str) -> list[ort.OrtValue]:
        return [buffer_of(self._zeros.copy(), memory) for _ in self._names]

    def _make_device_step(self) -> DeviceStep:
        first = {f"past_{name}": self._zeros for name in self._names}
        handed = {f"past_{name}": f"present_{name}" for name in self._names}
        return DeviceStep(
            self.session, self.batch, first, handed, {}, {}, self._scores.shape, not self.uncaptured_reason
        )

    def _bound(self, ids: np.ndarray, logits: np.ndarray, before: list | dict, after: list) -> BoundRun:
        """From the state in some buffers to that in others."""
        inputs = {f"past_{name}": state for name, state in zip(self._names, before, strict=True)}
        outputs = {f"present_{name}": state for name, state in zip(self._names, after, strict=True)}
        inputs |= {} if self.provider == "CPU" else unused_step_inputs(len(ids))
        return BoundRun(self.session, {"input_ids": ids, **inputs}, {"logits": logits, **outputs})

    def start(self, texts: Sequence[Sequence[int]]) -> None:
        ids = as_batch(texts)
        logits = np.zeros((*ids.shape, self.about.vocab_size), dtype=np.float32)
        after = (
            self._first
            if self.device_step is None
            else [self.device_step.buffers[self.device_step.next][f"past_{name}"] for name in self._names]
        )
        self._bound(ids, logits, [self._zeros] * len(self._names), after).run()
        self._before, self.length, self.last = 0, np.full(self.batch, ids.shape[1], dtype=np.int32), None
        self._logits = logits[:, -1]
        if self.device_step is not None:
            write_buffer(self.device_step.scores, logits[:, -1:])
            self.device_step.put("input_ids", self._logits.argmax(-1)[:, None])

    def _step(self) -> None:
        self._ids[:, 0] = self.last
        self._steps[self._before].run()
        self._before, self._logits = 1 - self._before, self._scores[:, 0]

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        zeros = self._zeros[:, :1].copy()
        logits = np.zeros((1, len(ids), self.about.vocab_size), dtype=np.float32)
        after = [buffer_of(zeros.copy(), state_memory(self.session)) for _ in self._names]
        self._bound(as_batch([ids]), logits, [zeros] * len(after), after).run()
        return logits[0, start:]

    def clone(self) -> "RnnDecoder":
        return RnnDecoder(self.opened, self.about, self.batch)


def as_batch(texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Texts as one array ``[batch, n]``.

    Raises:
        PlaygroundError: when one is empty, or they differ in length.
    """
    if len({len(text) for text in texts}) != 1 or not len(texts[0]):
        raise PlaygroundError(
            "This model writes only texts of equal length at once, of one token at least.", "Give them one by one."
        )
    return np.ascontiguousarray(texts, dtype=np.int64)


class StandardDecoder(Generator):
    """One or several texts of equal length with a graph of standard operators: transformers that :class:`FusedDecoder` cannot
    run, such as heads of odd widths.

    Args:
        folder: of the export.
        precision: which of its files.
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
        self.reader = open_source_encoder(file("encoder_model"), device, threads, batch) if pairs else None
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
        """One token, to see whether it runs."""
        self._use(session)
        self.all_logits([0], 0, [0] if self.reader else None)

    @property
    def logits(self) -> np.ndarray:
        return self._logits[:, -1]

    def encode_source(self, ids: Sequence[int]) -> None:
        """Encoder–decoder: reads the source, once for all tokens of the answer."""
        self.cross_kv = run_source_encoder(self.reader, ids, self.batch)

    def _empty(self, batch: int) -> dict[str, ort.OrtValue]:
        shape = (batch, self.about.n_kv_heads, 0, self.about.head_dim)
        kept = {name: CACHE_DTYPES[kind] for name, kind in self.inputs.items() if name.startswith("past")}
        return {name: buffer_of(np.zeros(shape, dtype=of), state_memory(self.session)) for name, of in kept.items()}

    def start(self, texts: Sequence[Sequence[int]]) -> None:
        ids = as_batch(texts)
        self.length, self.last = np.zeros(self.batch, dtype=np.int32), None
        self.state = self._empty(self.batch)
        self._go_on(ids)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        if tokens is None:
            tokens = self.pick_greedy() if self.last is None else self.last
        self.last = np.asarray(tokens)
        self._go_on(np.asarray(tokens, dtype=np.int64).reshape(-1, 1))

    def clone(self) -> "StandardDecoder":
        made = copy.copy(self)
        made.length = self.length.copy()
        return made

    def all_logits(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        seen = {} if source is None else run_source_encoder(self.reader, source, 1)
        return self._run(as_batch([ids]), 0, self._empty(1), seen)[0][0, start:]

    def _go_on(self, ids: np.ndarray) -> None:
        self._logits, self.state = self._run(ids, int(self.length[0]), self.state, self.cross_kv)
        self.length = self.length + np.int32(ids.shape[1])

    def _run(self, ids: np.ndarray, before: int, state: dict, seen: dict) -> tuple[np.ndarray, dict[str, ort.OrtValue]]:
        """Logits ``[batch, n, vocabulary]``, and the cache after: it grows, so it is bound anew each time."""
        batch, n = ids.shape
        feed = {"input_ids": ids, **state, **seen}
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
