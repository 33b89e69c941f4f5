"""The living picture on a stage, by ``?show=``: what it answers is written to ``answers.jsonl``, a line for each run."""

import json
import os
from pathlib import Path

import streamlit as st

from playground.ui import links
from playground.ui.components.living import living
from playground.ui.frame import frame
from playground.ui.stage import stage
from tests.support.made_frames import Happened, made_frame

STEPS = (0, 50, 200, 450, 800)
SECOND = (0, 100, 400, 900)
EVENTS = (Happened(200, "head", "Head 1.2 starts to look back"),)


def timeline(**more):
    return living("living", [made_frame(step) for step in STEPS], mode="timeline", events=EVENTS, **more)


def beside():
    """Two runs; the second sees four times as many tokens at a step, and is as good at half the steps."""
    second = [made_frame(step, tokens=400 * step, seconds=step * 2, loss=5 / (1 + step / 50)) for step in SECOND]
    return timeline(second=second, names=("First run", "Second run"))


def large():
    """As much as a picture has to play: 6 layers of 6 heads, 64 tokens, 15 frames."""
    frames = [made_frame(step * step, length=64, layers=6, heads=6, width=96) for step in range(15)]
    return living("living", frames, mode="timeline")


@st.fragment(run_every=0.4)
def alive():
    """A new frame at every look."""
    st.session_state.seen = st.session_state.get("seen", 0) + 1
    living("living", [made_frame(st.session_state.seen * 10)], mode="live")


SHOWS = {
    "timeline": timeline,
    "beside": beside,
    "large": large,
    "alive": alive,
    "compact": lambda: timeline(compact=True),
    "pinned": lambda: timeline(pinned=("layers.1.attention.weights:2", "embeddings"), opened="layers.0.mlp.hidden"),
}


def visit() -> None:
    """The page."""
    st.set_page_config(page_title="The living picture", layout="wide")
    links.register({})
    frame("home")
    with st.container(key="page"):
        place = stage()
        with place.picture:
            answer = SHOWS[st.query_params.get("show", "timeline")]()
    line = {} if answer is None else {"pinned": answer.pinned, "opened": answer.opened}
    with open(Path(os.environ["PLAYGROUND_HOME"]) / "answers.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    visit()
