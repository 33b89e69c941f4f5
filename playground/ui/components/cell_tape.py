"""A recurrent cell at work: a play head over the tokens, its gates there as gauges, its states as tapes over the text."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playground.ui.colours import ABOVE, BELOW
from playground.ui.components import component, nothing
from playground.ui.language import t

MOST_MARKS = 96
"""Units of a gauge that are drawn one by one."""


@dataclass(frozen=True)
class Gauge:
    """A gate or a state of one layer.

    Attributes:
        letter: in the equations, such as "f".
        name: translated.
        does: what it is for, in some translated words.
        values: ``[tokens, units]``, from 0 to 1; of what has a sign from -1 to 1.
        signed: whether it has a sign: then the mean is that of its size.
    """

    letter: str
    name: str
    does: str
    values: Any
    signed: bool = False


@dataclass(frozen=True)
class Tape:
    """A number over the text.

    Attributes:
        letter, name: as of a gauge.
        values: ``[tokens]``, none below 0.
        bars: bars from 0 to 1 instead of a tape that is as thick as its largest value.
        without: a token that has no bar, as its number cannot be compared with the others; None for none.
    """

    letter: str
    name: str
    values: Any
    bars: bool = False
    without: int | None = None


def cell_tape(
    key: str,
    tokens: Sequence[str],
    gauges: Sequence[Gauge],
    tapes: Sequence[Tape],
    unit: int,
    at: int,
    marked: int | None,
    mark: str,
    left_out: str,
    of: str,
    alt: str,
) -> int | None:
    """Draws it and returns the token that the play head was put on in this rerun.

    Args:
        key: of the component.
        tokens: as ``Tokenizer.pieces`` gives them.
        gauges, tapes: what is drawn.
        unit: the one that is shown beside the mean.
        at: where the play head stands at first.
        marked: a token that is marked; None for none.
        mark: what is said of it, in a few words.
        left_out: why a token has no bar.
        of: what these are the numbers of: while it stays, the play head stays where the person put it.
        alt: one sentence for a screen reader.
    """
    answer = component("cell_tape", "save")(
        key=key,
        data={
            "tokens": list(tokens),
            "gauges": [_gauge(gauge, unit) for gauge in gauges],
            "tapes": [
                {"letter": x.letter, "name": x.name, "values": _short(x.values), "bars": x.bars, "without": x.without}
                for x in tapes
            ],
            "unit": unit,
            "at": at,
            "marked": marked,
            "mark": mark,
            "leftOut": left_out,
            "of": of,
            "alt": alt,
            "above": ABOVE,
            "below": BELOW,
            "file": key.replace(".", "-"),
            "words": {
                "play": t("Play"),
                "pause": t("Pause"),
                "of": t("token {at} of {n}", at="{at}", n=len(tokens)),
                "mean": t("mean of the layer"),
                "size": t("mean size"),
                "unit": t("unit {unit}", unit=unit),
                "all": t("every unit"),
                "keys": t("← → move, space plays"),
            },
        },
        on_moved_change=nothing,
    )
    return None if answer.moved is None else int(answer.moved["index"])


def _gauge(gauge: Gauge, unit: int) -> dict[str, Any]:
    import numpy as np

    values = np.asarray(gauge.values, dtype=np.float64)
    n, width = values.shape
    some = np.unique(np.linspace(0, width - 1, min(width, MOST_MARKS)).round().astype(int))
    places = (values[:, some] + 1) / 2 if gauge.signed else values[:, some]
    return {
        "letter": gauge.letter,
        "name": gauge.name,
        "does": gauge.does,
        "signed": gauge.signed,
        "mean": _short((np.abs(values) if gauge.signed else values).mean(1)),
        "unit": _short(values[:, unit]),
        "marks": base64.b64encode((np.clip(places, 0, 1) * 255).round().astype(np.uint8).tobytes()).decode(),
        "n": len(some),
    }


def _short(values: Any) -> list[float]:
    return [round(float(value), 4) for value in values]
