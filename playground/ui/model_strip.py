"""A model as a narrow stack of its blocks, to stand beside what it learns."""

from html import escape

import streamlit as st

from models.spec import ModelSpec
from playground.runs.folder import RunFolder
from playground.ui.colours import ARCHITECTURE
from playground.ui.language import t
from playground.ui.titles import TITLES

MOST = 6
"""Layers that are drawn one by one; of more, the first and the last ones."""


def model_strip(run: RunFolder) -> None:
    """Draws the stack, the output on top as in the large drawing."""
    config = run.config()
    spec, above = config.model, t("Hidden tokens") if config.training.objective == "mlm" else t("Next token")
    blocks = [("edge", above), *layers(spec), ("edge", t("Tokens"))]
    drawn = "".join(f'<li class="{kind}">{escape(label)}</li>' for kind, label in blocks)
    title = escape(t(TITLES[spec.architecture]))
    st.html(
        f'<ol class="model-strip" style="--own: {ARCHITECTURE[spec.architecture]}" aria-label="{title}">{drawn}</ol>'
    )


def layers(spec: ModelSpec) -> list[tuple[str, str]]:
    """(kind, label) of each layer from the last to the first."""
    inside = t(TITLES[spec.architecture]) if spec.is_recurrent else t("Attention") + " · " + t("MLP")
    numbers = list(range(spec.n_layers - 1, -1, -1))
    drawn = numbers if len(numbers) <= MOST else [*numbers[:2], None, *numbers[-2:]]
    return [("layer", f"{inside} {n}") if n is not None else ("gap", "⋮") for n in drawn]
