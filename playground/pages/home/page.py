"""What this is, a model at work, and the ways on."""

import time

import streamlit as st

from playground.generation.cached_prediction import expected, read_opening
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.ui import cached, controls, links, server_start, url_state
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.next_token import next_token
from playground.ui.frame import page_title
from playground.ui.language import t
from playground.ui.messages import fragment, no_model_yet, shown_errors
from playground.ui.run_picker import choose_run, name_of, writes
from playground.ui.titles import TITLES

WAYS = (
    (
        "build",
        ":material/account_tree:",
        "Build",
        "Choose an architecture and see the parameters, memory and compute of every choice.",
    ),
    (
        "explore",
        ":material/search_insights:",
        "Explore",
        "Look inside a trained model: attention, memory, predictions.",
    ),
    ("train", ":material/monitoring:", "Learn", "Train a model on your own text and watch it learn, live."),
)
LONGEST_LINK = 500  # characters of text that an address carries


def page() -> None:
    page_title(
        t("A language model predicts what comes next."),
        t("Build small ones, watch them learn, look inside them and write with them, on your own computer."),
    )
    left, right = st.columns([3, 2], gap="large")
    with left, st.container(border=True, key="home-demo"):
        demo()
    with right, controls.control("home", "ways"):
        ways_on()


def demo() -> None:
    """A model that says what it expects, at every key."""
    with shown_errors():
        run = choose_run("home.run", writes, gallery_first=True)
        if run is None:
            no_model_yet()
        else:
            predict(run)


@fragment
def predict(run: RunFolder) -> None:
    """The box and its bars; runs again at every key, and nothing else of the page does."""
    key = f"home.next.{run.id}"
    usual = usual_text(str(run.path))
    opening = url_state.text("home", "text") or usual
    text = (st.session_state.get(key) or {}).get("text", opening)
    url_state.remember("home", text=text if text != usual and len(text) <= LONGEST_LINK else None)
    architecture = run.config().model.architecture
    if not server_start.torch_loaded.is_set():  # the first seconds of a server
        first_seconds(run, key, opening, text, ARCHITECTURE[architecture])
        return
    began = time.perf_counter()
    step = cached.latest_step(run)
    options = expected(cached.in_torch(run, step), cached.tokenizer(run), text)
    note = t(
        "{name}, {kind} of {n:,} parameters, after {step:,} training steps. Computed in {ms:.0f} ms on this machine.",
        name=name_of(run),
        kind=t(TITLES[architecture]),
        n=parameters(str(run.path), step),
        step=step,
        ms=1000 * (time.perf_counter() - began),
    )
    next_token(key, opening, text, options, ARCHITECTURE[architecture], note)


def first_seconds(run: RunFolder, key: str, opening: str, text: str, colour: str) -> None:
    """While PyTorch is being loaded: what was computed when the model was shipped, or the box that asks again."""
    kept = read_opening(run)
    if kept and kept["text"] == text:
        next_token(
            key,
            opening,
            text,
            kept["options"],
            colour,
            t("Computed when this model was trained; type for more."),
        )
    else:
        next_token(key, opening, None, [], colour)


@st.cache_data(max_entries=64, show_spinner=False)
def usual_text(path: str) -> str:
    """What the box holds at first."""
    return opening_text(RunFolder(path).samples())


@st.cache_data(max_entries=64, show_spinner=False)
def parameters(path: str, step: int) -> int:
    return sum(weight.numel() for weight in cached.model(RunFolder(path), step).parameters())


def ways_on() -> None:
    for page_name, icon, title, sentence in WAYS:
        if links.leads_to(page_name):
            with st.container(border=True, key=f"home-way-{page_name}"):
                st.subheader(f"{icon} {t(title)}", anchor=False)
                st.write(t(sentence))
                links.link(page_name, t("Go"), icon=":material/arrow_forward:")
