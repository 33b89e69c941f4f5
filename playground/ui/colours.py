"""One colour per thing, everywhere.

Hues of Okabe and Ito (2008), told apart with every kind of colour blindness; each at least 3:1 against both
backgrounds, so that a line or a box is seen by day and at night.
"""

BLUE, ORANGE, GREEN, PINK, YELLOW = "#0f7fc4", "#d55e00", "#009e73", "#c06a9a", "#b98a00"

ARCHITECTURE = {
    "rnn": YELLOW,
    "lstm": ORANGE,
    "gru": PINK,
    "decoder": BLUE,
    "encoder": GREEN,
    "encoder-decoder": "#3f9bd6",
}
SPARE = (BLUE, ORANGE, GREEN, PINK, YELLOW, "#7a8794", "#56b4e9", "#8a5a00")
"""For things of one kind beside each other."""
TRAIN = {"dash": "solid", "width": 2.5}
VALIDATION = {"dash": "dash", "width": 2.0}
PALE = 0.28
"""The opacity of what is only there for comparison."""

ACCENT = ORANGE
GOOD, BAD = GREEN, ORANGE

SEQUENTIAL = [
    "#00224e",
    "#123570",
    "#3b496c",
    "#575d6d",
    "#707173",
    "#8a8678",
    "#a59c74",
    "#c3b369",
    "#e1cc55",
    "#fee838",
]
"""Cividis (Nuñez et al. 2018): from little to much, the same with and without colour."""
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


def scale(colours: list[str]) -> list[list[float | str]]:
    """The colours as plotly wants them: ``[[0, "#…"], …, [1, "#…"]]``."""
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]
