"""A scale with zones and a mark that moves."""

from collections.abc import Sequence

from playground.ui.components import component


def gauge(
    key: str,
    *,
    title: str,
    said: str,
    place: float | None,
    marks: Sequence[tuple[float, str]],
    zones: Sequence[str],
    unit: str,
    colour: str,
    alt: str,
    help: str,
) -> None:
    """Draws the scale.

    Args:
        title, said: over it, left and right.
        place: where the mark stands, 0 to 1; None: nowhere yet.
        marks: (place, number) of the borders between the zones.
        zones: their names, one more than borders.
        unit: of the numbers.
        colour: of the zones, the stronger the further right.
        alt: all of it in words.
        help: where the numbers come from, said on hover and on focus.
    """
    component("gauge")(
        key=key,
        data={
            "title": title,
            "said": said,
            "place": place,
            "marks": [{"place": place, "number": number} for place, number in marks],
            "zones": list(zones),
            "unit": unit,
            "colour": colour,
            "alt": alt,
            "help": help,
        },
    )
