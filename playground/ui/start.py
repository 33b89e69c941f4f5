"""What happens once, when the server starts, and not again for each visitor."""

import logging
import threading

import streamlit as st

torch_loaded = threading.Event()
"""Set as soon as models answer at once: torch is imported."""

FIRST_PAGE = 1.0
"""Seconds that the first visitor's page has the server to itself."""

log = logging.getLogger("playground")


@st.cache_resource(show_spinner=False)
def server() -> None:
    """Readies the process that trains, and soon imports torch in the background: no page waits for it."""
    from playground.runs.submit import keep_warm

    try:
        keep_warm()
    except Exception:
        log.exception("No trainer could be started ahead; the first run starts one")
    soon = threading.Timer(FIRST_PAGE, _import_torch)
    soon.daemon = True
    soon.start()


def _import_torch() -> None:
    try:
        from playground.ui.cached import torch_ready

        torch_ready()
        import playground.generation.writing  # noqa: F401  (and all that it needs)

        torch_loaded.set()
    except Exception:
        log.exception("torch could not be imported")
