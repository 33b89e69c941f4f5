"""JSON records: one on each line, or a file that is one list of them or holds some."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.core.errors import Message, PlaygroundError
from playground.text.byte_alphabet import clean
from playground.text.encodings import decoded, lines
from playground.text.nested_json import rows_in, rows_of_lists
from playground.text.size_limits import LONGEST_RECORD, MOST_COLUMNS, MOST_VALUES, too_large, too_wide, values_in

LONGEST_LIST = 1 << 26  # characters of a file that is one list, held in memory whole
MOST_IN_LIST = 1 << 22  # values in such a file
TOO_DEEP = "it is nested too deeply, or has a number too long"
EXAMPLE = '{"text": "..."}'
BLANK = re.compile(r"\s*")
DECODER = json.JSONDecoder(parse_constant=lambda name: None, strict=False)  # a raw tab is no reason to refuse

Row = dict[str, object]


def json_rows(path: Path, encoding: str, told: list[str]) -> Callable[[], Iterator[Row]]:
    """A call that reads the records of a file.

    Args:
        told: gets a sentence on where the rows were found, if not on lines of their own.

    Raises:
        PlaygroundError: while reading, for what is no JSON object, by its line.
    """
    if path.suffix.lower() == ".json" and _is_one_value(path, encoding):
        return lambda: _listed(path, encoding, told)

    def rows() -> Iterator[Row]:
        for number, line in enumerate(lines(path, encoding, LONGEST_RECORD, newlines=True), 1):
            if line.strip("\ufeff \t\n"):
                if values_in(line, MOST_VALUES) > MOST_VALUES:
                    raise too_large(path.name, line=number)
                yield _record(line, number, path)

    return rows


def _is_one_value(path: Path, encoding: str) -> bool:
    """Whether the file is one list or one object, on one line or many, and not an object on each line."""
    written = (line for line in lines(path, encoding, LONGEST_RECORD, newlines=True) if line.strip("\ufeff \t\n"))
    first = next(written, "").strip("\ufeff \t\n")
    return first.startswith("[") or first.startswith("{") and not (first.endswith("}") and next(written, ""))


def _listed(path: Path, encoding: str, told: list[str]) -> Iterator[Row]:
    parts, length = [], 0
    for text in decoded(path, encoding):
        parts.append(text)
        length += len(text)
        if length > LONGEST_LIST:
            raise PlaygroundError(
                "{name} is one JSON list of more than {longest_list:,} characters.",
                "Write one object per line, such as {example}, and let the name end in .jsonl.",
                name=path.name,
                longest_list=LONGEST_LIST,
                example=EXAMPLE,
            )
    text = "".join(parts)
    parts.clear()
    if values_in(text, MOST_IN_LIST) > MOST_IN_LIST:
        raise PlaygroundError(
            "{name} is one JSON list of more than {most_in_list:,} values.",
            "Write one object per line, such as {example}, and let the name end in .jsonl.",
            name=path.name,
            most_in_list=MOST_IN_LIST,
            example=EXAMPLE,
        )
    values = _read(text, lambda line, what: _not_json(line, path, what, ""), _whole)
    try:
        found = rows_in(values, path.name) if isinstance(values, dict) else rows_of_lists(values, path.name)
    except RecursionError as error:
        raise _not_json(1, path, TOO_DEEP, "") from error
    values, said = found or (values if isinstance(values, list) else [values], "")
    told[:] = [said] if said else []
    for number, value in enumerate(values, 1):
        row = _row(value, path.name)
        if row is None:
            raise PlaygroundError(
                "Entry {number:,} of the list in {name} is no JSON object.",
                "Write objects, such as {example}.",
                number=number,
                name=path.name,
                example=EXAMPLE,
            )
        yield row


def _record(line: str, number: int, path: Path) -> Row:
    """One line of .jsonl; a bare string counts as the column ``text``."""
    is_list = number == 1 and line.lstrip("\ufeff \t").startswith("[")
    hint = "This is one JSON list: let the name end in .json." if is_list else ""
    value = _read(line, lambda _, what: _not_json(number, path, what, hint))
    row = _row(value, path.name)
    if row is None:
        raise PlaygroundError(
            "Line {number:,} of {name} is no JSON object.",
            hint or Message("Write one object per line, such as {example}.", example=EXAMPLE),
            number=number,
            name=path.name,
        )
    return row


def _after_blanks(text: str, start: int) -> int:
    """Where the first sign after white space is."""
    found = BLANK.match(text, start)
    return found.end() if found else start


def _whole(text: str) -> object:
    """The value of a whole file; objects or lists that follow one another without being one list are a list too."""
    values: list[object] = []
    start = _after_blanks(text, 0)
    while start < len(text) or not values:
        if values and not isinstance(values[0], (dict, list)):
            raise json.JSONDecodeError("Extra data", text, start)
        value, end = DECODER.raw_decode(text, start)
        values.append(value)
        start = _after_blanks(text, end)
    return values if len(values) > 1 else values[0]


def _read(
    text: str, wrong: Callable[[int, str], PlaygroundError], decode: Callable[[str], object] = DECODER.decode
) -> object:
    """The value of a JSON text; NaN and Infinity, which are no JSON but are often written, count as missing."""
    text = text.removeprefix("\ufeff")
    try:
        return decode(text)
    except json.JSONDecodeError as error:
        early = error.pos < len(text.rstrip()) and not error.msg.startswith("Unterminated")
        raise wrong(
            error.lineno, Message("look at character {colno:,}", colno=error.colno) if early else "it breaks off"
        ) from error
    except (ValueError, RecursionError) as error:
        raise wrong(1, TOO_DEEP) from error


def _not_json(line: int, path: Path, what: str, hint: str) -> PlaygroundError:
    usual = Message("Write one object per line, such as {example}.", example=EXAMPLE)
    if path.suffix.lower() == ".json":
        usual = Message("Write one object per line, such as {example}, or all of them as one list.", example=EXAMPLE)
    return PlaygroundError(
        "Line {line:,} of {name} is not JSON: {what}.", hint or usual, line=line, name=path.name, what=what
    )


def _row(value: object, file: str) -> Row | None:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        return None
    if len(value) > MOST_COLUMNS:
        raise too_wide(file, f"{len(value):,}")
    try:
        "".join(value).encode()
    except UnicodeEncodeError:  # half an emoji in a name
        return {clean(name): each for name, each in value.items()}
    return value
