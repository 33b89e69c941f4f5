"""The one kind of error that a person can cause: said in a sentence, with a way out."""

import difflib
import itertools
from collections.abc import Iterable

LONGEST = 1500
"""Characters of a sentence that somebody reads."""
NAME = 100
"""Characters of a name that somebody mistyped."""


class PlaygroundError(Exception):
    """Something a person can put right.

    Args:
        message: what is wrong, in one sentence.
        hint: what to do about it, in one sentence; may be empty.

    Both hold what somebody typed or a file brought, so both are shortened to what can be read.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = shortened(message)
        self.hint = shortened(hint)
        super().__init__(self.message)

    def __reduce__(self):
        return type(self), (self.message, self.hint)


def shortened(text: str, most: int = LONGEST) -> str:
    """A text of at most so many characters: of a longer one the beginning and the end, with " … " between them."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 3]} … {text[-end:]}"


def plain(value: float) -> str:
    """A number in a sentence: 2,147,483,647 and 0.95, not 2.14748e+09."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return f"{int(value) if whole else value:,}"


def meant(names: Iterable[str], known: Iterable[str]) -> str:
    """Which of the known names a mistyped one is near, as the beginning of a hint; "" where there is none.

    Only names as people type them are compared, ten with a thousand: the time grows with their product, and a
    table of a stranger may have any number of columns, of any length.
    """
    typed = [str(name)[:NAME] for name in itertools.islice(names, 10)]
    known = [name for name in itertools.islice(known, 1000) if len(name) <= NAME]
    close = dict.fromkeys(match for name in typed for match in difflib.get_close_matches(name, known, n=1))
    return f"Did you mean {', '.join(close)}? " if close else ""
