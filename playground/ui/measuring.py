"""What is measured while a page waits: shown with how far it is, and with a way to stop it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.ui.language import t
from playground.ui.messages import fragment

PATIENCE = 0.5
"""Seconds that a page waits by itself, so that what is quick is there at once."""
KEPT = 64
"""Results that are kept for everybody."""


class Measurement(BackgroundJob):
    """One measurement, in a thread.

    Attributes:
        what: is being done, in English.
        share: of it that is done, 0 to 1.
        result: what came out; None before its end.
    """

    def __init__(self, what: str, work: "Callable[[Measurement], Any]") -> None:
        super().__init__("measuring")
        self.what, self.share = what, 0.0
        self.result: Any = None
        self._measure = work

    def work(self) -> None:
        try:
            self.result = self._measure(self)
        except InterruptedError:  # it was stopped
            self.result = None

    def progress(self, share: float) -> None:
        """Tells how far it is.

        Raises:
            InterruptedError: where it is to stop.
        """
        self.share = share
        if self.is_stopped():
            raise InterruptedError


_kept: "OrderedDict[Hashable, Measurement]" = OrderedDict()
_lock = threading.Lock()


def measured(key: str, of: Hashable, what: str, work: Callable[[Measurement], Any]) -> Any:
    """The result of a measurement; None while it goes on, and then its progress is drawn here.

    Args:
        key: of the widgets; what was asked for before under this key is given up.
        of: all that the result depends on.
        what: is done, in English.
        work: measures; it calls `Measurement.progress` now and then, in a thread that has no page.

    Raises:
        UserError: what went wrong in it.
    """
    job = _job(key, of, what, work)
    job.wait(PATIENCE)
    if not job.is_over:
        fragment(_wait, run_every=0.3, key=f"{key}.wait")(key, job)
        return None
    if job.error:
        raise job.error
    if job.result is None:
        st.info(t("Stopped."), icon=":material/info:")
        st.button(t("Go on"), icon=":material/play_arrow:", key=f"{key}.again", on_click=_forget, args=(of,))
    return job.result


def _job(key: str, of: Hashable, what: str, work: Callable[[Measurement], Any]) -> Measurement:
    """The one that is kept or under way, or a new one."""
    before = st.session_state.get(f"{key}.of")
    st.session_state[f"{key}.of"] = of
    with _lock:
        if before is not None and before != of and before in _kept and not _kept[before].is_over:
            _kept.pop(before).stop()
        if of not in _kept:
            _kept[of] = Measurement(what, work).start()
        _kept.move_to_end(of)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
        return _kept[of]


def _forget(of: Hashable) -> None:
    with _lock:
        _kept.pop(of, None)


def _wait(key: str, job: Measurement) -> None:
    if job.is_over:
        st.rerun()
    st.progress(min(1.0, job.share), t(job.what))
    st.button(t("Stop"), icon=":material/stop:", key=f"{key}.stop", on_click=job.stop)
