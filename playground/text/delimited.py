"""Tables with a row on each line: .csv and .tsv, as spreadsheets, statistics programs and scripts write them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

from playground.core.errors import Message, PlaygroundError, sentences
from playground.text.encodings import decoded, lines
from playground.text.size_limits import (
    LONGEST_RECORD,
    MOST_COLUMNS,
    MOST_VALUES,
    check_columns,
    listed,
    too_large,
    too_wide,
)

LONGEST_FIELD = LONGEST_RECORD  # characters in one cell
SAMPLE = 1 << 22  # characters looked at to learn how a file is written
SEPARATORS = ",;\t|"
MOST_ABOVE, FEW_ABOVE = 60, 6  # lines looked at for what may stand above a table, and lines of a title
NAMES = ("text", "label", "labels", "class", "category", "target", "id")  # which a first line that names has
NONE = "\x1f"  # the separator where there is but one column
AGAIN, OFTEN = 2, 0.02  # rows, and part of all, with a cell of the first line in its column, if that line is a row too
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own first line


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        separator: between cells.
        quoted: whether a quote " wraps a cell; else it is a letter.
        escaped: whether a quote within a cell is written \\", and not "".
        spaced: whether a space may stand before the quote that opens a cell.
        headed: whether the first line names the columns.
        lone_returns: whether lines end with ``\\r`` alone, as on old Macs.
        names: of each column as the first line has them; None for one without name and content.
        notes: sentences on what is unusual.
        skipped: lines above the names of the columns: comments, or a title and a blank line.
    """

    separator: str
    quoted: bool
    escaped: bool
    spaced: bool
    headed: bool
    lone_returns: bool
    names: tuple[str | None, ...]
    notes: tuple[str, ...]
    skipped: int = 0


@dataclass
class Tally:
    """What was unusual while reading: how often, and on which line first."""

    found: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, what: str, line: int) -> None:
        times, first = self.found.get(what, (0, line))
        self.found[what] = (times + 1, first)

    def notes(self, name: str) -> list[str]:
        found = {what: {"name": name, "n": n, "line": line} for what, (n, line) in self.found.items()}
        notes = []
        if "short" in found:
            few = (
                "Rows of {name} with fewer cells than columns: {n:,} (first: line {line:,}); what is missing is empty."
            )
            notes.append(Message(few, **found["short"]))
        if "long" in found:
            many = "Rows of {name} with empty cells after the last column, left out: {n:,} (first: line {line:,})."
            notes.append(Message(many, **found["long"]))
        if "again" in found:
            again = "Rows of {name} that say the names of the columns again, left out: {n:,} (first: line {line:,})."
            notes.append(Message(again, **found["again"]))
        if "spread" in found:
            spread = (
                "Rows of {name} that run over lines which look like rows of their own: {n:,} (first: line {line:,})."
            )
            unclosed = Message('Look for a quote " that is not closed.')
            notes.append(sentences(Message(spread, **found["spread"]), unclosed))
        return notes


def dialect_of(path: Path, encoding: str) -> Dialect:
    """How a table is written, told from its beginning, or from all of it where that is short.

    Raises:
        PlaygroundError: when it has no header, or is not in this encoding.
    """
    status = path.stat()
    return _dialect(path, encoding, (status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=16)
def _dialect(path: Path, encoding: str, version: tuple[int, int]) -> Dialect:
    start = next(decoded(path, encoding, newlines=False), "")
    outside = re.sub(r'"[^"]*"', "", start)  # old Macs wrote \n within a cell
    lone = "\r" in outside and "\n" not in outside.rstrip("\r\n")
    skipped = _preamble(_first_lines(path, encoding, lone))
    sample, whole = _sample(path, encoding, lone, skipped)
    separator = None
    if sample and (said := _SEP.fullmatch(sample[0])):
        separator, sample = said[1], sample[1:]
        for line in sample:
            _check_values(line, separator, path.name)
    header = next((line for line in sample if line.strip(SEPARATORS + " \n")), None)
    if header is None:
        raise PlaygroundError("{name} has no rows.", "Choose a file with text in it.", name=path.name)
    notes = (
        [
            Message(
                "Lines of {name} above the names of the columns, left out: {skipped:,}.",
                name=path.name,
                skipped=skipped,
            )
        ]
        if skipped
        else []
    )
    if separator is None:
        separator = _separator(header, path.suffix.lower() == ".tsv")
        if separator not in header and _is_one_column(sample, separator):
            separator = NONE
            notes.append(
                Message("{name} is read as one column, since its first line has no separator.", name=path.name)
            )
    _check_width(header, separator, path.name)
    quoted = _is_quoted(sample, separator, whole)
    if not quoted and any(_opens(line, separator) for line in sample):
        notes.append(Message('In {name} a quote " is read as a letter, since it does not wrap cells.', name=path.name))
    written = Dialect(separator, quoted, False, False, True, lone, (), (), skipped)
    if quoted:
        written = replace(written, escaped=_is_escaped(sample, written))
        written = replace(written, spaced=_is_spaced(sample, written))
    written = replace(written, headed=_is_headed(sample, written))
    try:
        names, said = _names(sample, written, path.name)
    except csv.Error as error:
        raise _breaks_off(path.name, skipped + 1) from error
    return replace(written, names=names, notes=(*notes, *said))


def _first_lines(path: Path, encoding: str, lone: bool) -> list[str]:
    """The lines in which something may stand above the table."""
    first, left = [], SAMPLE
    for line in islice(_lines(path, encoding, lone), MOST_ABOVE):
        first.append(line)
        left -= len(line)
        if left <= 0:
            break
    return first


def _check_values(line: str, separators: str, file: str, number: int = 1) -> None:
    if len(line) > MOST_VALUES and max(map(line.count, separators)) > MOST_VALUES:
        raise too_large(file, line=number)


def _check_width(header: str, separator: str, file: str) -> None:
    """Refuses a first line with more cells than tables have columns.

    Raises:
        PlaygroundError: for a line that is too wide, but for one that has its separators within quotes.
    """
    if header.count(separator) >= MOST_COLUMNS:
        cells = next(
            _until_error(_reader(iter([header]), Dialect(separator, True, False, False, True, False, (), ()))), None
        )
        width = header.count(separator) + 1 if cells is None else len(cells)
        if width > MOST_COLUMNS:
            raise too_wide(file, f"{width:,}")


def _preamble(start: list[str]) -> int:
    """How many lines of the first ones say something about the table, and are no part of it."""
    is_blank = lambda line: not line.strip(SEPARATORS + ' "\n')
    comments = next((i for i, line in enumerate(start) if not line.startswith("#")), 0)
    if comments:
        separator = _separator(start[comments], False)
        names_columns = start[comments - 1].count(separator) >= start[comments].count(separator) > 0
        return comments - names_columns
    blank = next((i for i, line in enumerate(start[:FEW_ABOVE]) if is_blank(line)), 0)
    below = [line for line in start[blank:] if not is_blank(line)]
    if not blank or len(below) < 2 or any(line.strip(SEPARATORS + ' "\n').lower() in NAMES for line in start[:blank]):
        return 0
    separator = _separator(below[0], False)
    filled = lambda line: sum(bool(cell.strip(' "\n')) for cell in line.split(separator))
    is_table = _widths(below, Dialect(separator, True, False, False, True, False, (), ())).isdisjoint({0, 1})
    return blank if is_table and filled(below[0]) > 1 and all(filled(line) == 1 for line in start[:blank]) else 0


def _sample(path: Path, encoding: str, lone: bool, skipped: int) -> tuple[list[str], bool]:
    """The first lines that are not blank, below those that are skipped, and whether these are all."""
    sample, left = [], SAMPLE
    for line in islice(_lines(path, encoding, lone), skipped, None):
        if left <= 0:
            return sample, False
        left -= len(line)
        if line.strip():
            sample.append(line)
    return sample, True


def _lines(path: Path, encoding: str, lone: bool) -> Iterator[str]:
    """The lines with one kind of line end and without a byte-order mark; a ``\\r`` within a line is a space."""
    for i, line in enumerate(lines(path, encoding, LONGEST_RECORD, newlines=lone)):
        line = line if i else line.removeprefix("\ufeff")
        _check_values(line, SEPARATORS, path.name, i + 1)
        yield line.rstrip("\r\n").replace("\r", " ") + "\n" if "\r" in line else line


def _separator(header: str, tabs: bool) -> str:
    """What the first line has most of, outside quotes, not as a mark before a space; a comma (in .tsv a tab) when it has none."""
    bare = re.sub(r'"[^"]*"', "", header)
    if tabs and "\t" in bare:
        return "\t"
    best = max(SEPARATORS, key=lambda each: (bare.count(each) - bare.count(each + " "), bare.count(each)))
    return best if best in bare else "\t" if tabs else ","


def _is_one_column(sample: list[str], separator: str) -> bool:
    """Whether what separates cells elsewhere are marks in texts here: not the same number of them on each line."""
    widths = _widths(sample[1:], Dialect(separator, True, False, False, True, False, (), ()))
    return len(widths) > 1 or len(sample) == 2 and widths != {1}


def _is_escaped(sample: list[str], dialect: Dialect) -> bool:
    """Whether \\" is a quote within a cell, as databases write it: read so, all rows are as wide as the first."""
    if not any('\\"' in line for line in sample):
        return False
    widths = [_widths(sample, replace(dialect, escaped=escaped)) for escaped in (True, False)]
    return len(widths[0]) == 1 and widths[1] != widths[0]


def _is_spaced(sample: list[str], dialect: Dialect) -> bool:
    """Whether a space stands between the separator and a quote: ``a, "b, c"``."""
    if dialect.separator == " " or not any(
        re.search(re.escape(dialect.separator) + ' +"', line) for line in sample if '"' in line
    ):
        return False
    if len(_widths(sample, replace(dialect, spaced=True))) != 1:
        return False
    rows = _until_error(_reader(iter(sample), dialect))
    cells = [cell.strip(" ") for row in rows for cell in row if cell.startswith(" ")]
    wrapped = [cell for cell in cells if cell.startswith('"')]
    return all(cell.endswith('"') and len(cell) > 1 for cell in wrapped) or len(_widths(sample, dialect)) != 1


def _widths(sample: list[str], dialect: Dialect) -> set[int]:
    """How many cells the rows have; 0 for a row that cannot be read."""
    found: set[int] = set()
    try:
        found.update(len(row) for row in _reader(iter(sample), dialect))
    except csv.Error:
        found.add(0)
    return found


def _is_headed(sample: list[str], dialect: Dialect) -> bool:
    """Whether the first line names the columns. A name does not come again as a value below it, as a label does."""
    rows = list(_until_error(row for row in _reader(iter(sample), dialect) if any(map(str.strip, row))))
    if len(rows) < 2 or len(rows[0]) < 2 or any(cell.strip().lower() in NAMES for cell in rows[0]):
        return True
    first, below = rows[0], [row for row in rows[1:] if row != rows[0]]
    again = lambda i, cell: sum(row[i] == cell for row in below if i < len(row)) if cell.strip() else 0
    return max(again(i, cell) for i, cell in enumerate(first)) < max(AGAIN, OFTEN * len(below))


def _opens(line: str, separator: str) -> bool:
    return '"' in line and (line.startswith('"') or f'{separator}"' in line)


def _is_quoted(sample: list[str], separator: str, whole: bool) -> bool:
    """Whether a quote wraps cells. In doubt it does in .csv, and is a letter between tabs.

    A quote that someone forgot to close swallows the lines up to the next one. What gives it away: each swallowed
    line is a whole row. Lines of a wrapped cell, in contrast, rarely have exactly as many separators as a row.
    """
    if not any(_opens(line, separator) for line in sample):
        return separator != "\t"
    tabs = separator == "\t"
    counts = Counter(line.count(separator) for line in sample[1:])
    width = sample[0].count(separator)
    width = (
        width if counts[width] or not counts else max(counts, key=lambda width: counts[width])
    )  # rows may end with one more
    whole_row = lambda line: 0 < width == line.count(separator)
    swallowing = spanning = 0
    for record, error in _records(sample, separator):
        if error:
            return not tabs or spanning > swallowing or (not whole and record[-1] is sample[-1])
        if len(record) > 1:
            spanning += 1
            swallowing += all(map(whole_row, record)) and (tabs or len(record) > 2)
    if spanning:
        return spanning > swallowing
    return not tabs or _wraps(sample, separator)


def _records(sample: list[str], separator: str) -> Iterator[tuple[list[str], csv.Error | None]]:
    """The lines of each row, were quotes to wrap cells; with the error that ends the reading, if any."""
    taken: list[str] = []
    csv.field_size_limit(LONGEST_RECORD)
    reader = csv.reader((taken.append(line) or line for line in sample), delimiter=separator, strict=True)
    while True:
        taken.clear()
        try:
            if next(reader, None) is None:
                return
        except csv.Error as error:
            yield taken, error
            return
        yield taken, None


def _wraps(sample: list[str], separator: str) -> bool:
    """Where no cell has line ends: quotes wrap if they protect something, or a whole column is in them."""
    filled, wrapped = Counter(), Counter()
    for line in sample[1:]:
        cells = line.rstrip("\n").split(separator)
        for i, cell in enumerate(cells):
            ends = len(cell) > 1 and cell[0] == cell[-1] == '"'
            if cell.startswith('"') and (not ends or '""' in cell[1:-1]):
                return True
            filled[i] += bool(cell.strip())
            wrapped[i] += ends
    return any(wrapped[i] == filled[i] for i in wrapped if wrapped[i])


def _names(sample: list[str], dialect: Dialect, file: str) -> tuple[tuple[str | None, ...], list[str]]:
    """A name for each column, and what had to be done for it."""
    rows = (row for row in _reader(iter(sample), dialect) if any(map(str.strip, row)))
    given = [name.strip() for name in next(rows)]
    if not dialect.headed:
        names = tuple(f"column {i}" for i in range(1, len(given) + 1))
        return names, [
            Message(
                "The first line of {file} is a row like the others: the columns are called {names} here.",
                file=file,
                names=listed(names),
            )
        ]
    numbers = _row_numbers(sample, dialect, len(given))
    given = [*[""] * numbers, *given]
    filled: set[int] = set()
    if "" in given:
        with_error_later = _until_error(rows)  # it is told when the file is read
        filled = {i for row in with_error_later for i, cell in enumerate(row) if cell.strip() and i >= numbers}
    names = _unlike(given, [name or (f"column {i + 1}" if i in filled else None) for i, name in enumerate(given)])
    check_columns([name for name in names if name], file)
    notes: list[str] = (
        [Message("The first column of {file} numbers the rows, and has no name; it is left out.", file=file)]
        if numbers
        else []
    )
    if left_out := names.count(None) - numbers:
        notes.append(
            Message(
                "Columns of {file} without a name and content, left out: {left_out:,}.", file=file, left_out=left_out
            )
        )
    if unnamed := [name for name, was in zip(names, given) if name and not was]:
        notes.append(
            Message("Columns of {file} without a name are called here: {unnamed}.", file=file, unnamed=listed(unnamed))
        )
    for name, was in zip(names, given):
        if name and was and name != was:
            notes.append(
                Message(
                    "{file} has several columns named {was!r}; a later one is called {name!r} here.",
                    file=file,
                    was=was,
                    name=name,
                )
            )
    return tuple(names), notes


def _unlike(given: list[str], wanted: list[str | None]) -> list[str | None]:
    """The names that are wanted; one that comes again gets a number that no other has."""
    taken, names, last = set(given), [], Counter()
    seen: set[str] = set()
    for name in wanted:
        if name in seen:
            last[name] = max(2, last[name])
            while (called := f"{name} {last[name]}") in taken:
                last[name] += 1
            name = called
        if name is not None:
            seen.add(name)
            taken.add(name)
        names.append(name)
    return names


def _row_numbers(sample: list[str], dialect: Dialect, width: int) -> bool:
    """Whether each row begins with its number, for which the first line has no name, as R writes tables."""
    rows = list(_until_error(row for row in _reader(iter(sample), dialect) if any(map(str.strip, row))))[1:]
    return bool(rows) and all(len(row) == width + 1 and row[0].strip() == str(i) for i, row in enumerate(rows, 1))


def _until_error(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error:
        return


def _reader(source: Iterator[str], dialect: Dialect):
    csv.field_size_limit(LONGEST_RECORD)
    return csv.reader(
        source,
        delimiter=dialect.separator,
        quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        doublequote=not dialect.escaped,
        escapechar="\\" if dialect.escaped else None,
        skipinitialspace=dialect.spaced,
        strict=dialect.quoted,
    )


def delimited_rows(
    path: Path, encoding: str, dialect: Dialect, tally: Tally
) -> Callable[[], Iterator[dict[str, object]]]:
    """A call that reads the rows below the header.

    Raises:
        PlaygroundError: while reading, for a row with more cells than columns and a quote that does not close.
    """
    width = len(dialect.names)

    def rows() -> Iterator[dict[str, object]]:
        tally.found.clear()
        taken: list[str] = []
        below = islice(_lines(path, encoding, dialect.lone_returns), dialect.skipped, None)
        reader = _reader(_bounded(below, taken, path.name, dialect), dialect)
        header = None if dialect.headed else []
        while True:
            start = dialect.skipped + reader.line_num + 1
            taken.clear()
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise _breaks_off(path.name, start) from error
            if cells is None:
                return
            if not header and _SEP.fullmatch(taken[0]):
                continue
            if header is None:
                header = cells if any(cell.strip() for cell in cells) else None
                continue
            if not cells:
                continue
            if cells == header and width > 1:  # tables that were joined
                tally.add("again", start)
                continue
            if len(taken) > 1 and all(line.count(dialect.separator) == width - 1 > 0 for line in taken):
                tally.add("spread", start)
            yield _row(cells, dialect.names, start, path.name, tally)

    return rows


def _bounded(lines: Iterator[str], taken: list[str], file: str, dialect: Dialect) -> Iterator[str]:
    """The lines, each put into ``taken`` too, which whoever reads them empties with each row.

    Raises:
        PlaygroundError: for a row that is too large to be held in memory.
    """
    start = size = values = 0
    for number, line in enumerate(lines, dialect.skipped + 1):
        if not taken:
            start, size, values = number, 0, 0
        taken.append(line)
        size += len(line)
        if len(line) > MOST_COLUMNS or len(taken) > 1:
            values += 1 + line.count(dialect.separator)
        if size > LONGEST_RECORD or values > MOST_VALUES:
            raise too_large(file, line=start)
        yield line


def _breaks_off(name: str, line: int) -> PlaygroundError:
    return PlaygroundError(
        '{name} breaks off in the row that begins on line {line:,}: a quote " is not closed, or stands within a cell.',
        'Look for a quote " that is not closed; inside a cell, write it twice.',
        name=name,
        line=line,
    )


def _row(cells: list[str], names: tuple[str | None, ...], line: int, file: str, tally: Tally) -> dict[str, object]:
    """The cells by name; what is missing at the end is empty, what is too much must be empty."""
    if len(cells) > len(names):
        if any(cell.strip() for cell in islice(cells, len(names), None)):
            raise PlaygroundError(
                "Line {line:,} of {file} has {n_cells} cells, but the header has {n_names}.",
                "Put a cell that holds the separator in quotes; the first line has to name the columns.",
                line=line,
                file=file,
                n_cells=len(cells),
                n_names=len(names),
            )
        tally.add("long", line)
    elif len(cells) < len(names):
        kept = [i for i, name in enumerate(names) if name is not None]
        if len(cells) <= kept[-1]:
            tally.add("short", line)
        cells = cells + [""] * (len(names) - len(cells))
    return {name: cell for name, cell in zip(names, cells) if name is not None}
