"""All heads as small pictures, layer by layer; a click chooses one."""

import base64
from collections.abc import Sequence
from typing import Any

from playground.ui.colours import ARCHITECTURE, SEQUENTIAL, above_floor
from playground.ui.colours import diverging as diverging_colours
from playground.ui.components import component, nothing
from playground.ui.language import t


def heads_grid(
    pictures: Any,
    key: str,
    labels: Sequence[Sequence[str]],
    tips: Sequence[Sequence[str]],
    selected: tuple[int, int] | None,
    off: Sequence[tuple[int, int]] = (),
    lines: bool = False,
    colour: str = ARCHITECTURE["decoder"],
    tools: bool = True,
    of: str = "",
    diverging: bool = False,
    warm: bool = False,
    floor: float = 0.0,
) -> tuple[int, int] | None:
    """Draws them and returns the (layer, head) chosen in this rerun.

    A digit chooses a head of the layer of the chosen one, 1 the first of them; the arrow keys go to the heads around it.

    Args:
        pictures: weights from 0 to 1, ``[layers, heads, r, c]``, already small; where one is NaN the page shows through,
            hatched.
        labels: under each picture, ``[layers][heads]``; "" for none.
        tips: what pointing at a picture tells.
        selected: the head that is outlined.
        off: heads that are crossed out.
        lines: draw lines from left (queries) to right (keys) instead of cells.
        colour: of the lines.
        tools: a menu to save the pictures.
        diverging: the values are from -1 over 0, which has the page's own colour, to 1; warm: what is above 0 is
            orange, as harm is everywhere.
        floor: below it a value of a diverging picture is about nothing, and has the page's colour.
        of: what they are pictures of, such as "27 × 27"; kept on the element.
    """
    import numpy as np

    small = above_floor(pictures, floor) if diverging else np.asarray(pictures)
    low = -1.0 if diverging else 0.0
    shades = 1 + np.clip((np.nan_to_num(small) - low) / (1 - low) * 254, 0, 254).round()  # a byte of 0 is no value
    small = np.where(np.isnan(small), 0, shades).astype(np.uint8)
    answer = component("heads_grid", "plot", "ramp", "save")(
        key=key,
        data={
            "shape": list(small.shape),
            "values": base64.b64encode(np.ascontiguousarray(small).tobytes()).decode(),
            "labels": [list(row) for row in labels],
            "tips": [list(row) for row in tips],
            "selected": list(selected) if selected else [-1, -1],
            "off": [list(head) for head in off],
            "lines": lines,
            "tools": tools,
            "of": of,
            "file": key.replace(".", "-"),
            "colour": colour,
            "colours": diverging_colours(warm) if diverging else SEQUENTIAL,
            "words": {"layer": t("Layer"), "head": t("Head"), "all": t("All heads; choose one")},
        },
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else (int(answer.clicked["layer"]), int(answer.clicked["head"]))
