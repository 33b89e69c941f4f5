"""What came of the training, on one screen: how good it is, what it says to a text as somebody types, what it confuses."""

from html import escape
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.finetune import data_picture, evaluation, try_text
from playground.runs.folder import RunFolder
from playground.runs.report import damaged
from playground.ui.labelled_text import data_of
from playground.ui.language import t
from playground.ui.stage import Stage, part

STYLE = """<style>
.st-key-stage-picture [data-testid="stColumn"] > [data-testid="stVerticalBlock"] { gap: 0; }
.verdict { height: 100cqh; display: flex; align-items: center; gap: 1.4rem; overflow: hidden; container-type: size; }
.verdict b { font-size: clamp(2.2rem, 62cqh, 6rem); line-height: 1; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict p { margin: 0; font-size: clamp(max(var(--label-size, 13px), 1rem), 15cqh, 1.35rem); line-height: 1.3; }
@container (max-height: 80px) { .verdict p + p { display: none; } }
</style>"""


def show_verdict(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """The verdict over the labels of the text that is being typed, and the confusion matrix beside them."""
    if "test" not in report:
        raise damaged(run)
    labels = labels_of(run)
    with place.command:
        text = try_text.ask_text(run)
    answer = try_text.answer_to(run, text)
    st.html(STYLE)
    with place.picture:
        left, right = st.columns([1, 1], gap="medium")
        with left:
            with part("verdict", 25):
                st.html(told_large(report["test"], tags=report.get("task") == "tag"))
            with part("answer", 75):
                try_text.draw_answer(run, answer)
        with right:
            cell = confusions(run, report, labels)
    place.say(notice(report, labels, answer))
    with place.rest:
        if cell:
            evaluation.texts_of_cell(run, labels, *cell)
        try_text.explain(run, answer)
        try_text.tell_how_fast(answer)


def labels_of(run: RunFolder) -> list[str]:
    """The names of the labels; of the model itself where its text is not on this machine."""
    try:
        return list(data_of(run).labels)
    except PlaygroundError:
        return list(try_text.labeller_now(run).labels)


def told_large(test: dict[str, Any], tags: bool) -> str:
    """Accuracy and F1 as HTML, and how many texts that is; of words F1 first, as most of them bear one label."""
    right = round(test["accuracy"] * test["n"])
    if tags:
        large = test["macro_f1"]
        told = t("macro F1: each label counts alike")
        more = t(
            "{right:,} of {n:,} held-out words or characters right ({share:.1%}), mostly the commonest label",
            right=right,
            n=test["n"],
            share=test["accuracy"],
        )
    else:
        large = test["accuracy"]
        told = t("{right:,} of {n:,} held-out texts right (accuracy)", right=right, n=test["n"])
        more = t("{f1:.1%} mean F1 over the labels (macro F1)", f1=test["macro_f1"])
    return f"<div class='verdict'><b>{large:.1%}</b><div><p>{escape(told)}</p><p>{escape(more)}</p></div></div>"


def confusions(run: RunFolder, report: dict[str, Any], labels: list[str]) -> tuple[int, int] | None:
    """The confusion matrix, or where there are too many labels how good each is; the cell that is chosen."""
    if "confusion" not in report or len(labels) > evaluation.DRAWN_LABELS:
        rows = [(row["label"], f"{row['f1']:.1%}") for row in report["by_label"]]
        st.html(data_picture.STYLE)
        st.html(data_picture.table(rows, (t("Label"), "F1")))
        return None
    return evaluation.confusion_matrix(run, report, labels)


def notice(report: dict[str, Any], labels: list[str], answer: "try_text.Answer | None") -> str:
    """What there is to see: the commonest mistake, and what a text too long loses."""
    if answer is not None and answer.is_cut:
        n = answer.labeller.length
        return t("The text is longer than the model's context: only its first {n:,} tokens are read.", n=n)
    counts = report.get("confusion")
    if not counts or len(counts) != len(labels):
        return t("Type a text: the labels follow at every key.")
    wrong = [(n, true, said) for true, row in enumerate(counts) for said, n in enumerate(row) if true != said and n]
    if not wrong and report.get("task") == "tag":
        return t("No held-out word got a wrong label. Type a text of your own: the labels follow at every key.")
    if not wrong:
        return t("No held-out text got a wrong label. Type one of your own: the labels follow at every key.")
    n, true, said = max(wrong)
    told = t(
        "Confusion matrix: the most frequent mistake is “{true}” taken for “{said}”, {n:,} times. Click a cell to read its texts."
        if n > 1
        else "Confusion matrix: the most frequent mistake is “{true}” taken for “{said}”, once. Click a cell to read its texts.",
        true=labels[true][:40],
        said=labels[said][:40],
        n=n,
    )
    return told
