"""The one kind of error that a person can cause: said in a sentence, with a way out."""

import difflib
from collections.abc import Iterable


class PlaygroundError(Exception):
    """Something a person can put right.

    Args:
        message: what is wrong, in one sentence.
        hint: what to do about it, in one sentence; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self):
        return type(self), (self.message, self.hint)


def plain(value: float) -> str:
    """A number in a sentence: 2,147,483,647 and 0.95, not 2.14748e+09."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return f"{int(value) if whole else value:,}"


def meant(names: Iterable[str], known: Iterable[str]) -> str:
    """Which of the known names a mistyped one is near, as the beginning of a hint; "" where there is none."""
    known = list(known)
    close = dict.fromkeys(match for name in names for match in difflib.get_close_matches(str(name), known, n=1))
    return f"Did you mean {', '.join(close)}? " if close else ""
