"""The text that a person typed last, the same in every view: what the home page read is looked into, and written on.

A model that answers one text with another knows but one task, whose texts stay with it.
"""

from functools import partial

import streamlit as st

from playground.runs.folder import RunFolder
from playground.ui import url_state
from playground.ui.components.live_text import live_text

TYPED = "stage.text"
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
    key = f"{page}.given.{name}.{run.id}"
    wanted = linked_text(key, page, name)
    typed = typed_elsewhere(page, run)
    known = st.session_state.get(key, first)
    if wanted:
        known = wanted
    elif typed is not None:
        known = typed
    st.session_state[key] = known
    text = live_text(f"{page}.{name}.{run.id}", known, label, line=True, on_typed=partial(was_typed, page, run))
    if text != known:
        was_typed(page, run, text)
    keep_text(key, page, name, text if text != first and len(text) <= url_state.LONGEST_TEXT else "")
    return text


def linked_text(key: str, page: str, name: str) -> str:
    """The text of a link that a person has opened; "" where the address says what `keep_text` wrote there.

    Fast typing sends the next letters before the browser has heard what the last ones made of its address. So all that
    was written there since what the browser said last is no news.
    """
    written, said = st.session_state.setdefault(f"{key}.written", []), url_state.text(page, name)
    if said in written:
        del written[: written.index(said)]
        return ""
    return said


def keep_text(key: str, page: str, name: str, text: str) -> None:
    """Writes a text into the address; "" takes it out."""
    written, said = st.session_state.setdefault(f"{key}.written", []), url_state.text(page, name)
    if said not in written:
        written[:] = [said]
    if written[-1] != text:
        written.append(text)  # first, since the next letters can end this run as it writes
    url_state.remember(page, **{name: text or None})


def typed_elsewhere(page: str, run: RunFolder) -> str | None:
    """What was typed on another page since this one last asked, where this model can read it; else None."""
    text, seen = st.session_state.get(TYPED), _seen(page)
    if text is None or text == seen.get(run.id):
        return None
    seen[run.id] = text
    said_for, asker = st.session_state.get(OF_TASK, ("", None))
    return text if (asker if said_for == text else None) == _task(run) else None


def was_typed(page: str, run: RunFolder, text: str) -> None:
    """A person typed this on a page; the others follow."""
    seen = _seen(page)
    if task := _task(run):
        st.session_state[OF_TASK] = text, task
    st.session_state[TYPED] = text
    seen[run.id] = text


def _seen(page: str) -> dict[str, str]:
    """What a page last knew as the text that was typed, by run.

    The next letters can end a run of the script wherever it sets something in the session's state, but not in this.
    """
    return st.session_state.setdefault(f"{page}.seen", {})


def _task(run: RunFolder) -> str | None:
    return run.id if run.about().get("data_shape") == "pairs" else None
