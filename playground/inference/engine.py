"""Writing with an exported model: no torch, a cache in place, one token at a time or many texts at once."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from playground.errors import PlaygroundError
from playground.inference.sampling import Sampling
from playground.inference.sampling import choose as draw
from playground.inference.session import CUDA, open_session, running_on, wanted

ABOUT = "playground.json"
RECURRENT = ("rnn", "lstm", "gru")
STEMS = ("model", "decoder_model")
KEPT = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int8)": np.int8}


@dataclass(frozen=True)
class About:
    """What an engine has to know of a model, kept beside it in ``playground.json``.

    Attributes:
        architecture: as in `models.spec`.
        n_layers, n_kv_heads, head_dim, d_model, vocab_size, context_length: its sizes.
        position: "learned", "rotary" …
        objective: "clm", "mlm" or "seq2seq".
        pairs: whether a text is answered (source, <bos>, answer).
        ids: of <pad>, <bos>, <eos> and <mask>.
        task: "classify" or "tag" for a fine-tuned reader; else "".
        labels: the names of its labels, in the order of its logits.
    """

    architecture: str
    n_layers: int
    n_kv_heads: int
    head_dim: int
    d_model: int
    vocab_size: int
    context_length: int
    position: str
    objective: str
    pairs: bool
    ids: tuple[int, int, int, int]
    task: str = ""
    labels: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> "About":
        """
        Raises:
            PlaygroundError: when the folder is no export of the playground.
        """
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            known = {name: about[name] for name in cls.__dataclass_fields__ if name in about}
            return cls(**known | {name: tuple(known[name]) for name in ("ids", "labels") if name in known})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlaygroundError(
                f"{folder.name} is no export of the playground.", "Export the run again."
            ) from error


def graph_file(folder: Path, stem: str, precision: str) -> Path:
    """Where a graph of standard operators is: model.onnx, model.int8.onnx …"""
    return folder / (f"{stem}.onnx" if precision == "fp32" else f"{stem}.{precision}.onnx")


def precisions_of(folder: Path) -> list[str]:
    """Which precisions an export has, the largest first."""
    files = lambda name: [folder / f"fused.{name}.onnx", *(graph_file(folder, stem, name) for stem in STEMS)]
    return [name for name in ("fp32", "kv8", "fp16", "int8", "int4") if any(path.exists() for path in files(name))]


class Writer:
    """What writes several texts at once: `read` begins them, `step` adds a token to each."""

    batch: int
    provider: str

    @property
    def memory(self) -> str:
        """Where what the graph keeps from token to token lies, as ONNX Runtime names it."""
        return "cuda" if self.provider == "CUDA" else "cpu"

    def read(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        raise NotImplementedError

    def step(self, tokens: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def greedy(self, n: int, texts: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """The ``n`` likeliest next tokens of each text ``[batch, n]``.

        Args:
            texts: what to begin anew with; None goes on where the last call ended.
        """
        said = np.empty((self.batch, n), dtype=np.int64)
        for i in range(n):
            logits = self.step(self.last) if texts is None or i else self.read(texts)
            self.last = said[:, i] = logits.argmax(-1)
        return said


class Decoder(Writer):
    """One text, or several, with the fused graph (`onnx_export.fused`): the cache never moves.

    Keys and values are kept in buffers that are inputs and outputs at once, so a step writes only the new token's.

    Args:
        model: the file of the graph, its bytes, or a session that others use too: each has a cache of its own.
        about: its sizes.
        batch: how many texts are written at once.
        room: how many tokens of each the cache holds; the model's context, which is the most, unless told.
    """

    def __init__(
        self,
        model: Path | bytes | ort.InferenceSession,
        about: About,
        batch: int = 1,
        room: int = 0,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.session = open_fused(model, device, threads, batch)
        self.about, self.batch, self.room = about, batch, min(room or about.context_length, about.context_length)
        self.provider = running_on(self.session)
        self.length = np.zeros(batch, dtype=np.int32)  # tokens in the cache, text by text
        self._total = np.zeros(1, dtype=np.int32)
        self._ids, self._places = np.zeros((batch, 1), dtype=np.int64), np.zeros((batch, 1), dtype=np.int64)
        self._logits = np.zeros((batch, about.vocab_size), dtype=np.float32)
        self._cache = self._empty_cache()
        self._bind()

    def _bind(self) -> None:
        self._one = self._bound(self._ids, np.arange(self.batch), self.length, self._total, self._places)

    def twin(self) -> "Decoder":
        """The same weights with a cache of its own."""
        return Decoder(self.session, self.about, self.batch, self.room)

    def _empty_cache(self) -> dict[str, ort.OrtValue]:
        about = self.about
        shape = (self.batch, about.n_kv_heads, self.room, about.head_dim)
        types = {value.name: value.type for value in self.session.get_inputs()}
        kept = KEPT[types["past_key_values.0.key"]]
        return {
            f"{i}.{kind}": ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=kept), self.memory, 0)
            for i in range(about.n_layers)
            for kind in ("key", "value")
        }

    def cached(self, layer: int, kind: str) -> np.ndarray:
        """A copy of the keys ("key") or values of a layer ``[batch, kv_heads, room, head_dim]``."""
        return self._cache[f"{layer}.{kind}"].numpy()

    def _bound(self, ids, rows, before, total, places) -> ort.IOBinding:
        """Ties these arrays, the cache and the logits to the graph: it reads and writes them where they are."""
        binding = self.session.io_binding()
        inputs = {"input_ids": ids, "rows": rows.astype(np.int64), "seqlens_k": before, "total_sequence_length": total}
        if self.about.position in ("learned", "sinusoidal"):
            inputs["position_ids"] = places
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cpu", 0))
        for name, buffer in self._cache.items():
            binding.bind_ortvalue_input(f"past_key_values.{name}", buffer)
            binding.bind_ortvalue_output(f"present.{name}", buffer)
        binding.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(self._logits, "cpu", 0))
        binding.arrays = inputs  # ONNX Runtime reads their memory: they must live as long
        return binding

    def read(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Begins anew with these texts, one for each place of the batch; logits after each ``[batch, vocabulary]``,
        which the next call writes over.

        Raises:
            PlaygroundError: when a text is empty or longer than the cache.
        """
        lengths = np.array([len(text) for text in texts], dtype=np.int32)
        if len(texts) != self.batch or lengths.min() < 1 or lengths.max() > self.room:
            raise PlaygroundError(f"A text must have 1 to {self.room} tokens.", "Cut it, or give a prompt.")
        n = int(lengths.max())
        ids = np.zeros((self.batch, n), dtype=np.int64)
        for row, text in zip(ids, texts, strict=True):
            row[: len(text)] = text
        rows = np.arange(self.batch) * n + lengths - 1
        places = np.tile(np.arange(n, dtype=np.int64), (self.batch, 1))
        binding = self._bound(ids, rows, lengths - 1, np.array([n], dtype=np.int32), places)
        self.session.run_with_iobinding(binding)
        self.length[:] = lengths
        return self._logits

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """One more token for each text ``[batch]``; logits after it ``[batch, vocabulary]``, which the next call writes
        over.

        Raises:
            PlaygroundError: when the cache is full.
        """
        longest = int(self.length.max())
        if longest >= self.room:
            raise PlaygroundError(f"The cache holds {self.room} tokens and is full.", "Read a shorter text anew.")
        self._ids[:, 0] = tokens
        self._places[:, 0] = self.length
        self._total[0] = longest + 1
        self.session.run_with_iobinding(self._one)
        self.length += 1
        return self._logits


def open_fused(model: Path | bytes | ort.InferenceSession, device: str, threads: int, batch: int) -> ort.InferenceSession:
    """As `session.open_session`; where CUDA will run it, with attention in 16 bits, which is all that it has there."""
    known = isinstance(model, ort.InferenceSession) or (isinstance(model, Path) and not model.is_file())
    if known or CUDA not in wanted(device):
        return open_session(model, device, threads, batch)
    import onnx

    from playground.inference.half_attention import with_half_attention

    try:
        graph = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model)
    except Exception:  # what is damaged is told by ONNX Runtime, in words
        return open_session(model, device, threads, batch)
    return open_session(with_half_attention(graph).SerializeToString(), device, threads, batch)


class PairDecoder(Decoder):
    """An encoder–decoder: what the decoder looks at in the source stays where the encoder put it.

    Args:
        reader: the encoder, as a file or a session.
        model, about, batch, device, threads: as of :class:`Decoder`.
    """

    def __init__(
        self,
        reader: Path | ort.InferenceSession,
        model: Path | ort.InferenceSession,
        about: About,
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        self.reader = open_session(reader, device, threads, batch)
        self.cross: dict[str, ort.OrtValue] = {}
        super().__init__(model, about, batch, 0, device, threads)

    def source(self, ids: Sequence[int]) -> None:
        """Reads the source, once for all tokens of the answer."""
        mask, seen = read_source(self.reader, ids, self.batch)
        self.cross = {name: ort.OrtValue.ortvalue_from_numpy(value, self.memory, 0) for name, value in seen.items()}
        self.cross["encoder_attention_mask"] = ort.OrtValue.ortvalue_from_numpy(mask, "cpu", 0)
        self._bind()

    def _bound(self, ids, rows, before, total, places) -> ort.IOBinding:
        binding = super()._bound(ids, rows, before, total, places)
        for name, value in self.cross.items():
            binding.bind_ortvalue_input(name, value)
        return binding

    def twin(self) -> "PairDecoder":
        return PairDecoder(self.reader, self.session, self.about, self.batch)


def read_source(
    reader: ort.InferenceSession, ids: Sequence[int], batch: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The mask of a source ``[batch, n]``, and what every layer of the decoder sees of it: ``cross.{i}.key/value``."""
    tiled = np.tile(np.asarray(ids, dtype=np.int64), (batch, 1))
    mask = np.ones_like(tiled)
    names = [value.name for value in reader.get_outputs() if value.name.startswith("cross")]
    made = reader.run(names, {"input_ids": tiled, "attention_mask": mask})
    return mask, dict(zip(names, made, strict=True))


class Recurrent(Writer):
    """An RNN, LSTM or GRU that reads from left to right: its state goes to and fro between two buffers.

    Args:
        model: the file of the graph, or a session that others use too.
        about, batch, device, threads: as of :class:`Decoder`.
    """

    def __init__(
        self, model: Path | ort.InferenceSession, about: About, batch: int = 1, device: str = "auto", threads: int = 0
    ) -> None:
        self.session = open_session(model, device, threads, batch)
        self.about, self.batch, self.room = about, batch, about.context_length
        self.provider = running_on(self.session)
        self.length = np.zeros(batch, dtype=np.int32)
        self._names = [value.name.removeprefix("past_") for value in self.session.get_inputs() if value.name.startswith("past_")]
        self._ids = np.zeros((batch, 1), dtype=np.int64)
        self._logits = np.zeros((batch, 1, about.vocab_size), dtype=np.float32)
        self._nothing, self._first, second = self._empty(), self._empty(), self._empty()
        self._steps = [self._bound(self._ids, self._logits, *pair) for pair in ((self._first, second), (second, self._first))]
        self._before = 0  # in which buffers the state is: the first, or the second

    def _empty(self) -> list[ort.OrtValue]:
        shape = (self.about.n_layers, self.batch, self.about.d_model)
        return [ort.OrtValue.ortvalue_from_numpy(np.zeros(shape, dtype=np.float32), self.memory, 0) for _ in self._names]

    def _bound(self, ids: np.ndarray, logits: np.ndarray, before: list, after: list) -> ort.IOBinding:
        """From the state in some buffers to that in others."""
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("input_ids", ort.OrtValue.ortvalue_from_numpy(ids, "cpu", 0))
        binding.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(logits, "cpu", 0))
        for name, old, new in zip(self._names, before, after, strict=True):
            binding.bind_ortvalue_input(f"past_{name}", old)
            binding.bind_ortvalue_output(f"present_{name}", new)
        binding.arrays = ids, logits  # ONNX Runtime reads and writes their memory: they must live as long
        return binding

    def read(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """Begins anew with these texts; logits after each ``[batch, vocabulary]``.

        Raises:
            PlaygroundError: when one is empty, or they differ in length.
        """
        ids = equally_long(texts)
        logits = np.zeros((*ids.shape, self.about.vocab_size), dtype=np.float32)
        self.session.run_with_iobinding(self._bound(ids, logits, self._nothing, self._first))
        self._before, self.length = 0, np.full(self.batch, ids.shape[1], dtype=np.int32)
        return logits[:, -1]

    def step(self, tokens: np.ndarray) -> np.ndarray:
        """One more token for each text ``[batch]``; logits after it ``[batch, vocabulary]``, which the next call writes
        over.
        """
        self._ids[:, 0] = tokens
        self.session.run_with_iobinding(self._steps[self._before])
        self._before = 1 - self._before
        self.length += 1
        return self._logits[:, 0]

    def twin(self) -> "Recurrent":
        """The same weights with a state of its own."""
        return Recurrent(self.session, self.about, self.batch)


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
        opened = lambda stem: open_session(graph_file(folder, stem, precision), device, threads, batch)
        self.session = opened("decoder_model" if pairs else "model")
        self.reader = opened("encoder_model") if pairs else None
        self.about, self.batch, self.room = about, batch, about.context_length
        self.provider = running_on(self.session)
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.outputs = [
            value.name for value in self.session.get_outputs() if not value.name.startswith("attentions")
        ]
        self.state: dict[str, np.ndarray] = {}
        self.cross: dict[str, np.ndarray] = {}
        self.length = np.zeros(batch, dtype=np.int32)

    def source(self, ids: Sequence[int]) -> None:
        """Encoder–decoder: reads the source, once for all tokens of the answer."""
        mask, seen = read_source(self.reader, ids, self.batch)
        self.cross = seen | {"encoder_attention_mask": mask}

    def read(self, texts: Sequence[Sequence[int]]) -> np.ndarray:
        """As :meth:`Recurrent.read`."""
        ids = equally_long(texts)
        self.length = np.zeros(self.batch, dtype=np.int32)
        empty = (self.batch, self.about.n_kv_heads, 0, self.about.head_dim)
        self.state = {
            value.name: np.zeros(empty, KEPT[value.type])
            for value in self.session.get_inputs()
            if value.name.startswith("past")
        }
        return self._run(ids)

    def step(self, tokens: np.ndarray) -> np.ndarray:
        return self._run(np.asarray(tokens, dtype=np.int64).reshape(-1, 1))

    def twin(self) -> "Portable":
        """The same weights with a cache of its own."""
        made = copy.copy(self)
        made.length = self.length.copy()
        return made

    def _run(self, ids: np.ndarray) -> np.ndarray:
        before, n = int(self.length[0]), ids.shape[1]
        feed = {"input_ids": ids, **self.state, **self.cross}
        if "attention_mask" in self.inputs:
            feed["attention_mask"] = np.ones((self.batch, before + n), dtype=np.int64)
        if "position_ids" in self.inputs:
            feed["position_ids"] = np.tile(np.arange(before, before + n), (self.batch, 1))
        made = dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))
        self.state = {name.replace("present", "past_key_values"): value for name, value in made.items() if name != "logits"}
        self.length = self.length + np.int32(n)
        return made["logits"][:, -1]


class Engine:
    """An exported model that writes.

    Args:
        folder: of the export.
        precision: which of its files: "fp32", "int8" …
        batch: texts at once.

    Raises:
        PlaygroundError: when the folder or a file of it cannot be used.
    """

    def __init__(
        self,
        folder: Path | str,
        precision: str = "fp32",
        batch: int = 1,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        folder = Path(folder)
        self.about = About.read(folder)
        if self.about.task or self.about.objective == "mlm":
            raise PlaygroundError("This model reads text; it does not continue it.", "Use playground.inference.reader.")
        fused = folder / f"fused.{precision}.onnx"
        self.fused = fused.exists()
        self.model: Decoder | Recurrent | Portable
        if self.fused and self.about.architecture == "encoder-decoder":
            reader = graph_file(folder, "encoder_model", precision)
            self.model = PairDecoder(reader, fused, self.about, batch, device, threads)
        elif self.fused:
            self.model = Decoder(fused, self.about, batch, 0, device, threads)
        elif self.about.architecture in RECURRENT:
            self.model = Recurrent(graph_file(folder, "model", precision), self.about, batch, device, threads)
        else:
            self.model = Portable(folder, self.about, batch, device, threads, precision)
        self.provider = self.model.provider

    def twin(self) -> "Engine":
        """The same weights with a cache of its own: for somebody else, at the same time."""
        made = copy.copy(self)
        made.model = self.model.twin()
        return made

    def generate(
        self,
        ids: Sequence[int],
        most: int,
        sampling: Sampling = Sampling(temperature=0),
        seed: int = 0,
        stop: Sequence[int] = (),
        source_ids: Sequence[int] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        choose: Callable[[np.ndarray], int] | None = None,
    ) -> Iterator[int]:
        """The tokens that follow a prompt, one by one; ends at a stop token, after ``most``, or when cancelled.

        ``choose`` picks a token from logits ``[vocabulary]`` in the place of ``sampling``. A full context is halved and
        read anew, as in `models.decode`.
        """
        about, rng, written = self.about, np.random.default_rng(seed), list(ids)
        if source_ids is not None:
            self.model.source(source_ids)
        room = len(written) + most if about.architecture in RECURRENT else about.context_length
        logits = self.model.read([written[-room:]])
        for _ in range(most):
            token = choose(logits[0]) if choose else draw(logits[0], sampling, rng, written)
            if token in stop or cancelled():
                return
            yield token
            written.append(token)
            if int(self.model.length[0]) >= room:
                logits = self.model.read([written[-(room // 2) :]])
            else:
                logits = self.model.step(np.array([token]))

    def batched(self, prompts: Sequence[Sequence[int]], most: int) -> list[list[int]]:
        """Greedy continuations of several prompts at once, each ``most`` tokens or to the end of the context."""
        logits = self.model.read(prompts)
        written: list[list[int]] = [[] for _ in prompts]
        most = min(most, self.model.room - int(self.model.length.max()))
        for i in range(most):
            tokens = logits.argmax(-1)
            for text, token in zip(written, tokens, strict=True):
                text.append(int(token))
            if i + 1 < most:
                logits = self.model.step(tokens)
        return written
