"""A run on the Train page: its curves as they grow, what it writes, and the switches to steer it."""

import math

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.train.race import race
from playground.runs import rows
from playground.runs.curves import RunCurves, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.status import Status
from playground.runs.store import RunStore
from playground.ui import links, url_state
from playground.ui.components.curves import curves, run_panels
from playground.ui.components.moments import moments
from playground.ui.controls import control
from playground.ui.language import t
from playground.ui.live_runs import (
    MOST_COMPARED,
    SECONDS,
    colours_for,
    curves_of,
    pace,
    samples_of,
    series,
)
from playground.ui.messages import fragment, shown_errors
from playground.ui.run_controls import steering
from playground.ui.run_picker import describe, named
from playground.ui.run_progress import STYLE, alt, clock, explain, form, heading, notice
from playground.ui.select import select_several


def watch(run: RunFolder) -> None:
    """Everything about one run; its moving part looks again by itself."""
    st.html(STYLE)
    others = compared(run)
    now = pace(run, run.status())
    fragment(moving, run_every=SECONDS[now], key="train.moving")(run, others, now)
    with shown_errors():
        with control("train", "compare"):
            choose_compared(run)
        with control("train", "race"):
            race(run)
    with st.container(horizontal=True, key="train.ways"):
        links.link("train", t("Plan a new run"), icon=":material/add:")
        links.link("train", t("Change the settings and train again"), icon=":material/tune:", like=run.id)
        links.link("runs", t("All runs"), icon=":material/table_rows:", runs=run.id)


def moving(run: RunFolder, others: list[RunFolder], before: str) -> None:
    """The part that looks again and again, as often as its pace asks; at another pace the page begins anew."""
    status = run.status()
    if pace(run, status) != before:
        st.rerun()
    with shown_errors():
        heading(run, status)
        with control("train", "steering"):
            steering(run, status)
        explain(run, status)
        measured = curves_of(run)
        numbers(run, status, measured)
        draw(run, others, status, measured)


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


def draw(run: RunFolder, others: list[RunFolder], status: Status, measured: RunCurves) -> None:
    colours = colours_for([run, *others])
    shown = [series(run, colours[run.id])] + [series(other, colours[other.id], main=False) for other in others]
    if not any(each.train.get("step") for each in shown):
        if status.state != "finished":
            st.caption(t("The first point appears with the first step."))
        return
    curves("train.curves", shown, run_panels(), alt=alt(run, measured))
    if not measured.newest:
        return
    st.caption(notice(run, measured))
    probe, tokens = measured.table()["probe"], rows.passage(status.note)
    moments("train.moments", evenly_spaced(samples_of(run), 60), tokens, probe, colours[run.id])


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
