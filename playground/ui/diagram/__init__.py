"""A model drawn from its spec alone: the whole, the inside of each block, and a sentence on everything."""

from dataclasses import dataclass

from models.spec import ModelSpec
from playground.ui.diagram.attentive import draw_attentive
from playground.ui.diagram.canvas import Canvas, Tip
from playground.ui.diagram.details import draw_details
from playground.ui.diagram.recurrent import draw_recurrent
from playground.ui.diagram.transformer import draw_transformer


@dataclass(frozen=True)
class Picture:
    """An architecture, ready to show.

    Args:
        main: the whole model.
        details: the inside of each block that opens, by its key.
        first: the key that is open at the beginning.
    """

    main: Canvas
    details: dict[str, Canvas]
    first: str

    def tips(self) -> dict[str, Tip]:
        """Every explanation by its key; those of an inside are named "block/key"."""
        inside = {f"{block}/{key}": tip for block, canvas in self.details.items() for key, tip in canvas.tips.items()}
        return self.main.tips | inside


def draw(spec: ModelSpec) -> Picture:
    """The picture of a model. Milliseconds; builds nothing.

    Args:
        spec: with a vocabulary size, so that the shapes can be written.
    """
    if spec.architecture == "lstm-attention":
        main = draw_attentive(spec)
    else:
        main = draw_recurrent(spec) if spec.is_recurrent else draw_transformer(spec)
    firsts = ("cross", "cell", "attention")
    details = draw_details(spec)
    return Picture(main, details, next(key for key in firsts if key in details))


__all__ = ["Picture", "draw"]
