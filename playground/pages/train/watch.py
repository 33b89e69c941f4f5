"""A run on the stage: what it writes, its curve as it grows, and what can be done with it."""

import math
from dataclasses import replace
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.train import inside
from playground.pages.train.names import apart, brief, changes
from playground.pages.train.race import race
from playground.runs import rows, snapshots
from playground.runs.config import RunConfig
from playground.runs.curves import RunCurves, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.gallery import holds
from playground.runs.status import Status
from playground.runs.store import RunStore
from playground.runs.submit import halt, submit
from playground.ui import links, url_state
from playground.ui.components.curves import Series, curves, run_panels
from playground.ui.components.moments import moments
from playground.ui.components.written import MOST, written
from playground.ui.controls import control, hidden
from playground.ui.language import t
from playground.ui.live_runs import LIVE, MOST_COMPARED, SECONDS, colours_for, curves_of, pace, samples_of, series
from playground.ui.messages import fragment, plain, shown_errors
from playground.ui.number_format import bytes_of
from playground.ui.run_controls import branching, is_ending, learning_rate, result, switches
from playground.ui.run_picker import describe, named
from playground.ui.run_progress import alt, clock, footnotes, form, progress, trouble, verdict
from playground.ui.select import select_several
from playground.ui.stage import Stage
from playground.ui.validation_examples import validation_examples

PALE = 3
"""Former runs that stay beside the one that follows from them."""
SELDOM = 4.0
"""How many times more seldom the instruments are looked at than the picture."""


def watch(run: RunFolder, config: RunConfig | None, place: Stage) -> None:
    """Everything about one run; its moving parts look again by themselves.

    Args:
        config: the plan that stands in the drawer; the run's own until somebody changes it. None where it cannot be.
        place: where the page draws.
    """
    others, status = compared(run), run.status()
    now = state_of(run, status)
    with place.tabs, control("train", "picture", "content"):
        inside.choose_picture()
    with place.command:
        commands(run, status, config, others)
    with place.notice:
        said = st.empty()
    every = SECONDS[now[0]]
    with place.picture:
        fragment(moving, run_every=every, key="train.moving")(run, others, now, said)
    with place.drawer:
        instruments(run, others, status, every)
    with place.rest:
        fragment(below, run_every=every * SELDOM, key="train.below")(run, others)
        with st.container(horizontal=True, key="train.ways"):
            links.link("train", t("Plan a new run"), icon=":material/add:")
            links.link("train", t("Change the settings and train again"), icon=":material/tune:", like=run.id)
            links.link("runs", t("All runs"), icon=":material/table_rows:", runs=run.id)


def state_of(run: RunFolder, status: Status) -> tuple[str, str, bool]:
    """What the line of commands depends on; when it is another, the page begins anew."""
    return pace(run, status), status.state, is_ending(run)


# The line of commands


def commands(run: RunFolder, status: Status, config: RunConfig | None, others: list[RunFolder]) -> None:
    """The main button: the next run where the plan differs from this one; else what this run can do now."""
    changed = changes(config, run.config()) if config else []
    if config and changed:
        told = t("The run that trains now is stopped and kept with its checkpoint; the new one starts at once.")
        if st.button(
            t("Train with these changes ({changes})", changes=plain(brief(changed))),
            type="primary",
            icon=":material/play_arrow:",
            key="train.again",
            help=told if status.state in LIVE else t("A new run; this one stays beside it as a pale curve."),
        ):
            with shown_errors():
                again(run, status, config, others)
    if not holds(run):  # what to do with one that ships stands in the drawer
        with control("train", "steering", "content"):
            switches(run, status, is_main=not changed)
    if not changed and status.state not in LIVE and run.checkpoints():  # the line has no room for both
        result(run, is_main=status.state == "finished")
    with st.container(horizontal=True, vertical_alignment="bottom", key="train-picture"):
        inside.choose_what(run)


def again(run: RunFolder, status: Status, config: RunConfig, others: list[RunFolder]) -> None:
    """The next run, with the ones before it as pale curves; the one that trains now ends first."""
    following = RunStore().create(config)
    if status.state in LIVE:
        halt(run, "stop")
    submit(following)
    before = [run.id, *(other.id for other in others)][:PALE]
    links.go("train", run=following.id, **{"with": before}, **inside.chosen())


# The picture


def moving(run: RunFolder, others: list[RunFolder], before: tuple[str, str, bool], said: Any) -> None:
    """The part that looks again and again, as often as its pace asks; in another state the page begins anew."""
    status = run.status()
    if state_of(run, status) != before:
        st.rerun()
    measured = curves_of(run)
    if inside.picture() == "inside":
        inside.large(run, status, others, lambda: draw(run, others, measured))
    else:
        beside(run, others, status, measured)
    said.markdown(
        plain(verdict(run, measured)) if measured.newest else t("The first point appears with the first step.")
    )


def beside(run: RunFolder, others: list[RunFolder], status: Status, measured: RunCurves) -> None:
    """What it writes, how the loss falls, and the model itself, beside each other."""
    colours = colours_for([run, *others])
    left, right, model = st.columns([9, 11, 9], gap="medium")
    with left, st.container(key="train-left", gap=None):
        with shown_errors():
            trouble(run, status)
        with st.container():
            written("train.written", samples_of(run)[-MOST:], colours[run.id])
    with right, st.container(key="train-right", gap=None):
        with st.container(key="train-progress"):
            progress(run, status)
        with st.container():
            draw(run, others, measured)
    with model, st.container(key="train-model"):
        inside.small(run, status)


def draw(run: RunFolder, others: list[RunFolder], measured: RunCurves) -> None:
    """The loss alone; all else that was measured is among the instruments."""
    shown = drawn(run, others)
    if any(each.train.get("step") for each in shown):
        curves("train.curves", shown, run_panels()[:1], alt=alt(run, measured))


def drawn(run: RunFolder, others: list[RunFolder]) -> list[Series]:
    """The run and those beside it as curves, each called by what tells it apart from the others."""
    runs = [run, *others]
    colours, told = colours_for(runs), apart([each.config() for each in runs])
    found = [series(each, colours[each.id], main=each is run) for each in runs]
    return [replace(one, name=name or one.name) for one, name in zip(found, told, strict=True)]


# The instruments


def instruments(run: RunFolder, others: list[RunFolder], status: Status, every: float) -> None:
    """What explains the curve, and what steers the run."""
    with st.container(key="train-instruments"):
        st.subheader(t("Instruments"), anchor=False)
        if status.state == "running" and "train.steering" not in hidden():
            learning_rate(run)
        fragment(measures, run_every=every * SELDOM, key="train.measures")(run, others)
        told_of_snapshots(run)
        if run.checkpoints() and not run.about().get("finetune"):
            branching(run, status)
        with shown_errors():
            with control("train", "compare"):
                choose_compared(run)
            with control("train", "race"):
                race(run)


def told_of_snapshots(run: RunFolder) -> None:
    """How many snapshots of its weights there are, and what they take on the disk."""
    kept = [path.stat().st_size for path in snapshots.files(run.path).values() if path.exists()]
    if kept:
        st.caption(t("{n} snapshots of the weights, {size}.", n=len(kept), size=bytes_of(sum(kept))))


def measures(run: RunFolder, others: list[RunFolder]) -> None:
    """Gradient norm, learning rate, speed, accuracy, and the newest numbers."""
    measured, shown = curves_of(run), drawn(run, others)
    numbers(run, run.status(), measured)
    if any(each.train.get("step") for each in shown):
        curves("train.instruments", shown, run_panels()[1:], alt=alt(run, measured))


def numbers(run: RunFolder, status: Status, measured: RunCurves) -> None:
    """The newest values, in a row that does not jump (one element: it is sent several times a second)."""
    row, evaluated = measured.newest or {}, measured.evaluated or {}
    left = measured.seconds_left(status.steps) if status.state == "running" else None
    memory = evaluated.get("memory_bytes")
    told = [
        (t("Training loss"), form(row.get("loss"), "{:.3f}"), ""),
        (t("Validation loss"), form(evaluated.get("val_loss"), "{:.3f}"), ""),
        (t("Perplexity"), form(perplexity(evaluated.get("val_loss")), "{:,.4g}"), ""),
        (t("Speed"), form(row.get("tokens_per_second"), "{:,.0f}"), t("tokens/s") if row else ""),
        (t("Time left"), clock(left), ""),
        (t("Memory"), form(memory and memory / 2**20, "{:,.0f}"), "MiB" if memory else ""),
    ]
    pairs = "".join(f"<div><dt>{label}</dt><dd>{value} <small>{unit}</small></dd></div>" for label, value, unit in told)
    st.html(f'<dl class="train-numbers">{pairs}</dl>')


def perplexity(loss: float | None) -> float | None:
    """Perplexity, exp(loss): the effective number of equally likely next tokens."""
    return math.exp(loss) if loss is not None and loss < 20 else None


# Below the stage


def below(run: RunFolder, others: list[RunFolder]) -> None:
    """All that it wrote, how sure it was of one passage, and held-out examples; what is unusual about its text."""
    measured = curves_of(run)
    footnotes(run, run.status())
    if not measured.newest:
        return
    probe, tokens = measured.table()["probe"], rows.passage(run.status().note)
    colour = colours_for([run, *others])[run.id]
    moments("train.moments", evenly_spaced(samples_of(run), 60), tokens, probe, colour)
    validation_examples(run, colour)


# Other runs beside it


def compared(run: RunFolder) -> list[RunFolder]:
    """The runs that the address names besides, each once and no more than can be told apart; those that are gone or damaged
    are left out.
    """
    found: dict[str, RunFolder] = {}
    for name in url_state.read("train", "with")[:MOST_COMPARED]:
        try:
            other = named(name)
        except PlaygroundError:
            continue
        if other.id != run.id:
            found[other.id] = other
    return list(found.values())


def choose_compared(run: RunFolder) -> None:
    others = {other.id: other for other in RunStore().list() if other.id != run.id}
    if not others:
        return
    now = [other.id for other in compared(run) if other.id in others]
    key = f"train.with.{run.id}"
    if st.session_state.get(f"{key}.link") != now:
        st.session_state[key] = now
    chosen = select_several(
        t("Compare with"),
        list(others),
        format_func=lambda id: describe(others[id]),
        key=key,
        max_selections=MOST_COMPARED,
        placeholder=t("Other runs, drawn pale beside this one"),
    )
    st.session_state[f"{key}.link"] = chosen
    if chosen != now:
        url_state.remember("train", **{"with": chosen})
        st.rerun()
    if (n := len(url_state.read("train", "with"))) > MOST_COMPARED:
        st.caption(
            t(
                "The link names {n:,} runs; the first {most} are looked for: more cannot be told apart.",
                n=n,
                most=MOST_COMPARED,
            )
        )
