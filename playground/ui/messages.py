"""What the app says when something cannot be done, or when there is nothing to show yet."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from models.spec import SpecError
from playground.errors import PlaygroundError
from playground.ui import links
from playground.ui.language import t, told


@contextmanager
def shown_errors() -> Iterator[None]:
    """Errors a person can put right appear as a sentence with its hint; the rest of the block is left out."""
    try:
        yield
    except (PlaygroundError, SpecError) as error:
        show(error)


def show(error: PlaygroundError | SpecError) -> None:
    said = [plain(told(part)) for part in (error.message, error.hint) if part]
    st.error("\n\n".join(said), icon=":material/error:")


def show_notes(notes: Sequence[str]) -> None:
    """What was left out of a text, or is unusual about it: sentences of the core."""
    if notes:
        st.info("\n".join(f"- {plain(told(note))}" for note in notes), icon=":material/info:")


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


def plain(text: str) -> str:
    """Text of a person or a model, so that Markdown does not read marks into it."""
    for mark in r"\`*_{}[]()#+-!|<>$~:":
        text = text.replace(mark, "\\" + mark)
    return text


def no_model_yet() -> None:
    """Where a trained model is needed and there is none: the way to the first one."""
    empty(
        t("No trained model yet"),
        t("Train one: a tiny one writes its first words within a minute."),
        "train",
        t("Train a model"),
    )
