"""The timeline: the picture of a model and a text, played over the steps of its training; a second run beside it."""

from typing import Any

import streamlit as st

from playground.pages.explore.url_widgets import choose
from playground.runs.folder import RunFolder
from playground.runs.snapshots import steps_of
from playground.ui import url_state
from playground.ui.components.living import living
from playground.ui.components.living_page import living_page
from playground.ui.language import joined, language, speaking, t, translated
from playground.ui.messages import plain
from playground.ui.run_picker import known_runs, name_of, named
from playground.ui.scene import Scene
from playground.ui.select import select
from playground.ui.stage import Stage
from playground.ui.timeline import Played, in_words, look_back

VIEW = "explore.timeline"
KINDS = {"values": "Values", "change": "Change since the step before", "weights": "Weights"}
MOST_TOLD = 3
"""Events that the sentence below the picture has room for."""


def show(scene: Scene, place: Stage) -> None:
    """Draws it, or says how a run gets a past."""
    with place.drawer:
        kind = choose(VIEW, "kind", t("What is shown"), KINDS, box=True)
        second = choose_second(scene.run)
    if len(steps_of(scene.run)) < 2:
        with place.picture:
            st.caption(t("This run kept one step alone. Train a small model: it keeps fifteen snapshots by itself."))
        return
    with place.picture:
        texts = (scene.target, scene.text) if scene.is_pairs else (scene.text, "")
        played = look_back(scene.run, *texts, kind)
        beside = look_back(second, *texts, kind) if second else Played()
        drawn = {
            "events": in_words(played.events),
            "second": beside.frames,
            "names": [name_of(each) for each in (scene.run, second) if each] if second else [],
        }
        key, pinned = f"{VIEW}.{scene.run.id}.{kind}", url_state.read("explore", "pin")
        answer = living(key, played.frames, mode="timeline", pinned=pinned, **drawn)
    if answer.pinned is not None:
        url_state.remember("explore", pin=tuple(answer.pinned))
    place.say(sentence(played))
    with place.rest:
        to_take_away(scene, played.frames, drawn)


def sentence(played: Played) -> str:
    """What happened on the way, the most telling first; what is missing before all."""
    if played.damaged:
        steps = ", ".join(f"{step:,}" for step in played.damaged)
        return t("The weights of these steps are damaged and left out: {steps}.", steps=steps)
    events = played.events[:MOST_TOLD]
    happened = [t("Step {step:,}: {what}", step=each.step, what=translated(each.what)) for each in events]
    return joined(*happened) if happened else t("Play it: the same text, read by the model of each step.")


def choose_second(run: RunFolder) -> RunFolder | None:
    """Another run to play beside it; of those that have a past."""
    others = {other.id: other for other in known_runs() if other.id != run.id and len(steps_of(other)) > 1}
    if not others:
        return None
    wanted = next(iter(url_state.read("explore", "beside")), "")
    chosen = select(
        t("A second run beside it"),
        ["", *others],
        index=["", *others].index(wanted) if wanted in others else 0,
        format_func=lambda id: plain(name_of(others[id])) if id else t("none"),
        key=f"{VIEW}.second.{run.id}",
    )
    url_state.remember("explore", beside=(chosen,) if chosen else None)
    return named(chosen) if chosen else None


def to_take_away(scene: Scene, frames: list[bytes], drawn: dict[str, Any]) -> None:
    """One file that plays alone, for slides."""
    size, wanted = sum(map(len, [*frames, *drawn["second"]])), language()

    def made() -> bytes:
        with speaking(wanted):  # it is made when somebody asks for it, outside the page
            return living_page(name_of(scene.run), frames, **drawn).encode()

    st.download_button(
        t("Save it as one HTML file ({size:.1f} MB)", size=size * 4 / 3 / 1e6),
        made,
        file_name=f"timeline-{scene.run.id}.html",
        mime="text/html",
        icon=":material/download:",
        key=f"{VIEW}.file",
        help=t("It plays in any browser, without the app and without a network."),
    )
