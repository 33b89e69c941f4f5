"""The three ways on from the first page: five minutes, a lesson, data of one's own."""

from typing import Any

import streamlit as st

from playground.runs import gallery
from playground.runs.folder import RunFolder
from playground.ui import links, url_state
from playground.ui.language import language, t
from playground.ui.run_picker import speaks

LESSONS: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
    ("What attention does", {"en": "stories-decoder", "zh": "stories-zh-decoder"}, {"view": "attention"}),
    (
        "Attention, step by step, with its numbers",
        {"en": "stories-decoder", "zh": "stories-zh-decoder"},
        {"view": "steps", "example": "1"},
    ),
    (
        "Why positions",
        {"en": "stories-decoder", "zh": "stories-zh-decoder"},
        {"view": "positions", "look": "shuffle"},
    ),
    ("The gates of an LSTM", {"en": "recall-lstm"}, {"view": "recurrent"}),
    ("Why gradients vanish", {"en": "bible-lstm"}, {"view": "recurrent", "look": "gradient"}),
    ("Encoder and decoder", {"en": "translator"}, {"view": "attention", "part": "cross"}),
)
"""What a class is shown: a title, a model that ships with the app (by language), and the view of it."""


def ways_on(run: RunFolder, text: str) -> None:
    """Links in one row; the second one unfolds a list of what can be shown to a class."""
    with st.container(horizontal=True, wrap=False, width="content", vertical_alignment="center", key="home-ways"):
        attention(run, text)
        if links.leads_to("explore"):
            with st.popover(t("I teach"), icon=":material/co_present:", key="home.teach", type="tertiary"):
                lessons()
        with st.container(key="home-way-finetune", width="content"):
            links.link("finetune", t("I bring data"), icon=":material/upload_file:", data="file")


def attention(run: RunFolder, text: str) -> None:
    """The way to the attention of the person's own sentence, in this model or, where it has none, in one that has."""
    shown = run if run.config().model.has_attention else next(iter(_with_attention()), run)
    with st.container(key="home-way-explore", width="content"):
        links.link(
            "explore",
            t("I have five minutes"),
            icon=":material/timer:",
            run=shown.id,
            view="attention",
            text=text[: url_state.LONGEST_TEXT] or None,
        )


def _with_attention() -> list[RunFolder]:
    return [run for run in gallery.runs(language()) if speaks(run) and run.config().model.architecture == "decoder"]


def lessons() -> None:
    """What a class is shown, each one click away."""
    known = {run.id for run in gallery.runs()}
    for title, models, view in LESSONS:
        model = models.get(language(), models["en"])
        if model in known:
            links.link("explore", t(title), run=model, **view)
    st.button(
        t("Present this page"), icon=":material/co_present:", key="home.present", on_click=_present, width="stretch"
    )


def _present() -> None:
    st.session_state["present"] = True
