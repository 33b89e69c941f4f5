"""Plan a run and watch it learn."""

import streamlit as st

from playground.pages.train.plan import plan
from playground.pages.train.watch import watch
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.ui import links, url_state
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.live_runs import LIVE
from playground.ui.messages import plain, shown_errors
from playground.ui.run_picker import name_of, named


def page() -> None:
    if url_state.text("train", "run"):
        with shown_errors():
            run = named(url_state.text("train", "run"))
            if run.about().get("finetune"):
                links.go("finetune", run=run.id)
            watch(run)
            return
    page_title(t("Train"), t("Choose the text, the model and the schedule, then watch the run learn."))
    show_running()
    with shown_errors():
        config, place = plan()
        look = {"type": "primary", "icon": ":material/play_arrow:", "width": "stretch"}
        if place.button(t("Train"), key="train.start", **look):
            start(config)


def start(config: RunConfig) -> None:
    """Hands the run over and opens it."""
    run = RunStore().create(config)
    submit(run)
    links.go("train", run=run.id)


def show_running() -> None:
    """The way back to what is being trained now."""
    running = [run for run in RunStore().list() if run.status().state in LIVE]
    with st.container(horizontal=True):
        for run in running[:4]:
            links.link("train", t("Watch “{name}”", name=plain(name_of(run))), icon=":material/monitoring:", run=run.id)
