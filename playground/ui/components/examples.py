"""Held-out texts with right and wrong tokens over the evaluations, and the likeliest tokens of the one that is clicked."""

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from playground.runs.examples import History
from playground.ui.components import component
from playground.ui.language import t

if TYPE_CHECKING:
    import numpy as np


def examples(key: str, history: History, pieces: Mapping[int, str], choices: Mapping[int, str], colour: str) -> None:
    """Draws them. The scrubber, pointing and clicking stay in the browser; the page's common cursor moves them too.

    Args:
        history: the examples at every evaluation so far.
        pieces: the texts' tokens by id, as ``Tokenizer.pieces`` gives them.
        choices: what is chosen from, by id: tokens, or labels.
        colour: of the run; the right token's line has it.
    """
    component("examples", "plot")(
        key=key,
        data={
            "kind": history.texts.kind,
            "steps": history.steps,
            "rows": _rows(history, pieces),
            "targets": history.texts.targets,
            "choices": {str(id): name for id, name in choices.items()},
            "width": history.ids.shape[1],
            **_numbers(history),
            "colour": colour,
            "words": _words(history.texts.kind),
        },
    )


def _rows(history: History, pieces: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {"pieces": [pieces[id] for id in row.ids], "asked": row.asked, "before": row.before, "after": row.after}
        for row in history.texts.rows
    ]


@lru_cache(maxsize=8)
def _numbers(history: History) -> dict[str, str]:
    """Packed once for all who look, until the next evaluation makes another history."""
    return {
        "said": _packed(history.said, "<i4"),
        "pSaid": _packed(history.p_said, "<f2"),
        "ids": _packed(history.ids, "<i4"),
        "p": _packed(history.p, "<f2"),
    }


def _packed(values: "np.ndarray", kind: str) -> str:
    """Numbers as the script reads them: little-endian, base64."""
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def _words(kind: str) -> dict[str, str]:
    labels = kind in ("label", "tag")
    return {
        "title": t("{right} of {asked} right at step {step}"),
        "label": t("Validation examples"),
        "scrub": t("Evaluation"),
        "newest": t("newest"),
        "hint": {
            "next": t("Held-out texts; the model predicts each token from those before it. Click a token to see how."),
            "masked": t("Held-out texts; the model fills in the masked tokens. Click one to see how."),
            "answer": t("Held-out questions; the model predicts each token of the answer. Click a token to see how."),
            "label": t("Held-out texts; the model predicts the label of each. Click a label to see how."),
            "tag": t("Held-out texts; the model predicts the label of each token. Click a token to see how."),
        }[kind],
        "right": t("predicted right"),
        "wrong": t("predicted wrong"),
        "context": t("only read"),
        "is_right": t("“{target}”: right at step {step}, with a probability of {p}."),
        "is_wrong": t(
            "“{target}”: wrong at step {step}. Its probability was {p}; the model predicted “{said}” ({p_said})."
        ),
        "chart": (
            t("Probabilities of the likeliest labels here, over all evaluations")
            if labels
            else t("Probabilities of the sixteen likeliest tokens here, over all evaluations")
        ),
        "caption": (
            t("The model is right wherever the thick line, the right label, is on top.")
            if labels
            else t(
                "The model is right wherever the thick line, the right token, is on top; a line has gaps where its token was not among the sixteen likeliest."
            )
        ),
        "step": t("step"),
        "y": t("probability"),
        "at": t("step {step}: “{name}” {p}, the right one “{target}” {p_target}"),
        "at_right": t("step {step}: the right one, “{target}”, {p_target}"),
        "unknown": t("not among the likeliest"),
        "close": t("Close"),
    }
