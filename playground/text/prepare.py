"""From a spec to tokens on disk: read, learn the vocabulary, tokenize; kept and shared afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.core import atomic
from playground.core.errors import Message, PlaygroundError, from_json
from playground.core.paths import home
from playground.text.corpora import open_source
from playground.text.corpus_buffer import CorpusBuffer
from playground.text.encode import encode_pairs, encode_stream
from playground.text.sources import Source
from playground.text.spec import DataSpec
from playground.text.token_files import PairFile, TokenFile, dtype_for
from playground.text.tokenizers import Tokenizer
from playground.text.vocabulary import learn

FORMAT = 1  # of the prepared folder; another number prepares everything again
SAMPLE_BYTES = 10_000_000  # of training text that merges and words are learnt on
SIDES = ("train", "validation")

Progress = Callable[[str, float], None]


class Cancelled(PlaygroundError):
    """The person stopped the preparation; nothing of it is left."""


@dataclass(frozen=True)
class Prepared:
    """Tokens on disk, ready to train on.

    Args:
        folder: holds ``spec.json``, ``info.json``, ``tokenizer.json`` and the token files.
        spec: what was asked for.
        tokenizer: learnt on the training side alone.
        shape: "stream" (one row of tokens, ``<eos>`` after each document) or "pairs".
        train, validation: the two sides; no document is on both.
        info: ``bytes``, ``tokens``, ``documents`` (all and by side), ``vocab_size``, ``licence``,
            ``provenance``, ``skipped`` (documents without text), ``notes`` (sentences on what was left out
            or is unusual) and ``seconds``.
    """

    folder: Path
    spec: DataSpec
    tokenizer: Tokenizer
    shape: str
    train: TokenFile | PairFile
    validation: TokenFile | PairFile
    info: dict[str, Any]


def prepare(
    spec: DataSpec,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    tokenizer: Tokenizer | None = None,
) -> Prepared:
    """Prepares a corpus, or finds it prepared.

    Args:
        spec: the text, the split, the tokenizer.
        progress: called with what is being done and how much of all is done, 0 to 1.
        cancelled: asked now and then; True stops.
        tokenizer: cut with this one (a pre-trained model's) instead of learning one.

    Returns:
        The prepared data, in ``home()/data``. Equal specs over equal text share one folder, also between
        processes: one prepares, the others wait for it.

    Raises:
        Cancelled: when ``cancelled`` said so.
        PlaygroundError: when the text cannot be read, is too short, or the disk is full.
    """
    watch = Watch(progress, cancelled)
    source = open_source(spec)
    folder = home() / "data" / _name(spec, source, tokenizer)
    once(
        folder, "preparing the data", watch, lambda: _build(spec, source, folder.parent, folder.name, watch, tokenizer)
    )
    if progress:
        progress("Ready", 1.0)
    return load(folder)


def once(folder: Path, what: str, watch: Watch, build: Callable[[], None]) -> None:
    """Lets one process build a prepared folder; the others, and those that come later, find it.

    Args:
        what: is being done, for what is said when the disk is full.
    """
    if (folder / "info.json").exists():
        return
    with atomic.disk_errors(what):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(folder.parent, folder.name, watch):
            if not (folder / "info.json").exists():
                build()


def find(spec: DataSpec) -> Path | None:
    """The folder of the prepared data, for `load`, when it is there already; None when `prepare` would work.

    Raises:
        PlaygroundError: when the text cannot be read.
    """
    folder = home() / "data" / _name(spec, open_source(spec), None)
    return folder if (folder / "info.json").exists() else None


def load(folder: Path | str) -> Prepared:
    """Opens a prepared folder.

    Raises:
        PlaygroundError: when it is missing or damaged.
    """
    folder = Path(folder)
    try:
        info = from_json(json.loads((folder / "info.json").read_text(encoding="utf-8")))
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlaygroundError("{folder} is not prepared data.", "Prepare the data again.", folder=folder) from error
    opened = PairFile if info["shape"] == "pairs" else TokenFile
    train, validation = (opened(folder / f"{side}.tokens", info["dtype"]) for side in SIDES)
    if any(len(part) != _length(info, side) for part, side in zip((train, validation), SIDES, strict=True)):
        raise PlaygroundError("{folder} is damaged.", "Delete it, and prepare the data again.", folder=folder)
    return Prepared(
        folder=folder,
        spec=DataSpec.from_dict(spec),
        tokenizer=Tokenizer.load(folder / "tokenizer.json"),
        shape=info["shape"],
        train=train,
        validation=validation,
        info=info,
    )


def _length(info: dict[str, Any], side: str) -> int:
    return info[side]["documents" if info["shape"] == "pairs" else "tokens"]


class Watch:
    """Tells the progress and asks whether to go on."""

    def __init__(self, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self._progress, self._cancelled = progress, cancelled

    def __call__(self, stage: str, fraction: float) -> None:
        if self._progress:
            self._progress(stage, min(1.0, fraction))
        if self._cancelled and self._cancelled():
            raise Cancelled("The preparation was cancelled.")


def _name(spec: DataSpec, source: Source, tokenizer: Tokenizer | None) -> str:
    """Of the prepared folder: the same for the same choices over the same text."""
    choices = spec.to_dict() | {"path": None, "text": source.fingerprint, "format": FORMAT}
    if tokenizer is not None:
        choices["tokenizer"] = tokenizer.fingerprint
    return hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()[:20]


@contextlib.contextmanager
def alone(root: Path, name: str, watch: Watch) -> Iterator[None]:
    """Holds the lock of one prepared folder; the kernel releases it even when the process is killed."""
    try:
        import fcntl
    except ImportError:  # Windows: two may work at once, and the one that is done first wins
        yield
        return
    with open(root / f".{name}.lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                watch("Waiting for another process that prepares the same data", 0.0)
                time.sleep(0.1)
        for abandoned in root.glob(f".{name}.*.tmp"):
            shutil.rmtree(abandoned, ignore_errors=True)
        yield


def _build(spec: DataSpec, source: Source, root: Path, name: str, watch: Watch, tokenizer: Tokenizer | None) -> None:
    """Makes the folder under another name, then renames it."""
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".tmp", dir=root))
    try:
        done = work / "done"
        done.mkdir()
        info = _fill(spec, source, work, done, watch, tokenizer)
        atomic.write_json(done / "spec.json", spec.to_dict())
        atomic.write_json(done / "info.json", info)
        watch("Saving", 0.99)
        to_disk(done)
        if not (root / name / "info.json").exists():
            shutil.rmtree(root / name, ignore_errors=True)  # a folder that lost its parts
            with contextlib.suppress(FileExistsError):
                os.rename(done, root / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def to_disk(folder: Path) -> None:
    """Waits until every file is on the disk, so that a power cut leaves the folder whole or absent."""
    for path in folder.iterdir():
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


def _fill(
    spec: DataSpec, source: Source, work: Path, done: Path, watch: Watch, tokenizer: Tokenizer | None
) -> dict[str, Any]:
    """Reads, learns, tokenizes into ``done``; returns what ``info.json`` says."""
    began = time.monotonic()
    limit = spec.max_bytes or source.limit
    expected = min(filter(None, (source.size, limit)), default=0)

    def reading(size: int) -> None:
        share = min(1.0, size / expected) if expected else 1 - 1 / (1 + size / 1e7)
        watch("Reading the text", 0.25 * (max(source.done(), size / limit if limit else 0) if source.done else share))

    watch("Reading the text", 0.0)
    buffer = CorpusBuffer(work, source, spec.seed, spec.validation_fraction, limit, reading)
    if tokenizer is None:
        watch("Learning the vocabulary", 0.25)
        tokenizer = learn(spec.tokenizer, buffer.training_text, lambda: buffer.sample(SAMPLE_BYTES), source.lexicon)
    tokenizer.save(done / "tokenizer.json")
    dtype = dtype_for(tokenizer.size)

    def tokenizing(size: int) -> None:
        watch("Tokenizing", 0.35 + 0.63 * size / buffer.size)

    tokenizing(0)
    encode = encode_pairs if source.shape == "pairs" else encode_stream
    counts = encode(buffer, tokenizer, [done / f"{side}.tokens" for side in SIDES], dtype, tokenizing)
    for side, count in zip(SIDES, counts, strict=True):
        if count["tokens"] < 2:
            raise PlaygroundError(
                "The text is too short: its {side} part has {tokens} tokens.",
                "Use more text.",
                side=side,
                tokens=count["tokens"],
            )
    return {
        "shape": source.shape,
        "dtype": dtype.str,
        **{key: sum(count[key] for count in counts) for key in ("bytes", "tokens")},
        "documents": buffer.documents,  # one long text is one, though both sides have a part of it
        "train": counts[0],
        "validation": counts[1],
        "vocab_size": tokenizer.size,
        "skipped": buffer.skipped,
        "notes": [*source.notes(), *_left_out(buffer)],
        "licence": source.licence,
        "provenance": source.provenance,
        "fingerprint": source.fingerprint,
        "seconds": round(time.monotonic() - began, 2),
    }


def _left_out(buffer: CorpusBuffer) -> list[str]:
    """A sentence on the rows without text, if there are any."""
    if not buffer.skipped:
        return []
    if buffer.shape == "pairs":
        return [
            Message(
                "Pairs left out, since the question or the answer is empty: {skipped:,} (first: row {first_skipped:,}).",
                skipped=buffer.skipped,
                first_skipped=buffer.first_skipped,
            )
        ]
    return [
        Message(
            "Rows left out, since they have no text: {skipped:,} (first: row {first_skipped:,}).",
            skipped=buffer.skipped,
            first_skipped=buffer.first_skipped,
        )
    ]
