"""A word with its tags on each line, sentences parted by blank lines: CoNLL, IOB, BIO and CoNLL-U."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from playground.core.errors import Message, PlaygroundError
from playground.text.encodings import beginning, lines
from playground.text.size_limits import LONGEST_RECORD, MOST_COLUMNS, MOST_VALUES, too_large, too_wide

SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio")
WORDS, TAGS = "tokens", "tags"
TABS, SPACES, BLANKS = "tabs", "spaces", "blanks"
LOOKED_AT = 4000  # lines read to learn the columns
LONGEST = 20_000  # words of one sentence
LONGEST_LINE, LONGEST_LOOK = (
    1 << 20,
    1 << 22,
)  # characters of a line, and of the lines that are read to learn the columns
ALIKE = 0.98  # of the lines have the same columns, in a file whose name does not say what it is
OFTEN = 3  # times that a tag is there, on average, in such a file
DOCUMENT = "-DOCSTART-"
HEADS = ("token", "tokens", "word", "words", "form")  # what names the column of words, where a first line names any
UNIVERSAL = {WORDS: 1, TAGS: 3, "xpos": 4, "deprel": 7}  # CoNLL-U's ten columns
_IOB = re.compile(r"O|[BIESLUM](?:[-_].+)?")
_TAG = re.compile(
    r"[A-Z][A-Z0-9$|:+*=_-]*|[^\w\s]+"
)  # of parts of speech, where the name of a file does not promise any
_MARKUP = re.compile(r"</?[a-z]\w*(?: [^<>\t]*)?/?>")  # alone on a line, in vertical files
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")


@dataclass(frozen=True)
class Layout:
    """How such a file is written.

    Attributes:
        by: what parts the columns: TABS, SPACES, or BLANKS, both in one line.
        width: how many columns.
        places: the columns by name: "tokens" first, "tags" last.
        numbered: whether the first column counts the words of each sentence.
        head: the first line, if it names the columns; else "".
        tags: the tags seen, by which a word "#" is told from a comment.
    """

    by: str
    width: int
    places: dict[str, int]
    numbered: bool
    head: str
    tags: frozenset[str]


def is_tagged(path: Path, encoding: str) -> bool:
    """Whether a file with another ending is written so: words with tags of names or parts of speech, and blank lines."""
    sample = beginning(path, encoding)
    written = [line for line in sample if _is_word(line)]
    sentences = sum(bool(line.strip()) and not before.strip() for before, line in zip(["", *sample], sample))
    if sentences < 2 or not written:
        return False
    by = _by(written)
    rows = [_cells(line, by) for line in written]
    width = _usual_width(rows)
    if width < 2 or sum(len(row) == width for row in rows) < ALIKE * len(rows):
        return False
    layout = _layout(written, by)
    if layout.places == UNIVERSAL:
        return True
    rows = [row for row in rows if len(row) == width and "\t".join(row) != layout.head]
    if TAGS not in layout.places or any(" " in row[layout.places[WORDS]] for row in rows):
        return False
    tags = [tag for row in rows if (tag := row[layout.places[TAGS]])]
    if all(map(_IOB.fullmatch, tags)):
        return len(set(tags)) > 1
    return all(map(_TAG.fullmatch, tags)) and 1 < len(set(tags)) <= len(tags) / OFTEN


def layout_of(path: Path, encoding: str) -> Layout:
    """How a file is written, told from its beginning.

    Raises:
        PlaygroundError: when it has no words, or no tags beside them.
    """
    sample = _sample(path, encoding)
    if not sample:
        raise PlaygroundError("{name} has no rows.", "Choose a file with text in it.", name=path.name)
    layout = _layout(sample, _by(sample))
    if layout.width > MOST_COLUMNS:
        raise too_wide(path.name, f"{layout.width:,}")
    if len(layout.places) < 2:
        raise PlaygroundError(
            "The lines of {name} have one column: there is no tag beside a word.",
            "Write a word on each line, a tab, and its tag, with a blank line after each sentence; or let the name end in .txt.",
            name=path.name,
        )
    return layout


def _sample(path: Path, encoding: str) -> list[str]:
    """The first lines with words."""
    sample, left = [], LONGEST_LOOK
    for line in islice(lines(path, encoding, LONGEST_LINE, newlines=True), LOOKED_AT):
        if _is_word(line):
            sample.append(line)
            left -= len(line)
        if left < 0:
            break
    return sample


def _is_word(line: str) -> bool:
    return not _ends(line) and not line.startswith("#")


def _ends(line: str) -> bool:
    """Whether a sentence ends before this line, which is none of its words."""
    return not line.strip() or line.startswith(DOCUMENT) or bool(_MARKUP.fullmatch(line.strip()))


def _by(sample: list[str]) -> str:
    """What parts the columns: both where all lines have as many cells by both, and some no tab, or all a space too, which is
    not in every word of a text.
    """
    tabbed = sum("\t" in line.strip() for line in sample)
    spaced = sum(" " in line.strip() for line in sample)
    if (
        tabbed
        and (tabbed < len(sample) or spaced == tabbed)
        and len({len(_cells(line, BLANKS)) for line in sample}) == 1
    ):
        return BLANKS
    return TABS if 2 * tabbed >= len(sample) else SPACES


def _cells(line: str, by: str) -> list[str]:
    if by == TABS:
        return [cell.strip(" ") for cell in line.rstrip("\n").split("\t")]
    if by == BLANKS:
        line = line.replace("\t", " ")
    return [cell for cell in line.rstrip("\n").split(" ") if cell]  # another blank may be a word


def _usual_width(rows: list[list[str]]) -> int:
    counted = Counter(map(len, rows))
    return max(counted, key=lambda width: (counted[width], width))


def _layout(sample: list[str], by: str) -> Layout:
    rows = [_cells(line, by) for line in sample]
    names_columns = set(map(str.lower, rows[0])) & set(HEADS) and rows[0][-1] not in {
        row[-1] for row in rows[1:] if row
    }
    head = "\t".join(rows[0]) if names_columns else ""
    width = _usual_width(rows)
    rows = [row for row in rows[bool(head) :] if len(row) == width]
    columns = list(zip(*rows))
    if not columns:
        return Layout(by, width, {}, False, head, frozenset())
    numbered = width > 2 and all(map(_NUMBER.fullmatch, columns[0])) and columns[0][0][0] in "01"
    if numbered and width == 10:
        places = dict(UNIVERSAL)
    elif all(map(_IOB.fullmatch, columns[0])) and not all(map(_IOB.fullmatch, columns[-1])):
        places = {WORDS: width - 1, TAGS: 0}  # the tag comes first
    else:
        first = int(numbered)
        while len(rows) > 1 and first + 2 < width and _says_where(columns[first]):
            first += 1
        telling = [i for i in range(first + 1, width) if len(set(columns[i])) > 1 or i == first + 1]
        places = {WORDS: first, **{f"column {i + 1}": i for i in telling[:-1]}}
        places |= {TAGS: telling[-1]} if telling else {}
    return Layout(by, width, places, numbered, head, frozenset(columns[places[TAGS]] if TAGS in places else ()))


def _says_where(column: tuple[str, ...]) -> bool:
    """Whether a column before the words names the document, or counts them."""
    return len(set(column)) == 1 or all(map(_NUMBER.fullmatch, column))


class Reading:
    """Reads the sentences of a file: a row each, whose cells are lists of words and of tags."""

    def __init__(self, path: Path, encoding: str, layout: Layout) -> None:
        self._path, self._encoding, self._layout = path, encoding, layout
        self._short = self._first = 0

    def rows(self) -> Iterator[dict[str, object]]:
        """Raises PlaygroundError while reading, for a line with more columns than the others, or an endless sentence."""
        self._short = self._first = 0
        sentence: list[list[str]] = []
        names, length = self._layout.places, 0
        for number, line in enumerate(lines(self._path, self._encoding, LONGEST_LINE, newlines=True), 1):
            length += len(line)
            if _ends(line):
                length = 0
                if sentence:
                    yield {name: list(cells) for name, cells in zip(names, zip(*sentence))}
                sentence = []
            elif cells := self._word(line, number):
                sentence.append(cells)
                if length > LONGEST_RECORD or len(sentence) * len(names) > MOST_VALUES:
                    raise too_large(self._path.name, line=number)
                if len(sentence) > LONGEST:
                    raise PlaygroundError(
                        "The sentence that ends on line {number:,} of {name} has more than {longest:,} words.",
                        "Put a blank line after each sentence.",
                        number=number,
                        name=self._path.name,
                        longest=LONGEST,
                    )
        if sentence:
            yield {name: list(cells) for name, cells in zip(names, zip(*sentence))}

    def _word(self, line: str, number: int) -> list[str] | None:
        """The cells of a line in the order of the columns; None for what is no word."""
        layout, cells = self._layout, _cells(line, self._layout.by)
        tag = layout.places[TAGS]
        if line.startswith("#") and (len(cells) != layout.width or cells[tag] not in layout.tags):
            return None
        if "\t".join(cells) == layout.head or (
            layout.numbered and not cells[0].isdecimal() and _NUMBER.fullmatch(cells[0])
        ):
            return (
                None  # names of the columns; in CoNLL-U, words that stand for several, and those that were left unsaid
            )
        while len(cells) > layout.width and not cells[-1]:
            cells.pop()
        if len(cells) > layout.width:
            raise PlaygroundError(
                "Line {number:,} of {name} has {n_cells} columns, but most lines have {width}.",
                "Write one word on each line, without a space in it, and its tags.",
                number=number,
                name=self._path.name,
                n_cells=len(cells),
                width=layout.width,
            )
        cells += [""] * (layout.width - len(cells))
        if not cells[tag]:
            self._short += 1
            self._first = self._first or number
        return [cells[place] for place in layout.places.values()]

    def notes(self) -> list[str]:
        name, places, n = self._path.name, self._layout.places, self._short
        said: list[str] = [
            Message(
                "{name} is read as sentences, with a word on each line: column {places} has the words, column {tags} the tags.",
                name=name,
                places=places[WORDS] + 1,
                tags=places[TAGS] + 1,
            )
        ]
        if n:
            said.append(
                Message(
                    "Lines of {name} without a tag, which is not asked about: {n:,} (first: line {first:,}).",
                    name=name,
                    n=n,
                    first=self._first,
                )
            )
        return said


def sentence_rows(
    path: Path, encoding: str
) -> tuple[Callable[[], Iterator[dict[str, object]]], Callable[[], list[str]]]:
    """A call that reads the sentences of a file, and one that tells how they are read. Raises as `layout_of`."""
    reading = Reading(path, encoding, layout_of(path, encoding))
    return reading.rows, reading.notes
