"""A sentence with values in it, and the error that is said in two of them: for those who use a model, not for the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 1500
"""Characters of a sentence that somebody reads."""
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)(!r)?(?::([^{}]*))?\}")
_MOST_FIELDS = 60
_DEEPEST = 3  # messages in the values of messages
_DEEPEST_JSON = 20  # objects and lists in each other; none of ours has more, and what lies deeper stays as it is


def shortened(text: str, most: int = LONGEST) -> str:
    """A text of at most so many characters: of a longer one the beginning and the end, with " … " between them."""
    if len(text) <= most:
        return text
    end = most // 4
    short = f"{text[: most - end - 3]} … {text[-end:]}"
    return _made(short, text.template, text.values) if isinstance(text, Message) else short


class Message(str):
    """English text that still knows the template and the values it was made of, so that the template can be translated.

    ``Message("{name} has {n:,} layers.", name="x", n=1200)`` is the text "x has 1,200 layers.". Format specs are those of
    `format`; nothing else is evaluated in a template, and nothing at all in a value. Fields without a value stay as they
    are, and a template with no value of its own is taken word for word.

    Args:
        template: what the translations are looked up by.
        values: for its fields; a value may be a Message, which is then translated too. More values than fields may be given.

    Attributes:
        template: as given.
        values: the text of each field, as the template formats it.
    """

    template: str
    values: dict[str, str]

    def __new__(cls, template: str, /, **values: Any) -> Message:
        if isinstance(template, Message):
            return template
        texts = {
            name: _text(values[name], repr_, spec) for name, repr_, spec in _FIELD.findall(template) if name in values
        }
        return _made(fill(template, texts), template, texts)

    def __reduce__(self):
        return _made, (str(self), self.template, self.values)

    def mapped(self, function: Callable[[str], str]) -> Message:
        """The same message with its text, and each of its values, changed by a function of texts."""
        values = {n: v.mapped(function) if isinstance(v, Message) else function(v) for n, v in self.values.items()}
        return _made(function(str(self)), self.template, values)


def sentences(*texts: str) -> str:
    """Texts that are said one after another, with a space between; empty ones are left out."""
    said = [text for text in texts if text]
    if len(said) < 2:
        return said[0] if said else ""
    parts = {f"part{i}": text for i, text in enumerate(said)}
    template = " ".join(f"{{{name}}}" for name in parts)
    return Message(template, **parts)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its fields replaced by texts, whatever their format specs; braces in a text stay as they are."""
    if not values:
        return template
    written = {"{{": "{", "}}": "}"}
    text = lambda field: values.get(field[1], field[0]) if field[1] else written[field[0]]
    return _FIELD.sub(text, template, count=_MOST_FIELDS)


def _text(value: Any, repr_: str, spec: str) -> str:
    if isinstance(value, Message) and not (repr_ or spec):
        return value
    return format(repr(value) if repr_ else value, spec)


def _made(text: str, template: str, values: Mapping[str, str]) -> Message:
    made = str.__new__(Message, text)
    made.template, made.values = template, dict(values)
    return made


def to_json(value: Any, deepest: int = _DEEPEST_JSON) -> Any:
    """The same value with every message in it written as ``{"text", "template", "values"}``, which `from_json` reads."""
    if isinstance(value, Message):
        if not value.values:
            return str(value)
        return {"text": str(value), "template": value.template, "values": to_json(value.values)}
    if isinstance(value, dict) and deepest:
        return {name: to_json(each, deepest - 1) for name, each in value.items()}
    return [to_json(each, deepest - 1) for each in value] if isinstance(value, list | tuple) and deepest else value


def from_json(value: Any, deepest: int = _DEEPEST_JSON) -> Any:
    """The value that `to_json` wrote. A text of former versions, or of a stranger, stays a text.

    A stranger's template is only looked up among the translations, and its values are only texts.
    """
    if isinstance(value, list) and deepest:
        return [from_json(each, deepest - 1) for each in value]
    if isinstance(value, dict) and deepest:
        found = _message(value, _DEEPEST)
        return {n: from_json(each, deepest - 1) for n, each in value.items()} if found is None else found
    return value


def _message(value: dict, deepest: int) -> Message | None:
    """The message that was written so; None for any other object."""
    if value.keys() != {"text", "template", "values"}:
        return None
    text, template, values = value["text"], value["template"], value["values"]
    if not (isinstance(text, str) and isinstance(template, str) and isinstance(values, dict)):
        return None
    texts = {}
    for name, each in [*values.items()][:_MOST_FIELDS]:
        inner = _message(each, deepest - 1) if isinstance(each, dict) and deepest else None
        if inner is None and not isinstance(each, str):
            return None
        texts[name] = shortened(str(each) if inner is None else inner)
    return _made(shortened(text), shortened(template), texts)


class UserError(Exception):
    """Something a person can put right.

    Args:
        message: what is wrong, in one sentence: a text, a template or a Message.
        hint: what to do about it, in one sentence; may be empty.
        values: for the fields of both, see `Message`.

    Attributes:
        message, hint: Messages. They hold what somebody typed or a file brought, so both are shortened to what can be read.
    """

    def __init__(self, message: str, hint: str = "", **values: Any) -> None:
        self.message = shortened(Message(message, **values))
        self.hint = shortened(Message(hint, **values))
        super().__init__(self.message)

    def __reduce__(self):
        return type(self), (self.message, self.hint)
