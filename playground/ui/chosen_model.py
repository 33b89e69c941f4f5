"""The one model that is chosen, on every page the same, and its name in the header."""

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.ui.messages import plain
from playground.ui.run_picker import LAST, name_of


def choose_model(here: str) -> None:
    """The name of the model that is chosen, in the header.

    Args:
        here: the name of the page that is open.
    """
    if run := last_chosen():
        st.markdown(plain(name_of(run)))


def last_chosen() -> RunFolder | None:
    """The model that was chosen last; None when there is none, or when it is gone."""
    try:
        return RunStore().get(st.session_state[LAST]) if LAST in st.session_state else None
    except PlaygroundError:
        return None
