"""The frames of a run's steps, worked out once for everybody who plays them, and what happened between them."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.look import LookRequest
from playground.runs.samples import opening_text
from playground.runs.snapshots import steps_of
from playground.ui import cached
from playground.ui.language import t, translated
from playground.ui.live_runs import samples_of
from playground.ui.scene import answer_to

if TYPE_CHECKING:
    from playground.inspection.events import Event

MOST_KEPT = 24
"""Timelines that the server keeps: some MB each."""


@dataclass(frozen=True)
class Played:
    """A run over time.

    Attributes:
        frames: one of each step, see `playground.runs.frames`.
        events: what happened, by step.
        damaged: steps that are left out, since their weights cannot be read.
    """

    frames: list[bytes] = field(default_factory=list)
    events: list["Event"] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)


@st.cache_resource(show_spinner=False)
def _kept() -> "OrderedDict[Hashable, Played]":
    return OrderedDict()


def look_back(run: RunFolder, text: str, source: str = "", kind: str = "values") -> Played:
    """One text in the model of every step that is kept; a bar shows how far it is, and whoever goes on ends it.

    Args:
        text: of a model of pairs, the target.
        source: of a model of pairs, the source.
        kind: "values", "change", "weights" or "weights_change".

    Raises:
        PlaygroundError: when there is no text to answer.
    """
    cached.torch_ready()
    kept, key = _kept(), (str(run.path), tuple(steps_of(run)), text, source, kind)
    if key not in kept:
        kept[key] = _worked_out(run, text, source, kind)
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def _worked_out(run: RunFolder, text: str, source: str, kind: str) -> Played:
    from playground.inspection.events import events_of
    from playground.inspection.timeline import frames_of
    from playground.runs.frames import from_bytes

    bar = st.empty()

    def progress(done: int, steps: int) -> None:
        bar.progress(done / steps, t("The model of each step reads the text: {done} of {all}", done=done, all=steps))

    damaged: list[int] = []  # what one step lacks must not hide the others
    frames = frames_of(run, text, source, None, progress, kind, damaged=damaged)
    bar.empty()
    if kind != "values":
        return replace(look_back(run, text, source), frames=frames)
    return Played(frames, events_of(run, [from_bytes(each) for each in frames]), damaged)


def in_words(events: "list[Event]") -> "list[Event]":
    """The events with their sentences in the person's language."""
    return [replace(event, what=translated(event.what)) for event in events]


def timeline_of(run: RunFolder, request: LookRequest) -> Played:
    """What can be played of a run that does not train: of the text that was asked for, else of its own sample. Nothing where
    it kept fewer than two steps, or cannot read that text.
    """
    steps = steps_of(run)
    if len(steps) < 2:
        return Played()
    kind = request.kind if request.kind != "gradients" else "values"
    text, source = request.text or request.source or opening_text(samples_of(run)), ""
    try:
        if run.about().get("data_shape") == "pairs":
            source, text = text, answer_to(str(run.path), steps[-1], text)
        return look_back(run, text, source, kind) if text or source else Played()
    except PlaygroundError:  # a text that this model cannot read: its own sample is played instead, once
        usual = LookRequest(kind=request.kind)
        return timeline_of(run, usual) if request != usual else Played()
