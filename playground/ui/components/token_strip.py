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

    Returns:
        The index clicked just now, or None.
    """
    answer = component("token_strip", "text")(
        key=key,
        data={
            "tokens": list(tokens),
            "selected": list(selected),
            "colour": colour,
            "clickable": clickable,
            "label": label or t("Tokens"),
        },
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else int(answer.clicked["index"])
