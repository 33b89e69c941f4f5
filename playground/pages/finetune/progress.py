"""A fine-tuned run as it learns, beside its rivals: one curve that fills the stage, and how far it is."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.finetune.plan import comparable_runs, parent_of
from playground.pages.finetune import data_picture
from playground.pages.finetune.form import METHOD_TITLES, TASK_TITLES
from playground.runs import rows
from playground.runs.config import RunConfig
from playground.runs.curves import RunCurves, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.look import LookRequest
from playground.runs.status import Status
from playground.runs.store import RunStore
from playground.runs.submit import halt
from playground.ui import links
from playground.ui.components.curves import curves, labelled_panels, run_panels
from playground.ui.components.moments import moments
from playground.ui.language import joined, t
from playground.ui.live_picture import live_picture
from playground.ui.live_runs import LIVE, SECONDS, colours_for, curves_of, pace, samples_of, series, state_text
from playground.ui.messages import fragment, plain, shown_errors
from playground.ui.run_controls import steering
from playground.ui.run_picker import name_of
from playground.ui.run_progress import STYLE, alt, clock, explain, form, notice
from playground.ui.stage import Stage
from playground.ui.validation_examples import validation_examples

MOST = 7  # rivals drawn beside it: more lines say less


def progress(run: RunFolder, open_stage: Callable[[], Stage]) -> None:
    """Its moving part looks again by itself; when the run ends, the page begins anew with what came of it.

    Args:
        open_stage: draws the places of the page, with what stands in every view.
    """
    st.html(STYLE)
    config = run.config()
    now = pace(run, run.status())
    fragment(moving, run_every=SECONDS[now], key="finetune.moving")(run, related_runs(run, config), now, open_stage)


def story(config: RunConfig) -> str:
    """What this run is, in a line."""
    tuned = config.finetune
    try:
        parent = parent_of(config).name
    except PlaygroundError:
        parent = config.parent["run"]
    how = t("from scratch") if tuned.from_scratch else t(METHOD_TITLES[tuned.method])
    said = t(
        "{task}; started from “{parent}”; {how}.",
        task=t(TASK_TITLES[tuned.task]),
        parent=plain(parent),
        how=how,
    )
    if tuned.labelled is not None and tuned.labelled.train_fraction < 1:
        said = joined(said, t("With {share:.0%} of the labels.", share=tuned.labelled.train_fraction))
    return said


def moving(run: RunFolder, others: list[RunFolder], before: str, open_stage: Callable[[], Stage]) -> None:
    status = run.status()
    if pace(run, status) != before:
        st.rerun()
    place, measured = open_stage(), curves_of(run)
    with shown_errors():
        with place.command:
            if status.state in LIVE:
                how_far(run, status, measured)
        with place.drawer:
            steering(run, status)
        draw(run, others, measured, place)
        with place.rest:
            st.caption(story(run.config()))
            explain(run, status)
            numbers(run, status, measured)
            details(run, others, measured)


def how_far(run: RunFolder, status: Status, measured: RunCurves) -> None:
    """The progress, large, and the button that ends it."""
    left = measured.seconds_left(status.steps) if status.state == "running" else None
    said = [plain(name_of(run)), state_text(status)]
    if status.steps:
        said.append(t("Step {step:,} of {steps:,}", step=status.step, steps=status.steps))
    if left is not None:
        said.append(t("{time} left", time=clock(left)))
    if status.state == "running" and status.message:
        said = [plain(name_of(run)), t("Testing on held-out texts.")]
    st.progress(min(1.0, status.step / status.steps) if status.steps else 0.0, " · ".join(said))
    waits = "stop" in [each for each in run.pending_requests() if isinstance(each, str)]
    if st.button(t("Stop"), icon=":material/stop:", key="finetune.stop", type="primary", disabled=waits):
        halt(run, "stop")
        st.rerun(scope="fragment")


def numbers(run: RunFolder, status: Status, measured: RunCurves) -> None:
    """The newest values, in a row that does not jump."""
    row, evaluated = measured.newest or {}, measured.evaluated or {}
    left = measured.seconds_left(status.steps) if status.state == "running" else None
    share = lambda value: form(value and 100 * value, "{:.1f}")
    said = [
        (t("Training loss"), form(row.get("loss"), "{:.3f}"), ""),
        (t("Validation loss"), form(evaluated.get("val_loss"), "{:.3f}"), ""),
        (t("Validation accuracy"), share(evaluated.get("val_accuracy")), "%"),
    ]
    if "val_f1" in evaluated:
        said.append((t("Macro F1"), share(evaluated["val_f1"]), "%"))
    if "val_exact" in evaluated:
        said.append((t("Exact answers"), share(evaluated["val_exact"]), "%"))
    said += [
        (t("Speed"), form(row.get("tokens_per_second"), "{:,.0f}"), t("tokens/s") if row else ""),
        (t("Time left"), clock(left), ""),
    ]
    pairs = "".join(f"<div><dt>{label}</dt><dd>{value} <small>{unit}</small></dd></div>" for label, value, unit in said)
    st.html(f'<dl class="train-numbers">{pairs}</dl>')


def related_runs(run: RunFolder, config: RunConfig) -> list[RunFolder]:
    """The comparable runs, those made last first."""
    found = [other for other, _ in comparable_runs(config, RunStore().list()) if other.id != run.id]
    return found[:MOST]


def draw(run: RunFolder, others: list[RunFolder], measured: RunCurves, place: Stage) -> None:
    """The loss of the run and of its rivals, as one curve."""
    status = run.status()
    with place.picture:
        shown = drawn_series(run, others)
        if not any(each.train.get("step") for each in shown):
            st.html(data_picture.STYLE)
            st.html(data_picture.told_alone(t("The first point appears with the first step.")))
            if status.state in ("failed", "interrupted"):
                place.say(t("It did not begin: what went wrong stands below."))
            return
        panels = labelled_panels() if run.config().finetune.reads_labels else run_panels()
        left, right = st.columns([17, 9], gap="medium")
        with left:
            curves("finetune.curves", shown, panels[:1], alt=alt(run, measured))
        with right, st.container(key="train-model"):
            live_picture(f"finetune.small.{run.id}", run, status, LookRequest(), compact=True)
    if measured.newest:
        said = notice(run, measured)
        if others and len(said) < 140:
            said = joined(said, t("The pale lines are its baselines, with the same text and budget."))
        place.say(said)


def drawn_series(run: RunFolder, others: list[RunFolder]) -> list[Any]:
    """The run strong, the others pale."""
    colours = colours_for([run, *others])
    return [series(run, colours[run.id])] + [series(other, colours[other.id], main=False) for other in others]


def details(run: RunFolder, others: list[RunFolder], measured: RunCurves) -> None:
    """The other curves, the ways to the rivals, and what the run said on the way."""
    if not measured.newest:
        return
    labelled = run.config().finetune.reads_labels
    panels = labelled_panels() if labelled else run_panels()
    curves("finetune.curves.more", drawn_series(run, others), panels[1:], alt=alt(run, measured))
    waiting = [other for other in others if other.status().state in LIVE]
    if waiting and run.status().state not in LIVE:
        with st.container(horizontal=True):
            for other in waiting[:3]:
                links.link(
                    "finetune",
                    t("Watch “{name}”", name=plain(name_of(other))),
                    icon=":material/monitoring:",
                    run=other.id,
                )
    probe, tokens = measured.table()["probe"], rows.passage(run.status().note)
    samples = [as_answers(row) for row in evenly_spaced(samples_of(run), 60)]
    colour = colours_for([run, *others])[run.id]
    moments("finetune.moments", samples, tokens, probe, colour, words() if labelled else None)
    validation_examples(run, colour)


def words() -> dict[str, str]:
    """What the moments of labels are called."""
    return {
        "samples": t("What it says"),
        "truth": t("true label"),
        "probe_hint": t(
            "Held-out examples, each with its true label. The stronger the colour, the higher the probability of that label. Point at one to see when it was learned."
        ),
        "mean": t("Mean of all examples"),
    }


def as_answers(row: dict[str, Any]) -> dict[str, Any]:
    """A sample of labels in the shape of one of answers: the text, what is right, what the model says."""
    if row.get("kind") != "labels":
        return row
    return {**row, "kind": "answers", "examples": [_answer(each) for each in row["examples"]]}


def _answer(each: dict[str, Any]) -> dict[str, str]:
    if "pieces" not in each:
        return {"source": each["text"], "target": each["label"], "answer": each["said"]}
    wrong = [
        (piece.strip(), said, tag)
        for piece, said, tag in zip(each["pieces"], each["said"], each["tags"])
        if said != tag
    ]
    right = t("{n} of {all} words right", n=len(each["pieces"]) - len(wrong), all=len(each["pieces"]))
    source = "".join(each["pieces"])
    if not wrong:
        return {"source": source, "target": right, "answer": right}
    target = ", ".join(f"{piece}: {tag}" for piece, _, tag in wrong[:8])
    return {
        "source": source,
        "target": target,
        "answer": ", ".join(f"{piece}: {said}" for piece, said, _ in wrong[:8]),
    }
