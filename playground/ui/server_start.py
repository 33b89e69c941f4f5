"""What happens once, when the server starts, and not again for each visitor."""

import gc
import logging
import threading
from contextlib import suppress

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.core.paths import on_guard
from playground.core.terminal import log_letters

torch_loaded = threading.Event()
"""Set as soon as models answer at once: torch is imported."""

FIRST_PAGE = 1.0
"""Seconds that the first visitor's page has the server to itself."""

log = logging.getLogger("playground")


@st.cache_resource(show_spinner=False)
def server() -> None:
    """Readies the process that trains, and soon imports torch in the background: no page waits for it."""
    from playground.runs.submit import keep_warm
    from playground.ui.streamlit_fixes import download_lifetime, left_pages, rerun_widgets, unsent_fragments

    on_guard()
    log_letters()
    unsent_fragments.apply()
    download_lifetime.apply()
    rerun_widgets.apply()
    left_pages.apply()
    try:
        keep_warm()
    except Exception:
        log.exception("No trainer could be started ahead; the first run starts one")
    soon = threading.Timer(FIRST_PAGE, _import_torch)
    soon.daemon = True
    soon.start()


def trainer() -> None:
    """At every visit: runs that wait have a process that starts them, whatever became of the one before."""
    from playground.runs.submit import revive

    with suppress(OSError, PlaygroundError):  # a home that cannot be written to is told by the page
        revive()


def _import_torch() -> None:
    try:
        from playground.ui.cached import torch_ready

        torch_ready()
        import playground.generation.torch_model  # noqa: F401  (and all that it needs)

        torch_loaded.set()
        settle()
    except Exception:
        log.exception("torch could not be imported")


def settle() -> None:
    """Takes all that the libraries made out of the garbage collector's sight.

    Streamlit collects garbage after every run of a page, several times a second where something moves; with
    PyTorch and pandas loaded that took 130 ms each time, and takes less than 1 ms of what is made from here on.
    """
    import pandas  # noqa: F401  (the tables of the Runs page)

    gc.collect()
    gc.freeze()
