"""A person's table: its columns, told from many rows and not from the first alone, and its rows as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

from playground.core.errors import Message, PlaygroundError
from playground.text import cell_values, conll, fasttext
from playground.text.delimited import Tally, delimited_rows, dialect_of
from playground.text.encodings import detect, no_encoding, notes_on
from playground.text.json_tables import Row, json_rows
from playground.text.parquet import parquet_rows
from playground.text.size_limits import check_columns, listed, weight

DELIMITED, RECORDS, PARQUET = (".csv", ".tsv"), (".jsonl", ".ndjson", ".json"), (".parquet",)
TABLE_SUFFIXES = (*DELIMITED, *RECORDS, *PARQUET, *conll.SUFFIXES)
LOOKED_AT = 500  # rows read to learn the columns
LONGEST_LOOK = 1 << 23  # characters, and eight for each value, after which no further row is looked at
TEXT_NAMES = (
    "text",
    "content",
    "document",
    "body",
    "sentence",
    "review",
    "review_body",
    "story",
    "messages",
    "conversations",
    "conversation",
    "dialogue",
    "dialog",
)
PAIR_NAMES = (
    ("question", "answer"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("input", "output"),
    ("source", "target"),
    ("q", "a"),
)
_ID = re.compile(  # names of columns that only number the rows
    r"_*(id|ids|idx|index|uuid|guid|key|nr|no|num|number|row|unnamed: ?\d+|编号|序号)|.*(_id|Id|ID|_idx|_index|_uuid)"
)


@dataclass
class Table:
    """A table of any kind.

    Attributes:
        name: of the file, for errors.
        rows: a call reads it from its beginning.
        notes: a call gives sentences on what was unusual, as far as it has been read.
        written: whether lists in it can only be text that writes them out, and what is missing a text such as NaN,
            as in .csv.
        grows: whether later rows may have other columns, as in JSON.
        meant: the column of the text, where the kind of file says it.
    """

    name: str
    rows: Callable[[], Iterator[Row]]
    notes: Callable[[], list[str]] = list
    written: bool = False
    grows: bool = False
    meant: str | None = None

    @cached_property
    def head(self) -> list[Row]:
        """The first rows, to learn from.

        Raises:
            PlaygroundError: when there is none.
        """
        head, left = [], LONGEST_LOOK
        for row in islice(self.rows(), LOOKED_AT):
            head.append(row)
            left -= weight(row, left)
            if left < 0:
                break
        if not any(head):
            raise PlaygroundError("{name} has no rows.", "Choose a file with text in it.", name=self.name)
        return head

    @cached_property
    def columns(self) -> list[str]:
        """Those of all rows looked at, in order of their first appearance.

        Raises:
            PlaygroundError: when these are too many, or there is no row.
        """
        names = list(dict.fromkeys(name for row in self.head for name in row))
        check_columns(names, self.name)
        return names

    def check(self, column: str) -> None:
        """A column that was named has to be there, be it far below.

        Raises:
            PlaygroundError: with the columns that there are.
        """
        if column not in self.columns and not (self.grows and any(column in row for row in self.rows())):
            raise PlaygroundError(
                "{name} has no column {column!r}.",
                "It has {known}.",
                name=self.name,
                column=column,
                known=listed(self.columns),
            )

    def opened(self, column: str, numbers: bool = False) -> Callable[[Row], object]:
        """What gives the value of a row: lists that a .csv writes out, such as ``['a', 'b']``, are lists again.

        So are objects and bytes, which then are refused; what a .csv calls NaN is missing.
        """
        if not self.written:
            return lambda row: row.get(column)
        there = lambda row: None if (value := row.get(column)) in cell_values.NAN else value
        if not cell_values.are_written((row.get(column) for row in self.head), numbers):
            return there
        return lambda row: value if (value := cell_values.written_value(row.get(column))) is not None else there(row)

    def texts(self, column: str) -> Callable[[int, Row], str]:
        """What gives the text of a row, by its number (for errors)."""
        opened = self.opened(column)

        def text(number: int, row: Row) -> str:
            try:
                return cell_values.text_of(opened(row))
            except cell_values.NoText as error:
                raise cell_values.refused(error.kind, column, number, self.name) from error

        return text


def open_rows(path: Path, encoding: str | None, wanted: tuple[str, ...] = ()) -> Table:
    """A file as a table.

    Args:
        path: ends in one of ``TABLE_SUFFIXES``, or is plain text with a word and its tags, or a label and its text, on each line.
        encoding: None detects it.
        wanted: columns that are enough, where a file can be read by columns.

    Raises:
        PlaygroundError: when it cannot be read; what is wrong further down is raised while reading.
    """
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        no_encoding(path, encoding)
        return Table(path.name, parquet_rows(path, wanted))
    guessed, encoding = not encoding, encoding or detect(path)
    of_letters = lambda: notes_on(path, encoding, guessed)
    if suffix in RECORDS:
        told: list[str] = []
        return Table(path.name, json_rows(path, encoding, told), lambda: [*of_letters(), *told], grows=True)
    if suffix not in TABLE_SUFFIXES and fasttext.is_marked(path, encoding):
        said = Message(
            "{name} is read with the label that each line begins with, {mark} and its name.",
            name=path.name,
            mark=fasttext.MARK,
        )
        return Table(path.name, fasttext.marked_rows(path, encoding), lambda: [*of_letters(), said], meant="text")
    if suffix not in DELIMITED or (suffix == ".tsv" and conll.is_tagged(path, encoding)):
        rows, said = conll.sentence_rows(path, encoding)
        return Table(path.name, rows, lambda: [*of_letters(), *said()], meant=conll.WORDS)
    dialect, tally = dialect_of(path, encoding), Tally()
    rows = delimited_rows(path, encoding, dialect, tally)
    return Table(path.name, rows, lambda: [*of_letters(), *dialect.notes, *tally.notes(path.name)], written=True)


def is_id(column: str) -> bool:
    """Whether a name says that the column only numbers the rows."""
    return bool(_ID.fullmatch(column) or _ID.fullmatch(column.lower()))


def usual_text(columns: list[str]) -> str:
    """The column that a page offers for the text at first: by its name, else the first that does not number the rows."""
    return _named_text(columns) or next((column for column in columns if not is_id(column)), columns[0])


def usual_pair(columns: list[str]) -> tuple[str, str]:
    """The columns that a page offers for question and answer at first."""
    by_lower = {column.lower(): column for column in reversed(columns)}
    for question, answer in PAIR_NAMES:
        if question in by_lower and answer in by_lower:
            return by_lower[question], by_lower[answer]
    telling = [column for column in columns if not is_id(column)]
    first, second, *_ = [*telling, *(column for column in columns if column not in telling), columns[0]]
    return first, second


def _named_text(columns: list[str]) -> str | None:
    by_lower = {column.lower(): column for column in reversed(columns)}
    return next((by_lower[name] for name in TEXT_NAMES if name in by_lower), None)


def text_column(table: Table) -> str:
    """The column that is meant for the text without doubt.

    Raises:
        PlaygroundError: when it is in doubt.
    """
    if (named := table.meant or _named_text(table.columns)) is not None:
        return named
    others = [column for column in table.columns if not is_id(column)]
    if len(table.columns) == 1 and others:
        return others[0]
    raise PlaygroundError(
        "Which column of {name} holds the text?",
        "Choose the column with the text: it has {columns}.",
        name=table.name,
        columns=listed(table.columns),
    )
