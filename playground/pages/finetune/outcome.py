"""What came of fine-tuning: how good it is, what it confuses, what the training before gave, and a place to try it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.finetune import gained, judged, trial
from playground.runs.folder import RunFolder
from playground.runs.report import NAME, read_report
from playground.ui import links
from playground.ui.language import t
from playground.ui.messages import plain, show, shown_errors, told

VIEWS = {
    "results": ("Results", judged.results),
    "gained": ("What pre-training gave", gained.gained),
    "try": ("Try it", trial.try_it),
    "file": ("Label a file", trial.label_file),
}
UNLABELLED = ("gained",)  # views of runs whose task has no labels


def outcome(run: RunFolder) -> None:
    """The views that fit the run and are there by now; the chosen one is in the address."""
    config = run.config()
    if config.finetune is None:
        return
    labelled = config.finetune.reads_labels
    report, damage = None, None
    try:
        report = report_of(run)
    except PlaygroundError as error:
        damage = error
    there = [name for name in VIEWS if (labelled or name in UNLABELLED) and (report or name in ("try", "file"))]
    if not run.checkpoints() or not there:
        return
    st.divider()
    if damage:
        show(damage)
    if labelled:
        notes(run)
    view = choose_view(there, early=report is None)
    draw: Callable[[RunFolder, dict], None] = VIEWS[view][1]
    with shown_errors():
        draw(run, report or {})
    with st.container(horizontal=True):
        links.link("finetune", t("Fine-tune another"), icon=":material/add:", parent=config.parent["run"])
        links.link("export", t("Export it as ONNX"), icon=":material/deployed_code:", run=run.id)
        if not labelled:
            links.link("generate", t("Try it"), icon=":material/edit_note:", run=run.id)


def choose_view(there: list[str], early: bool) -> str:
    """Which view, bound to ``?view=``; the first one at first, and again when there are more after training."""
    key, wanted = f"finetune.view{'.early' if early else ''}", links.param("view")
    if wanted in there and wanted != st.session_state.get("finetune.view.link"):
        st.session_state[key] = wanted
    elif st.session_state.get(key) not in there:
        st.session_state[key] = there[0]
    view = st.segmented_control(
        t("View"),
        there,
        format_func=lambda name: t(VIEWS[name][0]),
        key=key,
        required=True,
        label_visibility="collapsed",
    )
    links.remember(view=view if view != there[0] else None)
    st.session_state["finetune.view.link"] = links.param("view")
    return view


def report_of(run: RunFolder) -> dict[str, Any] | None:
    """What the test found; None before the end of training.

    Raises:
        PlaygroundError: when the file is damaged.
    """
    path = run.path / "results" / NAME
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    return _report(str(run.path), changed)


def report_or_none(run: RunFolder) -> dict[str, Any] | None:
    """The same where many runs are told of: one that cannot be read is passed over."""
    try:
        return report_of(run)
    except PlaygroundError:
        return None


@st.cache_data(max_entries=256, show_spinner=False)
def _report(path: str, changed: int) -> dict[str, Any] | None:
    return read_report(RunFolder(Path(path)))


def notes(run: RunFolder) -> None:
    """What was left out, repeated or cut of the labelled text; where it comes from."""
    from playground.pages.finetune.judged import data_of

    try:
        info = data_of(run).info
    except PlaygroundError:
        return
    counts = info["examples"]
    st.caption(
        t("{train:,} texts to learn from, {validation:,} to watch, {test:,} kept for the test.", **counts)
        + f" {plain(told(info['provenance']))}"
        + (f" {t('Licence')}: {plain(info['licence'])}." if info["licence"] else "")
    )
    if info["notes"]:
        with st.expander(t("What to know of the labels ({n})", n=len(info["notes"]))):
            for note in info["notes"]:
                st.markdown(f"- {plain(told(note))}")
