"""A person's own table of labelled text: which columns are meant, and its rows."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from playground.errors import PlaygroundError
from playground.labelled.rows import Labelled, Tagged
from playground.runs.finetuning import LabelledSpec
from playground.text import files
from playground.text.spec import DataSpec
from playground.text.tokenizers import clean

TEXT_NAMES = (*files.TEXT_NAMES, "tokens", "words", "message", "comment", "question", "title", "文本", "内容", "评论")
LABEL_NAMES = (
    "label", "labels", "class", "category", "target", "sentiment", "tag", "tags", "ner_tags", "intent", "topic",
    "stars", "rating", "y", "标签", "类别",
)  # fmt: skip
LOOKED_AT = 200  # rows read to guess the columns


def open_table(path: str, encoding: str | None = None) -> tuple[list[str], Callable[[], Iterator[files.Row]]]:
    """The columns of a table and a call that reads its rows.

    Raises:
        PlaygroundError: when it is missing, empty, no text, or no table.
    """
    spec = DataSpec("file", path=path, encoding=encoding)
    place = Path(path).expanduser()
    if place.suffix.lower() not in files.TABLES:
        files.open_file(spec)  # says what is wrong with a file that is missing, empty or binary
        raise PlaygroundError(
            f"{place.name} is plain text, which has no labels.",
            "Choose a .csv, .tsv, .jsonl or .parquet file with a column of texts and a column of labels.",
        )
    columns = files.columns(spec)
    return columns, files.TABLES[place.suffix.lower()](place, spec)


def guess_columns(path: str, encoding: str | None = None) -> tuple[str | None, str | None]:
    """Which columns hold the text and the label, each None where that is in doubt.

    Names decide first; then the column with the longest texts, and the one with few values that come again.
    """
    columns, rows = open_table(path, encoding)
    seen = list(islice(rows(), LOOKED_AT))
    values = {name: [_cell(row.get(name)) for row in seen] for name in columns}
    text = _named(columns, TEXT_NAMES) or _longest(values)
    label = _named([name for name in columns if name != text], LABEL_NAMES)
    if label is None:
        label = _repeating({name: cells for name, cells in values.items() if name != text})
    return text, label


def _named(columns: list[str], known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in reversed(columns)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _longest(values: dict[str, list[str]]) -> str | None:
    lengths = {name: sum(map(len, cells)) for name, cells in values.items()}
    return max(lengths, key=lengths.get) if lengths else None


def _repeating(values: dict[str, list[str]]) -> str | None:
    kinds = {name: len({cell for cell in cells if cell}) for name, cells in values.items()}
    fitting = {name: n for name, n in kinds.items() if 2 <= n <= max(2, len(values[name]) // 2)}
    return min(fitting, key=fitting.get) if fitting else None


def rows_of(spec: LabelledSpec, task: str) -> Callable[[], Iterator[Labelled | Tagged]]:
    """A call that reads the examples of a person's table; a cell without text or label is "".

    For "tag", both columns hold as many words as tags: lists (.jsonl, .parquet), or separated by spaces.

    Raises:
        PlaygroundError: when a column is not there, is not known, or words and tags do not pair up.
    """
    columns, rows = open_table(spec.path, spec.encoding)
    text, label = spec.text_column, spec.label_column
    if text is None or label is None:
        guessed = guess_columns(spec.path, spec.encoding)
        text, label = text or guessed[0], label or guessed[1]
    name, has = Path(spec.path).name, f"It has {', '.join(columns[:20])}."
    if text is None:
        raise PlaygroundError(f"Which column of {name} holds the text?", f"Name one. {has}")
    if label is None:
        raise PlaygroundError(f"Which column of {name} holds the label?", f"Name one. {has}")
    for column in (text, label):
        if column not in columns:
            raise PlaygroundError(f"{name} has no column {column!r}.", has)
    if text == label:
        raise PlaygroundError(f"Text and label cannot be the same column ({text}).", f"Choose two. {has}")
    if task == "classify":
        return lambda: (Labelled(_cell(row.get(text)), _cell(row.get(label)).strip()) for row in rows())
    return lambda: (_tagged(row.get(text), row.get(label), i, name) for i, row in enumerate(rows(), 1))


def _cell(value: object) -> str:
    """A cell as text that can be written; a whole number that a table holds as 3.0 is "3"."""
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else str(value)
    return "" if value is None else clean(value) if isinstance(value, str) else str(value)


def _tagged(words: object, tags: object, number: int, name: str) -> Tagged:
    words = list(map(_cell, words)) if isinstance(words, (list, tuple)) else _cell(words).split()
    tags = list(map(_cell, tags)) if isinstance(tags, (list, tuple)) else _cell(tags).split()
    if len(words) != len(tags) and words and tags:
        raise PlaygroundError(
            f"Row {number} of {name} has {len(words)} words and {len(tags)} tags.", "Give each word one tag."
        )
    return Tagged(spaced(words), tuple(tags) or ("",) * len(words))


_HAN = re.compile(r"[\u4e00-\u9fff]")
# Browsers read it too (demo.html), and they allow no escape that is not needed.
PIECES = r'\s*(?:[\u4e00-\u9fff]|[^\s\u4e00-\u9fff,.;:?!()\[\]{}"，。；：？！、]+|[^\s\u4e00-\u9fff])|\s+$'
_PIECE = re.compile(PIECES)


def spaced(words: list[str]) -> tuple[str, ...]:
    """Words as pieces that joined give the text: a space before each but the first and Chinese characters."""
    return tuple(word if not i or _HAN.match(word) else " " + word for i, word in enumerate(words))


def pieces_of(text: str) -> tuple[str, ...]:
    """A text cut into words, marks and Chinese characters, each with the space before it; joined they give it whole."""
    return tuple(_PIECE.findall(text))
