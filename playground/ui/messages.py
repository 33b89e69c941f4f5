"""What the app says when something cannot be done, or when there is nothing to show yet."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any

import streamlit as st

from playground.core.errors import UserError
from playground.core.terminal import TURNING
from playground.ui import links
from playground.ui.language import t, translated


@contextmanager
def shown_errors() -> Iterator[None]:
    """Errors a person can put right appear as a sentence with its hint; the rest of the block is left out."""
    try:
        yield
    except UserError as error:
        show(error)


@contextmanager
def shown_bugs(where: str) -> Iterator[None]:
    """Any other error is the app's own: it goes into the log, and the person is told so in a sentence."""
    try:
        yield
    except Exception:
        logging.getLogger("playground").exception("%s failed", where)
        st.error(t("Something went wrong on this page: a bug of the app, not your mistake. The log has the details."))


def fragment(
    function: Callable[..., Any] | None = None, *, run_every: float | None = None, key: str | None = None
) -> Any:
    """``st.fragment`` that tells its errors itself: it runs again without the page, and so without what stands around
    its call. Every part of a page that runs again alone is made with it.
    """
    if function is None:
        return partial(fragment, run_every=run_every, key=key)

    @wraps(function)
    def telling(*args: Any, **kwargs: Any) -> Any:
        with shown_bugs(f"{function.__module__}.{function.__qualname__}"), shown_errors():
            return function(*args, **kwargs)

    return st.fragment(telling, run_every=run_every, key=key)


def show(error: UserError) -> None:
    said = [plain(translated(part)) for part in (error.message, error.hint) if part]
    st.error("\n\n".join(said), icon=":material/error:")


def show_notes(notes: Sequence[str]) -> None:
    """What was left out of a text, or is unusual about it: sentences of the core."""
    if notes:
        mark = "- " if len(notes) > 1 else ""
        st.info("\n".join(mark + plain(translated(note)) for note in notes), icon=":material/info:")


def empty(title: str, what_next: str, page_link: str | None = None, label: str | None = None) -> None:
    """Where there is nothing to show: what is missing, and the way to get it.

    Args:
        title, what_next: translated sentences.
        page_link: the name of the page that helps, such as "train".
        label: what its link says; the page's own title unless told.
    """
    with st.container(border=True, horizontal_alignment="center"):
        st.subheader(title, anchor=False)
        st.write(what_next)
        if page_link and links.leads_to(page_link):
            title = st.session_state["pages"][page_link].title
            links.link(page_link, label or title, icon=":material/arrow_forward:")


TURNED = re.compile(f"[{TURNING}]")
CONTROLS = {code: "\ufffd" for code in [*range(0x20), *range(0x7F, 0xA0)] if code != 9}
READ_LATER = re.compile(r"(?<=:)(?=[/\w+-])|(?<=www)(?=\.)|(?<=@)(?=[\w-])", re.I)  # https://, :material/, www., a@b.c
ARROWS = re.compile(r"(?<!\S)(?:<->|->|<-|--|>=|<=|~=)(?!\S)")
JOINER = "\u2060"
"""A character without width, at which no line breaks."""


def plain(text: str) -> str:
    """Text of a person or a model as Markdown that shows it as it is, on one line: no marks, links, pictures or icons.

    A backslash keeps Markdown from reading a mark. Addresses, icons and arrows are looked for later, in the text that
    comes out; an invisible character within them keeps them from being found.
    """
    lines = text.splitlines() or [""]
    text = lines[0] if len(lines) == 1 else " ".join(filter(None, map(str.strip, lines)))
    text = TURNED.sub("", text).translate(CONTROLS)
    text = READ_LATER.sub(JOINER, ARROWS.sub(lambda arrow: arrow[0][0] + JOINER + arrow[0][1:], text))
    text = re.sub(r"^[ \t]+", lambda spaces: "\u00a0" * len(spaces[0]), text)  # else the lines of a program
    text = re.sub(r"([\\`*_{}\[\]()#+\-!|<>$~:&])", r"\\\1", text)
    return re.sub(r"^(\d{0,9})([.=])", r"\1\\\2", text)  # a list, a heading


def no_model_yet() -> None:
    """Where a trained model is needed and there is none: the way to the first one."""
    empty(
        t("No trained model yet"),
        t("Train one: a tiny one writes its first words within a minute."),
        "train",
        t("Train a model"),
    )
