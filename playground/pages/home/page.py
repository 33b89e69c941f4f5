"""The first chapter of Learn: a model at work on the person's own words, and three ways on."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from playground.generation.cached_prediction import first_page_text, read, read_opening
from playground.pages.home.ways import ways_on
from playground.runs.folder import RunFolder
from playground.ui import cached, controls, server_start, url_state
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.next_token import next_token
from playground.ui.frame import page_title
from playground.ui.language import joined, t
from playground.ui.messages import fragment, no_model_yet, plain, shown_errors
from playground.ui.number_format import share
from playground.ui.run_picker import choose_run, name_of, writes
from playground.ui.stage import Stage, stage
from playground.ui.stage_text import typed_elsewhere, was_typed
from playground.ui.titles import TITLES
from playground.ui.token_names import named

if TYPE_CHECKING:
    from playground.generation.predict import TextGenerator

SURE, UNSURE = 0.5, 0.1
"""From which share on a model is sure of a token, and below which it is not."""
LONGEST_UNKNOWN = 40  # characters of a word
SURPRISED = 0.1
"""Below which share a token of the text surprised the model."""


def page() -> None:
    page_title(
        t("A language model predicts what comes next."),
        t("Build small ones, watch them learn, look inside them and write with them, on your own computer."),
    )
    with shown_errors():
        run = choose_run("home.run", writes, gallery_first=True)
        if run is None:
            no_model_yet()
        else:
            predict(run)


@fragment
def predict(run: RunFolder) -> None:
    """The box and its bars; runs again at every key, and nothing else of the page does."""
    place = stage()
    key, usual = f"home.next.{run.id}", usual_text(str(run.path))
    opening = text_at_first(run, usual)
    text = (st.session_state.get(key) or {}).get("text", opening)
    if text != opening:
        was_typed("home", run, text)
    url_state.remember("home", text=text if text != usual and len(text) <= url_state.LONGEST_TEXT else None)
    with place.tabs, controls.control("home", "ways"):
        ways_on(run, text)
    with place.picture, st.container(key="home-demo"):
        architecture = run.config().model.architecture
        if server_start.torch_loaded.is_set():
            draw(run, key, opening, text, architecture, place)
        else:  # the first seconds of a server
            first_seconds(run, key, opening, text, ARCHITECTURE[architecture], place)


def text_at_first(run: RunFolder, usual: str) -> str:
    """What the box holds before anybody types here: what the address says, else what was typed elsewhere, else ``usual``."""
    key = f"home.opening.{run.id}"
    if (typed := typed_elsewhere("home", run)) is not None:
        st.session_state[key] = typed
    return url_state.text("home", "text") or st.session_state.get(key) or usual


def draw(run: RunFolder, key: str, opening: str, text: str, architecture: str, place: Stage) -> None:
    """The bars, and what there is to see in them."""
    began = time.perf_counter()
    step = cached.latest_step(run)
    tokenizer = cached.tokenizer(run)
    options, surprise = read(cast("TextGenerator", cached.in_torch(run, step)), tokenizer, text)
    took = time.perf_counter() - began
    next_token(key, opening, text, options, ARCHITECTURE[architecture], on_typed=partial(was_typed, "home", run))
    place.say(notice(options, surprise, tokenizer.unknown(text)))
    with place.rest:
        st.caption(computed_by(name_of(run), t(TITLES[architecture]), parameters(str(run.path), step), step, took))


def computed_by(name: str, kind: str, n: int, step: int, seconds: float) -> str:
    """Which model that was, and how long it took; its kind, unless its name tells it."""
    said = (
        t("{name}, {n:,} parameters, after {step:,} training steps. Computed in {ms:.0f} ms on this machine.")
        if kind.casefold() in name.casefold()
        else t(
            "{name}, {kind} of {n:,} parameters, after {step:,} training steps. Computed in {ms:.0f} ms on this machine."
        )
    )
    return said.format(name=plain(name), kind=kind, n=n, step=step, ms=1000 * seconds)


def first_seconds(run: RunFolder, key: str, opening: str, text: str, colour: str, place: Stage) -> None:
    """While PyTorch is being loaded: what was computed when the model was shipped, or the box that asks again."""
    kept = read_opening(run)
    if not kept or kept["text"] != text:
        next_token(key, opening, None, [], colour, on_typed=partial(was_typed, "home", run))
        return
    next_token(key, opening, text, kept["options"], colour, on_typed=partial(was_typed, "home", run))
    place.say(notice(kept["options"], None))
    with place.rest:
        st.caption(t("Computed when this model was trained; type for more."))


def notice(options: list[dict[str, Any]], surprise: dict[str, Any] | None, unknown: str = "") -> str:
    """How sure the model is; then what of the text it does not know, or which token of it it expected least.

    Args:
        options: the likeliest tokens.
        surprise: the token of the text that was expected least; None where none is known.
        unknown: a word or character of the text without a token of its own; "" for none.
    """
    first, at = named(options[0]["piece"]), share(options[0]["p"])
    if options[0]["p"] >= SURE:
        said = t("The model is {share} sure that “{token}” comes next.", share=at, token=first)
    elif options[0]["p"] >= UNSURE:
        said = t("The model gives “{token}” {share}; the rest is shared by many others.", share=at, token=first)
    else:
        said = t("The model does not know what comes next: even “{token}” gets only {share}.", share=at, token=first)
    if unknown:
        more = t(
            "“{part}” is not in its vocabulary: the text that it learnt from never or hardly ever had it.",
            part=unknown[:LONGEST_UNKNOWN],
        )
    elif surprise is not None and surprise["p"] < SURPRISED:
        least = {"token": named(surprise["piece"]), "share": share(surprise["p"])}
        more = t("It was surprised most by “{token}”, to which it had given {share}.", **least)
    else:
        more = t("Type on, or click a bar to append it.")
    return joined(said, more)


@st.cache_data(max_entries=64, show_spinner=False)
def usual_text(path: str) -> str:
    """What the box holds at first."""
    return first_page_text(RunFolder(Path(path)))


@st.cache_data(max_entries=64, show_spinner=False)
def parameters(path: str, step: int) -> int:
    return sum(weight.numel() for weight in cached.model(RunFolder(Path(path)), step).parameters())
