"""What the training before gave, in labels saved, and what it cost: how much was forgotten."""

from typing import Any

import streamlit as st

from playground.finetune.plan import baseline_run, comparable_runs, parent_of, with_train_fraction
from playground.pages.finetune.attention_shift import shift_of_heads
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
from playground.ui.messages import fragment, plain
from playground.ui.stage import Stage

ALL_SHARES = (*SHARES, 1.0)


def show_pretraining_gain(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """The curve of data efficiency; below, what the training cost the model."""
    config = run.config()
    if config.finetune.reads_labels:
        label_efficiency(run, config, place)
    else:
        with place.picture:
            weight_change(run, config, place)
    with place.rest:
        if report:
            show_change(run, config, report, weights=config.finetune.reads_labels)


def show_change(run: RunFolder, config: RunConfig, report: dict[str, Any], weights: bool = True) -> None:
    """What was forgotten, which weights moved, and where the heads look now.

    Args:
        weights: False where the change of the weights is drawn elsewhere.
    """
    forgetting(run, config, report)
    if config.finetune.from_scratch:
        return
    if weights:
        st.subheader(t("Change of the weights"), anchor=False)
        weight_change(run, config)
    if config.model.has_attention:
        st.subheader(t("Change of attention"), anchor=False)
        fragment(shift_of_heads, key="finetune.refocused")(run, config)


def show_weights(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """How far each part of the model moved, alone."""
    with place.command:
        st.markdown(f"**{t('Change of the weights')}**", width="stretch")
    with place.picture:
        weight_change(run, run.config(), place)
    with place.rest:
        forgetting(run, run.config(), report)


def show_attention(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """How far each head's attention moved, and one of them before and after."""
    shift_of_heads(run, run.config(), place)


def label_efficiency(run: RunFolder, config: RunConfig, place: Stage) -> None:
    """How good each way is with a tenth of the labels, with three, with all."""
    own = t("from scratch") if config.finetune.from_scratch else t(METHOD_TITLES[config.finetune.method])
    rows, waiting, relatives = results_of(config)
    rows.sort(key=lambda row: row["way"] != own)
    there = {way_of(its) for _, its in relatives}
    missing = [plan for plan in wanted_runs(config) if way_of(plan) not in there]
    with place.picture:
        if rows:
            draw_efficiency(rows, config, place)
    if waiting:
        place.say(
            t("{n} runs are still to come; open this view again when they are done.", n=waiting)
            if waiting > 1
            else t("One run is still to come; open this view again when it is done.")
        )
    elif len(rows) < 2:
        place.say(t("One point so far: complete the comparison to see how many labels pre-training saves."))
    if missing and not waiting:
        label = (
            t("Complete the comparison: train {n} more runs", n=len(missing))
            if len(missing) > 1
            else t("Complete the comparison: train one more run")
        )
        with place.command:
            if st.button(label, icon=":material/stacked_line_chart:", key="finetune.complete"):
                for plan in missing:
                    submit(RunStore().create(plan))
                st.rerun()


def results_of(config: RunConfig) -> tuple[list[dict[str, Any]], int, list]:
    """What the comparable runs reached, how many of them are still to come, and these runs."""
    rows, waiting, relatives = [], 0, comparable_runs(config, RunStore().list())
    for other, its in relatives:
        found, tuned = report_or_none(other), its.finetune
        if found is None or "test" not in found:
            waiting += other.status().state in LIVE
            continue
        rows.append(
            {
                "way": t("from scratch") if tuned.from_scratch else t(METHOD_TITLES[tuned.method]),
                "share": tuned.labelled.train_fraction,
                "labels": found["used"],
                "accuracy": found["test"]["accuracy"],
                "macro_f1": found["test"]["macro_f1"],
                "seed": its.training.seed,
            }
        )
    return rows, waiting, relatives


def draw_efficiency(rows: list[dict[str, Any]], config: RunConfig, place: Stage) -> None:
    """Macro F1 over the number of labels, a line for each way."""
    import pandas as pd
    import plotly.graph_objects as go

    table, fig = pd.DataFrame(rows), go.Figure()
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
    fig.update_xaxes(title=t("Training labels"), range=[0, 1.08 * table["labels"].max()])
    fig.update_yaxes(title=t("Macro F1 on the test"), tickformat=".0%", range=[0, 1.04])
    fig.update_layout(legend=LEGEND, margin={"t": 40, "r": 10})
    figure(
        fig,
        "finetune.efficiency",
        t("The higher a curve is on the left, the fewer labels it needs: that is what pre-training is worth."),
        table=table,
        height=380,
        place=place,
        say=len(rows) > 1,
    )


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


def weight_change(run: RunFolder, config: RunConfig, place: Stage | None = None) -> None:
    """How far each part of the model moved from its parent's weights.

    Args:
        place: the stage that it fills, if it does.
    """
    import plotly.graph_objects as go

    parent = parent_of(config).id
    parts = weight_changes(str(run.path), cached.latest_step(run), parent, config.parent.get("step"))
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
    import pandas as pd

    table = pd.DataFrame([vars(each) for each in parts])
    caption = t("Tall bars: parts that the task changed most. Frozen parts stay at 0.")
    figure(fig, "finetune.moved", caption, table=table, height=340, place=place)


def part_title(part: str) -> str:
    """A part's name in the person's language."""
    return " ".join(word if word.isdigit() else t(word) for word in part.split())


@st.cache_data(max_entries=64, show_spinner=False)
def weight_changes(path: str, step: int, parent: str, parent_step: int | None) -> list:
    from pathlib import Path

    from playground.finetune.weight_change import weight_changes

    before = RunStore().get(parent)
    return weight_changes(cached.model(before, parent_step), cached.model(RunFolder(Path(path)), step))
