"""Labelled bars in groups, for what a model thinks of several places at once."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component, nothing


def bars(
    key: str, groups: Sequence[dict[str, Any]], colour: str, help: str, tokens: bool = True
) -> tuple[int, int] | None:
    """Draws the groups side by side and returns the (group, row) clicked just now, or None.

    Args:
        groups: each ``{"title", "note", "rows": [{"text", "p", "mark"}]}``; ``mark`` emphasises a row.
        colour: of the bars.
        help: said on hover: what a click does.
        tokens: the rows are tokens, whose spaces are made visible.
    """
    answer = component("bars")(
        key=key,
        data={"groups": list(groups), "colour": colour, "help": help, "tokens": tokens},
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else (int(answer.clicked["group"]), int(answer.clicked["row"]))
