"""Look inside a model: one run, one text, and a choice of views on what happens in between."""

import re
from collections.abc import Callable
from importlib import import_module

import streamlit as st

from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.runs.snapshots import steps_of
from playground.ui import cached, links, url_state
from playground.ui.components.live_text import live_text
from playground.ui.controls import control
from playground.ui.frame import page_title
from playground.ui.language import joined, t
from playground.ui.live_runs import samples_of
from playground.ui.messages import fragment, no_model_yet, shown_errors
from playground.ui.model_views import recurrent_run, views_of
from playground.ui.places import VIEWS, inside_tabs
from playground.ui.run_picker import choose_run, speaks, writes
from playground.ui.scene import Scene, answer_to
from playground.ui.scrubber import scrub, scrubbed
from playground.ui.stage import Stage, stage
from playground.ui.stage_text import keep_text, linked_text, text_box


def page() -> None:
    page_title(
        t("Explore"),
        t("See what the model computes between a text and its next token. Every number comes from the model itself."),
    )
    with shown_errors():
        run = choose_run("explore.run", speaks, suits=has_linked_view)
        if run is None:
            no_model_yet()
            return
        look(run)


def has_linked_view(run: RunFolder) -> bool:
    """Whether a model has the view that the address names, if it names one."""
    wanted = url_state.text("explore", "view")
    return wanted not in VIEWS or wanted in views_of(run)


@fragment
def look(run: RunFolder) -> None:
    """The text and the view of it; runs again at every key, and leaves the rest of the page alone."""
    with shown_errors():
        place = stage()
        with place.command:
            text_place = control("explore", "text")
            with control("explore", "step", width="content"):
                follow_old_link(run)
                step = steps_of(run)[-1] if plays() else scrub("explore", run)
            with text_place, st.spinner(t("Loading the model …")):
                cached.model(run, step)
            with text_place:
                scene = ask(run, step)
        with place.tabs, control("explore", "view"):
            view = choose_view(scene)
        with place.picture, shown_errors():
            notes(scene, place)
            show(view)(scene, place)


def plays() -> bool:
    """Whether the view has a clock of its own for all steps."""
    return (st.session_state.get("explore.view") or url_state.text("explore", "view")) == "timeline"


def follow_old_link(run: RunFolder) -> None:
    """Links from before there was one step for all views name that of the heads "at"; where they differ, it is what was drawn."""
    at = url_state.read("explore", "at")
    heads = url_state.text("explore", "view") in ("", "attention")
    if heads and at in steps_of(run) and scrubbed("explore", run) is None:
        url_state.remember("", step=at)
    url_state.remember("explore", at=None)


def ask(run: RunFolder, step: int) -> Scene:
    """The boxes for the person's text: what the address says, else what they typed elsewhere, else the run's own sample."""
    pairs = run.about().get("data_shape") == "pairs"
    first = text_to_look_at(run)
    label = t("The text that is read") if pairs else t("Your text")
    places = st.columns(2) if pairs else [st.container(width="stretch")]
    with places[0]:
        text = text_box("explore", "text", run, first, label)
    target = written = ""
    if pairs:
        written = answer_to(
            str(run.path), run.checkpoints()[-1], text
        )  # at every step the same, to watch it learn that
        label = t("The text that is written (at first, what the trained model writes)")
        with places[1]:
            target = live_text(f"explore.target.{run.id}", given_target(run, written), label, line=True)
    keep_target(run, target, written)
    return Scene(run, step, text, target)


def text_to_look_at(run: RunFolder) -> str:
    """What the run's own sample begins with, and the sentence that the model wrote after it, or some of its words."""
    samples = samples_of(run)
    first = opening_text(samples)
    if not writes(run):  # an answer, or a text with its blanks filled in
        return first
    more = next(
        (row["text"] for row in reversed(samples) if row.get("prompt") == first and row.get("text")),
        "",
    )
    sentence = re.match(r"[^.!?。！？\n]{1,69}[.!?。！？]", more)
    return first + (sentence[0] if sentence else more[:70].rpartition(" ")[0])


def given_target(run: RunFolder, first: str) -> str:
    """What the second box holds before anybody types: what a link says, else ``first``.

    It stays the same while this person types (the address then follows the box, not the box the address); another
    ``first`` takes the place of what was typed.
    """
    key = f"explore.given.target.{run.id}"
    wanted = linked_text(key, "explore", "target")
    known = st.session_state.get(key)
    if wanted:
        known = (wanted, first)
    elif known is None or known[1] != first:
        known = (first, first)
    st.session_state[key] = known
    return known[0]


def keep_target(run: RunFolder, text: str, first: str) -> None:
    """Writes it into the address where it is not what stands there anyway, and not too long for a link."""
    target = text if text != first and len(text) <= url_state.LONGEST_TEXT else ""
    keep_text(f"explore.given.target.{run.id}", "explore", "target", target)


def choose_view(scene: Scene) -> str:
    """Which view, bound to ``?view=``; at first the one that fits the model. Only those that this model has."""
    key = "explore.view"
    offered = views_of(scene.run)
    wanted = url_state.text("explore", "view")
    if wanted in offered and st.session_state.get(f"{key}.link") != wanted:
        st.session_state[key] = wanted
    if st.session_state.get(key) not in (*offered, "generate"):  # the tab of the page beside this one
        st.session_state[key] = "attention" if scene.has_attention else "recurrent"
    view = inside_tabs(key, offered)
    if view == "recurrent" and not scene.is_recurrent and (run := recurrent_run()):
        text = None if scene.is_pairs else scene.text[: url_state.LONGEST_TEXT]
        links.go("explore", run=run.id, view=view, text=text)
    url_state.remember("explore", view=view)
    st.session_state[f"{key}.link"] = view
    return view


def notes(scene: Scene, place: Stage) -> None:
    """What is not as the person may think: a text cut off, or longer than anything the model was trained on."""
    if not scene.text and not scene.is_pairs and len(scene.ids()) == 1:
        token = f"“{scene.tokens()[0]}”"
        place.say(t("There is no text yet: the model reads {token} alone. Type some words.", token=token))
    elif scene.is_cut():
        place.say(
            joined(
                t("The model reads the first {n:,} tokens of this text.", n=len(scene.ids())),
                t("It has no learned positions beyond them.") if scene.positions_end() else "",
            )
        )
    elif beyond := scene.beyond():
        place.say(
            t("The last {n:,} tokens are beyond the context length that this model was trained on.", n=beyond)
            if beyond > 1
            else t("The last token is beyond the context length that this model was trained on.")
        )


def show(view: str) -> Callable[[Scene, Stage], None]:
    """The function that draws a view; imported when it is first looked at."""
    return import_module(f"playground.pages.explore.{view}").show
