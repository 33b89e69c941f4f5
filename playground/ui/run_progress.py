"""What the Train and the Fine-tune page both show of a run while it trains: its state, its numbers, what to notice."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from playground.runs import branch, queue, rows
from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.overfitting import generalization_gap, late_rule, turning_point
from playground.runs.status import Status
from playground.runs.store import RunStore
from playground.runs.submit import is_listening, revive, submit
from playground.ui import links
from playground.ui.language import joined, t, translated
from playground.ui.live_runs import (
    curves_of,
    state_text,
)
from playground.ui.messages import plain
from playground.ui.run_picker import name_of

LEARNS = 0.05
"""Nats that the loss has to fall by before a run is said to learn."""
BADGES = {"running": "green", "preparing": "blue", "queued": "blue", "failed": "red", "interrupted": "orange"}


STYLE = """<style>
.st-key-train-heading h1 { font-size: 1.9rem; padding: 0; overflow-wrap: anywhere; }
dl.train-numbers { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; margin: 0; padding: 0; }
.train-numbers div { min-width: 7.5rem; margin: 0; padding: 0; }
[data-testid="stStatusWidget"] { display: none; }
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
.st-key-train-ways [data-testid="stPageLink-NavLink"], .st-key-train-steering [data-testid="stPageLink-NavLink"] {
  min-height: 2.5rem; background: none; border: 1px solid rgb(128 128 128 / 30%); }
.st-key-train-ways [data-testid="stPageLink-NavLink"] * { font-weight: 400; }
.st-key-train-steering [data-testid="stElementContainer"]:has([data-testid="stPageLink"]) { margin-block: -2px; }
.train-numbers dt { font-size: .85rem; opacity: .8; margin: 0; }
.train-numbers dd { margin: 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.train-numbers small { font-size: .85rem; opacity: .8; }
.st-key-train-left, .st-key-train-right, .st-key-train-model, .st-key-train-writes {
  height: 100cqh !important; flex: none; flex-wrap: nowrap; overflow: hidden; }
.st-key-train-writes .train-written { font-size: max(var(--label-size, 13px), 1.1rem); margin: 0; overflow-wrap: anywhere;
  max-height: 30cqh; overflow: auto; }
.st-key-train-left > :last-child, .st-key-train-right > :last-child, .st-key-train-writes > :last-child { flex: 1 1 0; min-height: 0; container-type: size; }
.st-key-train-left > :last-child > *, .st-key-train-right > :last-child > *, .st-key-train-writes > :last-child > * { gap: 0; height: 100%; }
.st-key-train-progress p { font-size: max(var(--label-size, 13px), .95rem); }
.st-key-train-model { justify-content: center; }
.st-key-control-train-picture [role="radio"] { min-height: 2.4rem; }
.model-strip { --line: var(--own); list-style: none; margin: 0; padding: 0; display: flex; flex-direction: column;
  gap: .7rem; text-align: center; font-size: max(var(--label-size, 13px), .9rem); line-height: 1.25; }
.model-strip li { margin: 0; padding: .55rem .3rem; border-radius: .5rem; overflow-wrap: anywhere; }
.model-strip .layer { border: 2px solid var(--own); background: color-mix(in srgb, var(--own) 12%, transparent); }
.model-strip .edge { opacity: .85; padding-block: .1rem; }
.model-strip .gap { padding: 0; }
[class*="st-key-train-result"] [data-testid="stPageLink-NavLink"] { min-height: 2.5rem; background: none;
  white-space: nowrap; border: 1px solid rgb(128 128 128 / 30%); }
.st-key-train-result-main > :first-child [data-testid="stPageLink-NavLink"] { background: var(--page-primary); }
.st-key-train-result-main > :first-child [data-testid="stPageLink-NavLink"] * { color: var(--page-ground); }
@media (max-width: 1099.98px) {
  [data-testid="stColumn"]:has(.st-key-train-model) { display: none; }
}
@media (max-width: 640px) {
  .st-key-stage:has(.st-key-train-inside), .st-key-stage > :has(.st-key-train-inside),
  .st-key-stage-picture:has(.st-key-train-inside), .stHorizontalBlock:has(.st-key-train-inside) {
    flex: none !important; height: auto !important; container-type: inline-size !important; overflow: visible; }
  .stColumn:has(.st-key-train-inside) { height: 75dvh; flex: none; }
  .stColumn:has(.st-key-train-writes), .stColumn:has(.st-key-train-inside-rival) { height: 60dvh; flex: none; }
}
</style>"""


def progress(run: RunFolder, status: Status) -> None:
    """How far it is, in what state, and on what it trains: for the corner of a picture."""
    told = state_text(status)
    if status.state == "preparing" and status.message:
        told += f": {plain(translated(status.message))}"
    if status.steps:
        told += " · " + t("Step {step:,} of {steps:,}", step=status.step, steps=status.steps)
    device = status.device if "," in status.device else ""  # a queue's name says nothing yet
    told += f" · {plain(in_words(device))}" if device else ""
    st.progress(min(1.0, status.step / status.steps) if status.steps else 0.0, text=told)


def heading(run: RunFolder, status: Status) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="train.heading"):
        st.title(plain(name_of(run)), anchor=False, width="content")
        st.badge(state_text(status), color=BADGES.get(status.state, "gray"))
        if status.state == "preparing" and status.message:
            st.caption(plain(translated(status.message)), width="content")
    if status.steps:
        done = min(1.0, status.step / status.steps)
        place = t("Step {step:,} of {steps:,}", step=status.step, steps=status.steps)
        device = status.device if "," in status.device else ""  # a queue's name says nothing yet
        st.progress(done, text=f"{place} · {plain(in_words(device))}" if device else place)


def in_words(device: str) -> str:
    """Where a run trains and how, as its process told it: "a chip CPU, 2 threads, float32"."""
    return t(", ").join(_part_in_words(part) for part in device.split(", "))


def _part_in_words(part: str) -> str:
    if found := re.fullmatch(r"(\d{1,4}) threads?", part):
        return t("1 thread") if found[1] == "1" else t("{n} threads", n=found[1])
    return translated(part)


def explain(run: RunFolder, status: Status) -> None:
    """Why nothing moves, and what to do about it; what is unusual about its text."""
    trouble(run, status)
    footnotes(run, status)


def trouble(run: RunFolder, status: Status) -> None:
    """Why nothing moves, and what to do about it."""
    if status.state == "failed":
        st.error(f"{plain(translated(status.message))}\n\n{plain(translated(status.hint))}", icon=":material/error:")
        if curves_of(run).not_finite is not None:
            mend(run)
        elif "memory" in status.message:
            lighten(run)
    elif status.state == "interrupted":
        st.warning(
            t(
                "The training process ended unexpectedly (perhaps a restart). “Resume” continues exactly from the last checkpoint."
            )
        )
    elif status.state == "queued":
        st.info(why_it_waits(status))
        if busy := next((each for each in RunStore().list() if each.status().state == "running"), None):
            links.link(
                "train", t("Watch “{name}”", name=plain(name_of(busy))), icon=":material/monitoring:", run=busy.id
            )
    elif status.state == "created":
        st.info(t("This run has not been trained yet."))
    elif status.is_active and status.silence > 20:
        st.warning(
            t("No sign of life for {seconds:.0f} s: the machine is busy, or the process hangs.", seconds=status.silence)
        )


def footnotes(run: RunFolder, status: Status) -> None:
    """Where a model came from, and what is unusual about its text."""
    if source := run.about().get("source"):
        notes = [translated(str(note)) for note in run.about().get("notes", [])]
        came = t("This model was imported ({kind}); its training text is unknown.", kind=source)
        st.info(plain(joined(came, *notes)))
    if cut := rows.cut(status.note):
        st.warning(plain(translated(cut)), icon=":material/content_cut:")
    if left_out := notes_on_text(run):
        st.caption(joined(*(plain(translated(note)) for note in left_out)))


def notes_on_text(run: RunFolder) -> list[str]:
    """What was left out of a run's text or is unusual about it; of labelled text, the outcome tells it."""
    about = run.about()
    return [] if about.get("data_shape") == "labelled" else list((about.get("data_info") or {}).get("notes", []))


def why_it_waits(status: Status) -> str:
    """What a run that is queued waits for; whoever is told sees to it that somebody starts it."""
    revive()
    devices = [status.device] if status.device else queue.devices()  # the device of a queued run is its queue
    is_busy = any(queue.running(device) for device in devices)
    if not is_busy and not is_listening():
        return t("The process that trains is being started. The order of the queue stays.")
    if not is_busy and status.queue_place == 1:
        return t("It is this run's turn: it starts in a moment.")
    return t("The device is busy with another run. This one starts by itself when its turn comes.")


def mend(run: RunFolder) -> None:
    """One click out of a loss that is no number."""
    step = branch.best_checkpoint(run)
    where = t("from step {step}, the best so far", step=step) if step is not None else t("from the beginning")
    st.write(
        t(
            "The training diverged: the updates overshot, each one further than the last. A third of the learning rate and gradient clipping nearly always help."
        )
    )
    label = t("Continue with a third of the learning rate, {where}", where=where)
    if st.button(label, type="primary", icon=":material/healing:", key="train.mend"):
        copy = RunStore().create(branch.with_lower_lr(run))
        submit(copy)
        links.go("train", run=copy.id, **{"with": run.id})


def lighten(run: RunFolder) -> None:
    """One click out of too little memory."""
    config = branch.with_smaller_micro_batches(run)
    if config is None:
        return
    label = t("Try again with {n} micro-batches per step", n=config.training.gradient_accumulation_steps)
    if st.button(label, type="primary", icon=":material/healing:", key="train.lighten"):
        copy = RunStore().create(config)
        submit(copy)
        links.go("train", run=copy.id)


def form(value: float | None, shape: str) -> str:
    return shape.format(value) if value is not None else "–"


def clock(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


def alt(run: RunFolder, measured: RunCurves) -> str:
    row, best = measured.newest, measured.best
    if not row:
        return t("The first point appears with the first step.")
    told = t(
        "Loss of “{name}” up to step {step}: {loss}.",
        name=run.name,
        step=row["step"],
        loss=form(row.get("loss"), "{:.3f}"),
    )
    if best:
        told = joined(told, t("Best validation loss {loss:.3f} at step {step}.", loss=best[1], step=best[0]))
    return told


def notice(run: RunFolder, measured: RunCurves) -> str:
    """What there is to see in the curves of this very run."""
    train, validation = measured.table()["train"], measured.table()["validation"]
    if measured.not_finite is not None:
        return t(
            "From step {step} on, the loss is not a number (NaN): look at the gradient norm just before.",
            step=measured.not_finite,
        )
    if (turn := turning_point(train, validation)) and turn.train_loss_falls:
        return t(
            "The validation loss was lowest at step {step} ({loss:.3f}) and has risen since, while the training loss falls: the model begins to overfit, that is, to memorise the training text.",
            step=turn.step,
            loss=turn.loss,
        )
    if turn:
        return t("Both losses rise since step {step}: the learning rate may be too high.", step=turn.step)
    if gap := generalization_gap(train, validation):
        return (
            t(
                "Overfitting: it memorises the training text. The gap between the two losses is {gap:.1f} nats and grows. More text, dropout or fewer steps help.",
                gap=gap.nats,
            )
            if gap.grows
            else t(
                "Overfitting: it has memorised parts of the training text. The gap between the two losses is {gap:.1f} nats and no longer grows. More text, dropout or fewer steps help.",
                gap=gap.nats,
            )
        )
    if not measured.best:
        return t(
            "The line is noisy because every step sees other text. From the first evaluation on, a dashed line shows the validation loss, on text that the model never trains on."
        )
    return t(
        "The thin line is noisy because every step sees other text. The dashed line with points is the validation loss, on text that the model never trains on. While both fall together, the model generalises."
    )


def verdict(run: RunFolder, measured: RunCurves) -> str:
    """In plain words how it learns: that it diverged or memorises; else how far the loss has come."""
    train, validation = measured.table()["train"], measured.table()["validation"]
    warned = turning_point(train, validation) or generalization_gap(train, validation)
    losses = [loss for loss in train.get("loss", ()) if loss is not None]
    if measured.not_finite is not None or warned or len(losses) < 2:
        return notice(run, measured)
    if late := late_rule(train, validation):
        return t(
            "Grokking: from step {by_heart:,} on it knows the training text by heart, and only from step {rule:,} on the "
            "rule, as the validation loss shows.",
            by_heart=late.by_heart,
            rule=late.rule,
        )
    before, now = losses[0], float(np.mean(losses[-max(1, len(losses) // 20) :]))
    if now > before - LEARNS:
        return t("It has not learned yet: the loss is {now:.2f} nats per token.", now=now)
    if (exact := _last(validation, "val_exact")) is not None:
        return t(
            "Loss {before:.2f} → {now:.2f}. Of the held-out questions it answers {share:.1%} right, each to the last token.",
            before=before,
            now=now,
            share=exact,
        )
    numbers = {"before": before, "now": now, "few": _choices(now), "many": _choices(before)}
    if run.config().training.objective == "mlm":
        return t(
            "It learns: loss {before:.2f} → {now:.2f}. Guessing a hidden token is now like choosing among {few} equally "
            "likely ones, no longer among {many} (perplexity).",
            **numbers,
        )
    return t(
        "It learns: loss {before:.2f} → {now:.2f}. Guessing the next token is now like choosing among {few} equally "
        "likely ones, no longer among {many} (perplexity).",
        **numbers,
    )


def _last(table: Mapping[str, Any], name: str) -> float | None:
    """The last number of a column."""
    return next((value for value in reversed(table.get(name, ())) if value is not None), None)


def _choices(loss: float) -> str:
    """The perplexity of a loss, as it is read: of a few choices the tenths count."""
    perplexity = math.exp(min(loss, 20))
    return f"{perplexity:,.1f}" if perplexity < 10 else f"{perplexity:,.0f}"
