"""A token as a person sees it: what has no shape of its own is written with a sign."""

import re

PART = re.compile(r"\\x[89a-f][0-9a-f]")  # as `Tokenizer.pieces` writes a byte that is no character
SIGNS = str.maketrans({" ": "·", "\n": "↵", "\t": "⇥"})


def visible(text: str) -> str:
    """The text with "·" for a space, "↵" for a line break and "⇥" for a tab; "∅" for an empty one.

    ``shared.js`` of the interface's components does the same in the browser.
    """
    return text.translate(SIGNS) or "∅"


def is_part(piece: str) -> bool:
    """Whether a token holds a part of a character, which has no shape."""
    return PART.search(piece) is not None
