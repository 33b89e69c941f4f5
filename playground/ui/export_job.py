"""A run that is exported in the background, how far it is, and the zip file at the end."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.runs.folder import RunFolder
from playground.ui.language import t
from playground.ui.messages import fragment, show

JOB = "export.job"
"""Where the session keeps the export that it began last; None after it has come to a good end."""


class Export(BackgroundJob):
    """A run being exported."""

    def __init__(
        self,
        run: RunFolder,
        step: int,
        precisions: Sequence[str] = ("fp32",),
        attentions: bool = False,
        offline: bool = False,
    ) -> None:
        self.run, self.step, self.what, self.share = run, step, "Loading the model", 0.0
        self.precisions, self.attentions, self.offline = list(precisions), attentions, offline
        super().__init__()
        self.start()

    def work(self) -> None:
        from playground.onnx_export.export import export

        export(
            self.run,
            self.step,
            self.precisions,
            self.attentions,
            offline_demo=self.offline,
            progress=self._on_progress,
            cancelled=self.is_stopped,
        )

    def _on_progress(self, what: str, share: float) -> None:
        self.what, self.share = what, share


def job_of(run: RunFolder) -> Export | None:
    """The export of this run that was begun here and whose end nobody has seen yet."""
    job: Export | None = st.session_state.get(JOB)
    return job if job is not None and job.run.id == run.id else None


def is_busy() -> bool:
    """Whether this session exports a run, whichever."""
    job: Export | None = st.session_state.get(JOB)
    return job is not None and not job.is_over


@fragment(run_every=0.25)
def exporting() -> None:
    """How far the export is, and a button that ends it; the page runs again at its end, and finds it made."""
    job: Export | None = st.session_state.get(JOB)
    if job is None:
        return
    if not job.is_over:
        with st.container(horizontal=True, vertical_alignment="center", wrap=False):
            st.progress(job.share, t(job.what))
            if st.button(t("Stop"), icon=":material/stop:", key="export.stop"):
                job.stop()
        return
    if job.error:
        show(job.error)
        return
    st.session_state[JOB] = None
    st.session_state[f"{JOB}.made"] = job.run.id
    st.rerun()


def just_made(run: RunFolder) -> bool:
    """Whether the export of this run came to its end a moment ago; said once."""
    if st.session_state.get(f"{JOB}.made") != run.id:
        return False
    del st.session_state[f"{JOB}.made"]
    return True


def packed(folder: Path, run: RunFolder) -> Any:
    """The folder as one file, made when somebody asks for it."""
    import tempfile

    from playground.onnx_export.package import zipped

    with tempfile.TemporaryDirectory() as place:
        return zipped(folder, Path(place) / f"{run.id}.zip").read_bytes()


def download(run: RunFolder, folder: Path, key: str, label: str, at_once: bool = False) -> None:
    """The main button of a page: the export as a zip file.

    Args:
        folder: of the export.
        key: of the button.
        label: of the button, translated.
        at_once: it presses itself: whoever waits for the file has pressed a button already.
    """
    st.download_button(
        label,
        lambda: packed(folder, run),
        f"{run.id}-onnx.zip",
        "application/zip",
        icon=":material/download:",
        key=key,
        type="primary",
        on_click="ignore",
    )
    if at_once:
        find = f"document.querySelector('.st-key-{key.replace('.', '-')} button:enabled')"
        st.html(
            f"<script>const look = setInterval(() => {{ const it = {find}; if (it) {{ clearInterval(look); it.click(); }} }}, 100);"
            "setTimeout(() => clearInterval(look), 5000);</script>",
            unsafe_allow_javascript=True,
            width="content",
        )
