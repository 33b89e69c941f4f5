"""One layout for every view: a line of commands, the picture, a sentence on it; options in a drawer, the rest below.

The picture takes all of the window that the others leave, by stage.css. What stands in it fills it: a component by
``height: var(--stage-height, auto)``, a plotly figure by itself (see `playground.ui.figure`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from playground.ui.language import t
from playground.ui.messages import plain

STYLE = (Path(__file__).parent / "stage.css").read_text(encoding="utf-8")
SHARES = range(10, 95, 5)
"""Per cent of the picture's height that a part of it can take."""
PARTS = "\n".join(
    f'[class*="st-key-stage-part-{share}-"] {{ height: {share}cqh !important; flex: none; container-type: size; }}'
    for share in SHARES
)


@dataclass(frozen=True)
class Stage:
    """The places of a view, each a container to draw in with ``with``.

    Attributes:
        tabs: one row of tabs, at the top.
        command: one line: the text, the step, the main button.
        picture: the main drawing.
        notice: what to see in this picture, at most two lines (see :meth:`say`).
        drawer: options; one click opens it.
        rest: all else, below the window.
    """

    tabs: Any
    command: Any
    picture: Any
    notice: Any
    drawer: Any
    rest: Any

    def say(self, sentence: str) -> None:
        """What to notice in this very picture, translated; names and tokens in it are shown as they are written."""
        with self.notice:
            st.markdown(plain(sentence))


def stage() -> Stage:
    """The places of one view. A page has one stage, made where its moving part (a fragment) begins, if it has one."""
    with st.container(key="stage"):
        with st.container(key="stage-tabs", horizontal=True, vertical_alignment="center", wrap=False):
            tabs = st.container(key="stage-views", horizontal=True, vertical_alignment="center", wrap=False)
            label = escape(t("Options"))
            st.html(
                f'<button type="button" class="stage-handle" data-drawer-handle aria-expanded="false">{label}</button>',
                width="content",
            )
        command = st.container(key="stage-command", horizontal=True, vertical_alignment="bottom", wrap=False)
        picture = st.container(key="stage-picture")
        notice = st.container(key="stage-notice")
    drawer = st.container(key="stage-drawer")
    rest = st.container(key="stage-rest")
    return Stage(tabs, command, picture, notice, drawer, rest)


@contextmanager
def part(name: str, share: int) -> Iterator[None]:
    """A part of the picture, above or below another one; what stands in it fills it.

    Args:
        name: tells the parts of one picture apart.
        share: of the picture's height in per cent, one of `SHARES`; those of all parts make 100 together.
    """
    with st.container(key=f"stage-part-{share}-{name}"):
        yield


def style() -> str:
    """The rules of the layout."""
    return STYLE + PARTS
