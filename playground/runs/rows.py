"""What a line of ``metrics.jsonl`` or ``samples.jsonl`` may hold: the one place where it is checked.

A run may come from anybody. Whoever draws or trains reads rows through here, and can rely on their types; a row that
does not fit is passed over.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from playground.core import jsonl

MOST = 2**53  # the largest count that JavaScript knows exactly
Step = Annotated[int, Meta(ge=0, le=10**12)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Number = Annotated[float, Meta(ge=-1e100, le=1e100)]  # finite, and so are sums of a million million of them
Amount = Annotated[float, Meta(ge=0, le=1e100)]
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(max_length=1_000_000)]
Texts = list[Text]


class Metric(Struct, gc=False):
    """A line of ``metrics.jsonl``: of a step (``kind`` "train") or of an evaluation ("eval")."""

    step: Step
    kind: str = ""
    tokens: Count | None = None
    seconds: Amount | None = None
    loss: Number | None = None
    lr: Number | None = None
    grad_norm: Number | None = None
    tokens_per_second: Amount | None = None
    val_loss: Number | None = None
    val_accuracy: Number | None = None
    val_exact: Number | None = None
    train_exact: Number | None = None
    val_f1: Number | None = None
    memory_bytes: Amount | None = None
    probe: Annotated[list[Share], Meta(max_length=100_000)] | None = None

    def told(self) -> jsonl.Row:
        """As a dictionary of what is there."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class Example(Struct, omit_defaults=True):
    """A question (``source``) or a text with what is right and what the model says; or the words of one, with tags."""

    source: Text | None = None
    target: Text | None = None
    answer: Text | None = None
    text: Text | None = None
    label: Text | None = None
    said: Text | Texts | None = None
    probability: Share | None = None
    pieces: Texts | None = None
    tags: Texts | None = None

    def is_of(self, kind: str) -> bool:
        """Whether it has what a sample of this kind shows."""
        if kind == "answers":
            return None not in (self.source, self.target, self.answer)
        if self.pieces is None:
            return None not in (self.text, self.label) and isinstance(self.said, str)
        lists = (self.tags, self.said)
        return all(isinstance(each, list) and len(each) == len(self.pieces) for each in lists)


class Sample(Struct, omit_defaults=True):
    """A line of ``samples.jsonl``: what the model wrote at a step.

    Raises:
        ValueError: when it has not what its kind shows.
    """

    step: Step
    kind: str = msgspec.field(default_factory=lambda: "text")  # a factory: so it is always told
    prompt: Text | None = None
    text: Text | None = None
    examples: list[Example] | None = None
    tokens: Texts | None = None
    blanks: list[Count] | None = None
    filled: Texts | None = None
    probabilities: list[Share] | None = None

    def __post_init__(self) -> None:
        if not self._is_whole():
            raise ValueError(f"no sample of the kind {self.kind[:20]!r}")

    def _is_whole(self) -> bool:
        if self.kind == "text":
            return self.text is not None
        if self.kind in ("answers", "labels"):
            return self.examples is not None and all(each.is_of(self.kind) for each in self.examples)
        if self.kind != "blanks":
            return False
        if self.tokens is None or self.filled is None or self.blanks is None or self.probabilities is None:
            return False
        n = len(self.tokens)
        fits = n == len(self.filled) and len(self.blanks) == len(self.probabilities)
        return fits and all(place < n for place in self.blanks)


_metric, _sample = msgspec.json.Decoder(Metric), msgspec.json.Decoder(Sample)
_FOREIGN = (ValueError, RecursionError)  # msgspec's errors are ValueErrors
_NO_NUMBER = re.compile(rb"(:\s*)(?:-?Infinity|NaN)(?=\s*[,}])")  # Python writes them, JSON has no such words


def metrics(data: bytes) -> list[Metric]:
    """The rows of whole lines of ``metrics.jsonl``, in order; what is no finite number is None."""
    try:
        found = _metric.decode_lines(data)
        if len(found) == data.count(b"\n") == data.count(b"}\n{") + 1:  # exactly one on every line
            return found
    except _FOREIGN:  # some are torn or foreign: one by one
        pass
    return list(_fitting(_NO_NUMBER.sub(rb"\1null", data), _metric))


def newest_metrics(path: Path, cursor: int, most: int) -> tuple[list[Metric], int]:
    """At most so many rows after a cursor (see `playground.core.jsonl.parts`), the last ones; and the next cursor."""
    found: deque[Metric] = deque(maxlen=most)
    for data, after, restarted in jsonl.parts(path, cursor):
        if restarted:
            found.clear()
        found.extend(metrics(data))
        cursor = after
    return list(found), cursor


def newest_samples(path: Path, cursor: int, most: int) -> tuple[list[jsonl.Row], int]:
    """The same of a ``samples.jsonl``, as dictionaries."""
    found: deque[Sample] = deque(maxlen=most)
    for data, after, restarted in jsonl.parts(path, cursor):
        if restarted:
            found.clear()
        found.extend(sample for sample, _ in samples(data))
        cursor = after
    return msgspec.to_builtins(list(found)), cursor


def samples(data: bytes) -> Iterator[tuple[Sample, int]]:
    """The rows of whole lines of ``samples.jsonl``, and how many bytes each had."""
    for line in data.split(b"\n"):
        for sample in _fitting(line, _sample):
            yield sample, len(line)


def _fitting(data: bytes, decoder: msgspec.json.Decoder) -> Iterator[Any]:
    for line in data.split(b"\n"):
        try:
            yield decoder.decode(line)
        except _FOREIGN:
            continue


def each_metric(path: Path) -> Iterator[Metric]:
    """All rows of a ``metrics.jsonl``, one after the other; the file is never in memory as a whole."""
    for data, *_ in jsonl.parts(path):
        yield from metrics(data)


def metrics_that_fit(found: Iterable[jsonl.Row]) -> list[jsonl.Row]:
    """Those of some rows whose known fields are of the right types; the rows stay as they were written."""
    return [row for row in found if _fits(row)]


def _fits(row: jsonl.Row) -> bool:
    try:
        msgspec.convert(row, Metric)
    except _FOREIGN:
        return False
    return True


def passage(note: Any) -> list[str]:
    """The tokens of the probed passage, from a status's note; none where there are none to be read."""
    tokens = note.get("probe") if isinstance(note, Mapping) else None
    return tokens if isinstance(tokens, list) and all(isinstance(token, str) for token in tokens) else []


def cut(note: Any) -> str | None:
    """How the text was cut short, from a status's note."""
    told = note.get("cut") if isinstance(note, Mapping) else None
    return told if isinstance(told, str) else None
