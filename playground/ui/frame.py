"""What surrounds every page: language, presentation mode, spacing and type."""

import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from playground.ui import controls, stage, url_state
from playground.ui.language import FOLDER, LANGUAGES, browser_language, language, t
from playground.ui.places import place_links
from playground.ui.share_link import share

FILES = Path(__file__).parent
STYLE = "".join((FILES / f"{name}.css").read_text(encoding="utf-8") for name in ("frame", "figure")) + stage.style()
SCRIPTS = "\n".join((FILES / f"{name}.js").read_text(encoding="utf-8") for name in ("history", "stage"))
PRESENTING = (FILES / "presenting.css").read_text(encoding="utf-8")
ICON = base64.b64encode((FILES / "icon.svg").read_bytes()).decode()
LOGO = f'<img class="frame-logo" alt="" src="data:image/svg+xml;base64,{ICON}">'


def frame(here: str) -> Any:
    """The header and the style of the page. app.py calls it once in every run.

    Args:
        here: the name of the page that is open.

    Returns:
        The place in the header for the model that is chosen; filled when the page has said which one that is.
    """
    st.session_state.setdefault("lang", language())
    st.session_state.setdefault("present", url_state.read("", "present"))
    with st.container(key="frame-header", horizontal=True, vertical_alignment="center", wrap=False):
        with st.container(key="frame-places", horizontal=True, vertical_alignment="center", wrap=False):
            st.html(LOGO, width="content")
            place_links(here)
        model = st.container(key="frame-model", width="stretch")
        with st.container(key="frame-switches", horizontal=True, width="content", wrap=False):
            switches()
    chosen = language()  # not what the switch holds: a browser can send that nothing is chosen
    url_state.remember(
        "",
        lang=chosen if chosen != browser_language() else None,
        present=presenting(),
        hide=controls.hidden(),
    )
    with st.container(key="frame-history"):
        st.html(f"<script>{SCRIPTS}</script>", unsafe_allow_javascript=True)
        st.html(f"<script>window.labelsOfOthers({own_labels(chosen)});</script>", unsafe_allow_javascript=True)
    words = own_words(chosen)
    st.html(f"<style>{STYLE}{words}{PRESENTING if presenting() else ''}{controls.style()}</style>")
    return model


def switches() -> None:
    """Language, presentation and link."""
    with st.container(key="frame-language", width="content"):
        st.segmented_control(
            "Language · 语言",
            list(LANGUAGES),
            required=True,
            format_func={"en": "EN", "zh": "中"}.get,
            key="lang",
            label_visibility="collapsed",
        )
    with st.container(key="frame-present", width="content"):
        if presenting():
            st.button(
                t("End"), icon=":material/close:", key="present.end", type="tertiary", on_click=_present, args=(False,)
            )
        else:
            told = t("Present: the picture fills the screen, with large letters and no forms")
            st.button(
                t("Present"),
                icon=":material/co_present:",
                key="present.start",
                type="tertiary",
                help=told,
                on_click=_present,
                args=(True,),
            )
    share()


def _present(on: bool) -> None:
    st.session_state["present"] = on


@lru_cache
def own_words(language: str) -> str:
    """The style that puts a language's words in the place of Streamlit's English ones; empty for English."""
    path = FOLDER / language / "streamlit.css"
    return path.read_text(encoding="utf-8") if path.exists() else ""


@lru_cache
def own_labels(language: str) -> str:
    """What a language says for the labels that Streamlit and Plotly have in English alone, as JSON."""
    path = FOLDER / language / "labels.json"
    return path.read_text(encoding="utf-8") if path.exists() else "{}"


def presenting() -> bool:
    """Whether the page is shown to a room."""
    return bool(st.session_state.get("present"))


def into_sight(key: str) -> None:
    """Moves the page, once it is drawn, so that the container of that key stands at its top."""
    turn = st.session_state["frame.turn"] = st.session_state.get("frame.turn", 0) + 1
    find = f"document.querySelector('.st-key-{key}')"
    with st.container(key="frame-sight"):
        st.html(
            f"<script>/* {turn} */ {find}?.scrollIntoView({{ block: 'start' }});</script>", unsafe_allow_javascript=True
        )


def page_title(title: str, sentence: str) -> None:
    """A page's heading and the sentence under it, both translated: for those who hear the page; the picture needs the room."""
    with st.container(key="page-title", gap="xxsmall"):
        st.title(title, anchor=False)
        st.markdown(sentence)
