"""How much of a table is held in memory at once: a small file can unfold to more than a machine has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from playground.core.errors import Message, PlaygroundError

LONGEST_RECORD = 1 << 26  # characters of one row
MOST_VALUES = 1 << 20  # cells, and parts of cells, of one row: a small one takes about a hundred bytes
MOST_COLUMNS = 2_000
LONGEST_NAME = 20_000  # characters in the name of a column: where a first line names none, its text is taken for one
MOST_SHOWN, LONGEST_SHOWN = 20, 200  # names in a sentence, and characters of one
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|$)|([\[{,])', re.DOTALL)


def check_columns(names: Collection[str], file: str) -> None:
    """Refuses a table that is wider than tables are.

    Raises:
        PlaygroundError: for too many columns, and for a name that is longer than names are.
    """
    if len(names) > MOST_COLUMNS:
        raise too_wide(file, f"{len(names):,}")
    if long := next((name for name in names if len(name) > LONGEST_NAME), None):
        raise PlaygroundError(
            "{file} has a column whose name has {length:,} characters.",
            "Give the columns short names, in the first line or in each record.",
            file=file,
            length=len(long),
        )


def too_wide(file: str, columns: str) -> PlaygroundError:
    return PlaygroundError(
        "{file} has {columns} columns, and at most {most_columns:,} are read.",
        "Save it with the columns that are needed: one or two are enough.",
        file=file,
        columns=columns,
        most_columns=MOST_COLUMNS,
    )


def too_large(file: str, row: int = 0, line: int = 0) -> PlaygroundError:
    """For a row, told by its number or by the line that it begins on."""
    return PlaygroundError(
        Message("The row on line {line:,} of {file} is too large to be held in memory.", line=line, file=file)
        if line
        else Message("Row {row:,} of {file} is too large to be held in memory.", row=row, file=file),
        "Split its text into several rows, of at most {longest_record:,} characters and {most_values:,} values each.",
        longest_record=LONGEST_RECORD,
        most_values=MOST_VALUES,
    )


def listed(names: Collection[str]) -> str:
    """Names as a sentence can hold them."""
    shown = [name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…" for name in islice(names, MOST_SHOWN)]
    return ", ".join(shown) + (f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else "")


def values_in(text: str, most: int) -> int:
    """How many values a JSON text has, about; counts no further than just beyond ``most``."""
    if len(text) <= most:  # each value takes a character, and one to part it from the next
        return 0
    count = 0
    for token in _TOKEN.finditer(text):
        count += token.lastindex is not None
        if count > most:
            break
    return count


def weight(value: object, most: int) -> int:
    """How much a value holds: its characters, and eight for each part; counts no further than just beyond ``most``."""
    total, waiting = 0, [iter((value,))]
    while waiting and total <= most:
        for part in waiting[-1]:
            total += 8
            if isinstance(part, (str, bytes)):
                total += len(part)
            elif isinstance(part, (list, tuple, Mapping)):
                waiting.append(_parts(part))
                break
            if total > most:
                break
        else:
            waiting.pop()
    return total


def _parts(value: list | tuple | Mapping) -> Iterator[object]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield name
            yield part
    else:
        yield from value
