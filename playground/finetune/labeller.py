"""A fine-tuned model at work: the labels of a text, of its words, of a whole file."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from playground.core import atomic
from playground.core.errors import Message, PlaygroundError
from playground.labelled.examples import Tagged
from playground.labelled.prepare import Counted, tagged_tokens
from playground.labelled.table import guess, is_table, pieces_of, table_of
from playground.runs.folder import RunFolder
from playground.text.cell_values import spaced, written
from playground.text.delimited import LONGEST_FIELD
from playground.text.json_tables import Row
from playground.text.tables import listed
from playground.text.tokenizers import Tokenizer, clean

BATCH = 64


class Labeller:
    """Gives labels with a fine-tuned model.

    Args:
        load: gives the model in PyTorch, a `models.heads.ModelWithHead`; asked for only where it is needed.
        tokenizer, labels, task: of the same run.
        length: how many tokens of a text the model reads.
        engine: its export, a `playground.inference.onnx_encoder.OnnxEncoder`, which then does the work; else PyTorch does.
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
        from playground.generation.torch_model import TorchEncoder

        return TorchEncoder(self.model, self.tokenizer.pad_id)

    @property
    def ran_by(self) -> str:
        """What really does the work, such as "ONNX Runtime (CPU)"."""
        return self.reader.ran_by

    def tokens(self, text: str) -> np.ndarray:
        """The ids that the model reads, with what it learnt to see around every text; the beginning, where the text is longer.

        Raises:
            PlaygroundError: when there is no text.
        """
        return self.read(text)[0]

    def cuts(self, text: str) -> bool:
        """Whether a text is longer than the model reads."""
        return len(self.tokenizer.encode(clean(text))) > self.max_length

    def read(self, text: str) -> tuple[np.ndarray, bool]:
        """What `tokens` and `cuts` say of a text, which is encoded once. Raises as `tokens`."""
        ids = self.tokenizer.encode(clean(text))
        if not ids:
            raise PlaygroundError("There is no text.", "Type a sentence.")
        return np.asarray(self.tokenizer.with_special_tokens(ids, self.length)), len(ids) > self.max_length

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Of each label, for each text ``[texts, labels]`` ("classify")."""
        found = [np.zeros((0, len(self.labels)), np.float32)]
        for start in range(0, len(texts), BATCH):
            found.append(self.class_probabilities([self.tokens(text) for text in texts[start : start + BATCH]]))
        return np.concatenate(found)

    def class_probabilities(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities of the labels for token ids ``[texts, labels]``, or ``[texts, longest, labels]`` ("tag")."""
        return self.reader.probabilities(texts).astype(np.float32)

    def tags(self, text: str | Sequence[str]) -> list[tuple[str, np.ndarray]]:
        """Each word of a text, and the probability of each label for it ``[labels]`` ("tag").

        Where the text is given as words, such as a row of tokens, these get the labels, and no others.

        A text that is longer than the model reads is read in windows that overlap by half; a word takes its label from
        the window that shows most of what is around it.
        """
        pieces, windows, found = self._windowed(text)
        likely = [
            each for i in range(0, len(windows), BATCH) for each in self.class_probabilities(windows[i : i + BATCH])
        ]
        return [(piece, likely[window][place]) for piece, (window, place) in zip(pieces, found)]

    def window(self, text: str, word: int) -> tuple[np.ndarray, int]:
        """What the model reads to tag a word, and the word's place in it.

        Args:
            word: an index into what `tags` gives.
        """
        _, windows, found = self._windowed(text)
        window, place = found[word]
        return windows[window], place

    def _windowed(self, text: str | Sequence[str]) -> tuple[list[str], list[np.ndarray], list[tuple[int, int]]]:
        """The words, the windows over the text with the model's frame; for each word its window and place there."""
        pieces, ids, places = self._whole(text)
        starts, before = window_starts(len(ids), self.max_length), len(self.tokenizer.frame[0])
        windows = [
            np.asarray(self.tokenizer.with_special_tokens(ids[start : start + self.max_length].tolist()))
            for start in starts
        ]
        best = nearest_window(places, starts, min(self.max_length, len(ids)))
        return pieces, windows, [(int(w), int(before + place - starts[w])) for place, w in zip(places, best)]

    @property
    def max_length(self) -> int:
        """How many tokens of a text the model reads at once: its length without the frame."""
        return max(1, self.length - sum(map(len, self.tokenizer.frame)))

    def _whole(self, text: str | Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
        """The words of a text, its ids, and the place in these at which each word has been read.

        Raises:
            PlaygroundError: when there is no text.
        """
        pieces = pieces_of(clean(text)) if isinstance(text, str) else spaced([clean(word) for word in text])
        row = Tagged(pieces, tuple("?" if piece.strip() else "" for piece in pieces))
        if not any(row.tags):
            raise PlaygroundError("There is no text.", "Type a sentence.")
        ids, asked = tagged_tokens(row, {"?": 0}, lambda piece: np.asarray(self.tokenizer.encode(piece)))
        return [piece for piece, tag in zip(row.pieces, row.tags) if tag], ids, np.flatnonzero(asked == 0)


def window_starts(n: int, length: int) -> list[int]:
    """Where windows of ``length`` tokens over ``n`` begin: each half a window further, the last one at the end."""
    if n <= length:
        return [0]
    return [*range(0, n - length, max(1, length // 2)), n - length]


def nearest_window(places: np.ndarray, starts: Sequence[int], length: int) -> np.ndarray:
    """For each place, the window with most tokens on its poorer side ``[places]``; the text's own ends are no lack."""
    inside = places[:, None] - np.asarray(starts)[None, :]
    before, after = inside.copy(), length - 1 - inside
    before[:, 0] += (before[:, 0] >= 0) * length
    after[:, -1] += (after[:, -1] >= 0) * length
    return np.minimum(before, after).argmax(1)


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
        raise PlaygroundError("{name} gives no labels.", "Choose a run that was fine-tuned for labels.", name=run.name)

    @cache
    def load() -> Any:
        from playground.generation.torch_model import placed
        from playground.training.load_model import load_model

        return placed(load_model(run, step), device)

    if engine is None:
        from playground.training.load_model import labels_of

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
    tell: Callable[[list[str]], None] = lambda notes: None,
    encoding: str | None = None,
) -> int:
    """Labels every row of a table (or line of a text file) and writes a CSV with the answers beside what was there.

    Args:
        column: of the texts; None takes the one that is meant without doubt.
        progress: called with the rows done.
        cancelled: asked between batches; True stops and leaves no file.
        tell: called at the end with sentences on rows without a label, on cut texts, and on what is unusual.
        encoding: of the file, a Python codec name; None detects it.

    Returns:
        How many rows were labelled; a row without text stays without a label.

    Raises:
        PlaygroundError: when the file cannot be read, the column is not there, or the disk is full.
    """
    texts = _texts(path, column, encoding)
    added = ["label", "probability"] if labeller.task == "classify" else ["words", "tags"]
    header = lambda names: [*names, *(_unused_name(name, names) for name in added)]
    late: list[str] = []  # columns that the first rows do not have, as in JSON
    done, part, rows = 0, target.with_name(f".{target.name}.part"), texts.rows()
    empty, cut = Counted(), Counted()
    try:
        with atomic.disk_errors("writing the labels"):
            with open(part, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(header(texts.columns))
                while batch := list(islice(rows, BATCH)):
                    if cancelled():
                        return 0
                    asked = [texts.asked(done + i, row, labeller.task) for i, row in enumerate(batch, 1)]
                    said = _answers(labeller, asked, done, empty, cut)
                    late += dict.fromkeys(name for row in batch for name in row if name not in (*texts.columns, *late))
                    writer.writerows(
                        _cells(row, texts.columns) + each + _cells(row, late) for row, each in zip(batch, said)
                    )
                    done += len(batch)
                    progress(done)
            if late:
                _write_columns(part, len(texts.columns), header([*texts.columns, *late]))
        part.replace(target)
        tell([*texts.notes(), *_left_out(labeller, done, empty, cut)])
        return done
    finally:
        part.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Texts:
    """The rows of a file, and what gives the text of one by its number and its row."""

    columns: list[str]
    rows: Callable[[], Iterator[Row]]
    text: Callable[[int, Row], str]
    notes: Callable[[], list[str]] = list
    value: Callable[[Row], object] = lambda row: row["text"]

    def asked(self, number: int, row: Row, task: str) -> str | list[str]:
        """The text of a row; for tags its words, where the cell is a list of them."""
        value = self.value(row) if task == "tag" else None
        if isinstance(value, (list, tuple)) and value and all(isinstance(each, str) for each in value):
            return list(value)
        return self.text(number, row)


def _texts(path: str, column: str | None, encoding: str | None) -> _Texts:
    place = Path(path)
    if not is_table(path, encoding):
        from playground.text.documents import DOCUMENT_SUFFIXES, NOT_READ, OTHERS
        from playground.text.encodings import detect, lines, notes_on

        if place.suffix.lower() in (*DOCUMENT_SUFFIXES, *OTHERS):
            raise PlaygroundError(
                "{name} is a document; labels are given to the rows of a table, or to the lines of a text file.",
                "Save its texts as .txt, each on a line of its own.",
                name=place.name,
            )
        if help := NOT_READ.get(place.suffix.lower()):
            raise PlaygroundError(
                "{name}: files ending in {suffix} are not read.", help, name=place.name, suffix=place.suffix.lower()
            )
        if not place.is_file() or not place.stat().st_size:
            raise PlaygroundError("{name} is empty or not there.", "Choose a file with text in it.", name=place.name)
        guessed, encoding = not encoding, encoding or detect(place)

        def rows() -> Iterator[Row]:
            return ({"text": line.rstrip("\n")} for line in lines(place, encoding, newlines=True))

        return _Texts(["text"], rows, lambda number, row: str(row["text"]), lambda: notes_on(place, encoding, guessed))
    table = table_of(path, encoding)
    column = column or (table.columns[0] if len(table.columns) == 1 else guess(table)[0])
    if column is None:
        raise PlaygroundError(
            "Which column of {name} holds the text?",
            "Choose the column with the text: it has {columns}.",
            name=table.name,
            columns=listed(table.columns),
        )
    table.check(column)
    return _Texts(table.columns, table.rows, table.texts(column), table.notes, table.opened(column))


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return [written(row.get(name)) for name in columns]


def _write_columns(part: Path, n: int, header: list[str]) -> None:
    """Writes answers anew whose rows got more columns on the way.

    Args:
        part: rows of ``n`` cells, two answers, and the cells of those later columns that were known by then.
        header: the names of all columns; the answers come last.
    """
    csv.field_size_limit(LONGEST_FIELD)
    wider = part.with_name(f"{part.name}.wide")
    try:
        with open(part, newline="", encoding="utf-8") as narrow, open(wider, "w", newline="", encoding="utf-8") as file:
            rows, writer = csv.reader(narrow), csv.writer(file)
            next(rows)
            writer.writerow(header)
            for row in rows:
                late = row[n + 2 :]
                writer.writerow([*row[:n], *late, *[""] * (len(header) - n - 2 - len(late)), *row[n : n + 2]])
        wider.replace(part)
    finally:
        wider.unlink(missing_ok=True)


def _answers(
    labeller: Labeller, texts: list[str | list[str]], before: int, empty: Counted, cut: Counted
) -> list[list[str]]:
    """What is written beside each text; counts those without words, and those that are cut.

    Args:
        texts: at most ``BATCH``.
        before: how many rows came before these.
    """
    is_empty = lambda text: not "".join(text).strip()
    for number, text in enumerate(texts, before + 1):
        if is_empty(text):
            empty.add(number)
    if labeller.task == "tag":
        return [["", ""] if is_empty(text) else _tagged(labeller, text) for text in texts]
    whole = {i: text for i, text in enumerate(texts) if isinstance(text, str) and text.strip()}
    asked = list(whole)
    answers: list[list[str]] = [["", ""] for _ in texts]
    read = [labeller.read(text) for text in whole.values()]
    for i, (_, is_cut) in zip(asked, read):
        if is_cut:
            cut.add(before + i + 1)
    for i, likely in zip(asked, labeller.class_probabilities([ids for ids, _ in read]) if asked else ()):
        best = int(likely.argmax())
        answers[i] = [labeller.labels[best], f"{likely[best]:.4f}"]
    return answers


def _tagged(labeller: Labeller, text: str | list[str]) -> list[str]:
    """The words of a text, and as many tags, with spaces between."""
    found = labeller.tags(text)
    words = ("_".join(piece.split()) for piece, _ in found)
    return [" ".join(words), " ".join(labeller.labels[int(likely.argmax())] for _, likely in found)]


def _left_out(labeller: Labeller, rows: int, empty: Counted, cut: Counted) -> list[str]:
    length = labeller.length
    said = []
    if empty.n:
        said.append(
            Message(
                "Rows without a text, and so without a label: {n:,} (first: row {first:,}).",
                n=empty.n,
                first=empty.first,
            )
        )
    if n := cut.n:
        said.append(
            Message(
                "Texts longer than the model reads: {n:,} of {rows:,} (first: row {first:,}); {length:,} tokens are kept.",
                n=n,
                rows=rows,
                first=cut.first,
                length=length,
            )
        )
    return said


def _unused_name(name: str, taken: Sequence[str]) -> str:
    """The name, or "label (model)", "label (model 2)", … where the table has such a column."""
    others = (f"{name} (model{f' {i}' if i > 1 else ''})" for i in count(1))
    return name if name not in taken else next(other for other in others if other not in taken)
