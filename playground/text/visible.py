"""A token as a person sees it: what has no shape of its own is written with a sign."""

SIGNS = str.maketrans({" ": "·", "\n": "↵", "\t": "⇥"})


def visible(text: str) -> str:
    """The text with "·" for a space, "↵" for a line break and "⇥" for a tab; "∅" for an empty one.

    ``shared.js`` of the interface's components does the same in the browser.
    """
    return text.translate(SIGNS) or "∅"
