"""The inside of a run's model on its stage: as it is now while it learns, and played again from its snapshots afterwards."""

from collections.abc import Callable
from html import escape

import streamlit as st

from playground.runs import look
from playground.runs.folder import RunFolder
from playground.runs.look import LookRequest
from playground.runs.status import Status
from playground.ui import url_state
from playground.ui.components.live_text import live_text
from playground.ui.language import t
from playground.ui.live_picture import live_picture
from playground.ui.live_runs import LIVE
from playground.ui.select import select
from playground.ui.stage_text import keep_text, linked_text

PICTURES = {"curve": "Curve", "inside": "Inside"}
KINDS = {
    "values": "Values",
    "gradients": "Gradients",
    "change": "Change since the last look",
    "weights": "Weights",
    "weights_change": "Change of the weights",
}
LONGEST = 2_000
"""Characters of a text that is looked at: the picture has room for 64 tokens."""
SHOWN = 80
"""Characters of a prompt that stand before what is written."""


def picture() -> str:
    """What stands on the stage: the curve with a small picture of the model, or that picture large."""
    chosen = url_state.read("train", "picture")
    return chosen if chosen in PICTURES else "curve"


def chosen() -> dict[str, str | None]:
    """What the address says of the picture: the next run begins with it."""
    return {name: url_state.text("train", name) or None for name in ("picture", "look", "read")}


def choose_picture() -> None:
    """The switch between the two."""
    key = "train.picture"
    st.session_state[key] = picture()

    def change() -> None:
        url_state.remember("train", picture=st.session_state[key])

    st.segmented_control(
        t("Picture"),
        list(PICTURES),
        key=key,
        required=True,
        format_func=lambda name: t(PICTURES[name]),
        label_visibility="collapsed",
        on_change=change,
        width="content",
    )


def choose_what(run: RunFolder) -> None:
    """Where the model is large: what is shown of it, and of which text."""
    if picture() == "inside":
        choose_kind()
        choose_text(run)


def choose_kind() -> None:
    """Values, gradients, what changed, or the weights themselves."""
    key = "train.look"
    wanted = kind_asked()
    if st.session_state.get(f"{key}.link") != wanted:  # a link says another one than the box has written there
        st.session_state[key] = wanted
    kind = select(
        t("What is shown"),
        list(KINDS),
        format_func=lambda name: t(KINDS[name]),
        key=key,
        width=200,
        label_visibility="collapsed",
    )
    url_state.remember("train", look=kind)
    st.session_state[f"{key}.link"] = kind


def kind_asked() -> str:
    """What the address says is shown; values where it says nothing that there is."""
    kind = url_state.read("train", "look")
    return kind if kind in KINDS else "values"


def choose_text(run: RunFolder) -> None:
    """The text that the picture is of; empty: a passage of the validation text."""
    key = f"train.given.read.{run.id}"
    if wanted := linked_text(key, "train", "read"):
        st.session_state[key] = wanted
    with st.container(width="stretch"):
        typed = live_text(
            f"train.read.{run.id}",
            st.session_state.setdefault(key, ""),
            t("Your text"),
            line=True,
            longest=LONGEST,
        )
    keep_text(key, "train", "read", typed if len(typed) <= url_state.LONGEST_TEXT else "")
    st.session_state[f"train.read.{run.id}.text"] = typed


def request_of(run: RunFolder, kind: str | None = None, prompt: str = "") -> LookRequest:
    """What the page asks the trainer to show."""
    text = st.session_state.get(f"train.read.{run.id}.text", url_state.text("train", "read"))
    read = "source" if run.about().get("data_shape") == "pairs" else "text"  # of pairs a person types the question
    return LookRequest(**{read: text[:LONGEST]}, kind=kind or kind_asked(), prompt=prompt)


def small(run: RunFolder, status: Status) -> None:
    """The picture beside the curve."""
    live_picture(f"train.small.{run.id}", run, status, request_of(run, "values"), compact=True)


def large(run: RunFolder, status: Status, others: list[RunFolder], draw_curve: Callable[[], None]) -> None:
    """The picture, with what the model writes now and its curve; with another run, both pictures on one clock."""
    beside = next(iter(others), None)
    pictures, writes = st.columns([13, 13] if beside else [19, 7], gap="medium")
    with pictures, st.container(key="train-inside"):
        draw(run, status, request_of(run, prompt=prompt_of(run)))
    with writes:
        if beside:
            with st.container(key="train-inside-rival"):
                draw(beside, beside.status(), request_of(beside))
        else:
            with st.container(key="train-writes"):
                writes_now(run, status)
                with st.container():
                    draw_curve()


def prompt_of(run: RunFolder) -> str:
    return st.session_state.get(f"train.prompt.{run.id}.text", "")


def draw(run: RunFolder, status: Status, request: LookRequest) -> None:
    """The large picture; what a person pins in it stands in the address."""
    answer = live_picture(f"train.living.{run.id}", run, status, request, pinned=url_state.read("train", "pin"))
    if answer is not None and answer.pinned is not None:
        url_state.remember("train", pin=tuple(answer.pinned))


def continued(run: RunFolder, prompt: str) -> str:
    """The end of a prompt as HTML, and how what is written stands to it: it goes on, or answers, or fills in on a new line."""
    shown = escape(prompt if len(prompt) <= SHOWN else "… " + prompt[-SHOWN:])
    goes_on = run.about().get("data_shape") != "pairs" and run.config().training.objective == "clm"
    return shown if goes_on else f"{shown}<br>→ "


def writes_now(run: RunFolder, status: Status) -> None:
    """A box for any words, and how the model goes on from them at this very step."""
    st.markdown(f"**{t('What it writes now')}**")
    key = f"train.prompt.{run.id}"
    st.session_state[f"{key}.text"] = live_text(key, "", t("Words to go on from"), line=True, longest=LONGEST)
    written, prompt = look.written(run), prompt_of(run)
    if written and prompt and written["prompt"] == prompt:
        st.html(f'<p class="train-written">{continued(run, prompt)}<b>{escape(written["text"])}</b></p>')
        st.caption(t("step {step:,}", step=written["step"]))
    elif status.state in LIVE:
        st.caption(t("Type some words: it goes on from them at every step, while it learns."))
    else:
        st.caption(t("It writes here while it trains. Now it writes on the page “Writing”."))
