"""The test of a run with labels: scores, confusion matrix and its texts, calibration, confident mistakes."""

from typing import Any

import streamlit as st

from playground.finetune.plan import comparable_runs
from playground.pages.finetune.form import METHOD_TITLES
from playground.pages.finetune.results_data import baseline_of, predictions_of, report_or_none, ships_predictions
from playground.runs.folder import RunFolder
from playground.runs.report import damaged
from playground.runs.store import RunStore
from playground.ui import links, url_state
from playground.ui.colours import GOOD
from playground.ui.components.heatmap import heatmap
from playground.ui.figure import downloads, figure
from playground.ui.labelled_text import data_of
from playground.ui.language import t
from playground.ui.messages import plain, shown_errors
from playground.ui.package_offer import offered
from playground.ui.stage import Stage

SHOWN = 12  # texts of a cell
MISTAKES = 10
DRAWN_LABELS = 40


def show_evaluation(run: RunFolder, report: dict[str, Any]) -> None:
    """The numbers of the test, beside those of the rivals, of each label, and the most confident mistakes."""
    if "test" not in report:
        return  # told where the verdict is drawn
    related_runs(run)
    left, right = st.columns(2, gap="large")
    with left:
        per_label(report)
    with right:
        st.subheader(t("Calibration: is it right as often as it is confident?"), anchor=False)
        calibration(run, report)
    if ships_predictions(run):
        with shown_errors(), offered():  # the figures are there, also where the texts are not
            mistakes(run, list(data_of(run).labels))
    figures(run, report)


def show_calibration(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """The calibration curve alone."""
    with place.picture:
        calibration(run, report, place)
    with place.command:
        st.markdown(f"**{t('Calibration: is it right as often as it is confident?')}**", width="stretch")


def delta_to_baseline(here: float, there: float | None) -> dict[str, Any]:
    """The arrow and colour of a metric for the difference of two shares: none where there is no difference."""
    if there is None:
        return {}
    if not (points := round(100 * (here - there), 1)):
        return {"delta": t("as good as TF-IDF"), "delta_color": "off", "delta_arrow": "off"}
    return {"delta": f"{points:+.1f}" + t(" points to TF-IDF")}


def figures(run: RunFolder, report: dict[str, Any]) -> None:
    """The scores in a row, with those of a linear model."""
    test, simple = report["test"], baseline_of(run)
    with st.container(horizontal=True):
        for title, name in ((t("Accuracy on the test"), "accuracy"), (t("Macro F1 on the test"), "macro_f1")):
            st.metric(
                title,
                f"{test[name]:.1%}",
                border=True,
                height="stretch",
                **delta_to_baseline(test[name], simple and simple[name]),
            )
        if simple:
            st.metric(
                t("TF-IDF and logistic regression"),
                f"{simple['accuracy']:.1%}",
                border=True,
                help=t(
                    "scikit-learn's linear model on the same split: macro F1 {f1:.1%}, trained in {s:.1f} s.",
                    f1=simple["macro_f1"],
                    s=simple["seconds"],
                ),
            )
        st.metric(
            t("Trained parameters"),
            f"{report['trained_parameters']:,}",
            border=True,
            help=t("of {n:,} in the model", n=report["parameters"]),
        )
    st.caption(
        t(
            "{n:,} held-out test examples, after {step:,} steps ({seconds:.0f} s).",
            n=test["n"],
            step=report["step"],
            seconds=report["training_seconds"],
        )
    )


def related_runs(run: RunFolder) -> None:
    """This run and its baselines in one table."""
    import pandas as pd

    rows = []
    for other, config in comparable_runs(run.config(), RunStore().list()):
        report = report_or_none(other)
        if report is None or "test" not in report:
            continue
        tuned, kept = config.finetune, report.get("forgetting", {})
        rows.append(
            {
                "": "●" if other.id == run.id else "",
                t("Run"): config.name,
                t("Method"): t("from scratch") if tuned.from_scratch else t(METHOD_TITLES[tuned.method]),
                t("Training labels"): report["used"],
                t("Accuracy (%)"): round(100 * report["test"]["accuracy"], 1),
                t("Macro F1 (%)"): round(100 * report["test"]["macro_f1"], 1),
                t("Trained parameters"): report["trained_parameters"],
                t("Loss before → after"): f"{kept['before']:.2f} → {kept['after']:.2f}" if "before" in kept else "–",
            }
        )
    if len(rows) > 1:
        table = pd.DataFrame(rows)
        amount = st.column_config.NumberColumn(format="localized")
        st.dataframe(
            table,
            hide_index=True,
            key="finetune.beside",
            column_config=dict.fromkeys((t("Training labels"), t("Trained parameters")), amount),
        )
        st.caption(
            t(
                "The same text, split and starting weights. “Loss before → after” is measured on the pre-training text: a rise is forgetting."
            )
        )
        downloads("finetune-beside", table=table)


def confusion_matrix(run: RunFolder, report: dict[str, Any], labels: list[str]) -> tuple[int, int] | None:
    """Draws the confusion matrix and returns the cell that is chosen, bound to ``?cell=``; a click chooses one.

    Raises:
        PlaygroundError: when the report is of other labels.
    """
    import numpy as np

    if len(report["confusion"]) != len(labels):
        raise damaged(run)
    counts = np.array(report["confusion"])
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    tags = report.get("task") == "tag"
    note = t("{n:,} of {all:,} words or characters") if tags else t("{n:,} of {all:,} texts")
    notes = [[note.format(n=int(n), all=int(row.sum())) for n in row] for row in counts]
    cell = tuple(map(url_state.whole, url_state.text("finetune", "cell").split("-")))
    chosen = cell if len(cell) == 2 and all(part is not None and part < len(labels) for part in cell) else None
    clicked = heatmap(
        (100 * shares).round(1),
        "finetune.confusion",
        labels,
        labels,
        (t("true label"), t("predicted"), t("% of the row")),
        t("Rows: true labels. Columns: predicted labels. The diagonal is correct."),
        span=(0.0, 100.0),
        selected=chosen,
        clickable=True,
        written=len(labels) <= 12,
        notes=notes,
        tokens=False,
    )
    if clicked and clicked != chosen:
        url_state.remember("finetune", cell=f"{clicked[0]}-{clicked[1]}")
        st.rerun()
    return chosen


def texts_of_cell(run: RunFolder, labels: list[str], true: int, said: int) -> None:
    """Some texts of a cell, the most confident predictions first."""
    import numpy as np

    found = predictions_of(run)
    mine = np.flatnonzero((found["true"] == true) & (found["predicted"] == said))
    mine = mine[np.argsort(-found["confidence"][mine])][:SHOWN]
    st.markdown(
        t(
            "True label **{true}**, predicted **{said}**: {n:,} examples.",
            true=plain(labels[true]),
            said=plain(labels[said]),
            n=int(((found["true"] == true) & (found["predicted"] == said)).sum()),
        )
    )
    if not len(mine):
        st.caption(t("None: this never happened."))
        return
    texts_table(run, mine, labels, "cell")


def texts_table(run: RunFolder, places: Any, labels: list[str], key: str) -> None:
    """A table of test texts with true label, predicted label and confidence; each text can be tried."""
    import pandas as pd

    found, data = predictions_of(run), data_of(run)
    tagging = data.task == "tag"
    examples = found["example"][places] if tagging else places
    texts = data.test.texts([int(i) for i in examples])
    rows = []
    for place, text in zip(places, texts):
        shown = in_context(text, int(found["piece"][place])) if tagging else text
        rows.append(
            {
                t("Text"): shown,
                t("True label"): labels[found["true"][place]],
                t("Predicted"): labels[found["predicted"][place]],
                t("Confidence (%)"): round(100 * float(found["confidence"][place]), 1),
            }
        )
    picked = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key=f"finetune.texts.{key}",
        on_select="rerun",
        selection_mode="single-row",
    )
    st.caption(t("Choose a row to try its text: change a word and see whether the prediction changes."))
    if picked.selection.rows:
        chosen = texts[picked.selection.rows[0]]
        text = "".join(chosen) if tagging else chosen
        links.link("finetune", t("Try this text"), icon=":material/science:", run=run.id, view="try", text=text[:500])


def in_context(pieces: list[str], place: int) -> str:
    """The word that was asked about, between marks, with what stands around it."""
    place = min(place, len(pieces) - 1)  # of a test that was on other texts
    before, after = "".join(pieces[max(0, place - 8) : place]), "".join(pieces[place + 1 : place + 9])
    piece = pieces[place]
    space = piece[: len(piece) - len(piece.lstrip())]
    return f"{'…' if place > 8 else ''}{before}{space}⟦{piece.strip()}⟧{after}"


def per_label(report: dict[str, Any]) -> None:
    """Precision, recall and F1 of each label."""
    import pandas as pd

    st.subheader(t("Each label"), anchor=False)
    percent = lambda value: round(100 * value, 1)
    table = pd.DataFrame(
        [
            {
                t("Label"): row["label"],
                t("Precision (%)"): percent(row["precision"]),
                t("Recall (%)"): percent(row["recall"]),
                "F1, %": percent(row["f1"]),
                t("Test examples"): row["support"],
            }
            for row in report["by_label"]
        ]
    )
    st.dataframe(table, hide_index=True, key="finetune.by_label")
    st.caption(
        t(
            "Precision: of the examples predicted as this label, how many have it. Recall: of the examples with this label, how many are found."
        )
    )
    downloads("finetune-labels", table=table)


def calibration(run: RunFolder, report: dict[str, Any], place: Stage | None = None) -> None:
    """Calibration: whether predictions with 80 % confidence are right 80 % of the time.

    Args:
        place: the stage that it fills, if it does.
    """
    import pandas as pd
    import plotly.graph_objects as go

    bins = report["calibration"]["bins"]
    table = pd.DataFrame(bins)
    fig = go.Figure()
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=t("perfectly calibrated"),
        line={"dash": "dot", "color": "#888"},
        hoverinfo="skip",
    )
    fig.add_scatter(
        x=[b["confidence"] for b in bins],
        y=[b["accuracy"] for b in bins],
        mode="lines+markers",
        name=run.name,
        marker={"size": [8 + 22 * (b["n"] / max(1, max(x["n"] for x in bins))) ** 0.5 for b in bins], "color": GOOD},
        line={"color": GOOD},
        customdata=[b["n"] for b in bins],
        hovertemplate=t("Mean confidence %{x:.0%}, accuracy %{y:.0%}, %{customdata:,} examples") + "<extra></extra>",
    )
    fig.update_xaxes(title=t("Confidence of the model"), range=[0, 1.03], tickformat=".0%")
    fig.update_yaxes(title=t("Accuracy"), range=[0, 1.03], tickformat=".0%")
    fig.update_layout(showlegend=False, margin={"t": 10, "r": 10})
    caption = t(
        "Points below the line: overconfident. Expected calibration error: {error:.1f} percentage points.",
        error=100 * report["calibration"]["error"],
    )
    figure(fig, "finetune.calibration", caption, table=table, height=330, place=place)


def mistakes(run: RunFolder, labels: list[str]) -> None:
    """The most confident mistakes; wrong labels in the data show up here too."""
    import numpy as np

    found = predictions_of(run)
    wrong = np.flatnonzero(found["true"] != found["predicted"])
    st.subheader(t("Most confident mistakes"), anchor=False)
    if not len(wrong):
        st.caption(t("None: every test example is correct."))
        return
    worst = wrong[np.argsort(-found["confidence"][wrong])][:MISTAKES]
    texts_table(run, worst, labels, "mistakes")
