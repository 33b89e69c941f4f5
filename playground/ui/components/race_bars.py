"""Bars that race: while they run, what is written so far; in the end, how fast."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component


def race_bars(rows: Sequence[dict[str, Any]], key: str, most: float, label: str) -> None:
    """Draws them.

    Args:
        rows: each ``{"name", "value": how long its bar is, "told": what stands at its end, "colour"}``.
        most: the value of a full bar.
        label: what a screen reader says.
    """
    component("race_bars")(key=key, data={"rows": list(rows), "most": most, "label": label})
