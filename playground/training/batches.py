"""Which examples are seen at which step: a pure function of (seed, step), so that a run can resume anywhere.

No state is kept between steps. Step 731 of a resumed run, or of the second of two processes, draws exactly what
step 731 of an uninterrupted single process draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from models.transformer import Source
from playground.core.errors import Message, PlaygroundError
from playground.text.prepare import Prepared
from playground.text.token_files import PairFile, TokenFile
from playground.training.device import Device

TRAIN, VALIDATION = 0, 1
SHOWN_TOKENS = 40  # tokens, and letters, of a question that is named
CACHED_TOKENS = 2**20  # tokens of pairs kept in memory: reading a pair takes as long as all else about it


@dataclass
class Batch:
    """What one forward pass takes and is scored against.

    Attributes:
        inputs: tensors by name: `forward_inputs` makes the model's arguments of them.
        targets: token ids ``[batch, length]``, or ``[chosen places]`` where ``inputs`` holds ``rows``; IGNORE_INDEX
            where nothing is asked.
        n_targets: how many targets count, known without asking the device.
        n_tokens: how many tokens the model reads.
        whole: of pairs ``[batch]``, True where the answer is asked to its end; None: all are.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    n_targets: int
    n_tokens: int
    is_complete: Tensor | None = None

    def forward_inputs(self) -> dict[str, Any]:
        """The keyword arguments of the model's ``forward``; ``source_ids`` and ``source_mask`` are one `Source`."""
        inputs: dict[str, Any] = dict(self.inputs)
        if "source_ids" in inputs:
            inputs["source"] = Source(inputs.pop("source_ids"), inputs.pop("source_mask", None))
        return inputs

    def to(self, device: Device) -> "Batch":
        """The same batch on a device; on CUDA the copy goes through pinned memory and is not waited for."""
        if device.kind == "cpu":
            return self
        move = _mover(device)
        inputs, whole = {k: move(v) for k, v in self.inputs.items()}, self.is_complete
        return Batch(inputs, move(self.targets), self.n_targets, self.n_tokens, None if whole is None else move(whole))


def _mover(device: Device):
    if device.kind == "cuda":
        return lambda tensor: tensor.pin_memory().to(device.torch, non_blocking=True)
    return lambda tensor: tensor.to(device.torch)


def rng(seed: int, step: int, stream: int = 0) -> np.random.Generator:
    """A generator of its own for every (seed, step, purpose)."""
    return np.random.Generator(np.random.Philox(key=[seed, (stream << 48) + step]))


@dataclass
class Rows:
    """Sequences of token ids before an objective makes questions of them.

    Attributes:
        ids: ``[batch, length]``, padded on the right with ``pad_id``.
        starts: where each answer begins in ``ids`` (pairs only), ``[batch]``.
        lengths: how many tokens are real, ``[batch]``; None: all.
        sources: the questions on their own ``[batch, source length]`` (pairs only), with their lengths.
        whole: True where the answer has its ``<eos>`` (pairs only), ``[batch]``.
        shown, hidden: the ids with some masked, and True where one is asked about (masked objective only).
        labels: of the texts ``[batch]``, or of their tokens ``[batch, length]`` (labelled text only).
    """

    ids: np.ndarray
    starts: np.ndarray | None = None
    lengths: np.ndarray | None = None
    sources: np.ndarray | None = None
    source_lengths: np.ndarray | None = None
    is_complete: np.ndarray | None = None
    masked_ids: np.ndarray | None = None
    is_masked: np.ndarray | None = None
    labels: np.ndarray | None = None

    def part(self, which: slice) -> "Rows":
        """Some of the sequences, for one process or one micro-batch."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        ids = arrays.pop("ids")[which]
        return Rows(ids, **{name: None if array is None else array[which] for name, array in arrays.items()})


@dataclass
class Sampler:
    """Draws rows from prepared data: random windows of a stream, or random pairs.

    Args:
        prepared: the data.
        length: tokens a model reads at once.
        seed: of the drawing.
        apart: whether question and answer are read apart, as an encoder–decoder does: each may fill the length.
    """

    prepared: Prepared
    length: int
    seed: int
    separate_source: bool = False
    _sides: dict = field(default_factory=dict, init=False)
    _read: dict = field(default_factory=dict, init=False)  # pairs, by side and index
    _room: int = field(default=CACHED_TOKENS, init=False)

    def __post_init__(self) -> None:
        self._sides = {TRAIN: self.prepared.train, VALIDATION: self.prepared.validation}
        tokenizer = self.prepared.tokenizer
        self.pad_id, self.bos_id, self.eos_id = tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id
        if self.is_pairs:
            for side, words in ((TRAIN, "train on"), (VALIDATION, "validate with")):
                if not len(self._sides[side]):
                    raise PlaygroundError(
                        "The data has no pairs to {words}.", "Add more rows; a few hundred is a start.", words=words
                    )
            return
        for side, words in ((TRAIN, "training"), (VALIDATION, "validation")):
            have = len(self._sides[side])
            if have < self.length + 2:
                raise PlaygroundError(
                    "The {words} part of the text is too short: it has {have:,} of at least {length:,} tokens.",
                    "Use a longer text, a smaller context length, or another share for validation.",
                    words=words,
                    have=have,
                    length=self.length + 2,
                )

    @property
    def is_pairs(self) -> bool:
        """Whether the data are (question, answer) pairs; else they are one stream of tokens."""
        return self.prepared.shape == "pairs"

    def train(self, step: int, batch_size: int) -> Rows:
        """The rows of ``step``: the global batch, of which each process then takes its part."""
        chosen = rng(self.seed, step).integers(0, self._n_choices(TRAIN), size=batch_size)
        return self._rows(TRAIN, chosen)

    def _n_choices(self, side: int) -> int:
        """How many different rows can be drawn: one a pair, or one a token that a whole window can start at."""
        return len(self._sides[side]) if self.is_pairs else len(self._sides[side]) - self.length

    def validation(self, n_batches: int, batch_size: int) -> list[np.ndarray]:
        """The same evenly spread places at every evaluation, as batches of indices."""
        limit = self._n_choices(VALIDATION)
        most = limit if self.is_pairs else max(1, limit // self.length)
        return self._spread(limit, min(n_batches * batch_size, most), batch_size)

    def trained(self, most: int, batch_size: int) -> list[np.ndarray]:
        """Evenly spread pairs of the training side, the same at every evaluation, as batches of indices."""
        limit = self._n_choices(TRAIN)
        return self._spread(limit, min(most, limit), batch_size)

    def _spread(self, limit: int, wanted: int, batch_size: int) -> list[np.ndarray]:
        places = np.linspace(0, limit - 1, wanted).astype(np.int64)
        return [places[i : i + batch_size] for i in range(0, wanted, batch_size)]

    def validation_rows(self, places: np.ndarray) -> Rows:
        """The validation rows at these places, from `validation`."""
        return self._rows(VALIDATION, places)

    def trained_rows(self, places: np.ndarray) -> Rows:
        """The training rows at these places, from `trained`."""
        return self._rows(TRAIN, places)

    def _rows(self, side: int, chosen: np.ndarray) -> Rows:
        if self.is_pairs:
            return self._pairs(side, chosen)
        stream = cast(TokenFile, self._sides[side])
        return Rows(stream.windows(chosen, self.length + 1))

    def _pairs(self, side: int, chosen: np.ndarray) -> Rows:
        """``source <bos> target <eos>``; a source too long for the context loses its beginning, an answer its end.

        Half of the room is the source's where it needs it: an answer without its question teaches nothing. An answer
        that is cut off has no ``<eos>``: the model must not learn to stop there.
        """
        pairs = [self._pair(side, i) for i in chosen.tolist()]
        room = self.length  # beside <bos>: rows hold one token more than the model reads
        joined, starts, sources, whole = [], [], [], []
        for source, target in pairs:
            target, source = [*target, self.eos_id], source[-self.length :]
            asked = target[: room - (0 if self.separate_source else min(len(source), room // 2))]
            kept = source[max(0, len(source) - (room - len(asked))) :]
            joined.append([*kept, self.bos_id, *asked])
            starts.append(len(kept) + 1)
            sources.append(source or [self.bos_id])
            whole.append(len(asked) == len(target))
        ids, lengths = pad(joined, self.pad_id)
        source_ids, source_lengths = pad(sources, self.pad_id)
        return Rows(ids, np.array(starts), lengths, source_ids, source_lengths, np.array(whole))

    def _pair(self, side: int, index: int) -> tuple[list[int], list[int]]:
        """Source and target, from memory where they were read before."""
        if (known := self._read.get((side, index))) is not None:
            return known
        pair = tuple(ids.tolist() for ids in self._sides[side][index])
        self._room -= sum(map(len, pair))
        if self._room >= 0:
            self._read[side, index] = pair
        return pair


def truncation_warning(prepared: Prepared, length: int, objective: str) -> str:
    """A sentence on the pairs that a model does not read whole; "" where it reads all.

    Args:
        length: tokens of its context.
        objective: what it is trained for: a seq2seq model reads question and answer apart, the others one after another.
    """
    before, after = prepared.tokenizer.frame
    between = len(before) + 2 * len(after) - 1 if before or after else 1  # [CLS] source [SEP] target [SEP]
    needed = {"seq2seq": np.maximum, "clm": np.add, "mlm": lambda source, target: source + target + between}[objective]
    n, total, first = 0, 0, None
    for part in (prepared.train, prepared.validation):
        pairs = cast(PairFile, part)
        source, target = pairs.lengths().T
        longer = needed(source, target + 1) > length  # with <eos>
        if first is None and longer.any():
            first = pairs[int(longer.argmax())][0][:SHOWN_TOKENS]
        n, total = n + int(longer.sum()), total + len(part)
    if first is None:
        return ""
    shown = " ".join(prepared.tokenizer.decode(first.tolist()).split())[:SHOWN_TOKENS]
    return Message(
        "Pairs longer than the {length:,} tokens that the model reads: {n:,} of {total:,} (first: “{shown}”). They are cut, and a cut answer never counts as right. A longer context reads them whole.",
        length=length,
        n=n,
        total=total,
        shown=shown,
    )


def pad(rows: Sequence[Sequence[int]] | Sequence[np.ndarray], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of different lengths as one array ``[batch, longest]``, filled up on the right, and their lengths."""
    lengths = np.array([len(row) for row in rows])
    padded = np.full((len(rows), lengths.max()), pad_id, dtype=np.int64)
    for row, ids in zip(padded, rows):
        row[: len(ids)] = ids
    return padded, lengths


def to_tensor(array: np.ndarray) -> Tensor:
    """The array as a CPU tensor of the same shape and type, sharing memory where it can."""
    return torch.from_numpy(np.ascontiguousarray(array))
