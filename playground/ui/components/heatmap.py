"""A matrix as a picture: pointing tells a cell's row, column and value without asking the server."""

import base64
from collections.abc import Sequence
from typing import Any

from playground.ui.colours import SEQUENTIAL
from playground.ui.colours import diverging as diverging_colours
from playground.ui.components import component, nothing
from playground.ui.language import t

FLOOR = 1e-3
"""Of signed values: what is smaller everywhere is rounding, and is drawn as nothing."""


def heatmap(
    values: Any,
    key: str,
    rows: Sequence[str],
    columns: Sequence[str],
    names: tuple[str, str, str],
    alt: str,
    span: tuple[float, float] | None = None,
    diverging: bool = False,
    floor: float = FLOOR,
    warm: bool = False,
    empty: str = "",
    selected: tuple[int, int] | None = None,
    clickable: bool = False,
    written: bool = False,
    notes: Sequence[Sequence[str]] | None = None,
    new_rows: int = 0,
    cell: int | None = None,
    tools: bool = True,
    tokens: bool = True,
    titles: bool = True,
    curve: bool = False,
    hint: bool = True,
) -> tuple[int, int] | None:
    """Draws it and returns the cell clicked in this rerun.

    Args:
        values: ``[rows, columns]``; where it is NaN the page shows through, hatched.
        rows, columns: labels; tokens as ``Tokenizer.pieces`` gives them.
        names: what a row, a column and a value are, such as ("query", "key", "weight").
        alt: one sentence for a screen reader.
        span: the values of the first and the last colour; the values' own unless told.
        diverging: for values around 0, which has the page's own colour.
        floor: below it a value of a diverging map is about nothing: it has the page's colour, and the last colours
            stand for at least this much.
        warm: what is above 0 is orange, as harm is everywhere.
        empty: what an empty cell means, such as "may not look".
        selected: the cell that is outlined; a row of -1 or a column of -1 outlines a whole column or row.
        clickable: a click, or Enter on the cell under the cursor, is reported; else it locks the cell until Esc.
        written: numbers in the cells, where they fit.
        notes: what is said of each cell besides its value.
        new_rows: how many rows at the end are marked as generated.
        cell: height of a row in pixels; what fits unless told. On a stage the rows fill it in any case.
        tools: a menu to save the picture and its numbers.
        tokens: the labels are tokens, whose spaces are made visible.
        titles: what rows and columns are stands beside them.
        hint: a sentence on how to read a cell stands under the picture.
        curve: the row that is pointed at, or the one selected, as a curve under its columns.
    """
    import numpy as np

    values = np.asarray(values, dtype=np.float32)
    finite = values[np.isfinite(values)]
    low, high = span or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    if diverging:
        high = max(abs(low), abs(high), floor)
        low = -high
    answer = component("heatmap", "plot", "ramp", "save")(
        key=key,
        data={
            "shape": list(values.shape),
            "values": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
            "rows": list(rows),
            "columns": list(columns),
            "names": list(names),
            "alt": alt,
            "span": [low, high],
            "colours": diverging_colours(warm) if diverging else SEQUENTIAL,
            "floor": floor if diverging else 0,
            "empty": empty,
            "selected": list(selected) if selected else None,
            "clickable": clickable,
            "written": written,
            "notes": [list(row) for row in notes] if notes is not None else None,
            "newRows": new_rows,
            "cell": cell,
            "tools": tools,
            "tokens": tokens,
            "titles": titles,
            "curve": curve,
            "hint": hint and tools,
            "file": key.replace(".", "-"),
            "words": {
                "zoom": t("Zoom"),
                "new": t("generated"),
                "hint": t("Point at a cell, or use the arrow keys.")
                if clickable
                else t("Point at a cell, or use the arrow keys. A click keeps it, Esc lets go."),
            },
        },
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else (int(answer.clicked["row"]), int(answer.clicked["column"]))
