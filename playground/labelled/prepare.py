"""From labelled text to tokens on disk: read, split, cut with the pre-trained model's tokenizer, kept and shared."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from playground.core import atomic
from playground.core.errors import Message, PlaygroundError, from_json
from playground.core.paths import home
from playground.labelled import builtin_datasets
from playground.labelled.examples import Labelled, Tagged
from playground.labelled.split import SIDES, Split, split
from playground.labelled.table import read_table, table_of
from playground.runs.finetuning import LabelledSpec
from playground.text import files
from playground.text.prepare import Progress, Watch, once, to_disk
from playground.text.spec import DataSpec
from playground.text.targets import IGNORE_INDEX
from playground.text.tokenizers import Tokenizer, clean

FORMAT = 1
MOST_LABELS = 20_000
LONGEST_LABEL = 1_000  # characters
BATCH = 2000  # rows read and tokenized at a time
REMEMBERED = 200_000  # pieces whose tokens are kept at hand


@dataclass(frozen=True)
class Side:
    """The examples of one side, on the disk.

    Attributes:
        ids: of all tokens, one example after the other; ``starts`` where each begins ``[n + 1]``.
        labels: of each example ("classify", ``[n]``), or of each token ("tag", as ``ids``).
    """

    folder: Path
    name: str
    ids: np.ndarray
    starts: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def tokens(self, index: int) -> np.ndarray:
        return self.ids[self.starts[index] : self.starts[index + 1]]

    def tags(self, index: int) -> np.ndarray:
        """The label of each token of an example (for "tag")."""
        return self.labels[self.starts[index] : self.starts[index + 1]]

    def texts(self, indices: Sequence[int]) -> list[Any]:
        """Some texts as they were: strings, or lists of pieces for "tag"."""
        places = np.load(self.folder / f"{self.name}.lines.npy", mmap_mode="r")
        found = []
        with open(self.folder / f"{self.name}.jsonl", "rb") as file:
            for index in indices:
                file.seek(int(places[index]))
                found.append(json.loads(file.readline()))
        return found


@dataclass(frozen=True)
class LabelledSet:
    """Labelled text, ready to train on.

    Attributes:
        task: "classify" or "tag".
        labels: their names, the most frequent first.
        train, validation, test: no text is on two of them.
        info: ``counts`` (of each label, by side), ``cut`` (texts longer than the model), ``notes`` (sentences on
            what was left out), ``licence`` and ``provenance``.
    """

    folder: Path
    task: str
    labels: tuple[str, ...]
    tokenizer: Tokenizer
    train: Side
    validation: Side
    test: Side
    info: dict[str, Any]

    shape = "labelled"

    def side(self, name: str) -> Side:
        return getattr(self, name)


def prepare_labelled(
    spec: LabelledSpec,
    task: str,
    tokenizer: Tokenizer,
    context_length: int,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> LabelledSet:
    """Prepares labelled text, or finds it prepared.

    Args:
        spec: which text, and how it is split.
        task: "classify" or "tag".
        tokenizer: of the model that will read it.
        context_length: tokens that the model reads; what is longer is cut, and counted.
        progress, cancelled: as in `playground.text.prepare`.

    Raises:
        Cancelled: when ``cancelled`` said so.
        PlaygroundError: when there is nothing to learn from: no rows, no labels, one label, a label a row.
    """
    watch = Watch(progress, cancelled)
    source = _source(spec, task)
    choices = {
        **{k: v for k, v in spec.to_dict().items() if k not in ("train_fraction", "limit", "path")},
        "task": task,
        "text": source.fingerprint,
        "tokenizer": tokenizer.fingerprint,
        "context_length": context_length,
        "format": FORMAT,
    }
    if any(tokenizer.frame):
        choices["frame"] = tokenizer.frame  # sets from before texts were framed are prepared anew
    name = "labelled-" + hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()[:20]
    folder = home() / "data" / name
    build = lambda: _build(spec, task, source, tokenizer, context_length, folder, watch)
    once(folder, "preparing the labelled text", watch, build)
    watch("Ready", 1.0)
    return load_labelled(folder)


def load_labelled(folder: Path | str) -> LabelledSet:
    """Opens what `prepare_labelled` made.

    Raises:
        PlaygroundError: when it is missing or damaged.
    """
    folder = Path(folder)
    try:
        info = from_json(json.loads((folder / "info.json").read_text(encoding="utf-8")))
        train, validation, test = (_open_side(folder, name) for name in SIDES)
        tokenizer = Tokenizer.load(folder / "tokenizer.json")
    except (OSError, ValueError, KeyError) as error:
        raise PlaygroundError(
            "{folder} is not prepared data.", "Delete it, and prepare the data again.", folder=folder
        ) from error
    return LabelledSet(folder, info["task"], tuple(info["labels"]), tokenizer, train, validation, test, info)


def _open_side(folder: Path, name: str) -> Side:
    ids, starts, labels = (
        np.load(folder / f"{name}.{part}.npy", mmap_mode="r", allow_pickle=False)
        for part in ("ids", "starts", "labels")
    )
    return Side(folder, name, ids, starts, labels)


@dataclass(frozen=True)
class _Source:
    rows: Callable[[], Iterator[Labelled | Tagged]]
    fingerprint: str
    licence: str
    provenance: str
    notes: Callable[[], list[str]] = list


def _source(spec: LabelledSpec, task: str) -> _Source:
    if spec.dataset == "file":
        rows, notes = read_table(spec, task)
        opened = files.open_file(
            DataSpec("file", path=spec.path, text_column=_any_column(spec), encoding=spec.encoding)
        )
        return _Source(rows, opened.fingerprint, opened.licence, opened.provenance, notes)
    known = builtin_datasets.get(spec.dataset)
    if known.task != task:
        raise PlaygroundError(
            Message("{dataset} gives a label to each word.", dataset=spec.dataset)
            if known.task == "tag"
            else Message("{dataset} gives a label to each text.", dataset=spec.dataset),
            "Choose the task {task} for it.",
            task=known.task,
        )
    return _Source(known.rows, known.fingerprint, known.licence, known.provenance)


def _any_column(spec: LabelledSpec) -> str | None:
    if Path(spec.file).suffix.lower() in files.PLAIN:
        return None
    return spec.text_column or table_of(spec.file, spec.encoding).columns[0]


def _build(
    spec: LabelledSpec, task: str, source: _Source, tokenizer: Tokenizer, length: int, folder: Path, watch: Watch
) -> None:
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        read = _read(source, task, watch)
        divided = split(*read.hashes(), read.first_labels(), spec)
        info = {
            "task": task,
            "labels": read.labels,
            "licence": source.licence,
            "provenance": source.provenance,
            "spec": spec.to_dict(),
            "context_length": length,
            **_write(source, read, divided.side, tokenizer, length, work, watch),
        }
        info["notes"] = [*source.notes(), *_notes(read, divided, info)]
        for name in SIDES:
            if not info["examples"][name]:
                raise PlaygroundError(
                    "No text is left for the {name} side.",
                    "Use more rows: some ten for each label are a start.",
                    name=name,
                )
        tokenizer.save(work / "tokenizer.json")
        atomic.write_json(work / "info.json", info)
        to_disk(work)
        shutil.rmtree(folder, ignore_errors=True)  # a folder that lost its parts
        os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass
class Counted:
    """How many rows, and the number of the first of them (from 1)."""

    n: int = 0
    first: int = 0

    def add(self, row: int) -> None:
        self.n += 1
        self.first = min(self.first or row, row)


class _Read:
    """What the first pass found, a few bytes a row."""

    def __init__(self) -> None:
        self.texts, self.groups, self.codes = array("Q"), array("Q"), array("q")
        self.counts: Counter[str] = Counter()
        self.names: list[str] = []
        self.without_text, self.without_label = Counted(), Counted()

    def hashes(self) -> tuple[np.ndarray, np.ndarray]:
        return np.frombuffer(self.texts, np.uint64), np.frombuffer(self.groups, np.uint64)

    @property
    def labels(self) -> list[str]:
        return [name for name, _ in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))]

    def first_labels(self) -> np.ndarray:
        return np.frombuffer(self.codes, np.int64)


def _usable(rows: Iterator[Labelled | Tagged], read: _Read | None = None) -> Iterator[tuple[int, Labelled | Tagged]]:
    """The rows with a text and a label, each with its number in the file; both passes see the same ones."""
    for number, row in enumerate(rows, 1):
        if isinstance(row, Tagged):
            row = _asked_first(row)
        if not row.text.strip():
            if read:
                read.without_text.add(number)
        elif not (row.label if isinstance(row, Labelled) else any(row.tags)):
            if read:
                read.without_label.add(number)
        else:
            yield number, row


def _asked_first(row: Tagged) -> Tagged:
    """The same text with every piece asked about but a last one: what has no tag begins the piece after it."""
    if all(row.tags) and all(row.pieces):
        return row
    pieces, tags, waiting = [], [], ""
    for piece, tag in zip(row.pieces, row.tags):
        waiting += piece
        if tag and waiting:
            pieces.append(waiting)
            tags.append(tag)
            waiting = ""
    if waiting:
        pieces.append(waiting)
        tags.append("")
    return Tagged(tuple(pieces), tuple(tags), row.group)


def _read(source: _Source, task: str, watch: Watch) -> _Read:
    """The first pass: hashes of texts and groups, and how often each label is there."""
    read, codes = _Read(), {}
    for number, (row_number, row) in enumerate(_usable(source.rows(), read)):
        if number % BATCH == 0:
            watch("Reading the labelled text", 0.3 * (1 - 1 / (1 + number / 20_000)))
        text = _hash(row.text.strip())
        read.texts.append(text)
        read.groups.append(_hash(row.group) if row.group else text)
        labels = [row.label] if isinstance(row, Labelled) else list(filter(None, row.tags))
        if max(map(len, labels)) > LONGEST_LABEL:
            raise _too_long(row_number)
        read.counts.update(labels)
        if len(read.counts) > MOST_LABELS:  # none of them is forgotten before the end
            break
        read.codes.append(codes.setdefault(row.label, len(codes)) if isinstance(row, Labelled) else 0)
    _check(read, task)
    return read


def _too_long(row: int) -> PlaygroundError:
    return PlaygroundError(
        "Row {row:,} has a label of more than {longest_label:,} characters.",
        "Choose a column with a few labels that come again; for free text as the answer, choose the task answer.",
        row=row,
        longest_label=LONGEST_LABEL,
    )


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _check(read: _Read, task: str) -> None:
    rows, labels = len(read.texts), len(read.counts)
    if not rows:
        raise PlaygroundError(
            "There is no row with both a text and a label ({n:,} without text, {without_label_n:,} without label).",
            "Look at the two columns that were chosen.",
            n=read.without_text.n,
            without_label_n=read.without_label.n,
        )
    if labels == 1:
        raise PlaygroundError(
            "All {rows:,} rows have the same label, {label!r}: there is nothing to tell apart.",
            "Choose another label column, or add rows with other labels.",
            rows=rows,
            label=next(iter(read.counts))[:60],
        )
    if labels > MOST_LABELS or (task == "classify" and labels > 20 and labels * 2 > rows):
        raise PlaygroundError(
            "There are {labels:,} different labels in {rows:,} rows: nearly every row has its own.",
            "Choose a column with a few labels that come again; for free text as the answer, choose the task answer.",
            labels=labels,
            rows=rows,
        )


def _write(
    source: _Source,
    read: _Read,
    side: np.ndarray,
    tokenizer: Tokenizer,
    length: int,
    work: Path,
    watch: Watch,
) -> dict[str, Any]:
    """The second pass: each row's tokens and labels go to its side."""
    codes = {name: code for code, name in enumerate(read.labels)}
    rows, number = _usable(source.rows()), 0
    with contextlib.ExitStack() as opened:
        texts = [opened.enter_context(open(work / f"{name}.jsonl", "wb")) for name in SIDES]
        writers = [_Writer(name, codes, tokenizer, length, file) for name, file in zip(SIDES, texts)]
        while batch := list(islice(rows, BATCH)):
            watch("Cutting into tokens", 0.3 + 0.65 * number / len(side))
            for writer, wanted in zip(writers, range(len(SIDES))):
                writer.add([row for i, row in enumerate(batch, number) if i < len(side) and side[i] == wanted])
            number += len(batch)
    for writer in writers:
        writer.save(work)
    if number != len(side):
        raise PlaygroundError("The file changed while it was read.", "Prepare the data again.")
    return {
        "examples": {w.name: len(w.starts) - 1 for w in writers},
        "counts": {w.name: w.counts.tolist() for w in writers},
        "cut": {w.name: w.cut.n for w in writers},
        "first_cut": min((w.cut.first for w in writers if w.cut.n), default=0),
    }


class _Writer:
    """Writes one side; holds the tokens as numbers until the end."""

    def __init__(self, name: str, codes: dict[str, int], tokenizer: Tokenizer, length: int, texts: BinaryIO) -> None:
        self.name, self.codes, self.texts = name, codes, texts
        self.tokenizer, self.length = tokenizer, length
        self.ids, self.labels, self.starts, self.lines = array("I"), array("i"), array("q", [0]), array("q")
        self.counts = np.zeros(len(codes), dtype=np.int64)
        self.cut = Counted()
        self.known: dict[str, np.ndarray] = {}

    def add(self, rows: list[tuple[int, Labelled | Tagged]]) -> None:
        """Rows of one kind, with their numbers in the file."""
        if labelled := [(number, row) for number, row in rows if isinstance(row, Labelled)]:
            self._add_labelled(labelled)
        for number, row in rows:
            if isinstance(row, Tagged):
                self._add_tagged(number, row)

    def _add_labelled(self, rows: list[tuple[int, Labelled]]) -> None:
        for (number, row), ids in zip(rows, self.tokenizer.encode_many([clean(row.text) for _, row in rows])):
            code = self.codes[row.label]
            self._add(number, ids, self.tokenizer.with_special_tokens(ids.tolist(), self.length), row.text)
            self.labels.append(code)
            self.counts[code] += 1

    def _add_tagged(self, number: int, row: Tagged) -> None:
        ids, labels = tagged_tokens(row, self.codes, self._tokens)
        framed, asked = framed_tags(self.tokenizer, ids, labels, self.length)
        self._add(number, ids, framed.tolist(), list(row.pieces))
        self.labels.extend(asked.tolist())
        self.counts += np.bincount(asked[asked >= 0], minlength=len(self.counts))

    def _add(self, number: int, ids: np.ndarray, framed: list[int], text: Any) -> None:
        """One example: its row's number, its ids, and those that the model reads of them."""
        if len(ids) + sum(map(len, self.tokenizer.frame)) > self.length:
            self.cut.add(number)
        self.ids.extend(framed)
        self.starts.append(len(self.ids))
        self.lines.append(self.texts.tell())
        self.texts.write(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def _tokens(self, piece: str) -> np.ndarray:
        if piece not in self.known:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            self.known[piece] = np.asarray(self.tokenizer.encode(piece))
        return self.known[piece]

    def save(self, work: Path) -> None:
        for part, values, kind in (
            ("ids", self.ids, np.uint32),
            ("labels", self.labels, np.int32),
            ("starts", self.starts, np.int64),
            ("lines", self.lines, np.int64),
        ):
            np.save(work / f"{self.name}.{part}.npy", np.asarray(values, dtype=kind))


def tagged_tokens(
    row: Tagged, codes: dict[str, int], tokens: Callable[[str], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of all pieces, and for the last token of each the code of its tag: by then the word has been read."""
    ids = [tokens(piece) for piece in row.pieces]
    labels = [np.full(len(part), IGNORE_INDEX) for part in ids]
    for part, tag in zip(labels, row.tags):
        if len(part) and tag:
            part[-1] = codes[tag]
    return np.concatenate(ids), np.concatenate(labels)


def framed_tags(
    tokenizer: Tokenizer, ids: np.ndarray, labels: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of a text within the model's frame, at most ``length``, and their labels: the frame has none."""
    nothing = [[IGNORE_INDEX] * len(part) for part in tokenizer.frame]
    room = max(0, length - sum(map(len, nothing)))
    framed = [*nothing[0], *labels[:room], *nothing[1]][:length]
    return np.asarray(tokenizer.with_special_tokens(ids.tolist(), length)), np.asarray(framed)


def _notes(read: _Read, divided: Split, info: dict[str, Any]) -> list[str]:
    """What a person should know of the rows that were left out, repeated, cut or rare."""
    rare = sum(count < 3 for count in read.counts.values()) if info["task"] == "classify" else 0
    cut, total = sum(info["cut"].values()), sum(info["examples"].values())
    text, label, length = read.without_text, read.without_label, info["context_length"]
    first = info["first_cut"]
    said = [
        (text.n, Message("Rows without a text, left out: {n:,} (first: row {first:,}).", n=text.n, first=text.first)),
        (
            label.n,
            Message("Rows without a label, left out: {n:,} (first: row {first:,}).", n=label.n, first=label.first),
        ),
        (
            divided.repeated,
            Message(
                "Rows with a text that another row has too: {repeated:,}; copies are on one side.",
                repeated=divided.repeated,
            ),
        ),
        (
            divided.leaking,
            Message(
                "Rows left out, since their text is on an earlier side of the split: {leaking:,}.",
                leaking=divided.leaking,
            ),
        ),
        (
            divided.contrary,
            Message(
                "Texts with more than one label: {contrary:,}; no model can be right about all.",
                contrary=divided.contrary,
            ),
        ),
        (rare, Message("Labels with fewer than three texts: {rare:,}; they are in training alone.", rare=rare)),
        (
            cut,
            Message(
                "Texts longer than the model reads: {n:,} of {rows:,} (first: row {first:,}); {length:,} tokens are kept.",
                n=cut,
                rows=total,
                first=first,
                length=length,
            ),
        ),
    ]
    return [sentence for count, sentence in said if count]
