"""One colour per thing, everywhere.

Hues of Okabe and Ito (2008), told apart with every kind of colour blindness; each at least 3:1 against both
backgrounds, so that a line or a box is seen by day and at night.
"""

from typing import Any

BLUE, ORANGE, GREEN, PINK, YELLOW = "#0f7fc4", "#d55e00", "#009e73", "#c06a9a", "#b98a00"

ARCHITECTURE = {
    "rnn": YELLOW,
    "lstm": ORANGE,
    "gru": PINK,
    "lstm-attention": "#a8722f",
    "decoder": BLUE,
    "encoder": GREEN,
    "encoder-decoder": "#3f9bd6",
}
SPARE = (BLUE, ORANGE, GREEN, PINK, YELLOW, "#7a8794", "#56b4e9", "#8a5a00")
"""For things of one kind beside each other."""
RUNS = ("#a834a8", "#0d7c1c", "#205bf7", "#988578", "#ee3cb5", "#536b71", "#8f7fed", "#ee092f")
"""Of runs beside each other: no architecture has one of these. Told apart without red or green, 3:1 on both grounds."""
TRAIN = {"dash": "solid", "width": 2.5}
VALIDATION = {"dash": "dash", "width": 2.0}
PALE = 0.28
"""The opacity of what is only there for comparison."""

ACCENT = ORANGE
GOOD, BAD = GREEN, ORANGE

SEQUENTIAL: dict[str, list[str | None]] = {
    "day": [None, "#c4e7ff", "#8fd0fe", "#5ab7fb", "#429de3", "#3483c6", "#2e6aa4", "#2a527f", "#223c5e", "#09264f"],
    "night": [None, "#0c2950", "#014076", "#005a93", "#0576b0", "#2d92c5", "#55add6", "#81c8e4", "#b3e1f0", "#e6f8fd"],
}
"""From nothing, which is the page itself (None), to much: ink on paper, light by night. Even steps of OKLab's lightness."""
DIVERGING = {
    "day": ["#b35806", "#e08214", "#fdb863", "#fee0b6", None, "#d8daeb", "#b2abd2", "#8073ac", "#542788"],
    "night": ["#fdc98a", "#e8983a", "#a8651c", "#5a3c1c", None, "#3a3657", "#6a60a3", "#a198d3", "#d6d1f2"],
}
"""PuOr (ColorBrewer), from negative over nothing to positive: nothing is the page itself (None), so that by night, where
the scale goes from dark to bright, it is no lamp."""
BELOW, ABOVE = "#e08214", "#8073ac"
"""One negative, one positive thing, as in the scale."""


def diverging(warm: bool = False) -> dict[str, list[str | None]]:
    """The scale; warm: what is above 0 is orange, as harm is everywhere."""
    return {when: colours[::-1] if warm else colours for when, colours in DIVERGING.items()}


def above_floor(values: Any, floor: float) -> Any:
    """Signed values to be drawn: what is nearer to 0 than ``floor`` is about nothing, and gets the page's colour."""
    import numpy as np

    values = np.asarray(values, dtype=np.float32)
    return np.where(np.abs(values) < floor, np.float32(0), values)  # NaN stays NaN
