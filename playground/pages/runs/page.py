"""All runs: found, compared, renamed, taken along."""

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.runs.actions import actions, load, trash, undo
from playground.pages.runs.compare import compare
from playground.pages.runs.table import pick_runs
from playground.runs.folder import RunFolder
from playground.runs.integrity import problem, problem_in_contents
from playground.runs.store import RunStore
from playground.ui import server_start
from playground.ui.controls import control
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.live_runs import LIVE
from playground.ui.messages import empty, fragment, show, shown_errors
from playground.ui.run_picker import known_runs


def without_damaged(runs: list[RunFolder]) -> list[RunFolder]:
    """The runs that can be looked at; what is wrong with the others is said."""
    wrong = {run.id: problem_in_contents(run) for run in runs}
    for said in filter(None, wrong.values()):
        show(PlaygroundError(*said))
    return [run for run in runs if problem(run) is None]


def page() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        page_title(t("Runs"), t("Everything you have trained. Pick several rows to compare them."))
        with control("runs", "load", "content"):
            load()
    live = any(run.status().state in LIVE for run in known_runs(gallery=False))
    fragment(body, run_every=1.0 if live else None, key="runs.body")(live)


def body(live: bool) -> None:
    """The table and what is picked from it; looks again by itself while something is being trained."""
    server_start.trainer()
    with shown_errors():
        undo()
        if not known_runs() and not RunStore().damaged():
            empty(t("No runs yet"), t("Train a model: it appears here, with all it has measured."), "train")
        else:
            runs = pick_runs()
            if runs:
                with control("runs", "actions"):
                    actions(runs)
                if sound := without_damaged(runs):
                    compare(sound)
            else:
                st.info(t("Pick a row to see its curves and settings; pick several to compare them."))
        trash()
    if live and not any(run.status().state in LIVE for run in known_runs(gallery=False)):
        st.rerun()
