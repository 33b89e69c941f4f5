"""A fine-tuned run: while it learns its curve; then the verdict, a box to try it, and the file to take away."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.finetune.plan import parent_of
from playground.pages.finetune import evaluation, label_file, pretraining_gain, progress, try_text, verdict
from playground.pages.finetune.results_data import report_of
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.text.provenance import provenance_of
from playground.ui import cached, links, package_offer, url_state
from playground.ui.export_job import JOB, Export, download, exporting, is_busy, job_of, just_made
from playground.ui.labelled_text import data_of
from playground.ui.language import t, translated
from playground.ui.live_runs import LIVE
from playground.ui.messages import fragment, plain, show, shown_errors
from playground.ui.places import place_tabs
from playground.ui.run_controls import steering
from playground.ui.run_picker import name_of
from playground.ui.select import select
from playground.ui.stage import Stage, stage

Draws = Callable[[RunFolder, dict, Stage], None]
VIEWS: dict[str, tuple[str, Draws | None]] = {
    "results": ("Verdict", verdict.show_verdict),
    "try": ("Words that decide", try_text.show_try),
    "file": ("Label a file", label_file.show_label_file),
    "curves": ("Training curves", None),  # moves by itself, see `progress`
    "pretraining": ("What pre-training gave", pretraining_gain.show_pretraining_gain),
    "weights": ("Change of the weights", pretraining_gain.show_weights),
    "attention": ("Change of attention", pretraining_gain.show_attention),
    "calibration": ("Calibration", evaluation.show_calibration),
}
OF_LABELS = ("results", "try", "file", "calibration")
"""Views of runs that give labels; the others are of every run."""
BEFORE_THE_END = ("curves", "try", "file")
OF_A_CHECKPOINT = ("try", "file")


def show_run(run: RunFolder) -> None:
    """The view that fits what the run is doing, or the one that the address names."""
    config = run.config()
    if config.finetune is None:
        not_tuned(run)
        return
    report, damage = None, None
    try:
        report = report_of(run)
    except PlaygroundError as error:
        damage = error
    there = offered(run, config, report)
    view, key = chosen_view(there, usual_view(run, config, report, damage), early=report is None)
    open_stage = lambda: opened(run, report, there, view, key)
    if damage:
        show(damage)
    if view == "curves":
        progress.progress(run, open_stage)
    else:
        fragment(draw, key="finetune.results")(run, report or {}, view, open_stage)
    with shown_errors():
        below(run, config, report, view)


def not_tuned(run: RunFolder) -> None:
    """A run that learned a text alone: it can be taught."""
    place = stage()
    with place.tabs:
        place_tabs("finetune")
    with place.command:
        links.link("finetune", t("Teach “{name}” a task", name=plain(name_of(run))), parent=run.id)
        links.link("train", t("Watch “{name}”", name=plain(name_of(run))), icon=":material/monitoring:", run=run.id)
    with place.picture:
        st.info(t("This run was not fine-tuned."))


def offered(run: RunFolder, config: RunConfig, report: dict[str, Any] | None) -> list[str]:
    """The views that fit the run and are there by now."""
    tuned, kept = config.finetune, bool(run.checkpoints())
    there = [name for name in VIEWS if tuned.reads_labels or name not in OF_LABELS]
    if report is None:
        there = [name for name in there if name in BEFORE_THE_END]
    if not kept:
        there = [name for name in there if name not in OF_A_CHECKPOINT]
    if tuned.from_scratch or not kept or not parent_is_here(config):
        there = [name for name in there if name not in ("weights", "attention")]
    return [name for name in there if name != "attention" or config.model.has_attention]


def parent_is_here(config: RunConfig) -> bool:
    """Whether the run that it started from is there to be compared with; of a shipped or loaded run it may not be."""
    try:
        parent_of(config)
    except PlaygroundError:
        return False
    return True


def usual_view(run: RunFolder, config: RunConfig, report: dict[str, Any] | None, damage: Any) -> str:
    """What the page opens with: the curve while it learns, the verdict at the end, else the model itself."""
    if run.status().state in LIVE or not config.finetune.reads_labels or not run.checkpoints():
        return "curves"
    return "try" if damage or report is None else "results"


def chosen_view(there: list[str], usual: str, early: bool) -> tuple[str, str]:
    """Which view, bound to ``?view=``, and the key of its box; the usual one again when there are more after training."""
    state, key, wanted = (
        st.session_state,
        f"finetune.view{'.early' if early else ''}",
        url_state.text("finetune", "view"),
    )
    if wanted in there and wanted != state.get("finetune.view.link"):
        state[key] = wanted
    elif state.get(key) not in there:
        state[key] = usual
    view = state[key]
    url_state.remember("finetune", view=view if view != usual else None)
    state["finetune.view.link"] = url_state.text("finetune", "view")
    return view, key


def draw(run: RunFolder, report: dict[str, Any], view: str, open_stage: Callable[[], Stage]) -> None:
    """The view; runs again at every key, without the rest of the page."""
    place = open_stage()
    shows = VIEWS[view][1]
    assert shows is not None, view
    with shown_errors(), package_offer.offered():
        shows(run, report, place)
    with place.command:
        if report:
            get_it(run)
        else:
            steering(run, run.status())


def opened(run: RunFolder, report: dict[str, Any] | None, there: list[str], view: str, key: str) -> Stage:
    """The places, with the tabs and, in the drawer, the other views and ways on."""
    place = stage()
    with place.tabs:
        place_tabs("finetune")
    with place.drawer:
        chosen = select(t("Show"), there, key=key, format_func=lambda name: t(VIEWS[name][0]))
        if chosen != view:
            st.rerun()
        links.link("finetune", t("Fine-tune another"), icon=":material/add:", parent=run.config().parent["run"])
        if report is not None:
            links.link("export", t("Export it as ONNX"), icon=":material/deployed_code:", run=run.id)
        links.link("explore", t("Look inside"), icon=":material/search_insights:", run=run.id)
    if view == "curves" and report is not None:
        with place.command:
            st.markdown(f"**{plain(name_of(run))}**", width="stretch")
            if not run.config().finetune.reads_labels:
                links.link("generate", t("Try it"), icon=":material/edit_note:", run=run.id)
            get_it(run)
    return place


def get_it(run: RunFolder) -> None:
    """The main button at the end: it exports the model in the background, and gives the file."""
    from playground.onnx_export.export import exported

    step = cached.latest_step(run)
    made, job = exported(run), job_of(run)
    if job and (not job.is_over or job.error):
        with st.container(key="finetune-packing", width=320):
            exporting()
        if not job.error:
            return
    if made is not None and made.report["step"] == step:
        download(run, made.folder, "finetune.zip", t("Get it (.zip)"), at_once=just_made(run))
    elif st.button(
        t("Get it (.zip)"), type="primary", icon=":material/download:", key="finetune.get", disabled=is_busy()
    ):
        st.session_state[JOB] = Export(run, step, precisions_of(run))
        st.rerun()


def precisions_of(run: RunFolder) -> list[str]:
    """What is put into the file: everything that this model can be written in."""
    from playground.onnx_export.fused import can_keep_8_bits
    from playground.onnx_export.quantize import PRECISIONS

    caches = can_keep_8_bits(run.config().model) and not run.config().finetune.reads_labels
    return [name for name in PRECISIONS if caches or name != "kv8"]


def below(run: RunFolder, config: RunConfig, report: dict[str, Any] | None, view: str) -> None:
    """What belongs to the run besides the view, under the window; it does not move at every key."""
    if config.finetune.reads_labels and report is not None and view in ("results", "curves"):
        with st.container(key="finetune-below"):
            if view == "results":
                evaluation.show_evaluation(run, report)
            notes(run)
    elif not config.finetune.reads_labels and report is not None and view == "curves":
        with st.container(key="finetune-below"):
            pretraining_gain.show_change(run, config, report)


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
