"""What a cell of a table says: values of JSON, Parquet and CSV as text, words or one label, never as Python writes them."""

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from playground.core.errors import PlaygroundError
from playground.text.byte_alphabet import clean

SPEAKERS = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
}  # ShareGPT's names
LONGEST_NUMBER = 8_000  # bits of a whole number that is written out
UNSPACED = re.compile(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")  # Chinese, kana, and the marks between them


class NoText(Exception):
    """A value that is no text. ``kind`` is "object", "bytes", "list" or "labels"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def text_of(value: object) -> str:
    """A value as text; "" where it is missing. Chat messages become lines such as "user: …", lists are joined.

    Raises:
        NoText: for bytes, for objects, and for lists of anything but strings or messages.
    """
    if isinstance(value, (list, tuple)):
        if not value:
            return ""
        if all(isinstance(each, str) for each in value):
            return joined([clean(each) for each in value])
        said = [_message(each) for each in value]
        if None in said:
            raise NoText("object" if any(isinstance(each, Mapping) for each in value) else "list")
        return "\n".join(filter(None, said))
    if isinstance(value, Mapping):
        said = _message(value)
        if said is None:
            raise NoText("object")
        return said
    return plain(value)


def plain(value: object) -> str:
    """One plain value as text: a whole number that a table holds as 3.0 is "3"; NaN and infinity are missing.

    Raises:
        NoText: for everything that is made of parts, and for bytes.
    """
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value.bit_length() > LONGEST_NUMBER:  # Python writes no longer one out
            raise NoText("object")
        return str(value)
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise NoText("bytes")
    if isinstance(value, (date, time, timedelta, UUID)):  # a datetime is a date
        return str(value) if value == value else ""  # pandas' NaT is not itself
    item = getattr(value, "item", None)
    if item is not None and not getattr(value, "shape", ()):  # a number of NumPy
        return plain(item())
    raise NoText("list" if isinstance(value, Iterable) and not isinstance(value, Mapping) else "object")


def _number(value: float | Decimal) -> str:
    if not math.isfinite(value):
        return ""
    if isinstance(value, Decimal) and abs(value.adjusted()) > LONGEST_NUMBER // 8:
        return str(value)
    if value == int(value) and abs(value) < 10**15:
        return str(int(value))
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def joined(parts: list[str]) -> str:
    """Words as one line, spaced as they are written; sentences and paragraphs one under the other."""
    if any(" " in part.strip() or "\n" in part.strip() for part in parts):
        return "\n".join(parts)
    return "".join(spaced(parts))


def spaced(words: list[str]) -> tuple[str, ...]:
    """Words as pieces that joined give the text: a space before each but the first, and those of a script without spaces."""
    return tuple(word if not i or UNSPACED.match(word) else " " + word for i, word in enumerate(words))


def is_message(value: object) -> bool:
    """Whether it is a message of a chat: who says what."""
    return _message(value) is not None


def _message(value: object) -> str | None:
    """A chat message as "user: Hello"; "" for one without words; None for what is no message."""
    if not isinstance(value, Mapping):
        return None
    who = next((value[key] for key in ("role", "from", "speaker") if isinstance(value.get(key), str)), None)
    key = next((key for key in ("content", "value", "text") if key in value), None)
    if who is None or key is None:
        return None
    said = value[key]
    if isinstance(said, (list, tuple)):  # the parts of a message that may hold pictures too
        parts = [each.get("text") if isinstance(each, Mapping) else each for each in said]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            return None
        said = "\n".join(texts)
    if said is not None and not isinstance(said, str):
        return None
    return f"{clean(SPEAKERS.get(str(who), str(who)))}: {clean(said)}" if said and said.strip() else ""


def label_of(value: object) -> str:
    """A value as one label; a list of one is that one.

    Raises:
        NoText: for several labels at once, and for what is no plain value.
    """
    if isinstance(value, (list, tuple)):
        if len(value) > 1:
            raise NoText("labels")
        value = value[0] if value else None
        if isinstance(value, (list, tuple)):
            raise NoText("list")
    return plain(value).strip()


def words_of(value: object) -> list[str]:
    """A list of words or tags, or a text of them with spaces between.

    Raises:
        NoText: for what is neither.
    """
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return plain(value).split()


def refused(kind: str, column: str, number: int, name: str) -> PlaygroundError:
    """The sentence for a cell that is no text, by its row and its column."""
    if kind == "bytes":
        return PlaygroundError(
            "Row {number:,} of {name} has bytes in the column {column!r}, and no text.",
            "Save the column as text, or choose another one.",
            number=number,
            name=name,
            column=column,
        )
    if kind == "labels":
        return PlaygroundError(
            "Row {number:,} of {name} has several labels in the column {column!r}.",
            "Keep one label for each text, choose another column, or let each word be labelled.",
            number=number,
            name=name,
            column=column,
        )
    if kind == "list":
        return PlaygroundError(
            "Row {number:,} of {name} has a list in the column {column!r}, and not of words.",
            "Write a text or a list of words, or choose another column.",
            number=number,
            name=name,
            column=column,
        )
    return PlaygroundError(
        "Row {number:,} of {name} has an object in the column {column!r}, and no text.",
        "Put its fields into columns of their own, or choose another column.",
        number=number,
        name=name,
        column=column,
    )


# What a table of text holds as Python, JSON or NumPy wrote it

_STRING = r"""'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+\""""
_NUMBER = r"[-+]?\d+(?:\.\d*)?"
_UNPARTED = re.compile(rf"\[\s*(?:{_STRING}|{_NUMBER})(?:\s+(?:{_STRING}|{_NUMBER}))+\s*\]")  # NumPy has no commas
_ITEM = re.compile(rf"{_STRING}|{_NUMBER}")
_ARRAY = re.compile(r"array\((\[.*\])(?:,\s*dtype=[^()\]]+)?\)", re.DOTALL)
_WRITTEN = re.compile(r"\[.*\]|\(.*\)|\{.*\}|b'.*'|b\".*\"", re.DOTALL)
NAN = ("nan", "NaN")
LONGEST_LIST, MOST_PARTS = 1 << 20, 1 << 16  # characters, and parts of what Python wrote


def written_value(text: object) -> list[Any] | dict | bytes | None:
    """The list, tuple, object or bytes that a text writes out, such as ``['The', 'cat']``; None for any other text.

    An object in JSON is a text like another: one may want a model to write such.
    """
    if not isinstance(text, str) or len(text) > LONGEST_LIST:
        return None
    return _parsed(text.strip())


def _parsed(text: str) -> list[Any] | dict | bytes | None:
    if array := _ARRAY.fullmatch(text):
        text = array[1]
    if not _WRITTEN.fullmatch(text):
        return None
    if _UNPARTED.fullmatch(text):  # to Python, strings side by side are one
        return [ast.literal_eval(item) for item in _ITEM.findall(text)]
    simple = sum(map(text.count, ",+-[({")) <= MOST_PARTS  # to Python, a part takes some kilobytes
    for read in (json.loads, ast.literal_eval) if simple else (json.loads,):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(found, dict) and read is json.loads:
            return None
        return list(found) if isinstance(found, tuple) else found if isinstance(found, (list, dict, bytes)) else None
    return None


def are_written(cells: Iterable[object], numbers: bool = False) -> bool:
    """True where every cell that is not empty writes out what is no text.

    That is bytes, an object, or a list of strings or messages (or, if asked, of numbers).
    """
    found = False
    for cell in cells:
        if cell is None or (isinstance(cell, str) and (not cell.strip() or cell in NAN)):
            continue
        value = written_value(cell)
        if (
            value is None
            or isinstance(value, list)
            and not all(
                isinstance(each, (str, Mapping)) or (numbers and isinstance(each, (int, float))) for each in value
            )
        ):
            return False
        found = True
    return found


def written(value: object) -> str:
    """A value as a cell of a .csv: plain values as text, everything else as JSON."""
    try:
        return plain(value)
    except NoText:
        try:
            return clean(json.dumps(value, ensure_ascii=False, default=_written_part))
        except RecursionError:  # lists in lists in lists, of which nothing is made
            return ""


def _written_part(value: object) -> object:
    """What JSON does not know, as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
