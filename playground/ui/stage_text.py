"""The text that a person typed last, the same in every view: what the home page read is looked into, and written on.

A model that answers one text with another knows but one task, whose texts stay with it.
"""

import streamlit as st

from playground.runs.folder import RunFolder
from playground.ui import url_state
from playground.ui.components.live_text import live_text

TYPED = "stage.text"
LONGEST_IN_LINK = 500  # characters
OF_TASK = "stage.text.task"
"""The text and the model of pairs that it was typed for; another text in `TYPED` was typed for any."""


def text_box(page: str, name: str, run: RunFolder, first: str, label: str) -> str:
    """The box in a stage's command line for the text, in the address where it is neither usual nor too long for a link.

    It holds what the address says, else what was typed on another page, else ``first``; while a person types, the address
    follows the box, not the box the address.

    Args:
        page, name: of the parameter in the address.
        label: translated.
    """
    key, wanted = f"{page}.given.{name}.{run.id}", url_state.text(page, name)
    typed = typed_elsewhere(page, run)
    known = st.session_state.get(key, first)
    if wanted and wanted != st.session_state.get(f"{key}.link"):
        known = wanted
    elif typed is not None:
        known = typed
    st.session_state[key] = known
    text = live_text(f"{page}.{name}.{run.id}", known, label, line=True)
    if text != known:
        was_typed(page, run, text)
    url_state.remember(page, **{name: text if text != first and len(text) <= LONGEST_IN_LINK else None})
    st.session_state[f"{key}.link"] = url_state.text(page, name)
    return text


def typed_elsewhere(page: str, run: RunFolder) -> str | None:
    """What was typed on another page since this one last asked, where this model can read it; else None."""
    text, seen = st.session_state.get(TYPED), f"{page}.seen.{run.id}"
    if text is None or text == st.session_state.get(seen):
        return None
    st.session_state[seen] = text
    said_for, asker = st.session_state.get(OF_TASK, ("", None))
    return text if (asker if said_for == text else None) == _task(run) else None


def was_typed(page: str, run: RunFolder, text: str) -> None:
    """A person typed this on a page; the others follow."""
    st.session_state[TYPED] = st.session_state[f"{page}.seen.{run.id}"] = text
    if task := _task(run):
        st.session_state[OF_TASK] = text, task


def _task(run: RunFolder) -> str | None:
    return run.id if run.about().get("data_shape") == "pairs" else None
