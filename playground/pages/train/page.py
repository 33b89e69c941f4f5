"""The Lab: a plan, the run that it became, and what it learns, on one screen; a change of the plan is the next run."""

import streamlit as st

from playground.pages.train import preview
from playground.pages.train.inside import chosen
from playground.pages.train.plan import plan
from playground.pages.train.watch import watch
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.ui import links, url_state
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.live_runs import LIVE, state_text
from playground.ui.messages import plain, shown_errors
from playground.ui.places import place_tabs
from playground.ui.run_picker import name_of, named
from playground.ui.run_progress import STYLE
from playground.ui.stage import Stage, stage


def page() -> None:
    run = None
    with shown_errors():
        run = opened()
    if run:
        page_title(plain(name_of(run)), state_text(run.status()))
    else:
        page_title(t("Train"), t("Choose the text, the model and the schedule, then watch the run learn."))
    st.html(STYLE)
    place = stage()
    with place.tabs:
        place_tabs("train")
    config = None
    with place.picture, shown_errors():  # what cannot be trained is told where the picture would stand
        config = plan(run, place)
    with shown_errors():
        if run:
            watch(run, config, place)
        elif config:
            begin(config, place)


def opened() -> RunFolder | None:
    """The run that the address names; one that was fine-tuned has a page of its own."""
    wanted = url_state.text("train", "run")
    if not wanted:
        return None
    run = named(wanted)
    if run.about().get("finetune"):
        links.go("finetune", run=run.id)
    return run


def begin(config: RunConfig, place: Stage) -> None:
    """A plan that is no run yet: one button, and what it would train on what."""
    preview.make_ready(config.data)
    with place.command:
        if st.button(t("Train"), type="primary", icon=":material/play_arrow:", key="train.start"):
            start(config)
        show_running(1)
    with place.picture:
        preview.preview(config)
    place.say(preview.branch_sentence() or preview.costs(config))
    with place.rest:
        show_running(4)


def start(config: RunConfig) -> None:
    """Hands the run over and opens it."""
    run = RunStore().create(config)
    submit(run)
    links.go("train", run=run.id, **chosen())


def show_running(most: int) -> None:
    """The way back to what is being trained now."""
    running = [run for run in RunStore().list() if run.status().state in LIVE]
    with st.container(horizontal=True):
        for run in running[:most]:
            links.link("train", t("Watch “{name}”", name=plain(name_of(run))), icon=":material/monitoring:", run=run.id)
