"""The text that a person typed last, the same in every view: what the home page read is looked into, and written on.

A model that answers one text with another knows but one task, whose texts stay with it.
"""

import streamlit as st

from playground.runs.folder import RunFolder

TYPED = "stage.text"
OF_TASK = "stage.text.task"
"""The text and the model of pairs that it was typed for; another text in `TYPED` was typed for any."""


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
