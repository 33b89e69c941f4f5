"""A fine-tuned run as it learns, beside its rivals."""

from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.finetune.plan import comparable_runs, parent_of
from playground.pages.finetune.form import METHOD_TITLES, TASK_TITLES
from playground.runs import rows
from playground.runs.config import RunConfig
from playground.runs.curves import RunCurves, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.status import Status
from playground.runs.store import RunStore
from playground.ui import links
from playground.ui.components.curves import curves, labelled_panels, run_panels
from playground.ui.components.moments import moments
from playground.ui.language import t
from playground.ui.live_runs import LIVE, SECONDS, colours_for, curves_of, pace, samples_of, series
from playground.ui.messages import fragment, plain, shown_errors
from playground.ui.run_controls import steering
from playground.ui.run_picker import name_of
from playground.ui.run_progress import STYLE, alt, clock, explain, form, heading, notice

MOST = 7  # rivals drawn beside it: more lines say less


def progress(run: RunFolder) -> None:
    """Its moving part looks again by itself; when the run ends, the page begins anew with what came of it."""
    st.html(STYLE)
    config = run.config()
    if config.finetune is None:
        st.info(t("This run was not fine-tuned."))
        links.link("train", t("Watch “{name}”", name=plain(name_of(run))), icon=":material/monitoring:", run=run.id)
        return
    st.caption(story(config))
    now = pace(run, run.status())
    fragment(moving, run_every=SECONDS[now], key="finetune.moving")(run, related_runs(run, config), now)


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
        said += " " + t("With {share:.0%} of the labels.", share=tuned.labelled.train_fraction)
    return said


def moving(run: RunFolder, others: list[RunFolder], before: str) -> None:
    status = run.status()
    if pace(run, status) != before:
        st.rerun()
    with shown_errors():
        heading(run, status)
        steering(run, status)
        explain(run, status)
        if status.state == "running" and status.message:
            st.caption(t("Testing on held-out texts."))
        measured = curves_of(run)
        numbers(run, status, measured)
        draw(run, others, measured)


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


def draw(run: RunFolder, others: list[RunFolder], measured: RunCurves) -> None:
    colours = colours_for([run, *others])
    shown = [series(run, colours[run.id])] + [series(other, colours[other.id], main=False) for other in others]
    if not any(each.train.get("step") for each in shown):
        st.caption(t("The first point appears with the first step."))
        return
    labelled = run.config().finetune.reads_labels
    curves("finetune.curves", shown, labelled_panels() if labelled else run_panels(), alt=alt(run, measured))
    if not measured.newest:
        return
    st.caption(notice(run, measured))
    if others:
        st.caption(t("The strong line is this run; the pale ones are its baselines, with the same text and budget."))
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
    moments("finetune.moments", samples, tokens, probe, colours[run.id], words() if labelled else None)


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
