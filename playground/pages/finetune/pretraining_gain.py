"""What the training before gave, in labels saved, and what it cost: how much was forgotten."""

from typing import Any

import streamlit as st

from playground.finetune.plan import baseline_run, comparable_runs, parent_of, with_train_fraction
from playground.pages.finetune.attention_shift import show_attention_shift
from playground.pages.finetune.form import METHOD_TITLES, SHARES
from playground.pages.finetune.results_data import report_or_none
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.submit import submit
from playground.ui import cached
from playground.ui.colours import ARCHITECTURE, SPARE
from playground.ui.figure import LEGEND, figure
from playground.ui.language import t, translated
from playground.ui.live_runs import LIVE
from playground.ui.messages import plain

ALL_SHARES = (*SHARES, 1.0)


def show_pretraining_gain(run: RunFolder, report: dict[str, Any]) -> None:
    """The curve of data efficiency, and the loss on the text before."""
    config = run.config()
    if config.finetune.reads_labels:
        label_efficiency(run, config)
    if report:
        forgetting(run, config, report)
        weight_change(run, config)
        show_attention_shift(run, config)


def label_efficiency(run: RunFolder, config: RunConfig) -> None:
    """How good each way is with a tenth of the labels, with three, with all."""
    import pandas as pd
    import plotly.graph_objects as go

    st.subheader(t("Learning curve over the number of labels"), anchor=False)
    rows, waiting, relatives = [], 0, comparable_runs(config, RunStore().list())
    for other, its in relatives:
        found, tuned = report_or_none(other), its.finetune
        if found is None or "test" not in found:
            waiting += other.status().state in LIVE
            continue
        way = t("from scratch") if tuned.from_scratch else t(METHOD_TITLES[tuned.method])
        rows.append(
            {
                "way": way,
                "share": tuned.labelled.train_fraction,
                "labels": found["used"],
                "accuracy": found["test"]["accuracy"],
                "macro_f1": found["test"]["macro_f1"],
                "seed": its.training.seed,
            }
        )
    own = t("from scratch") if config.finetune.from_scratch else t(METHOD_TITLES[config.finetune.method])
    rows.sort(key=lambda row: row["way"] != own)
    there = {way_of(its) for _, its in relatives}
    missing = [plan for plan in wanted_runs(config) if way_of(plan) not in there]
    if rows:
        table = pd.DataFrame(rows)
        fig = go.Figure()
        colours = [ARCHITECTURE.get(config.model.architecture, SPARE[0]), *SPARE]
        for colour, (way, mine) in zip(colours, table.groupby("way", sort=False)):
            mean = mine.groupby("labels")["macro_f1"].agg(["mean", "min", "max", "count"]).reset_index()
            fig.add_scatter(
                x=mean["labels"],
                y=mean["mean"],
                mode="lines+markers",
                name=way,
                line={"color": colour, "width": 3},
                marker={"size": 10},
                error_y={"type": "data", "array": mean["max"] - mean["mean"], "arrayminus": mean["mean"] - mean["min"]},
                hovertemplate=t("%{x:,} labels: macro F1 %{y:.1%}") + f"<extra>{way}</extra>",
            )
        fig.update_xaxes(title=t("Training labels"), rangemode="tozero")
        fig.update_yaxes(title=t("Macro F1 on the test"), tickformat=".0%")
        fig.update_layout(legend=LEGEND, margin={"t": 40, "r": 10})
        figure(
            fig,
            "finetune.efficiency",
            t("The higher a curve is on the left, the fewer labels it needs: that is what pre-training is worth."),
            table=table,
            height=380,
        )
    if waiting:
        st.caption(
            t("{n} runs are still to come; open this view again when they are done.", n=waiting)
            if waiting > 1
            else t("One run is still to come; open this view again when it is done.")
        )
    if missing and not waiting:
        label = (
            t("Complete the comparison: train {n} more runs", n=len(missing))
            if len(missing) > 1
            else t("Complete the comparison: train one more run")
        )
        if st.button(label, icon=":material/stacked_line_chart:", key="finetune.complete"):
            for plan in missing:
                submit(RunStore().create(plan))
            st.rerun()


def wanted_runs(config: RunConfig) -> list[RunConfig]:
    """This way and from scratch, each with a tenth, three tenths and all of the labels."""
    parent = parent_of(config).config()
    ways = [config] if config.finetune.from_scratch else [config, baseline_run(config, "scratch", parent)]
    return [with_train_fraction(way, share, parent) for way in ways for share in ALL_SHARES]


def way_of(config: RunConfig) -> tuple[bool, str, float]:
    """What tells the runs of a picture apart: from scratch or not, the method, the share of the labels."""
    tuned = config.finetune
    return tuned.from_scratch, tuned.method, tuned.labelled.train_fraction


def forgetting(run: RunFolder, config: RunConfig, report: dict[str, Any]) -> None:
    """The loss on the text of the training before, with the weights before and after."""
    st.subheader(t("Forgetting"), anchor=False)
    kept = report.get("forgetting")
    if kept is None:
        st.caption(t("None: this run started from random weights."))
        return
    if "missing" in kept:
        st.caption(t("Not measured: {why}", why=plain(translated(kept["missing"]))))
        return
    with st.container(horizontal=True):
        st.metric(t("Loss before (nats per token)"), f"{kept['before']:.3f}", border=True, height="stretch")
        st.metric(
            t("Loss after (nats per token)"),
            f"{kept['after']:.3f}",
            f"{kept['after'] - kept['before']:+.3f}",
            delta_color="inverse",
            border=True,
        )
    st.caption(
        t(
            "Measured on the validation part of the pre-training text ({corpus}). A rise means that the model is a worse language model now; LoRA and training the head alone forget less.",
            corpus=plain(kept["text"]),
        )
    )


def weight_change(run: RunFolder, config: RunConfig) -> None:
    """How far each part of the model moved from its parent's weights."""
    import pandas as pd
    import plotly.graph_objects as go

    if config.finetune.from_scratch:
        return
    st.subheader(t("Change of the weights"), anchor=False)
    parts = weight_changes(str(run.path), cached.latest_step(run), config.parent["run"], config.parent.get("step"))
    fig = go.Figure()
    colour = ARCHITECTURE.get(config.model.architecture, SPARE[0])
    fig.add_bar(
        x=[part_title(each.part) for each in parts],
        y=[each.change for each in parts],
        marker_color=colour,
        customdata=[each.parameters for each in parts],
        hovertemplate=t("%{x}: changed by %{y:.1%} of its norm, %{customdata:,} weights") + "<extra></extra>",
    )
    fig.update_xaxes(title=t("Part of the model, from input to output"))
    fig.update_yaxes(title=t("Relative change of the weights"), tickformat=".0%")
    fig.update_layout(margin={"t": 10, "r": 10})
    table = pd.DataFrame([vars(each) for each in parts])
    caption = t("Tall bars: parts that the task changed most. Frozen parts stay at 0.")
    figure(fig, "finetune.moved", caption, table=table, height=340)


def part_title(part: str) -> str:
    """A part's name in the person's language."""
    return " ".join(word if word.isdigit() else t(word) for word in part.split())


@st.cache_data(max_entries=64, show_spinner=False)
def weight_changes(path: str, step: int, parent: str, parent_step: int | None) -> list:
    from pathlib import Path

    from playground.finetune.weight_change import weight_changes

    before = RunStore().get(parent)
    return weight_changes(cached.model(before, parent_step), cached.model(RunFolder(Path(path)), step))
