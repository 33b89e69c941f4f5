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
from playground.ui.stage import Stage, stage

FEW = 4
"""Runs that are drawn before any is picked."""


def without_damaged(runs: list[RunFolder], place: Stage) -> list[RunFolder]:
    """The runs that can be looked at; what is wrong with the others is said: where the picture would stand, if there is none."""
    wrong = [said for run in runs if (said := problem_in_contents(run))]
    sound = [run for run in runs if problem(run) is None]
    if wrong:
        with place.notice if sound else place.picture, st.container(key="runs-damaged" if sound else "runs-scroll"):
            for said in wrong:
                show(PlaygroundError(*said))
    return sound


def page() -> None:
    page_title(t("Runs"), t("Everything you have trained. Pick several rows to compare them."))
    live = any(run.status().state in LIVE for run in known_runs(gallery=False))
    fragment(body, run_every=1.0 if live else None, key="runs.body")(live)


def body(live: bool) -> None:
    """What is picked, drawn large, and the tables below; looks again by itself while something is being trained."""
    server_start.trainer()
    place = stage()
    with shown_errors():
        with place.command:
            undo()
        with place.drawer, control("runs", "load"):
            load()
        if not known_runs() and not RunStore().damaged():
            with place.picture:
                empty(t("No runs yet"), t("Train a model: it appears here, with all it has measured."), "train")
        else:
            with place.rest:
                picked = pick_runs()
            show_picked(picked, place)
        with place.rest:
            trash()
    if live and not any(run.status().state in LIVE for run in known_runs(gallery=False)):
        st.rerun()


def show_picked(picked: list[RunFolder], place: Stage) -> None:
    """The runs picked, and what can be done with them; where there are none, the newest, so that there is something to see."""
    if picked:
        with place.drawer, control("runs", "actions"):
            actions(picked)
    if sound := without_damaged(picked, place):
        compare(sound, place)
    elif not picked and (newest := [run for run in known_runs() if run.status().step][:FEW]):
        compare(newest, place, picked=False)
