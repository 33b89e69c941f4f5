"""All heads as small pictures, layer by layer; a click chooses one."""

import base64
from collections.abc import Sequence
from typing import Any

from playground.ui.colours import SEQUENTIAL
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
    colour: str = "#0f7fc4",
    tools: bool = True,
    of: str = "",
) -> tuple[int, int] | None:
    """Draws them and returns the (layer, head) clicked in this rerun.

    Args:
        pictures: weights from 0 to 1, ``[layers, heads, r, c]``, already small.
        labels: under each picture, ``[layers][heads]``; "" for none.
        tips: what pointing at a picture tells.
        selected: the head that is outlined.
        off: heads that are crossed out.
        lines: draw lines from left (queries) to right (keys) instead of cells.
        colour: of the lines.
        tools: buttons to save the pictures.
        of: what they are pictures of, such as "27 × 27"; kept on the element.
    """
    import numpy as np

    small = np.clip(np.asarray(pictures) * 255, 0, 255).round().astype(np.uint8)
    answer = component("heads_grid", "text", "save")(
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
            "colours": SEQUENTIAL,
            "words": {"layer": t("Layer"), "head": t("Head"), "all": t("All heads; choose one")},
        },
        on_clicked_change=nothing,
    )
    return None if answer.clicked is None else (int(answer.clicked["layer"]), int(answer.clicked["head"]))
