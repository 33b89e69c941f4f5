"""A text of one's own, written or pasted on the Data page: the box, whether it is enough, and training on it."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs import text_drafts
from playground.text import uploads
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.statistics import Estimate, estimate
from playground.ui import links, tokens_per_parameter
from playground.ui.components.writing_box import writing_box
from playground.ui.language import t
from playground.ui.messages import fragment, show
from playground.ui.stage import part

NEW = "new"
"""What stands among the files for a text that is yet to be written."""
BOX = "own.box"
TRAINED_ON = 1 - DataSpec("file", path=NEW).validation_fraction


def is_open() -> bool:
    """Whether the box stands open: for a new text, or one that was written here."""
    state = st.session_state
    chosen = state.get("data.file") if state.get("data.corpus") == "file" else None
    return chosen == NEW or bool(chosen) and uploads.is_written(chosen)


def take(path: str) -> None:
    """A text is chosen: one that somebody else wrote here then stays, also when its writer goes on."""
    if uploads.is_written(path) and path not in st.session_state.get("own.drafts", ()):
        with suppress(OSError):  # where nothing can be written, nothing is taken away either
            uploads.share(path)


def is_being_written() -> bool:
    """Whether the box held a new text when this page was left."""
    return st.session_state.get("own.open") == NEW and bool(st.session_state.get("own.draft"))


def begin() -> None:
    """A new text is chosen, and the box that it is written in comes into sight: on a phone it is a screen further down."""
    state = st.session_state
    state["data.file"] = NEW
    state["own.begun"] = state.get("own.begun", 0) + 1
    state["own.wanted"] = state["own.begun"]


def close() -> None:
    """Another text is looked at: the page opens with that one the next time."""
    st.session_state.pop("own.open", None)


def take_up() -> None:
    """Makes a text that was just kept the chosen one, before the list of files is drawn."""
    if kept := st.session_state.pop("own.kept", None):
        st.session_state["data.file"] = st.session_state["data.sized"] = kept
        st.session_state["data.limit"] = "all"


@fragment
def editor(tokenizer: TokenizerSpec) -> None:
    """The box, the scale that follows what is written, and the two ways on."""
    state = st.session_state
    if state.get("own.open") != state["data.file"]:
        _open(state["data.file"])
    with part("box", 65):
        written = writing_box(
            BOX,
            text=state["own.text"],
            version=state["own.version"],
            label=t("Your text"),
            placeholder=t("Write or paste a text here: a story, letters, recipes, song texts, your own notes …"),
            longest=uploads.MOST,
            wanted=state.pop("own.wanted", 0),
        )
    if written is not None:
        state["own.text"] = written
        if state["own.open"] == NEW:
            state["own.draft"] = written
    text = uploads.tidy(state["own.text"])
    nothing = Estimate(0, tokenizer.vocab_size, 0)
    with part("ways", 35):
        tokens_per_parameter.show_gauge("own.gauge", estimate(text, tokenizer, TRAINED_ON) if text.strip() else nothing)
        _ways_on(text, tokenizer)


def _open(chosen: str) -> None:
    """Puts a text that was written before into the box; a new one goes on where it was left."""
    state = st.session_state
    state["own.open"] = chosen
    state["own.version"] = f"{chosen} {state.get('own.turn', 0)}"
    state["own.turn"] = state.get("own.turn", 0) + 1
    state["own.text"] = state.get("own.draft", "")
    if chosen != NEW:
        state["own.text"] = _written(chosen)  # its absence is told where the file is chosen


def _written(path: str) -> str:
    """The text of a kept file; "" where it is gone."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def _ways_on(text: str, tokenizer: TokenizerSpec) -> None:
    with st.container(horizontal=True):
        train = st.button(t("Train on this"), type="primary", icon=":material/play_arrow:", key="own.train")
        look = st.button(t("See it as tokens"), icon=":material/token:", key="own.look")
    if not (train or look):
        return
    state = st.session_state
    try:
        kept = _keep(text, state["own.open"])
    except PlaygroundError as error:
        show(error)
        return
    state["own.kept"] = state["own.open"] = kept
    state.pop("own.draft", None)
    state["own.look.asked"] = look
    if train:
        state["draft.data"] = DataSpec("file", path=kept, tokenizer=tokenizer).to_dict()
        links.go("train")
    st.rerun()


def _keep(text: str, opened: str) -> str:
    """Where the text is kept now. A version that this person wrote before, and no run names, goes: a text is one file,
    however often it is edited. What others wrote or brought stays.
    """
    state = st.session_state
    own = state.setdefault("own.drafts", set())
    if opened in own and _written(opened) == text:
        return opened
    upload = text_drafts.rewrite(text, Path(opened) if opened in own else None)
    kept = str(upload.path)
    if upload.is_new:
        own.add(kept)
    planned = state.get("draft.data") or {}
    if planned.get("path") == opened and not Path(opened).exists():
        state["draft.data"] = {**planned, "path": kept}
    return kept
