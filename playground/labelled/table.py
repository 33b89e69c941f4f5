"""A person's own table of labelled text: which columns are meant, and its rows."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.core.errors import Message, PlaygroundError
from playground.core.paths import readable
from playground.labelled.examples import Labelled, Tagged
from playground.runs.finetuning import LabelledSpec
from playground.text import cell_values, files, tables
from playground.text.cell_values import spaced
from playground.text.conll import LONGEST, is_tagged
from playground.text.delimited import Tally
from playground.text.encodings import detect
from playground.text.fasttext import is_marked
from playground.text.json_tables import Row
from playground.text.size_limits import LONGEST_RECORD, weight
from playground.text.spec import DataSpec
from playground.text.tables import TABLE_SUFFIXES, Table, is_id, listed

TEXT_NAMES = (
    *tables.TEXT_NAMES,
    "tokens",
    "words",
    "message",
    "comment",
    "question",
    "title",
    "文本",
    "内容",
    "评论",
)
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "sentiment",
    "tag",
    "tags",
    "ner_tags",
    "ner_tag",
    "ner",
    "intent",
    "topic",
    "stars",
    "rating",
    "y",
    "标签",
    "类别",
)


def is_table(path: str, encoding: str | None = None) -> bool:
    """Whether a file holds rows with columns: by its ending, or as plain text with words and tags, or labels and texts."""
    place = readable(path)
    if place.suffix.lower() in TABLE_SUFFIXES:
        return True
    if place.suffix.lower() not in files.PLAIN or not place.is_file() or not place.stat().st_size:
        return False
    encoding = encoding or detect(place)
    return is_tagged(place, encoding) or is_marked(place, encoding)


def table_of(path: str, encoding: str | None = None) -> Table:
    """A person's table.

    Raises:
        PlaygroundError: when it is missing, empty, no text, or no table.
    """
    spec = DataSpec("file", path=path, encoding=encoding)
    place = Path(path)
    if not is_table(path, encoding):
        files.open_file(spec)  # says what is wrong with a file that is missing, empty or binary
        raise PlaygroundError(
            "{name} is plain text, which has no labels.",
            "Choose a .csv, .tsv, .jsonl or .parquet file with a column of texts and a column of labels, or a file with a "
            "word and its tag on each line, and let its name end in .conll.",
            name=place.name,
        )
    table = files.open_table(spec)
    return by_sentence(table) or table


def by_sentence(table: Table) -> Table | None:
    """A table with a word in each row and a number for each sentence, as one with a sentence in each row; None for others.

    The number may stand beside every word, or beside the first alone.
    """
    word = next((name for name in table.columns if name.lower() in WORD_NAMES), None)
    numbers = [name for name in table.columns if _SENTENCE.fullmatch(name)]
    if word is None or len(numbers) != 1 or len(table.columns) < 3:
        return None
    number = numbers[0]
    others = [name for name in table.columns if name != number]
    if not all(_COUNTED.fullmatch(_shown(row.get(number)).strip()) for row in table.head):
        return None
    value = {name: table.opened(name) for name in others}
    wordless = Tally()

    def rows() -> Iterator[Row]:
        wordless.found.clear()
        sentence: list[list[object]] = []
        now, left = "", LONGEST_RECORD
        for i, row in enumerate(table.rows(), 1):
            if (found := _shown(row.get(number)).strip()) and found != now:
                if sentence:
                    yield dict(zip(others, map(list, zip(*sentence))))
                sentence, now, left = [], found, LONGEST_RECORD
            if _shown(value[word](row)).strip():
                sentence.append([value[name](row) for name in others])
                left -= weight(sentence[-1], left)
                if len(sentence) > LONGEST or left < 0:
                    raise PlaygroundError(
                        "The sentence that row {row:,} of {name} belongs to is too long.",
                        "Let the column {column!r} say where each sentence begins: it has at most {longest:,} words.",
                        row=i,
                        name=table.name,
                        column=number,
                        longest=LONGEST,
                    )
            else:
                wordless.add("row", i)
        if sentence:
            yield dict(zip(others, map(list, zip(*sentence))))

    def notes() -> list[str]:
        n, first = wordless.found.get("row", (0, 0))
        said = Message(
            "{name} has a word in each row, and is read as sentences: one begins where the column {column!r} says so.",
            name=table.name,
            column=number,
        )
        left_out = (
            Message(
                "Rows of {name} without a word, left out: {n:,} (first: row {first:,}).",
                name=table.name,
                n=n,
                first=first,
            )
            if n
            else ""
        )
        return [*table.notes(), said, *filter(None, [left_out])]

    return Table(table.name, rows, notes, meant=word)


def open_table(path: str, encoding: str | None = None) -> tuple[list[str], Callable[[], Iterator[Row]]]:
    """The columns of a table and a call that reads its rows; raises as `table_of`."""
    table = table_of(path, encoding)
    return table.columns, table.rows


def guess_columns(path: str, encoding: str | None = None) -> tuple[str | None, str | None]:
    """Which columns hold the text and the label, each None where that is in doubt.

    Names decide first; then the column with the longest texts, and the one with few values that come again.
    """
    return guess(table_of(path, encoding))


def guess(table: Table) -> tuple[str | None, str | None]:
    """As `guess_columns`, of a table that is open."""
    values = {name: [_shown(row.get(name)) for row in table.head] for name in table.columns}
    text = table.meant or _named(table.columns, TEXT_NAMES)
    others = [name for name in table.columns if name != text]
    label = _named(others, LABEL_NAMES) or (others[0] if table.meant and len(others) == 1 else None)
    text = text or _longest({name: seen for name, seen in values.items() if name != label})
    if label is None:
        label = _repeating({name: seen for name, seen in values.items() if name != text and not is_id(name)})
    return text, label


def _shown(value: object) -> str:
    """A cell as text, to guess from; "" for what is none."""
    try:
        return cell_values.text_of(value)
    except cell_values.NoText:
        return ""


def _named(columns: list[str], known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in reversed(columns)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _longest(values: dict[str, list[str]]) -> str | None:
    """The column with most letters, of those with words if there are any; never one that only numbers the rows."""
    lengths = {name: sum(map(len, seen)) for name, seen in values.items() if not is_id(name)}
    worded = [name for name in lengths if any(_WORDS.search(cell) for cell in values[name])]
    others = [name for name in lengths if not (any(values[name]) and _are_numbers(values[name]))]
    fitting = worded or [name for name in others if lengths[name]] or others or list(lengths)
    return max(fitting, key=lambda name: lengths[name]) if fitting else None


def _are_numbers(seen: list[str]) -> bool:
    return all(_NUMBER.fullmatch(cell) for cell in seen if cell)


def _repeating(values: dict[str, list[str]]) -> str | None:
    kinds = {name: len({cell for cell in seen if cell}) for name, seen in values.items()}
    fitting = {name: n for name, n in kinds.items() if 2 <= n <= max(2, len(values[name]) // 2)}
    return min(fitting, key=lambda name: fitting[name]) if fitting else None


def rows_of(spec: LabelledSpec, task: str) -> Callable[[], Iterator[Labelled | Tagged]]:
    """A call that reads the examples of a person's table; raises as `read_table`."""
    return read_table(spec, task)[0]


def read_table(
    spec: LabelledSpec, task: str
) -> tuple[Callable[[], Iterator[Labelled | Tagged]], Callable[[], list[str]]]:
    """A call that reads the examples of a person's table, and one that tells what was unusual in it.

    A cell without text or label is "". For "tag", both columns hold as many words as tags: lists, or separated by
    spaces.

    Raises:
        PlaygroundError: when a column is not there, is not known, is no text, or words and tags do not pair up.
    """
    table = table_of(spec.file, spec.encoding)
    text, label = spec.text_column, spec.label_column
    if text is None or label is None:
        guessed = guess(table)
        text, label = text or guessed[0], label or guessed[1]
    has = listed(table.columns)
    if text is None:
        raise PlaygroundError(
            "Which column of {name} holds the text?",
            "Choose the column with the text: it has {columns}.",
            name=table.name,
            columns=has,
        )
    if label is None:
        raise PlaygroundError(
            "Which column of {name} holds the label?",
            "Choose the column with the label: it has {has}.",
            name=table.name,
            has=has,
        )
    for column in (text, label):
        table.check(column)
    if text == label:
        raise PlaygroundError(
            "Text and label cannot be the same column ({text}).", "Choose two. It has {has}.", text=text, has=has
        )
    one = _one_label(table, text, label) if task == "classify" else _one_tagged(table, text, label)
    return lambda: (one(number, row) for number, row in enumerate(table.rows(), 1)), table.notes


def _one_label(table: Table, text: str, label: str) -> Callable[[int, Row], Labelled]:
    """What makes a labelled text of a row."""
    text_in, opened = table.texts(text), table.opened(label, numbers=True)

    def one(number: int, row: Row) -> Labelled:
        try:
            return Labelled(text_in(number, row), cell_values.label_of(opened(row)))
        except cell_values.NoText as error:
            raise cell_values.refused(error.kind, label, number, table.name) from error

    return one


def _one_tagged(table: Table, text: str, label: str) -> Callable[[int, Row], Tagged]:
    """What makes a text with tags of a row."""
    columns = [(column, table.opened(column, numbers=True)) for column in (text, label)]

    def one(number: int, row: Row) -> Tagged:
        found = []
        for column, opened in columns:
            try:
                found.append(cell_values.words_of(opened(row)))
            except cell_values.NoText as error:
                raise cell_values.refused(error.kind, column, number, table.name) from error
        words, tags = found
        if len(words) != len(tags) and words and tags:
            raise PlaygroundError(
                "Words and tags in row {number:,} of {name} do not pair up: {n_words:,} and {n_tags:,}.",
                "Give each word one tag.",
                number=number,
                name=table.name,
                n_words=len(words),
                n_tags=len(tags),
            )
        return Tagged(spaced(words), tuple(tags) or ("",) * len(words))

    return one


WORD_NAMES = ("word", "words", "token", "tokens", "form")
_SENTENCE = re.compile(r"sent(ence)?s?[ _.:#-]*(#|id|ids|idx|no|nr|num|number|index)?[.]?", re.IGNORECASE)
_COUNTED = re.compile(r"(sent(ence)?[ _.:#-]*)?\d*(\.0)?", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[\d.,:/ -]*\d")
_WORDS = re.compile(r"\S\s+\S|[\u4e00-\u9fff\u3040-\u30ff]{2}")
# Browsers read it too (demo.html), and they allow no escape that is not needed.
PIECES = r'\s*(?:[\u4e00-\u9fff]|[^\s\u4e00-\u9fff,.;:?!()\[\]{}"，。；：？！、]+|[^\s\u4e00-\u9fff])|\s+$'
_PIECE = re.compile(PIECES)


def pieces_of(text: str) -> tuple[str, ...]:
    """A text cut into words, marks and Chinese characters, each with the space before it; joined they give it whole."""
    return tuple(_PIECE.findall(text))
