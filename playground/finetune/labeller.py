"""A fine-tuned model at work: the labels of a text, of its words, of a whole file."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from playground import atomic
from playground.errors import PlaygroundError
from playground.labelled.prepare import tagged_tokens
from playground.labelled.rows import Tagged
from playground.labelled.table import open_table, pieces_of
from playground.runs.folder import RunFolder
from playground.text.files import TABLES
from playground.text.tokenizers import Tokenizer, clean

BATCH = 64


class Labeller:
    """Gives labels with a fine-tuned model.

    Args:
        load: gives the model in PyTorch, a `models.heads.Reader`; asked for only where it is needed.
        tokenizer, labels, task: of the same run.
        length: how many tokens of a text the model reads.
        engine: its export, a `playground.inference.reader.Reader`, which then does the work; else PyTorch does.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        task: str,
        length: int,
        engine: Any = None,
    ) -> None:
        self.tokenizer, self.labels, self.task, self.length = tokenizer, tuple(labels), task, length
        self.engine, self._load = engine, load

    @property
    def model(self) -> Any:
        """The model in PyTorch."""
        return self._load()

    @property
    def reader(self) -> Any:
        """What does the work: the export, or PyTorch, asked in the same way."""
        if self.engine is not None:
            return self.engine
        from playground.generation.torch_model import TorchReader

        return TorchReader(self.model, self.tokenizer.pad_id)

    @property
    def ran_by(self) -> str:
        """What really does the work, such as "ONNX Runtime (CPU)"."""
        return self.reader.ran_by

    def tokens(self, text: str) -> np.ndarray:
        """The ids that the model reads: the beginning, where the text is longer.

        Raises:
            PlaygroundError: when there is no text.
        """
        ids = np.asarray(self.tokenizer.encode(clean(text)))[: self.length]
        if not len(ids):
            raise PlaygroundError("There is no text.", "Type a sentence.")
        return ids

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Of each label, for each text ``[texts, labels]`` ("classify")."""
        found = [np.zeros((0, len(self.labels)), np.float32)]
        for start in range(0, len(texts), BATCH):
            found.append(self._likely([self.tokens(text) for text in texts[start : start + BATCH]]))
        return np.concatenate(found)

    def _likely(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities of the labels for token ids ``[texts, labels]``, or ``[texts, longest, labels]`` ("tag")."""
        return self.reader.probabilities(texts).astype(np.float32)

    def tags(self, text: str) -> list[tuple[str, np.ndarray]]:
        """Each word of a text, and the probability of each label for it ``[labels]`` ("tag").

        Words that are beyond the model's length are left out.
        """
        pieces, ids, places = self.words(text)
        return list(zip(pieces, self._likely([ids])[0][places]))

    def words(self, text: str) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The words of a text, the ids that the model reads, and the place in these at which each word has been read.

        Raises:
            PlaygroundError: when there is no text.
        """
        pieces = pieces_of(clean(text))
        row = Tagged(pieces, tuple("?" if piece.strip() else "" for piece in pieces))
        if not any(row.tags):
            raise PlaygroundError("There is no text.", "Type a sentence.")
        ids, asked = tagged_tokens(row, {"?": 0}, lambda piece: np.asarray(self.tokenizer.encode(piece)))
        ids, places = ids[: self.length], np.flatnonzero(asked[: self.length] == 0)
        return [piece for piece, tag in zip(row.pieces, row.tags) if tag][: len(places)], ids, places


def labeller_of(run: RunFolder, step: int | None = None, engine: Any = None, device: str = "cpu") -> Labeller:
    """The labeller of a fine-tuned run. With its export, PyTorch is imported only when something asks for `model`.

    Args:
        step: which checkpoint; None takes the latest.
        engine: the export of that step.
        device: for PyTorch: "auto", "cpu" or "cuda".

    Raises:
        PlaygroundError: when the run gives no labels, has not been trained, or there is no such device.
    """
    config = run.config()
    if config.finetune is None or not config.finetune.reads_labels:
        raise PlaygroundError(f"{run.name} gives no labels.", "Choose a run that was fine-tuned for labels.")

    @cache
    def load() -> Any:
        from playground.generation.torch_model import placed
        from playground.training.saving import load_model

        return placed(load_model(run, step), device)

    if engine is None:
        from playground.training.saving import labels_of

        load()
        labels = labels_of(run)
    else:
        labels = engine.about.labels
    tokenizer = Tokenizer.load(run.tokenizer_path)
    return Labeller(load, tokenizer, labels, config.finetune.task, config.model.context_length, engine)


def label_table(
    labeller: Labeller,
    path: str,
    column: str | None,
    target: Path,
    progress: Callable[[int], None] = lambda n: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Labels every row of a table (or line of a text file) and writes a CSV with the answers beside what was there.

    Args:
        column: of the texts; None takes the one that is meant without doubt.
        progress: called with the rows done.
        cancelled: asked between batches; True stops and leaves no file.

    Returns:
        How many rows were labelled; a row without text stays without a label.

    Raises:
        PlaygroundError: when the file cannot be read, the column is not there, or the disk is full.
    """
    rows, columns, column = _texts(path, column)
    added = ["label", "probability"] if labeller.task == "classify" else ["tags"]
    header = [*columns, *(_free(name, columns) for name in added)]
    done, part = 0, target.with_name(f".{target.name}.part")
    try:
        with atomic.disk_errors("writing the labels"), open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            while batch := list(islice(rows, BATCH)):
                if cancelled():
                    return 0
                answers = _answers(labeller, [_text(row.get(column)) for row in batch])
                writer.writerows([*(_text(row.get(name)) for name in columns), *said] for row, said in zip(batch, answers))
                done += len(batch)
                progress(done)
        part.replace(target)
        return done
    finally:
        part.unlink(missing_ok=True)


def _texts(path: str, column: str | None) -> tuple[Iterator[dict], list[str], str]:
    if Path(path).suffix.lower() not in TABLES:
        from playground.text.encodings import detect, lines

        place = Path(path)
        if not place.is_file() or not place.stat().st_size:
            raise PlaygroundError(f"{place.name} is empty or not there.", "Choose a file with text in it.")
        return ({"text": line.rstrip("\r\n")} for line in lines(place, detect(place))), ["text"], "text"
    from playground.labelled.table import guess_columns

    columns, rows = open_table(path)
    column = column or (columns[0] if len(columns) == 1 else guess_columns(path)[0])
    if column not in columns:
        raise PlaygroundError(
            f"{Path(path).name} has no column {column!r}.", f"It has {', '.join(columns[:20])}."
        )
    return rows(), columns, column


def _answers(labeller: Labeller, texts: list[str]) -> Iterable[list[str]]:
    if labeller.task == "tag":
        said = lambda text: " ".join(labeller.labels[int(p.argmax())] for _, p in labeller.tags(text))
        return [[said(text) if text.strip() else ""] for text in texts]
    asked = [i for i, text in enumerate(texts) if text.strip()]
    answers: list[list[str]] = [["", ""] for _ in texts]
    if asked:
        for i, likely in zip(asked, labeller.probabilities([texts[i] for i in asked])):
            best = int(likely.argmax())
            answers[i] = [labeller.labels[best], f"{likely[best]:.4f}"]
    return answers


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _free(name: str, taken: Sequence[str]) -> str:
    """The name, or "label (model)", "label (model 2)", … where the table has such a column."""
    others = (f"{name} (model{f' {i}' if i > 1 else ''})" for i in count(1))
    return name if name not in taken else next(other for other in others if other not in taken)
