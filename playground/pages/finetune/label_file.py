"""A whole file to be labelled by a fine-tuned model: every row of a table, or every line of a text."""

import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.background_job import BackgroundJob
from playground.pages.finetune import data_picture
from playground.pages.finetune.own_files import BATCH, choose_brought, uploader
from playground.pages.finetune.try_text import labeller_now
from playground.runs.folder import RunFolder
from playground.text.encodings import first_lines
from playground.text.tables import TABLE_SUFFIXES as TABLES
from playground.ui.encoding_choice import choose_encoding
from playground.ui.language import t, translated
from playground.ui.messages import fragment, show, show_notes
from playground.ui.stage import Stage
from playground.ui.table_columns import offered, tell_of_more

JOB = "finetune.batch.job"
SHOWN, LONGEST = 20, 300  # rows, and characters of each


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


def show_label_file(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """Every row of a table, or every line of a text, gets its label; the answers are there to download."""
    st.html(data_picture.STYLE)
    drop = data_picture.Drop(BATCH, (*TABLES, ".txt"))
    with place.command:
        path = choose_brought(BATCH, drop.kinds)
    if path is None:
        with place.picture:
            data_picture.drop_zone(drop)
        place.say(t("Upload a table with a column of texts, or a text file with one text per line."))
        return
    with place.drawer:
        uploader(BATCH, drop.kinds, t("Bring a file"))
        encoding = choose_encoding(path, "finetune.batch.")
        column = choose_column(path, encoding) if Path(path).suffix.lower() in TABLES else None
    job: Labelling | None = st.session_state.get(JOB)
    mine = job is not None and job.run.id == run.id and job.path == path
    with place.command:
        busy = job is not None and not job.is_over
        label = t("Label every row")
        if st.button(label, type="primary", icon=":material/label:", key="finetune.batch.go", disabled=busy):
            st.session_state[JOB] = Labelling(run, path, column, encoding)
            st.rerun(scope="fragment")
    with place.picture:
        if mine and not (job.is_over and job.error):
            fragment(labelling, run_every=None if job.is_over else 0.3, key="finetune.batch.working")(job.is_over)
        else:
            st.html(data_picture.table(first_rows(path, encoding, column), (t("Text"),)))
            place.say(t("The texts of this file, as they will be read."))
    if mine and job.is_over:
        finished(job, place)


def choose_column(path: str, encoding: str | None) -> str:
    """The column of a table that holds the texts, at first the one that was found."""
    from playground.labelled.table import guess_columns, open_table

    names, guessed = open_table(path, encoding)[0], guess_columns(path, encoding)[0]
    tell_of_more(names)
    names = offered(names, [guessed])
    index = names.index(guessed) if guessed in names else 0
    return st.selectbox(t("Column with the text"), names, index=index, key=f"finetune.batch.column.{path}")


def first_rows(path: str, encoding: str | None, column: str | None) -> list[tuple[str, ...]]:
    """The first texts of a file."""
    if column is None:
        return [(line,) for line in first_lines(Path(path), encoding or "utf-8", SHOWN, LONGEST)]
    from playground.labelled.table import table_of

    return [(str(row.get(column, ""))[:LONGEST],) for row in islice(table_of(path, encoding).rows(), SHOWN)]


def labelling(was_over: bool) -> None:
    """How far it is; at the end, the answers."""
    job: Labelling | None = st.session_state.get(JOB)
    if job is None:
        return
    if not job.is_over:
        st.html(data_picture.told_alone(t("Rows labelled: {n:,}", n=job.rows)))
        return
    if not was_over:
        st.rerun()
    if not job.target.exists():
        st.html(data_picture.told_alone(t("Stopped; nothing was kept.")))
        return
    import pandas as pd

    first = pd.read_csv(job.target, nrows=SHOWN, dtype=str, keep_default_na=False)  # a label may be "None"
    st.html(data_picture.table([tuple(row) for row in first.to_numpy()], list(first.columns)))


def finished(job: Labelling, place: Stage) -> None:
    """What came of it: what is wrong, or the file."""
    if job.error:
        with place.rest:
            show(job.error)
        place.say(translated(getattr(job.error, "message", str(job.error))))
        return
    if not job.target.exists():
        return
    place.say(t("Rows labelled: {n:,}", n=job.rows))
    with place.rest:
        show_notes(job.notes)
    with place.command:
        st.download_button(
            t("Download the labels (.csv)"),
            job.target.read_bytes,
            job.target.name,
            "text/csv",
            icon=":material/download:",
            key="finetune.batch.csv",
            type="primary",
            on_click="ignore",
        )
