"""A JSON file that is one object: the rows within it, as programs wrap them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from playground.core.errors import Message, PlaygroundError
from playground.text import delimited
from playground.text.cell_values import is_message
from playground.text.size_limits import MOST_COLUMNS, listed

NAMES = ("data", "rows", "examples", "records", "items", "instances", "samples", "entries", "documents", "results")
SPLITS = (
    "train",
    "training",
    "test",
    "testing",
    "validation",
    "valid",
    "val",
    "dev",
    "development",
    "eval",
    "evaluation",
)

SPARSE = 16  # times as many cells as there are, in a table whose columns lack some
HEADS = ("columns", "header", "headers", "fields", "names", "column_names")  # what names the columns of lists of cells

Found = tuple[list[Any], str]  # the rows, and a sentence on where they were


def rows_in(value: Mapping[str, Any], name: str) -> Found | None:
    """The rows that an object holds; None where it is a row itself.

    They are in one list of objects (``{"data": [...]}``), in several of the same kind (``{"train": [...], "test": [...]}``),
    in lists of cells (``{"data": [[...], [...]]}``), in columns (``{"text": [...], "label": [...]}``), or as pandas writes
    tables.

    Raises:
        PlaygroundError: where several lists could be meant, or columns are of different lengths.
    """
    return _listed(value, name) or _cells(value, name) or _columns(value, name) or _nested(value, name)


def rows_of_lists(values: Any, name: str) -> Found | None:
    """Rows that are lists: of messages, or of cells, the first of which may name the columns; None where the values are no
    such lists.
    """
    if _all(values, list) and all(row and all(map(is_message, row)) for row in values):
        return [{"messages": row} for row in values], ""
    if not _all(values, list) or len(values) < 2 or len({len(row) for row in values}) > 1 or not values[0]:
        return None
    first, *below = values
    if _names_columns(first, below):
        return [dict(zip(first, row)) for row in below], Message(
            "{name} is read by columns: {columns}.", name=name, columns=listed(first)
        )
    called = [f"column {i}" for i in range(1, len(first) + 1)]
    said = Message(
        "The first line of {file} is a row like the others: the columns are called {names} here.",
        file=name,
        names=listed(called),
    )
    return [dict(zip(called, row)) for row in values], said


def _names_columns(first: list[Any], below: list[list[Any]]) -> bool:
    """A name does not come again and again as a value below it, as a label does."""
    if not all(isinstance(cell, str) and cell.strip() for cell in first) or len(set(first)) < len(first):
        return False
    again = max(sum(row[i] == cell for row in below) for i, cell in enumerate(first))
    return any(cell.strip().lower() in delimited.NAMES for cell in first) or again < max(
        delimited.AGAIN, delimited.OFTEN * len(below)
    )


def _listed(value: Mapping[str, Any], name: str) -> Found | None:
    """Rows in lists of objects."""
    lists = {key: each for key, each in value.items() if _all(each, Mapping) and not all(map(is_message, each))}
    if not lists:
        return ([], "") if value and all(each == [] for each in value.values()) else None
    usual = [key for key in lists if key.lower() in NAMES]
    if len(lists) > 1 and not _are_alike(lists):
        if len(usual) != 1:
            raise PlaygroundError(
                "{name} holds several lists with different columns: {lists}.",
                "Save the one that is meant as a file of its own.",
                name=name,
                lists=_counted(lists),
            )
        lists = {usual[0]: lists[usual[0]]}
    rows = [row["row"] if _is_framed(row) else row for each in lists.values() for row in each]
    return rows, _said(lists, name)


def _is_framed(row: Mapping[str, Any]) -> bool:
    """Whether a row is put as the viewer of Hugging Face's datasets gives it, with its number beside it."""
    return "row_idx" in row and isinstance(row.get("row"), Mapping)


def _said(lists: Mapping[str, Any], name: str) -> str:
    if len(lists) == 1:
        return Message("The rows of {name} are those of its list {field!r}.", name=name, field=next(iter(lists)))
    return Message(
        "{name} holds several lists, and the rows of all are read: {lists}.", name=name, lists=_counted(lists)
    )


def _are_alike(lists: Mapping[str, list[Mapping]]) -> bool:
    """Whether the lists are parts of one table: by their names, or since none has a column that the widest lacks."""
    if all(key.lower() in SPLITS for key in lists):
        return True
    names = sorted(({key for row in rows for key in row} for rows in lists.values()), key=len)
    return all(smaller <= names[-1] for smaller in names)


def _cells(value: Mapping[str, Any], name: str) -> Found | None:
    """Rows as lists of cells in one list, with the names of the columns beside it, as pandas writes them
    (``{"columns": [...], "data": [[...], ...]}``), or in its first row.
    """
    lists = {key: each for key, each in value.items() if _all(each, list) and key.lower() in (*NAMES, *SPLITS)}
    if len(lists) != 1:
        return None
    data = next(iter(lists.values()))
    said = [value[names] for names in HEADS if _all(value.get(names), str)]
    if len(said) == 1 and all(len(row) == len(said[0]) for row in data):
        return [dict(zip(said[0], row)) for row in data], _said(lists, name)
    return rows_of_lists(data, name)


def _columns(value: Mapping[str, Any], name: str) -> Found | None:
    """Every column as a list of its cells, or as an object with the cells by number, or by name, as pandas has an index."""
    if value and (all(map(_is_numbered, value.values())) or _are_indexed(value)):
        numbers = list(dict.fromkeys(number for each in value.values() for number in each))
        if len(numbers) * len(value) > SPARSE * sum(map(len, value.values())) + MOST_COLUMNS:
            raise PlaygroundError(
                "The columns of {name} have hardly a row in common.",
                "Give each column a cell for every row, or write a list of objects.",
                name=name,
            )
        rows = [{key: each.get(number) for key, each in value.items()} for number in numbers]
        return rows, _of_columns(value, name)
    if not value or not all(isinstance(each, list) for each in value.values()):
        return None
    if any(_all(each, Mapping) for each in value.values()):  # one row with a conversation
        return None
    if all(key.lower() in SPLITS for key in value) and all(_all(each, str) for each in value.values()):
        return [text for each in value.values() for text in each], _said(value, name)
    if len({len(each) for each in value.values()}) > 1:
        raise PlaygroundError(
            "The columns of {name} are of different lengths: {columns}.",
            "Give each column a cell for every row, or write a list of objects.",
            name=name,
            columns=_counted(value),
        )
    return [dict(zip(value, row)) for row in zip(*value.values())], _of_columns(value, name)


def _of_columns(value: Mapping[str, Any], name: str) -> str:
    return Message("{name} is read by columns: {columns}.", name=name, columns=listed(value))


def _is_numbered(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(key.isdecimal() for key in value)


def _are_indexed(value: Mapping[str, Any]) -> bool:
    """Whether the names of columns are outside: they are known ones, and within all have the same others."""
    if not all(isinstance(each, Mapping) and each for each in value.values()):
        return False
    inner = [set(each) for each in value.values()]
    is_known = lambda names: any(name.lower() in delimited.NAMES for name in names)
    return is_known(value) and not is_known(inner[0]) and all(names == inner[0] for names in inner)


def _nested(value: Mapping[str, Any], name: str) -> Found | None:
    """Rows one level further down, or rows by their names."""
    inner = {key: each for key, each in value.items() if isinstance(each, Mapping) and each}
    if inner and len(inner) == len(value):
        if all(key.lower() in (*SPLITS, *NAMES) for key in inner):
            found = {key: rows_in(each, name) for key, each in inner.items()}
            whole = {key: each for key, each in found.items() if each}
            if len(whole) == len(found):
                lists = {key: rows for key, (rows, _) in whole.items()}
                return [row for rows in lists.values() for row in rows], _said(lists, name)
        if len(inner) > 1 and _are_alike({key: [each] for key, each in inner.items()}):
            return list(inner.values()), Message("Each entry of {name} is read as a row.", name=name)
    deeper = [found for each in inner.values() if (found := _listed(each, name))]
    return deeper[0] if len(deeper) == 1 else None


def _all(value: Any, kind: type) -> bool:
    """Whether it is a list with something in it, all of one kind."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


def _counted(lists: Mapping[str, Collection]) -> str:
    """Names with how many each has, such as "train (80), test (20)"."""
    return listed([f"{key} ({len(each):,})" for key, each in lists.items()])
