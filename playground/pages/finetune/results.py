"""The results of fine-tuning: scores, confusion matrix, what pre-training is worth, and a box to try the model."""

from collections.abc import Callable

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.finetune import evaluation, label_file, pretraining_gain, try_text
from playground.pages.finetune.results_data import report_of
from playground.runs.folder import RunFolder
from playground.text.provenance import provenance_of
from playground.ui import links, url_state
from playground.ui.labelled_text import data_of
from playground.ui.language import t, translated
from playground.ui.messages import plain, show, shown_errors

VIEWS = {
    "results": ("Results", evaluation.show_evaluation),
    "pretraining": ("What pre-training gave", pretraining_gain.show_pretraining_gain),
    "try": ("Try it", try_text.try_text),
    "file": ("Label a file", label_file.label_file),
}
UNLABELLED = ("pretraining",)  # views of runs whose task has no labels


def show_results(run: RunFolder) -> None:
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
    key, wanted = f"finetune.view{'.early' if early else ''}", url_state.text("finetune", "view")
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
    url_state.remember("finetune", view=view if view != there[0] else None)
    st.session_state["finetune.view.link"] = url_state.text("finetune", "view")
    return view


def notes(run: RunFolder) -> None:
    """What was left out, repeated or cut of the labelled text; where it comes from."""
    try:
        info = data_of(run).info
    except PlaygroundError:
        return
    counts = info["examples"]
    st.caption(
        t("{train:,} texts for training, {validation:,} for validation, {test:,} for the test.", **counts)
        + f" {plain(translated(provenance_of(info['provenance'])))}"
        + (f" {t('Licence: {licence}.', licence=plain(info['licence']))}" if info["licence"] else "")
    )
    if info["notes"]:
        with st.expander(t("Notes on the labels ({n})", n=len(info["notes"]))):
            for note in info["notes"]:
                st.markdown(f"- {plain(translated(note))}")
