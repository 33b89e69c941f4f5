"""Build: choose what a model is made of, and see it."""

import streamlit as st

from models.presets import PRESETS
from playground.pages.build import form
from playground.training.recipes import recipe
from playground.ui import controls, links, model_costs, model_draft
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.architecture import architecture
from playground.ui.diagram import draw
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.messages import fragment
from playground.ui.places import place_tabs
from playground.ui.stage import stage


def page() -> None:
    """The model as one drawing, its settings in the drawer."""
    page_title(
        t("Build a model"),
        t("Choose its parts and watch it change. Point at a block to learn what it does, click to look inside."),
    )
    model_draft.begin()
    bench()


@fragment
def bench() -> None:
    """Redrawn alone at every change."""
    place = stage()
    with place.tabs:
        place_tabs("build")
    with place.command:
        form.preset_box()
        train_button()
    with place.drawer:
        form.controls()
    with place.picture:
        picture()
    with place.notice:
        st.html("<style>.st-key-stage-notice:has([data-testid=stAlert]) { max-height: none; }</style>")
        form.unplaced_error()
        if warning := model_costs.warning(model_draft.draft(), recipe(st.session_state["draft.preset"])):
            st.warning(warning, icon=":material/memory:")
    place.say(costs_sentence())
    with place.rest:
        about()
    model_draft.remember()


def picture() -> None:
    """The model, each of its blocks to be pointed at and unfolded."""
    spec = model_draft.draft()
    architecture(
        draw(spec),
        ARCHITECTURE[spec.architecture],
        model_costs.figures(spec, recipe(st.session_state["draft.preset"])),
        model_costs.parts(spec),
        key="build.picture",
    )


def costs_sentence() -> str:
    """What the model costs, in a line."""
    figures = model_costs.figures(model_draft.draft(), recipe(st.session_state["draft.preset"]))
    return " · ".join(f"{name}: {value}" for name, value, _ in figures)


def about() -> None:
    """What the preset is, and how to read the drawing."""
    st.caption(t(PRESETS[st.session_state["draft.preset"]].summary))
    st.caption(
        t(
            "B: texts side by side, T: tokens of each (S: of the source), at most {n:,}. "
            "Thick lines: what is added or remembered.",
            n=model_draft.draft().context_length,
        )
    )


def train_button() -> None:
    """Hands the model on."""
    broken = bool(st.session_state["build.error"])
    look = {"type": "primary", "icon": ":material/play_arrow:", "disabled": broken}
    with controls.control("build", "train", "content"):
        if st.button(t("Train this"), key="build.train", **look):
            links.go("train")
