"""Held-out examples at each evaluation, on the disk: the tokens that are asked, and the sixteen likeliest of each.

A run keeps them in its folder ``examples``: once ``examples.json`` (the texts), and a safetensors file per evaluation.
A run may come from anybody: whoever shows them reads through `RunExamples`, which checks every number.
"""

import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from playground.core.errors import Message

if TYPE_CHECKING:
    import numpy as np

FOLDER, TEXTS = "examples", "examples.json"
LIKELIEST = 16
MOST_ROWS, MOST_ASKED, MOST_SHOWN = 32, 32, 96
"""Texts, asked tokens per text, and tokens of a text that are shown."""
MOST_KEPT = 60
"""Evaluations that are kept; of more, evenly fewer."""
HEAVIEST = 1 << 20  # bytes of a file; the largest that is written has a tenth of that
_NAME = re.compile(r"step-(\d{8,12})\.safetensors")

TokenId = Annotated[int, Meta(ge=0, lt=2**31)]


class Row(Struct):
    """One text: its tokens, which of them are asked (places in ``ids``, rising), and what is right there.

    A label of a whole text is asked at the place after its last token. ``before`` and ``after`` tell that the text goes
    on beyond what is shown.
    """

    ids: Annotated[list[TokenId], Meta(max_length=MOST_SHOWN)]
    asked: Annotated[list[Annotated[int, Meta(ge=0, le=MOST_SHOWN)]], Meta(min_length=1, max_length=MOST_ASKED)]
    targets: Annotated[list[TokenId], Meta(min_length=1, max_length=MOST_ASKED)]
    before: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.asked, self.asked[1:]))
        if len(self.asked) != len(self.targets) or not rising or self.asked[-1] > len(self.ids):
            raise ValueError("what is asked does not fit the text")


Kind = Literal["next", "masked", "answer", "label", "tag"]


class Texts(Struct):
    """What ``examples.json`` holds.

    Attributes:
        kind: what is asked: the next token, masked tokens, an answer's tokens, the label of a text, or of its tokens.
        rows: at most MOST_ROWS.
    """

    kind: Kind
    rows: Annotated[list[Row], Meta(min_length=1, max_length=MOST_ROWS)]

    @property
    def n_asked(self) -> int:
        """How many tokens are asked in all texts."""
        return sum(len(row.asked) for row in self.rows)

    @property
    def targets(self) -> list[int]:
        """The right ids of all asked tokens, one text after the other."""
        return [target for row in self.rows for target in row.targets]


# Writing: only whoever trains the run


def path_of(run: Path, step: int) -> Path:
    """The file of one evaluation."""
    return run / FOLDER / f"step-{step:08d}.safetensors"


def steps(run: Path) -> list[int]:
    """The steps of which there is a file, rising; none where the folder cannot be read."""
    try:
        names = os.listdir(run / FOLDER)
    except OSError:
        return []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def begin(run: Path, texts: Texts) -> None:
    """Writes the texts; evaluations of other texts, which an earlier life of the run asked, are forgotten.

    Raises:
        OSError: when that cannot be written.
    """
    path, data = run / FOLDER / TEXTS, msgspec.json.encode(texts)
    path.parent.mkdir(exist_ok=True)
    with suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    rewind(run, -1)
    _replace(path, data)


def save(run: Path, step: int, tensors: Mapping[str, "np.ndarray"]) -> None:
    """Writes an evaluation: ``ids`` int32 and ``p`` float16 ``[asked, 16]``, ``p_target`` float16 ``[asked]``.

    Raises:
        OSError: when that cannot be written.
    """
    import safetensors.numpy

    _replace(path_of(run, step), safetensors.numpy.save(dict(tensors)))
    there = steps(run)
    while len(there) > MOST_KEPT:
        step = there.pop(_closest(there))
        path_of(run, step).unlink(missing_ok=True)


def _closest(there: list[int]) -> int:
    """The index whose neighbours are nearest to each other: without it, what remains is most even. Never an end."""
    return min(range(1, len(there) - 1), key=lambda i: there[i + 1] - there[i - 1])


def rewind(run: Path, step: int) -> None:
    """Forgets the evaluations after ``step``, as far as the disk allows."""
    for each in steps(run):
        if each > step:
            with suppress(OSError):
                path_of(run, each).unlink(missing_ok=True)


def copy(run: Path, to: Path) -> None:
    """Copies what there is into another run's folder.

    Raises:
        OSError: when that cannot be written.
    """
    names = [TEXTS, *(path_of(run, step).name for step in steps(run))]
    for name in names:
        with suppress(FileNotFoundError):  # none; or one that was thinned out just now
            data = (run / FOLDER / name).read_bytes()
            (to / FOLDER).mkdir(exist_ok=True)
            _replace(to / FOLDER / name, data)


def _replace(path: Path, data: bytes) -> None:
    """In one step for every reader, but not flushed: what a power cut tears is left out by the reader."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


# Reading


@dataclass(frozen=True)
class Evaluation:
    """The likeliest ``ids`` ``[asked, k]``, their probabilities ``p`` (float16, falling), and the target's ``[asked]``."""

    ids: "np.ndarray"
    p: "np.ndarray"
    p_target: "np.ndarray"


class History:
    """Examples over all evaluations that were read, as a page draws them. Not to be changed.

    Attributes:
        texts: what is asked.
        steps: of the evaluations, rising.
    """

    def __init__(self, texts: Texts, found: Mapping[int, Evaluation]) -> None:
        import numpy as np

        self.texts, self.steps = texts, sorted(found)
        evaluations = [found[step] for step in self.steps]
        newest, targets = evaluations[-1], np.array(texts.targets)
        self.said = np.stack([each.ids[:, 0] for each in evaluations])
        """The likeliest id at each evaluation ``[evaluations, asked]``."""
        self.p_said = np.stack([each.p[:, 0] for each in evaluations])
        """Its probability, float16."""
        self.ids = np.concatenate([newest.ids, targets[:, None].astype(newest.ids.dtype)], axis=1)
        """The likeliest of the newest evaluation, and the target ``[asked, k + 1]``."""
        self.p = np.stack([_followed(newest.ids, each) for each in evaluations])
        """Their probabilities ``[evaluations, asked, k + 1]``, float16; NaN where one was not among the likeliest."""

    @cached_property
    def vocabulary(self) -> list[int]:
        """Every token or label that is named, once."""
        import numpy as np

        return np.unique(np.concatenate([self.ids.ravel(), self.said.ravel()])).tolist()


def _followed(ids: "np.ndarray", evaluation: Evaluation) -> "np.ndarray":
    """The probabilities of these ids ``[asked, k]`` at an evaluation, and of the target: ``[asked, k + 1]``."""
    import numpy as np

    same = ids[:, :, None] == evaluation.ids[:, None, :]
    found = np.take_along_axis(evaluation.p, same.argmax(2), 1)
    found = np.where(same.any(2), found, np.float16(np.nan))
    return np.concatenate([found, evaluation.p_target[:, None]], axis=1)


class RunExamples:
    """The examples of a run so far; each file is read once.

    Attributes:
        history: None where there is nothing to show.
        problem: what is wrong with the files, for people; "" where nothing is.
    """

    def __init__(self, run: Path) -> None:
        self.run = Path(run)
        self.history: History | None = None
        self.problem: str = ""
        self._lock = threading.Lock()
        self._stamps: dict[str, tuple[int, int, int]] = {}
        self._texts: Texts | None = None
        self._read: dict[int, Evaluation | None] = {}  # None: damaged

    def update(self) -> bool:
        """Reads what is new; says whether anything changed."""
        with self._lock:
            stamps = self._look()
            if stamps == self._stamps:
                return False
            if stamps.get(TEXTS) != self._stamps.get(TEXTS):
                self._read, self._texts = {}, self._read_texts()
            same = {name for name, stamp in stamps.items() if self._stamps.get(name) == stamp}
            self._stamps = stamps
            if self._texts is not None:
                named = {int(match[1]): name for name in stamps if (match := _NAME.fullmatch(name))}
                self._read = {
                    step: self._read[step] if name in same and step in self._read else self._evaluation(name)
                    for step, name in named.items()
                }
            self._tell()
            return True

    def _look(self) -> dict[str, tuple[int, int, int]]:
        """What tells each file from one that replaces it; of too many evaluations, the newest."""
        found = {}
        for name in [TEXTS, *(path_of(self.run, step).name for step in steps(self.run)[-MOST_KEPT:])]:
            with suppress(OSError):
                about = os.stat(self.run / FOLDER / name)
                found[name] = about.st_ino, about.st_size, about.st_mtime_ns
        return found

    def _bytes(self, name: str) -> bytes:
        """
        Raises:
            OSError: when the file cannot be read.
            ValueError: when it is too large to be one of ours.
        """
        handle = os.open(self.run / FOLDER / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe never ends
        with os.fdopen(handle, "rb") as file:
            data = file.read(HEAVIEST + 1)
        if data is None or len(data) > HEAVIEST:
            raise ValueError("too large")
        return data

    def _read_texts(self) -> Texts | None:
        try:
            return msgspec.json.decode(self._bytes(TEXTS), type=Texts)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            return None

    def _evaluation(self, name: str) -> Evaluation | None:
        import numpy as np
        import safetensors.numpy
        from safetensors import SafetensorError

        assert self._texts is not None
        n = self._texts.n_asked
        try:
            held = safetensors.numpy.load(self._bytes(name))
            found = Evaluation(held["ids"], held["p"], held["p_target"])
        except (OSError, ValueError, LookupError, TypeError, SafetensorError):
            return None
        k = found.ids.shape[1] if found.ids.ndim == 2 else 0
        kinds = (found.ids.dtype, found.p.dtype, found.p_target.dtype) == (np.int32, np.float16, np.float16)
        shapes = (found.ids.shape, found.p.shape, found.p_target.shape) == ((n, k), (n, k), (n,))
        if not kinds or not shapes or not 1 <= k <= LIKELIEST or found.ids.min() < 0:
            return None
        probable = all(((each >= 0) & (each <= 1)).all() for each in (found.p, found.p_target))  # not for NaN
        return found if probable else None

    def _tell(self) -> None:
        good = {step: each for step, each in self._read.items() if each is not None} if self._texts else {}
        width = max((len(each.ids[0]) for each in good.values()), default=0)
        good = {step: each for step, each in good.items() if len(each.ids[0]) == width}
        self.history = History(self._texts, good) if self._texts and good else None
        damaged = len(self._read) - len(good)
        if self._texts is None and self._stamps:
            self.problem = Message("The file {file} is damaged, so the examples cannot be shown.", file=TEXTS)
        else:
            self.problem = Message("Damaged evaluations, which are left out: {n:,}.", n=damaged) if damaged else ""
