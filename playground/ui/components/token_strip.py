"""A text as a row of token boxes."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component, nothing
from playground.ui.language import t


def token_strip(
    tokens: Sequence[dict[str, Any]],
    key: str,
    selected: Sequence[int] = (),
    colour: str | None = None,
    clickable: bool = True,
    label: str | None = None,
    tools: bool = False,
) -> int | None:
    """Draws tokens as boxes; hovering one shows its tip, a click (or Enter) returns its index in that rerun.

    Args:
        tokens: each a dict with ``text`` (as ``Tokenizer.pieces`` gives it) and, if wanted, ``value`` (0 to 1,
            how full its colour is), ``tip`` (said on hover), ``colour`` (of this box alone), ``dashed``
            (a hidden or masked token) and ``muted`` (part of the prompt, not of the answer).
        key: of the component.
        selected: indices that are outlined.
        colour: a CSS colour of the boxes; the theme's primary one unless told.
        clickable: False draws boxes that only have tips.
        label: what a screen reader says; "Tokens" unless told.
        tools: a menu to save the picture.

    Returns:
        The index clicked just now, or None.
    """
    answer = _mounted(tokens, key, selected, colour, clickable, label, tools)
    return None if answer.clicked is None else int(answer.clicked["index"])


def brushed_strip(tokens: Sequence[dict[str, Any]], key: str, label: str | None = None) -> tuple[int, int] | None:
    """Tokens to draw over; returns the part drawn over just now, from its first token to behind its last, or None."""
    answer = _mounted(tokens, key, label=label, brush=True)
    return None if answer.brushed is None else (int(answer.brushed["start"]), int(answer.brushed["end"]))


def _mounted(
    tokens: Sequence[dict[str, Any]],
    key: str,
    selected: Sequence[int] = (),
    colour: str | None = None,
    clickable: bool = False,
    label: str | None = None,
    tools: bool = False,
    brush: bool = False,
) -> Any:
    return component("token_strip", "save")(
        key=key,
        data={
            "tokens": list(tokens),
            "selected": list(selected),
            "colour": colour,
            "clickable": clickable,
            "label": label or t("Tokens"),
            "brush": brush,
            "file": key.replace(".", "-") if tools else None,
        },
        on_clicked_change=nothing,
        on_brushed_change=nothing,
    )
