"""JSON records: one on each line, or a file that is one list of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.errors import PlaygroundError
from playground.text.encodings import decoded, lines
from playground.text.letters import clean

LONGEST_RECORD = 1 << 26  # characters of one record, held in memory whole
LONGEST_LIST = 1 << 26  # characters of a file that is one list, held in memory whole
EXAMPLE = '{"text": "..."}'

Row = dict[str, object]


def json_rows(path: Path, encoding: str) -> Callable[[], Iterator[Row]]:
    """A call that reads the records of a file.

    Raises:
        PlaygroundError: while reading, for what is no JSON object, by its line.
    """
    if path.suffix.lower() == ".json" and _begins_as_list(path, encoding):
        return lambda: _listed(path, encoding)

    def rows() -> Iterator[Row]:
        for number, line in enumerate(lines(path, encoding, LONGEST_RECORD, newlines=True), 1):
            if line.strip("\ufeff \t\n"):
                yield _record(line, number, path)

    return rows


def _begins_as_list(path: Path, encoding: str) -> bool:
    """Whether the file is one list, on one line or many."""
    start = next((text for text in decoded(path, encoding) if text.strip("\ufeff \t\n")), "").lstrip(
        "\ufeff \t\n"
    )
    return start.startswith("[")


def _listed(path: Path, encoding: str) -> Iterator[Row]:
    parts, length = [], 0
    for text in decoded(path, encoding):
        parts.append(text)
        length += len(text)
        if length > LONGEST_LIST:
            raise PlaygroundError(
                f"{path.name} is one JSON list of more than {LONGEST_LIST:,} characters.",
                f"Write one object a line, such as {EXAMPLE}, and let the name end in .jsonl.",
            )
    values = _read("".join(parts), lambda line, what: _not_json(line, path, what, ""))
    for number, value in enumerate(values, 1):
        row = _row(value)
        if row is None:
            raise PlaygroundError(
                f"Entry {number:,} of the list in {path.name} is no JSON object.",
                f"Write objects, such as {EXAMPLE}.",
            )
        yield row


def _record(line: str, number: int, path: Path) -> Row:
    """One line of .jsonl; a bare string counts as the column ``text``."""
    is_list = number == 1 and line.lstrip("\ufeff \t").startswith("[")
    hint = "This is one JSON list: let the name end in .json." if is_list else ""
    value = _read(line, lambda _, what: _not_json(number, path, what, hint))
    row = _row(value)
    if row is None:
        raise PlaygroundError(
            f"Line {number:,} of {path.name} is no JSON object.",
            hint or f"Write one object a line, such as {EXAMPLE}.",
        )
    return row


def _read(text: str, wrong: Callable[[int, str], PlaygroundError]) -> object:
    """The value of a JSON text; NaN and Infinity, which are no JSON but are often written, count as missing."""
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, parse_constant=lambda name: None, strict=False)  # a raw tab is no reason to refuse
    except json.JSONDecodeError as error:
        early = error.pos < len(text.rstrip()) and not error.msg.startswith("Unterminated")
        raise wrong(
            error.lineno, f"look at character {error.colno:,}" if early else "it breaks off"
        ) from error
    except (ValueError, RecursionError) as error:
        raise wrong(1, "it is nested too deeply, or has a number too long") from error


def _not_json(line: int, path: Path, what: str, hint: str) -> PlaygroundError:
    usual = f"Write one object a line, such as {EXAMPLE}."
    if path.suffix.lower() == ".json":
        usual = f"Write one object a line, such as {EXAMPLE}, or all of them as one list."
    return PlaygroundError(f"Line {line:,} of {path.name} is not JSON: {what}.", hint or usual)


def _row(value: object) -> Row | None:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        return None
    try:
        "".join(value).encode()
    except UnicodeEncodeError:  # half an emoji in a name
        return {clean(name): each for name, each in value.items()}
    return value
