"""A model's picture in the browser: hovering explains, a click unfolds a block, without asking the server."""

from typing import Any

from playground.ui.components import component
from playground.ui.diagram import Picture
from playground.ui.language import t
from playground.ui.number_format import share


def architecture(
    picture: Picture,
    colour: str,
    figures: list[tuple[str, str, str]],
    parts: list[tuple[str, str, int]],
    key: str,
) -> None:
    """Draws a model with its costs above it.

    Args:
        picture: from ``diagram.draw``.
        colour: the architecture's own.
        figures: (name, value, note) of each large number.
        parts: (name, block it belongs to, parameters), drawn as one bar.
        key: of the component.
    """
    component("architecture")(data=payload(picture, colour, figures, parts), key=key)


def payload(
    picture: Picture, colour: str, figures: list[tuple[str, str, str]], parts: list[tuple[str, str, int]]
) -> dict[str, Any]:
    """What the browser needs: pictures as SVG, explanations by key, numbers as text."""
    total = sum(size for _, _, size in parts) or 1
    return {
        "colour": colour,
        "main": picture.main.svg(),
        "wide": picture.main.width,
        "details": {key: canvas.svg() for key, canvas in picture.details.items()},
        "first": picture.first,
        "tips": {key: tip.to_dict() for key, tip in picture.tips().items()},
        "figures": figures,
        "parts": [
            {"name": name, "block": block, "share": size / total, "text": f"{size:,} · {share(size / total)}"}
            for name, block, size in parts
        ],
        "words": {
            "inside": t("Inside"),
            "parameters": t("Parameters by component"),
            "click": t("Click to unfold"),
            "close": t("Close"),
        },
    }
