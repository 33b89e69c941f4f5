"""Live line charts: they grow without flicker, and zoom, cursor and choices stay the reader's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.ui.components import component
from playground.ui.language import t


@dataclass(frozen=True)
class Series:
    """The curves of one run.

    Args:
        id, name: of the run; ``note`` is said after the name ("queued, position 2").
        colour: "#rrggbb"; ``main`` runs are drawn strong, others pale, for comparison.
        train, validation: columns of equal length, ``step``, ``tokens`` and ``seconds`` among them
            (see :meth:`playground.runs.curves.RunCurves.table`).
    """

    id: str
    name: str
    colour: str
    main: bool = True
    note: str = ""
    train: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """One chart: ``line`` names a column of ``train`` (or of ``validation``), ``points`` one of ``validation``.

    Args:
        title: what is measured and its unit, translated.
        main: large, over the whole width, with the axis title.
        perplexity: may be shown as exp(value).
        percent: the column holds fractions, which are shown as percentages.
        top: the number beside the title is the line's highest value; in a drawing that is not bare it is told besides.
        zero: the axis starts at zero. ``logs``: follows the switch for a logarithmic axis.
    """

    id: str
    title: str
    line: str | None = None
    points: str | None = None
    main: bool = False
    perplexity: bool = False
    percent: bool = False
    zero: bool = False
    logs: bool = True
    smooth: bool = True
    top: bool = False
    height: int | None = None


def run_panels() -> list[Panel]:
    """The charts of a training run: loss large, what explains it small."""
    return [
        Panel("loss", t("Loss (nats per token)"), "loss", "val_loss", main=True, perplexity=True),
        Panel("accuracy", t("Accuracy of tokens (%)"), None, "val_accuracy", logs=False, percent=True),
        Panel("exact", t("Exact answers (%)"), "train_exact", "val_exact", logs=False, percent=True, smooth=False),
        Panel("lr", t("Learning rate"), "lr", smooth=False, zero=True, top=True),
        Panel("grad_norm", t("Gradient norm"), "grad_norm"),
        Panel("speed", t("Speed (tokens per second)"), "tokens_per_second", zero=True, smooth=False, logs=False),
    ]


def labelled_panels() -> list[Panel]:
    """The charts of a run that learns labels."""
    return [
        Panel("loss", t("Loss (nats per label)"), "loss", "val_loss", main=True),
        Panel("accuracy", t("Accuracy (%)"), None, "val_accuracy", logs=False, percent=True),
        Panel("f1", t("Macro F1 (%)"), None, "val_f1", logs=False, percent=True),
        Panel("lr", t("Learning rate"), "lr", smooth=False, zero=True, top=True),
        Panel("grad_norm", t("Gradient norm"), "grad_norm"),
    ]


def curves(
    key: str,
    series: Sequence[Series],
    panels: Sequence[Panel],
    alt: str,
    bare: bool = False,
    until: int | None = None,
    start: dict[str, Any] | None = None,
) -> None:
    """Draws the curves. Call it again with more data as often as you like.

    Args:
        key: "<page>.<name>"; what the reader chose is remembered under it.
        alt: what there is to see, in a sentence, for those who cannot.
        bare: no tools and no legend, for a small drawing.
        until: the step up to which the axis reaches at least.
        start: the reader's choices before there are any, such as ``{"logy": True}``.
    """
    component("curves", "plot", "curves_panel")(
        key=key,
        data={
            "key": key,
            "runs": [vars(each) for each in series],
            "panels": [vars(each) for each in panels],
            "words": words(),
            "alt": alt,
            "bare": bare,
            "until": until,
            "start": start or {},
        },
    )


def words() -> dict[str, str]:
    """What the charts say, in the person's language."""
    return {
        "axis": t("Horizontal axis"),
        "step": t("step"),
        "tokens": t("tokens"),
        "seconds": t("time"),
        "step_title": t("optimizer step"),
        "tokens_title": t("tokens seen"),
        "seconds_title": t("training time"),
        "logx": t("log x"),
        "logy": t("log y"),
        "perplexity": t("perplexity"),
        "perplexity_title": t("Perplexity, exp(loss)"),
        "smoothing": t("smoothing"),
        "smoothing_help": t("Moving average over this fraction of the curve; the band shows the value of every step."),
        "reset": t("whole curve"),
        "training": t("Training"),
        "validation": t("Validation"),
        "hide": t("Show or hide"),
        "top": t("top"),
        "options": t("Options"),
    }
