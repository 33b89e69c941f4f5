"""A file that somebody gives to an uploader: it is kept, or refused with a sentence, and the uploader is empty again."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError


def take(key: str, brought: Any, keep: Callable[[], None]) -> None:
    """Keeps what was brought, and runs the page again with an empty uploader.

    Args:
        key: ``<key>.error`` of the session is what is wrong with it; the uploader's own key ends in ``<key>.turn``.
        keep: what is done with it; raises PlaygroundError when it cannot be taken.
    """
    state = st.session_state
    state[f"{key}.error"] = None
    try:
        keep()
    except PlaygroundError as error:
        state[f"{key}.error"] = error
    finally:
        let_go(brought)
    state[f"{key}.turn"] += 1
    st.rerun()


def let_go(brought: Any) -> None:
    """Frees the server's copy of an upload, which would otherwise stay in its memory as long as the session."""
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    context = get_script_run_ctx()
    if context is not None:
        context.uploaded_file_mgr.remove_file(session_id=context.session_id, file_id=brought.file_id)
    brought.close()
