"""A whole file to be labelled by a fine-tuned model: every row of a table, or every line of a text."""

import tempfile
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.pages.finetune.own_files import choose_file
from playground.pages.finetune.try_text import labeller_now
from playground.runs.folder import RunFolder
from playground.text.tables import TABLE_SUFFIXES as TABLES
from playground.ui.encoding_choice import choose_encoding
from playground.ui.language import t
from playground.ui.messages import fragment, show, show_notes
from playground.ui.table_columns import offered, tell_of_more


class Labelling(BackgroundJob):
    """A file being labelled."""

    def __init__(self, run: RunFolder, path: str, column: str | None, encoding: str | None) -> None:
        self.run, self.path, self.column, self.encoding, self.rows = run, path, column, encoding, 0
        self.notes: list[str] = []
        self.target = Path(tempfile.mkdtemp(prefix="labels-")) / f"{Path(path).stem}-labelled.csv"
        super().__init__()
        self.start()

    def work(self) -> None:
        from playground.finetune.labeller import label_table

        label_table(
            labeller_now(self.run),
            self.path,
            self.column,
            self.target,
            self._on_rows,
            self.is_stopped,
            self.notes.extend,
            self.encoding,
        )

    def _on_rows(self, rows: int) -> None:
        self.rows = rows


def label_file(run: RunFolder, report: dict[str, Any]) -> None:
    """Every row of a table, or every line of a text, gets its label; the answers are there to download."""
    path = choose_file("finetune.batch", (*TABLES, ".txt"))
    if path is None:
        st.info(t("Upload a table with a column of texts, or a text file with one text per line."))
        return
    encoding = choose_encoding(path, "finetune.batch.")
    column = None
    if Path(path).suffix.lower() in TABLES:
        from playground.labelled.table import guess_columns, open_table

        names, guessed = open_table(path, encoding)[0], guess_columns(path, encoding)[0]
        tell_of_more(names)
        names = offered(names, [guessed])
        index = names.index(guessed) if guessed in names else 0
        column = st.selectbox(t("Column with the text"), names, index=index, key=f"finetune.batch.column.{path}")
    job: Labelling | None = st.session_state.get("finetune.batch.job")
    busy = job is not None and not job.is_over
    if st.button(t("Label every row"), type="primary", icon=":material/label:", key="finetune.batch.go", disabled=busy):
        st.session_state["finetune.batch.job"] = job = Labelling(run, path, column, encoding)
    if job and job.run.id == run.id and job.path == path:
        fragment(labelling, run_every=None if job.is_over else 0.3, key="finetune.batch.working")(job.is_over)


def labelling(was_over: bool) -> None:
    """How far it is; at the end, the answers."""
    job: Labelling | None = st.session_state.get("finetune.batch.job")
    if job is None:
        return
    if not job.is_over:
        st.caption(t("Rows labelled: {n:,}", n=job.rows))
        if st.button(t("Stop"), icon=":material/stop:", key="finetune.batch.stop"):
            job.stop()
        return
    if not was_over:
        st.rerun()
    if job.error:
        show(job.error)
    elif not job.target.exists():
        st.caption(t("Stopped; nothing was kept."))
    else:
        import pandas as pd

        st.success(t("Rows labelled: {n:,}", n=job.rows), icon=":material/check:")
        show_notes(job.notes)
        first = pd.read_csv(job.target, nrows=20, dtype=str, keep_default_na=False)  # a label may be "None"
        st.dataframe(first, hide_index=True, key="finetune.batch.rows")
        st.download_button(
            t("Download the labels (.csv)"),
            job.target.read_bytes,
            job.target.name,
            "text/csv",
            icon=":material/download:",
            key="finetune.batch.csv",
            on_click="ignore",
        )
