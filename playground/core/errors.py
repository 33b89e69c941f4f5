"""Errors that a person can put right: said in a sentence, with a way out."""

import difflib
import itertools
from collections.abc import Iterable

from models.message import LONGEST, Message, UserError, from_json, sentences, shortened, to_json

__all__ = [
    "LONGEST",
    "Message",
    "PlaygroundError",
    "UserError",
    "from_json",
    "meant",
    "plain",
    "sentences",
    "shortened",
    "to_json",
]

NAME = 100
"""Characters of a name that somebody mistyped."""


class PlaygroundError(UserError):
    """What is wrong with a text, a run, a file or a machine: ``PlaygroundError("{name} is empty.", "Bring another.", name=x)``.

    Values stand in the template's fields, so that its translation can be looked up: no f-strings.
    """


def plain(value: float) -> str:
    """A number in a sentence: 2,147,483,647 and 0.95, not 2.14748e+09."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return f"{int(value) if whole else value:,}"


def meant(names: Iterable[str], known: Iterable[str]) -> str:
    """Which of the known names a mistyped one is near, as the first sentence of a hint; "" where there is none.

    Only names as people type them are compared, ten with a thousand: the time grows with their product, and a
    table of a stranger may have any number of columns, of any length.
    """
    typed = [str(name)[:NAME] for name in itertools.islice(names, 10)]
    known = [name for name in itertools.islice(known, 1000) if len(name) <= NAME]
    close = dict.fromkeys(match for name in typed for match in difflib.get_close_matches(name, known, n=1))
    return Message("Did you mean {close}?", close=", ".join(close)) if close else ""
