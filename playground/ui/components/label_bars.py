"""Labels and their probabilities as large bars, which move in their rows while somebody types."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component, nothing


def label_bars(key: str, rows: Sequence[dict[str, Any]], colour: str, title: str, help: str) -> int | None:
    """Draws the bars and returns the row clicked just now, or None.

    Args:
        key: of the component.
        rows: each ``{"text", "p", "best", "mark"}``: the label, its probability, whether it is the most likely one, and
            whether it is the one that is explained.
        colour: of the bars.
        title: what a screen reader says.
        help: said on hover: what a click does.
    """
    answer = component("label_bars")(
        key=key,
        data={"rows": list(rows), "colour": colour, "title": title, "help": help},
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else int(answer.clicked["row"])
