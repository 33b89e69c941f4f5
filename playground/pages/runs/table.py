"""The table of all runs: searched, filtered, sorted; rows are picked from it."""

import hashlib
from typing import Any

import streamlit as st

from playground.runs import gallery
from playground.runs.folder import RunFolder
from playground.runs.overview import Summary, matches, summaries, summary_of_damaged, with_contents_checked
from playground.runs.store import RunStore
from playground.ui import url_state
from playground.ui.controls import control
from playground.ui.language import t, translated
from playground.ui.model_cards import cards
from playground.ui.run_picker import known_runs, name_of, state_name
from playground.ui.select import select_several
from playground.ui.titles import TITLES


def pick_runs() -> list[RunFolder]:
    """Draws the table, and under it one of the damaged runs; returns the runs picked, in the tables' order; the address
    remembers them.
    """
    runs = {run.id: run for run in known_runs()}
    damaged = RunStore().damaged()
    rows = filtered([*looked_at(summaries(runs.values()), runs), *map(summary_of_damaged, damaged)])
    names = {id: name_of(run) for id, run in runs.items()} | {each.run.id: each.run.title for each in damaged}
    runs |= {each.run.id: each.run for each in damaged}
    wanted = [id for id in url_state.read("runs", "runs") if id in runs]
    if not rows:
        st.caption(t("No run matches the filter."))
        return [runs[id] for id in wanted]
    sound, spoilt = [row for row in rows if not row.problem], [row for row in rows if row.problem]
    chosen = []
    shipped = {id for id, run in runs.items() if gallery.holds(run)}
    for title, own in ((t("Yours"), True), (t("Shipped with the app"), False)):
        if part := [row for row in sound if (row.id not in shipped) == own]:
            st.markdown(f"**{title}**")
            chosen += table(part, frame(part, names, own), wanted, row_height=38, alt=t("All runs, one per row."))
    if spoilt:
        st.caption(t("Damaged runs, which cannot be used. Pick one to read what to do, or to delete it."))
        narrow = st.column_config.TextColumn(t("Name"), width=100)  # beside what is wrong, on a phone too
        alt = t("All damaged runs, one per row.")
        chosen += table(spoilt, problems(spoilt, names), wanted, row_height=80, alt=alt, name=narrow)
    url_state.remember("runs", runs=chosen)
    return [runs[id] for id in chosen]


def looked_at(rows: list[Summary], runs: dict[str, RunFolder]) -> list[Summary]:
    """The rows, with what a look into the runs tells: once when the page is opened or the runs change, since a row that moves to
    the other table meanwhile would take the picked ones along.
    """
    state, ids = st.session_state, tuple(runs)
    if "runs.search" not in state or state.get("runs.looked", ((),))[0] != ids:
        state["runs.looked"] = ids, {row.id: row for row in with_contents_checked(rows, runs) if row.problem}
    found = state["runs.looked"][1]
    return [found.get(row.id, row) for row in rows]


def table(rows: list[Summary], shown: Any, wanted: list[str], row_height: int, alt: str, **more: Any) -> list[str]:
    """Draws rows, those wanted picked at first; the ids of those picked. High rows show a text on several lines; ``more`` are
    columns that look otherwise than in the table of all runs.
    """
    ids = [row.id for row in rows]
    event = st.dataframe(
        shown,
        key=f"runs.table.{hashlib.sha256(' '.join(ids).encode()).hexdigest()[:12]}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        row_height=row_height,
        height=min(420, 40 + row_height * len(rows)),
        column_config=columns() | more,
        alt=alt,
        placeholder="–",
        selection_default={"selection": {"rows": [ids.index(id) for id in wanted if id in ids]}},
    )
    return [ids[row] for row in event.selection.rows if row < len(ids)]


def problems(rows: list[Summary], names: dict[str, str]) -> Any:
    """What is wrong with each, and nothing else: little else is known of a run that cannot be read."""
    import pandas as pd

    return pd.DataFrame({"name": [names[row.id] for row in rows], "problem": [translated(row.problem) for row in rows]})


def filtered(rows: list[Summary]) -> list[Summary]:
    with control("runs", "filter"), st.container(horizontal=True, vertical_alignment="bottom", key="runs.filter"):
        words = st.text_input(t("Search"), key="runs.search", placeholder=t("name, text, architecture …"), width=280)
        kinds = select_several(
            t("Architecture"),
            sorted({row.architecture for row in rows if row.architecture}),
            key="runs.kinds",
            format_func=lambda kind: t(TITLES[kind]),
            placeholder=t("all"),
            width=260,
        )
        states = select_several(
            t("State"),
            sorted({row.state for row in rows}),
            key="runs.states",
            format_func=state_name,
            placeholder=t("all"),
            width=260,
        )
    return [
        row
        for row in rows
        if matches(row, words) and (not kinds or row.architecture in kinds) and (not states or row.state in states)
    ]


def frame(rows: list[Summary], names: dict[str, str], own: bool) -> Any:
    """The columns of a table; of those that ship with the app, none that says how and when they were made here."""
    import pandas as pd

    known = accuracies()
    found = {
        "name": [names[row.id] for row in rows],
        "state": [state_name(row.state) for row in rows],
        "kind": [t(TITLES[row.architecture]) for row in rows],
        "text": [text_title(row.text) for row in rows],
        "parameters": pd.array([row.parameters for row in rows], dtype="Int64"),
        "done": [_done(row) for row in rows],
        "step": [row.step for row in rows],
        "val_loss": pd.array([row.val_loss for row in rows], dtype="Float64"),
        "loss": pd.array([row.loss for row in rows], dtype="Float64"),
        "accuracy": pd.array([known.get(row.id) for row in rows], dtype="Float64"),
        "speed": pd.array([row.tokens_per_second for row in rows], dtype="Float64").round(),
        "created": pd.to_datetime([row.created for row in rows]),
    }
    if not any(row.id in known for row in rows):
        del found["accuracy"]
    if not own:
        for name in ("state", "done", "speed", "created"):
            del found[name]
    return pd.DataFrame(found)


def accuracies() -> dict[str, float]:
    """Of the runs that give labels, in percent."""
    return {card.id: 100 * card.accuracy for card, _ in cards() if card.accuracy is not None}


def text_title(text: str) -> str:
    """What a text is called that a run learns from."""
    from playground.text.catalogue import CORPORA

    return t(CORPORA[text].title) if text in CORPORA else text


def _done(row: Summary) -> float:
    """Percent of its steps; a model from elsewhere is finished without any."""
    if row.state == "finished" and not row.step:
        return 100.0
    return 100 * row.step / row.steps if row.steps else 0.0


def columns() -> dict:
    column = st.column_config
    return {
        "name": column.TextColumn(t("Name"), width="medium"),
        "state": column.TextColumn(t("State"), width="small"),
        "problem": column.TextColumn(t("What is wrong"), width=222),
        "kind": column.TextColumn(t("Architecture"), width=125),
        "text": column.TextColumn(t("Text"), width="small"),
        "parameters": column.NumberColumn(t("Parameters"), format="compact", width="small"),
        "done": column.ProgressColumn(t("Done"), format="%.0f %%", min_value=0, max_value=100, width="small"),
        "step": column.NumberColumn(t("Step"), format="localized", width="small"),
        "val_loss": column.NumberColumn(
            t("Validation loss"),
            format="%.3f",
            help=t("nats per token, of classifiers per label, at the last evaluation"),
        ),
        "loss": column.NumberColumn(t("Training loss"), format="%.3f", width="small"),
        "accuracy": column.NumberColumn(t("Accuracy"), format="%.0f %%", width="small"),
        "speed": column.NumberColumn(t("Tokens/s"), format="localized", width="small"),
        "created": column.DatetimeColumn(t("Made"), format="D MMM, HH:mm", width="small"),
    }
