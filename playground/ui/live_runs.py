"""Runs as they are now: each file is read once however many people watch, and turned into curves."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.samples import RunSamples
from playground.runs.status import Status
from playground.ui.colours import RUNS
from playground.ui.components.curves import Series
from playground.ui.language import t
from playground.ui.run_picker import name_of, state_name

LIVE = ("queued", "preparing", "running")
MOST_COMPARED = 8  # runs that can be told apart beside each other
SECONDS = {"waiting": 0.2, "live": 0.35, "resting": 3.0}
"""Between two looks at a run: before its first point, while it is trained, when only others may start it again."""


def curves_of(run: RunFolder) -> RunCurves:
    """What the run has measured, up to now; shared by all sessions."""
    found = _curves(str(run.path))
    found.update()
    return found


@st.cache_resource(max_entries=100, show_spinner=False)
def _curves(path: str) -> RunCurves:
    return RunCurves(RunFolder(path))


def samples_of(run: RunFolder) -> list[dict[str, Any]]:
    """What the model wrote while it learned, the oldest first; shared by all sessions, not to be changed."""
    found = _samples(str(run.path))
    found.update()
    return found.rows()


@st.cache_resource(max_entries=100, show_spinner=False)
def _samples(path: str) -> RunSamples:
    return RunSamples(Path(path))


def series(run: RunFolder, colour: str, main: bool = True) -> Series:
    """A run as curves, with what its legend says."""
    found, status = curves_of(run), run.status()
    table = found.table()
    note = "" if status.state in ("finished", "stopped") else state_text(status)
    return Series(
        id=run.id,
        name=name_of(run),
        colour=colour,
        main=main,
        note=note,
        train=table["train"],
        validation=table["validation"],
    )


def pace(run: RunFolder, status: Status) -> str:
    """How often there is something new to see; a key of SECONDS."""
    if status.state not in LIVE:
        return "resting"
    return "live" if curves_of(run).newest else "waiting"


def state_text(status: Status) -> str:
    """ "queued, position 2", "training" …"""
    if status.state == "queued" and status.queue_place:
        return t("queued, position {place}", place=status.queue_place)
    return state_name(status.state)


def colours_for(runs: list[RunFolder]) -> dict[str, str]:
    """A colour for each run, none of them an architecture's; as many as can be told apart, then from the first again."""
    return {run.id: RUNS[index % len(RUNS)] for index, run in enumerate(runs)}
