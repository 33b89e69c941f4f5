"""One example of labelled text, from a built-in set or a person's table."""

from typing import NamedTuple


class Labelled(NamedTuple):
    """One text and its label; texts of one ``group`` (a chapter, a module) stay on one side of the split."""

    text: str
    label: str
    group: str = ""


class Tagged(NamedTuple):
    """A text in pieces that joined give it whole, and the tag of each piece; "" where nothing is asked."""

    pieces: tuple[str, ...]
    tags: tuple[str, ...]
    group: str = ""

    @property
    def text(self) -> str:
        return "".join(self.pieces)
