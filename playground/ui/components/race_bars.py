"""Bars that race: tokens written so far, and how fast."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component


def race_bars(rows: Sequence[dict[str, Any]], key: str, most: int, label: str) -> None:
    """Draws them.

    Args:
        rows: each ``{"name", "tokens", "told": what stands at its end, "colour"}``.
        most: tokens of a full bar.
        label: what a screen reader says.
    """
    component("race_bars", "text")(key=key, data={"rows": list(rows), "most": most, "label": label})
