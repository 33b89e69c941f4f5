"""Loading a run or a model from elsewhere, on every page in the same way; it is opened apart, and can be stopped."""

from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.runs.folder import RunFolder
from playground.ui.language import t
from playground.ui.messages import fragment, show
from playground.ui.uploaded_file import take


class Loading(BackgroundJob):
    """A file on its way to a run; ``found`` is the run at the end."""

    def __init__(self, brought: Any) -> None:
        from playground.finetune.sandboxed_import import SandboxedImport

        self.found: RunFolder | None = None
        self.arrival = SandboxedImport(brought)
        super().__init__()
        self.start()

    def work(self) -> None:
        self.found = self.arrival.run()

    def stop(self) -> None:
        super().stop()
        self.arrival.stop()


def uploader(key: str, label: str) -> None:
    """The box for a zip file, what is wrong with the last one, and how far this one is.

    The run that comes of it is for `taken` to ask for, before the box is drawn the next time.
    """
    state = st.session_state
    turn = state.setdefault(f"{key}.turn", 0)
    brought = st.file_uploader(label, type=["zip"], key=f"{key}.zip.{turn}", disabled=f"{key}.job" in state)
    if brought is not None and f"{key}.job" not in state:
        take(key, brought, lambda: state.update({f"{key}.job": Loading(brought)}))
    if f"{key}.job" in state:
        fragment(_wait, run_every=0.3, key=f"{key}.wait")(key)
    if error := state.get(f"{key}.error"):
        show(error)


def _wait(key: str) -> None:
    job: Loading | None = st.session_state.get(f"{key}.job")
    if job is None:
        return
    if not job.is_over:
        said = t("Opening it in a process of its own: {what} …", what=t(job.arrival.stage or "Unpacking"))
        st.status(said, state="running", expanded=False)
        if st.button(t("Stop"), icon=":material/stop:", key=f"{key}.stop"):
            job.stop()
        return
    del st.session_state[f"{key}.job"]
    st.session_state[f"{key}.error"], st.session_state[f"{key}.found"] = job.error, job.found
    st.rerun()


def taken(key: str) -> RunFolder | None:
    """The run that has come in since the last time; None where there is none."""
    return st.session_state.pop(f"{key}.found", None)
