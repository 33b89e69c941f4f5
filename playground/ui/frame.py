"""What surrounds every page: language, presentation mode, spacing and type."""

from functools import lru_cache
from pathlib import Path

import streamlit as st

from playground.ui import controls, url_state
from playground.ui.language import FOLDER, LANGUAGES, browser_language, language, t
from playground.ui.share_link import share

STYLE = (Path(__file__).parent / "frame.css").read_text(encoding="utf-8")
SCRIPTS = "\n".join((Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8") for name in ("history", "menu"))
PRESENTING = (Path(__file__).parent / "presenting.css").read_text(encoding="utf-8")


def frame() -> None:
    """The header's switches and the style of the page. app.py calls it once in every run."""
    st.session_state.setdefault("lang", language())
    st.session_state.setdefault("present", url_state.read("", "present"))
    with st.container(key="frame-switches", horizontal=True, width="content"):
        st.segmented_control(
            "Language · 语言",
            list(LANGUAGES),
            required=True,
            format_func={"en": "EN", "zh": "中"}.get,
            key="lang",
            label_visibility="collapsed",
        )
        presenting_help = t("For a projector: larger type, no side controls")
        st.toggle(":material/co_present:", key="present", help=presenting_help)
        share()
    chosen = language()  # not what the switch holds: a browser can send that nothing is chosen
    url_state.remember(
        "",
        lang=chosen if chosen != browser_language() else None,
        present=presenting(),
        hide=controls.hidden(),
    )
    with st.container(key="frame-history"):
        st.html(f"<script>{SCRIPTS}</script>", unsafe_allow_javascript=True)
    words = own_words(chosen)
    st.html(f"<style>{STYLE}{words}{PRESENTING if presenting() else ''}{controls.style()}</style>")


@lru_cache
def own_words(language: str) -> str:
    """The style that puts a language's words in the place of Streamlit's English ones; empty for English."""
    path = FOLDER / language / "streamlit.css"
    return path.read_text(encoding="utf-8") if path.exists() else ""


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
    """A page's heading and the sentence under it, both translated."""
    with st.container(key="page-title", gap="xxsmall"):
        st.title(title, anchor=False)
        st.markdown(sentence)
