"""Tokens in sentences."""

from playground.text.visible import is_part, visible
from playground.ui.language import t


def named(piece: str) -> str:
    """A token as a sentence quotes it: never half of a character."""
    return t("part of a character") if is_part(piece) else visible(piece)
