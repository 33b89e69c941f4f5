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
from playground.inference.binding import Bound, fetched, held, kept_in, put
from playground.inference.export_manifest import About, graph_file
from playground.inference.gpu_thread import on_gpu
from playground.inference.open_session import Opened, open_fused, open_recurrent, that_runs
from playground.inference.sampling import Sampling, pick, steps
from playground.inference.session import NOT_ON_GPU, open_session, running_on
from playground.inference.step_timing import BLOCK, LENGTHS, PLACES, Laps, spare

KEPT = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Tokens, the probability that the model gave each, and that with which it was drawn; each ``[batch]``."""


class Writer:
    """What writes several texts at once: `begin` reads what stands there, `advance` adds a token to each.

    Attributes:
        about, batch: its sizes, and how many texts.
        room: how many tokens of each text there can be.
        length: how many there are, ``[batch]``.
        provider: what really runs it: "CPU" or "CUDA".
        uncaptured: why a step is not replayed as one CUDA graph; "" where it is.
        last: the tokens that were chosen last ``[batch]``; None before.
    """

    about: About
    batch: int
    room: int
    length: np.ndarray
    provider: str
    uncaptured: str = NOT_ON_GPU
    last: np.ndarray | None = None
    block: int = 1  # tokens that are best chosen at once

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        """Begins anew with these texts, one for each place of the batch.

        Raises:
            PlaygroundError: when a text is empty or longer than there is room.
        """
        raise NotImplementedError

    def advance(self, tokens: np.ndarray | None = None) -> None:
        """One more token for each text ``[batch]``; None takes those that were chosen last.

        Raises:
            PlaygroundError: when there is no room.
        """
        raise NotImplementedError

    @property
    def logits(self) -> np.ndarray:
        """Of what follows each text, float32 ``[batch, vocabulary]``; the next call may write over them."""
        raise NotImplementedError

    def likeliest(self) -> np.ndarray:
        """Chooses the likeliest next token of each text ``[batch]``."""
        self.last = self.logits.argmax(-1)
        return self.last

    def draw(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Drawn:
        """Chooses the next token of each text by chance.

        Args:
            seen: the texts so far, for the repetition penalty.
        """
        found = [drawn(row, sampling, rng, seen[i] if seen else None) for i, row in enumerate(self.logits)]
        tokens, probabilities, shares = (np.array(values) for values in zip(*found, strict=True))
        self.last = tokens
        return tokens, probabilities, shares

    def read(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """:meth:`begin`, and the logits."""
        self.begin(texts)
        return self.logits

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """:meth:`advance`, and the logits."""
        self.advance(np.asarray(tokens))
        return self.logits

    def ahead(self, n: int) -> np.ndarray:
        """The ``n`` likeliest next tokens of each text ``[batch, n]``; the last of them is not read yet.

        Raises:
            PlaygroundError: when there is no room for all but the last.
        """
        said = np.empty((self.batch, n), dtype=np.int64)
        said[:, 0] = self.likeliest()
        for i in range(1, n):
            self.advance()
            said[:, i] = self.likeliest()
        return said

    def greedy(self, n: int, texts: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """The ``n`` likeliest next tokens of each text ``[batch, n]``.

        Args:
            texts: what to begin anew with; None goes on where the last call ended.
        """
        if texts is None:
            self.advance()
        else:
            self.begin(texts)
        return self.ahead(n)

    def along(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        """Logits of what follows each token of one text from ``start`` on, float32 ``[n - start, vocabulary]``; of an
        encoder–decoder, in answer to a source. What is being written stays.
        """
        raise NotImplementedError

    def twin(self) -> "Writer":
        """The same weights with a cache of its own."""
        raise NotImplementedError


def drawn(
    logits: np.ndarray, sampling: Sampling, rng: np.random.Generator, seen: Sequence[int] | None
) -> tuple[int, float, float]:
    """One draw on the CPU, as `sampling.choose`: a token, its own probability, and that with which it was drawn."""
    history = steps(logits, sampling, list(seen) if seen is not None else None)
    token = pick(history[-1][1], rng)
    return token, float(history[0][1][token]), float(history[-1][1][token])


class _OnDevice(Writer):
    """What the writers share that keep everything in `Laps` on a GPU; on a CPU they have arrays of their own.

    Attributes:
        laps: on a GPU; None on a CPU.
        left_behind: what belongs to captured laps, and can serve another writer of the same model and sizes.
    """

    left_behind: tuple[str, ...] = ("laps",)
    laps: Laps | None = None

    @property
    def logits(self) -> np.ndarray:
        if self.laps is None:
            return self._logits
        return self.laps.logits().reshape(self.batch, -1)

    def likeliest(self) -> np.ndarray:
        # On a device the graph has chosen.
        self.last = self._logits.argmax(-1) if self.laps is None else self.laps.tokens()
        return self.last

    def draw(self, sampling: Sampling, rng: np.random.Generator, seen: Sequence[Sequence[int]] = ()) -> Drawn:
        from playground.inference.autotune import can_draw

        if self.laps is not None and can_draw(sampling, self.about.vocab_size) and self.laps.can_draw():
            found = self.laps.draw(sampling, rng.random(self.batch))
            self.last = found[0]
            return found
        found = super().draw(sampling, rng, seen)
        if self.laps is not None:
            self.laps.put("input_ids", found[0][:, None].astype(np.int64))
        return found

    def ahead(self, n: int) -> np.ndarray:
        return super().ahead(n) if self.laps is None else on_gpu(self._ahead, n)

    def _ahead(self, n: int) -> np.ndarray:
        said = [self.likeliest()[:, None]]
        for start in range(1, n, BLOCK):
            steps = min(BLOCK, n - start)
            for i in range(steps):
                self._go_on(None, wait=i + 1 == steps)
            said.append(self.laps.latest(steps))
        self.last = said[-1][:, -1]
        return np.concatenate(said, axis=1)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        if self.laps is not None:
            on_gpu(self._go_on, tokens)
            return
        self._before_step()
        if tokens is not None:
            self.last = np.asarray(tokens)
        elif self.last is None:
            self.likeliest()
        self._step()
        self.length += 1

    def _step(self) -> None:
        """A step on the CPU, with the tokens that were chosen."""
        raise NotImplementedError

    def _go_on(self, tokens: np.ndarray | None, wait: bool = True) -> None:
        """A step on the device.

        Raises:
            PlaygroundError: when there is no room.
        """
        if tokens is not None:
            self.last = tokens
            self.laps.put("input_ids", np.ascontiguousarray(tokens, dtype=np.int64).reshape(-1, 1))
        self._before_step()
        self.laps.run(wait)
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
            self.session, self.uncaptured = self.opened.session, self.opened.uncaptured
            self.provider, self.laps, self.block = running_on(self.session), None, 1
            left = None if self.uncaptured else self.opened.taken_over((self.batch, self.room))
            try:
                if left is not None:
                    vars(self).update(left)
                else:
                    self._tie()
                    self._try_laps()
            except Exception as error:  # ONNX Runtime raises its own kinds
                if self.provider != "CUDA":
                    raise
                self.opened.step_down(self.session, error)
                continue
            if self.laps is not None:
                self.block = BLOCK
            if not self.uncaptured:
                left = {name: vars(self)[name] for name in self.left_behind}
                weakref.finalize(self, self.opened.spare.append, (self.session, (self.batch, self.room), left))
            return

    def _try_laps(self) -> None:
        for _ in range(
            min(2, self.room) if self.laps is not None else 0
        ):  # each writes one token further into the cache
            self._before_step()
            self.laps.run()
            self.length += 1
        self.length[:] = 0

    def _tie(self) -> None:
        raise NotImplementedError


class Decoder(_OnDevice):
    """One text, or several, with the fused graph (`onnx_export.fused`): the cache never moves.

    Keys and values are kept in buffers that are inputs and outputs at once, so a step writes only the new token's.

    Args:
        model: the file of the graph, its bytes, or what another one opened: each has a cache of its own.
        about: its sizes.
        batch: how many texts are written at once.
        room: how many tokens of each the cache holds; the model's context, which is the most, unless told.
        half: on a GPU, all floats in 16 bits.
    """

    captures = True
    left_behind = ("laps", "_cache", "_total")

    def __init__(
        self,
        model: Path | bytes | Opened,
        about: About,
        batch: int = 1,
        room: int = 0,
        device: str = "auto",
        threads: int = 0,
        half: bool = False,
    ) -> None:
        self.opened = (
            model if isinstance(model, Opened) else open_fused(model, device, threads, batch, half, self.captures)
        )
        self.about, self.batch, self.room = about, batch, min(room or about.context_length, about.context_length)
        self.length = np.zeros(batch, dtype=np.int32)  # tokens in the cache, text by text
        self._total = np.zeros(1, dtype=np.int32)
        self._ids, self._places = np.zeros((batch, 1), dtype=np.int64), np.zeros((batch, 1), dtype=np.int64)
        self._logits = np.zeros((batch, about.vocab_size), dtype=np.float32)
        self._open()

    def _tie(self) -> None:
        self._cache = self._empty_cache(self.batch)
        if self.provider == "CUDA":
            self._total[0] = self.room
            self.laps = self._laps()
        else:
            self._one = self._bound(self._ids, np.arange(self.batch), self.length, self._total, self._places)

    def twin(self) -> "Decoder":
        return Decoder(self.opened, self.about, self.batch, self.room)

    def _empty_cache(self, batch: int) -> dict[str, ort.OrtValue]:
        about = self.about
        shape = (batch, about.n_kv_heads, self.room, about.head_dim)
        types = {value.name: value.type for value in self.session.get_inputs()}
        if "past_key_values.0.key" not in types:
            raise PlaygroundError("The exported graph keeps no past: it is another model's.", "Export the run again.")
        kept = KEPT[types["past_key_values.0.key"]]
        check_memory(2 * about.n_layers * math.prod(shape) * np.dtype(kept).itemsize, self.room)
        return {
            f"{i}.{kind}": held(np.zeros(shape, dtype=kept), kept_in(self.session))
            for i in range(about.n_layers)
            for kind in ("key", "value")
        }

    def cached(self, layer: int, kind: str) -> np.ndarray:
        """A copy of the keys ("key") or values of a layer ``[batch, kv_heads, room, head_dim]``."""
        return fetched(self._cache[f"{layer}.{kind}"])

    def _laps(self) -> Laps:
        """A step on the device. How long the longest text is, which kernels read on the CPU, is told a captured step as the
        most it can be, for it would not see that number change: how far each text reaches is in ``seqlens_k``.
        """
        batch = self.batch
        first = {"seqlens_k": np.zeros(batch, np.int32)}
        if self._adds_places:
            first["position_ids"] = np.zeros((batch, 1), np.int64)
        fixed = {"rows": np.arange(batch), "total_sequence_length": self._total, **self._given()}
        handed = {"seqlens_k": LENGTHS, "position_ids": PLACES}
        shape = (batch, self.about.vocab_size)
        return Laps(self.session, batch, first, handed, fixed, self._written(), shape, not self.uncaptured)

    @property
    def _adds_places(self) -> bool:
        return self.about.position in ("learned", "sinusoidal")

    def _given(self) -> dict[str, np.ndarray | ort.OrtValue]:
        """The inputs that stay where they are."""
        return _named("past_key_values", self._cache)

    def _written(self) -> dict[str, ort.OrtValue]:
        return _named("present", self._cache)

    def _bound(self, ids, rows, before, total, places) -> Bound:
        """Ties these arrays, the cache and the logits to the graph: it reads and writes them where they are."""
        inputs = {**self._asked(ids, rows, before, total, places), **self._given()}
        return Bound(self.session, inputs, {**self._written(), "logits": self._logits})

    def _asked(self, ids, rows, before, total, places) -> dict[str, np.ndarray]:
        inputs = {"input_ids": ids, "rows": rows.astype(np.int64), "seqlens_k": before, "total_sequence_length": total}
        inputs |= {"position_ids": places} if self._adds_places else {}
        return inputs if self.provider == "CPU" else {**inputs, **spare(len(rows))}

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        if len(texts) != self.batch or lengths.min() < 1 or lengths.max() > self.room:
            raise PlaygroundError(f"A text must have 1 to {self.room} tokens.", "Cut it, or give a prompt.")
        n = int(lengths.max())
        ids = np.zeros((self.batch, n), dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        rows = np.arange(self.batch) * n + lengths - 1
        places = np.tile(np.arange(n, dtype=np.int64), (self.batch, 1))
        self._bound(ids, rows, lengths - 1, np.array([n], dtype=np.int32), places).run()
        self.length[:] = lengths
        self.last = None
        if self.laps is not None:
            self._hand_over(lengths)

    def _hand_over(self, lengths: np.ndarray) -> None:
        """To the first lap after a text was read: its logits, the likeliest tokens, and where they will stand."""
        put(self.laps.scores, self._logits)
        self.laps.put("input_ids", self._logits.argmax(-1)[:, None])
        self.laps.put("seqlens_k", lengths)
        if self._adds_places:
            self.laps.put("position_ids", lengths[:, None].astype(np.int64))

    def _before_step(self) -> None:
        longest = int(self.length.max())
        if longest >= self.room:
            raise PlaygroundError(f"The cache holds {self.room} tokens and is full.", "Read a shorter text anew.")
        self._total[0] = longest + 1 if self.uncaptured else self.room

    def _step(self) -> None:
        self._ids[:, 0] = self.last
        self._places[:, 0] = self.length
        self._one.run()

    def along(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        n = len(ids)
        if not 1 <= n <= self.room:
            raise PlaygroundError(f"A text must have 1 to {self.room} tokens.", "Cut it, or give a prompt.")
        cache, logits = self._empty_cache(1), np.zeros((n - start, self.about.vocab_size), dtype=np.float32)
        text, places = np.array([ids], dtype=np.int64), np.arange(n, dtype=np.int64)[None]
        last, total = np.array([n - 1], dtype=np.int32), np.array([n], dtype=np.int32)
        inputs = self._asked(text, np.arange(start, n), last, total, places)
        inputs |= {**_named("past_key_values", cache), **self._seen(source)}
        Bound(self.session, inputs, {**_named("present", cache), "logits": logits}).run()
        return logits

    def _seen(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        """What one text sees of a source."""
        return {}


def check_memory(size: int, room: int) -> None:
    """Before memory is asked for: some systems give more than they have, and kill whoever uses it.

    Args:
        size: bytes of a cache.
        room: tokens of each text that it holds.

    Raises:
        PlaygroundError: when the machine has less than that.
    """
    has = psutil.virtual_memory().total
    if size > has:
        raise PlaygroundError(
            f"A cache for {room:,} tokens takes {size / 1e9:,.0f} GB, and this machine has {has / 1e9:,.0f} GB of memory.",
            "Export a run with a shorter context.",
        )


def _named(kind: str, cache: dict[str, ort.OrtValue]) -> dict[str, ort.OrtValue]:
    return {f"{kind}.{name}": buffer for name, buffer in cache.items()}


class PairDecoder(Decoder):
    """An encoder–decoder: what the decoder looks at in the source stays where the encoder put it.

    Args:
        reader: the encoder, as a file or a session.
        model, about, batch, device, threads, half: as of :class:`Decoder`.
    """

    captures = False  # every source has other shapes, and its own place in memory

    def __init__(
        self,
        reader: Path | ort.InferenceSession,
        model: Path | Opened,
        about: About,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        half: bool = False,
    ) -> None:
        self.reader = open_source(reader, device, threads, batch)
        self.seen: dict[str, np.ndarray | ort.OrtValue] = {}
        self._source: tuple[tuple[int, ...], dict] | None = None  # that `along` was asked of last
        super().__init__(model, about, batch, 0, device, threads, half)

    def _tie(self) -> None:
        if self.seen:  # before the first source there is nothing to tie
            super()._tie()

    def source(self, ids: Sequence[int]) -> None:
        """Reads the source, once for all tokens of the answer."""
        self.seen = read_source(self.reader, ids, self.batch)
        self._open()

    def _given(self) -> dict[str, np.ndarray | ort.OrtValue]:
        return {**super()._given(), **self.seen}

    def _seen(self, source: Sequence[int] | None) -> dict[str, np.ndarray | ort.OrtValue]:
        if source is None:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        kept = self._source  # one object: others may ask at the same time
        if kept is None or kept[0] != tuple(source):
            kept = self._source = (tuple(source), read_source(self.reader, source, 1))
        return kept[1]

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        if not self.seen:
            raise PlaygroundError("There is no text to answer.", "Give one.")
        super().begin(texts)

    def twin(self) -> "PairDecoder":
        return PairDecoder(self.reader, self.opened, self.about, self.batch)


def open_source(reader: Path | ort.InferenceSession, device: str, threads: int, batch: int) -> ort.InferenceSession:
    """An encoder, where it runs."""
    return that_runs(
        lambda where: open_session(reader, where, threads, batch), lambda made: read_source(made, [0], 1), device
    )


def read_source(reader: ort.InferenceSession, ids: Sequence[int], batch: int) -> dict[str, np.ndarray | ort.OrtValue]:
    """What a decoder takes of a source: its mask ``[batch, n]`` and ``cross.{i}.key/value``, which every layer looks at and
    which stay where the encoder put them.
    """
    tiled = np.tile(np.asarray(ids, dtype=np.int64), (batch, 1))
    mask = np.ones_like(tiled)
    names = [value.name for value in reader.get_outputs() if value.name.startswith("cross")]
    bound = Bound(reader, {"input_ids": tiled, "attention_mask": mask}, dict.fromkeys(names, kept_in(reader)))
    bound.run()
    return {**bound.made(), "encoder_attention_mask": mask}


class Recurrent(_OnDevice):
    """An RNN, LSTM or GRU that reads from left to right: its state goes to and fro between two buffers.

    Args:
        model: the file of the graph, or what another one opened.
        about, batch, device, threads: as of :class:`Decoder`.
    """

    def __init__(
        self,
        model: Path | bytes | ort.InferenceSession | Opened,
        about: About,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.opened = model if isinstance(model, Opened) else open_recurrent(model, device, threads, batch)
        self.about, self.batch, self.room = about, batch, about.context_length
        self.length = np.zeros(batch, dtype=np.int32)
        given = [value.name for value in self.opened.session.get_inputs()]
        self._names = [name.removeprefix("past_") for name in given if name.startswith("past_")]
        self._ids = np.zeros((batch, 1), dtype=np.int64)
        self._scores = np.zeros((batch, 1, about.vocab_size), dtype=np.float32)
        self._logits = self._scores[:, 0]
        self._zeros = np.zeros((about.n_layers, batch, about.d_model), dtype=np.float32)
        self._open()

    def _tie(self) -> None:
        if self.provider == "CUDA":
            self.laps = self._laps()
            return
        self._first, second = self._states("cpu"), self._states("cpu")
        pairs = ((self._first, second), (second, self._first))
        self._steps = [self._bound(self._ids, self._scores, *pair) for pair in pairs]
        self._before = 0  # in which buffers the state is: the first, or the second

    def _states(self, memory: str) -> list[ort.OrtValue]:
        return [held(self._zeros.copy(), memory) for _ in self._names]

    def _laps(self) -> Laps:
        first = {f"past_{name}": self._zeros for name in self._names}
        handed = {f"past_{name}": f"present_{name}" for name in self._names}
        return Laps(self.session, self.batch, first, handed, {}, {}, self._scores.shape, not self.uncaptured)

    def _bound(self, ids: np.ndarray, logits: np.ndarray, before: list | dict, after: list) -> Bound:
        """From the state in some buffers to that in others."""
        inputs = {f"past_{name}": state for name, state in zip(self._names, before, strict=True)}
        outputs = {f"present_{name}": state for name, state in zip(self._names, after, strict=True)}
        inputs |= {} if self.provider == "CPU" else spare(len(ids))
        return Bound(self.session, {"input_ids": ids, **inputs}, {"logits": logits, **outputs})

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        ids = equally_long(texts)
        logits = np.zeros((*ids.shape, self.about.vocab_size), dtype=np.float32)
        after = (
            self._first
            if self.laps is None
            else [self.laps.buffers[self.laps.next][f"past_{name}"] for name in self._names]
        )
        self._bound(ids, logits, [self._zeros] * len(self._names), after).run()
        self._before, self.length, self.last = 0, np.full(self.batch, ids.shape[1], dtype=np.int32), None
        self._logits = logits[:, -1]
        if self.laps is not None:
            put(self.laps.scores, logits[:, -1:])
            self.laps.put("input_ids", self._logits.argmax(-1)[:, None])

    def _step(self) -> None:
        self._ids[:, 0] = self.last
        self._steps[self._before].run()
        self._before, self._logits = 1 - self._before, self._scores[:, 0]

    def along(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        zeros = self._zeros[:, :1].copy()
        logits = np.zeros((1, len(ids), self.about.vocab_size), dtype=np.float32)
        after = [held(zeros.copy(), kept_in(self.session)) for _ in self._names]
        self._bound(equally_long([ids]), logits, [zeros] * len(after), after).run()
        return logits[0, start:]

    def twin(self) -> "Recurrent":
        return Recurrent(self.opened, self.about, self.batch)


def equally_long(texts: Sequence[Sequence[int]]) -> np.ndarray:
    """Texts as one array ``[batch, n]``.

    Raises:
        PlaygroundError: when one is empty, or they differ in length.
    """
    if len({len(text) for text in texts}) != 1 or not len(texts[0]):
        raise PlaygroundError(
            "This model writes only texts of equal length at once, of one token at least.", "Give them one by one."
        )
    return np.ascontiguousarray(texts, dtype=np.int64)


class Portable(Writer):
    """One or several texts of equal length with a graph of standard operators: transformers that :class:`Decoder` cannot
    run, such as heads of odd widths.

    Args:
        folder: of the export.
        precision: which of its files.
    """

    uncaptured = "the cache grows with every token"

    def __init__(
        self,
        folder: Path,
        about: About,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
        precision: str = "fp32",
    ) -> None:
        pairs = about.architecture == "encoder-decoder"
        self.about, self.batch, self.room = about, batch, about.context_length
        file = lambda stem: graph_file(folder, stem, precision)
        self.reader = open_source(file("encoder_model"), device, threads, batch) if pairs else None
        opened = lambda where: open_session(file("decoder_model" if pairs else "model"), where, threads, batch)
        self._use(that_runs(opened, self._try, device))
        self.seen: dict[str, np.ndarray | ort.OrtValue] = {}
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
        self.along([0], 0, [0] if self.reader else None)

    @property
    def logits(self) -> np.ndarray:
        return self._logits[:, -1]

    def source(self, ids: Sequence[int]) -> None:
        """Encoder–decoder: reads the source, once for all tokens of the answer."""
        self.seen = read_source(self.reader, ids, self.batch)

    def _empty(self, batch: int) -> dict[str, ort.OrtValue]:
        shape = (batch, self.about.n_kv_heads, 0, self.about.head_dim)
        kept = {name: KEPT[kind] for name, kind in self.inputs.items() if name.startswith("past")}
        return {name: held(np.zeros(shape, dtype=of), kept_in(self.session)) for name, of in kept.items()}

    def begin(self, texts: Sequence[Sequence[int]]) -> None:
        ids = equally_long(texts)
        self.length, self.last = np.zeros(self.batch, dtype=np.int32), None
        self.state = self._empty(self.batch)
        self._go_on(ids)

    def advance(self, tokens: np.ndarray | None = None) -> None:
        if tokens is None:
            tokens = self.likeliest() if self.last is None else self.last
        self.last = np.asarray(tokens)
        self._go_on(np.asarray(tokens, dtype=np.int64).reshape(-1, 1))

    def twin(self) -> "Portable":
        made = copy.copy(self)
        made.length = self.length.copy()
        return made

    def along(self, ids: Sequence[int], start: int = 0, source: Sequence[int] | None = None) -> np.ndarray:
        seen = {} if source is None else read_source(self.reader, source, 1)
        return self._run(equally_long([ids]), 0, self._empty(1), seen)[0][0, start:]

    def _go_on(self, ids: np.ndarray) -> None:
        self._logits, self.state = self._run(ids, int(self.length[0]), self.state, self.seen)
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
        bound = Bound(self.session, feed, {"logits": logits, **dict.fromkeys(self.outputs, kept_in(self.session))})
        bound.run()
        made = {
            name.replace("present", "past_key_values"): value
            for name, value in bound.made().items()
            if name != "logits"
        }
        return logits, made
