"""What can be done with runs: open, rename, duplicate, delete and bring back, take along, load."""

import tempfile
import time
from pathlib import Path

import streamlit as st

from playground.runs.folder import RunFolder
from playground.runs.gallery import holds
from playground.runs.integrity import problem, problem_in_contents
from playground.runs.store import RunStore
from playground.ui import links, run_upload, url_state
from playground.ui.language import t
from playground.ui.messages import plain, shown_errors

MOST_NAMED = 3
"""Runs whose names fit on the line of commands."""


def actions(runs: list[RunFolder]) -> None:
    """The row of buttons for the runs picked."""
    with st.container(horizontal=True, vertical_alignment="center", key="runs.actions"):
        if len(runs) == 1 and problem(runs[0]) is None:
            one_run(runs[0])
        own = [run for run in runs if not holds(run)]
        label = (
            t("Delete")
            if len(runs) == 1
            else t("Delete one run")
            if len(own) == 1
            else t("Delete {n} runs", n=len(own))
        )
        if own and st.button(label, icon=":material/delete:", key="runs.delete"):
            delete(own)


def one_run(run: RunFolder) -> None:
    links.link("train", t("Open"), icon=":material/monitoring:", run=run.id)
    if run.checkpoints() and problem_in_contents(run) is None:
        links.link("generate", t("Try it"), icon=":material/edit_note:", run=run.id)
        links.link("explore", t("Look inside"), icon=":material/search_insights:", run=run.id)
        links.link("export", t("Export"), icon=":material/deployed_code:", run=run.id)
    if not holds(run):
        rename(run)
    duplicate(run)
    st.download_button(
        t("Download"),
        lambda: packed(run),
        file_name=f"{run.id}.zip",
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        key=f"runs.zip.{run.id}",
        help=t("The whole run as a zip file, to be loaded on another machine."),
    )


def packed(run: RunFolder) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return RunStore().export_zip(run.id, Path(folder) / "run.zip").read_bytes()


def rename(run: RunFolder) -> None:
    with st.popover(t("Rename"), icon=":material/edit:"), st.form(f"runs.rename.{run.id}", border=False):
        name = st.text_input(t("Name"), run.name)
        if st.form_submit_button(t("Rename")):
            with shown_errors():
                RunStore().rename(run.id, name)
                st.rerun()


def duplicate(run: RunFolder) -> None:
    with st.popover(t("Duplicate"), icon=":material/content_copy:"):
        weights = st.toggle(
            t("with its weights"),
            value=False,
            key=f"runs.weights.{run.id}",
            disabled=not run.checkpoints(),
            help=t("Off: the same settings, untrained. On: weights and curves too; training continues from there."),
        )
        if st.button(t("Make the copy"), key=f"runs.copy.{run.id}"):
            with shown_errors():
                copy = RunStore().duplicate(run.id, weights=weights)
                url_state.remember("runs", runs=copy.id)
                st.rerun()


def delete(runs: list[RunFolder]) -> None:
    """Into the trash; the way back is offered at once."""
    with shown_errors():
        done = []
        for run in runs:
            done.append(RunStore().delete(run.id))
            st.session_state["runs.deleted"] = done
        url_state.remember("runs", runs=None)
        st.rerun()


def undo() -> None:
    """Offers to bring back what was deleted last."""
    deleted = st.session_state.get("runs.deleted")
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="runs.undo"):
        names = ", ".join(f"“{plain(each.name)}”" for each in deleted)
        told = t("{names} went into the trash.", names=names)
        if len(deleted) > MOST_NAMED:
            told = t("{n} runs went into the trash.", n=len(deleted))
        st.markdown(told, width="content")
        if st.button(t("Undo"), icon=":material/undo:", key="runs.undo.button", type="primary"):
            with shown_errors():
                back = [RunStore().undelete(each) for each in deleted]
                st.session_state["runs.deleted"] = None
                url_state.remember("runs", runs=[run.id for run in back])
                st.rerun()
        if st.button(t("Fine"), key="runs.undo.close"):
            st.session_state["runs.deleted"] = None
            st.rerun()


def trash() -> None:
    """Everything that was deleted, and the way to be rid of it."""
    store = RunStore()
    lost = store.trash()
    if not lost:
        return
    with st.expander(t("Trash ({n})", n=len(lost)), icon=":material/delete:"):
        for each in lost[:50]:
            with st.container(horizontal=True, vertical_alignment="center"):
                when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.deleted))
                st.markdown(f"{plain(each.name)} · {when}", width="stretch")
                if st.button(t("Bring back"), key=f"runs.back.{each.key}"):
                    with shown_errors():
                        url_state.remember("runs", runs=store.undelete(each).id)
                        st.rerun()
        if st.button(t("Empty the trash for good"), icon=":material/delete_forever:", key="runs.empty"):
            store.empty_trash()
            st.session_state["runs.deleted"] = None
            st.rerun()


def load() -> None:
    """A zip file from another machine becomes a run here."""
    if run := run_upload.taken("runs.load"):
        st.session_state["runs.load"] = False
        url_state.remember("runs", runs=run.id)
        st.rerun()
    with st.popover(t("Load a run"), icon=":material/upload:", key="runs.load", on_change="rerun"):
        st.write(t("A zip file made by “Download”, on this or another machine. Nothing in it is executed."))
        run_upload.uploader("runs.load", t("Zip file"))
