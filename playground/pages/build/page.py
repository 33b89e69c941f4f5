"""Build: choose what a model is made of, and see it."""

import streamlit as st

from playground.pages.build import form
from playground.training.recipes import recipe
from playground.ui import controls, links, model_costs, model_draft
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.architecture import architecture
from playground.ui.diagram import draw
from playground.ui.frame import page_title, presenting
from playground.ui.language import t
from playground.ui.messages import fragment


def page() -> None:
    """The controls on the left, the model they describe on the right."""
    page_title(
        t("Build a model"),
        t("Choose its parts and watch it change. Point at a block to learn what it does, click to look inside."),
    )
    model_draft.begin()
    bench()


@fragment
def bench() -> None:
    """Redrawn alone at every change."""
    if presenting():
        form.preset_box()
        picture()
        train_button()
        return
    left, right = st.columns([1, 3.2], gap="medium")
    with left:
        form.preset_box()
        train_button()
        form.controls()
    with right:
        picture()
    model_draft.remember()


def picture() -> None:
    """What the model costs, and the model."""
    spec = model_draft.draft()
    training = recipe(st.session_state["draft.preset"])
    form.unplaced_error()
    if warning := model_costs.warning(spec, training):
        st.warning(warning, icon=":material/memory:")
    architecture(
        draw(spec),
        ARCHITECTURE[spec.architecture],
        model_costs.figures(spec, training),
        model_costs.parts(spec),
        key="build.picture",
    )
    st.caption(
        t(
            "B: texts side by side, T: tokens of each (S: of the source), at most {n:,}. "
            "Thick lines: what is added or remembered.",
            n=spec.context_length,
        )
    )


def train_button() -> None:
    """Hands the model on."""
    broken = bool(st.session_state["build.error"])
    look = {"type": "primary", "icon": ":material/play_arrow:", "width": "stretch", "disabled": broken}
    with controls.control("build", "train"):
        if st.button(t("Train this"), key="build.train", **look):
            links.go("train")
