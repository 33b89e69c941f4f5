"""What the test of a fine-tuned run measured, read from its results folder: report, predictions, the linear baseline."""

from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.runs.folder import RunFolder
from playground.runs.report import NAME, read_report
from playground.ui.labelled_text import data_of
from playground.ui.language import t

TEST = Path("results") / "test.safetensors"


def report_of(run: RunFolder) -> dict[str, Any] | None:
    """What the test found; None before the end of training.

    Raises:
        PlaygroundError: when the file is damaged.
    """
    path = run.path / "results" / NAME
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    return _report(str(run.path), changed)


def report_or_none(run: RunFolder) -> dict[str, Any] | None:
    """The same where many runs are told of: one that cannot be read is passed over."""
    try:
        return report_of(run)
    except PlaygroundError:
        return None


@st.cache_data(max_entries=256, show_spinner=False)
def _report(path: str, changed: int) -> dict[str, Any] | None:
    return read_report(RunFolder(Path(path)))


def baseline_of(run: RunFolder) -> dict[str, Any] | None:
    """The linear model's figures: a few seconds the first time, then from the disk; a run that ships brings them."""
    from playground.labelled.baseline import baseline, shipped_baseline

    if gallery.holds(run) and (found := shipped_baseline(run.path)):
        return found
    spec = run.config().finetune.labelled
    with st.spinner(t("Training a linear model on the same texts, for comparison")):
        return baseline(data_of(run), spec)


def ships_predictions(run: RunFolder) -> bool:
    """Whether the predictions on the test can be there: those of some shipped models were too large."""
    return not gallery.holds(run) or (run.path / TEST).exists()


def predictions_of(run: RunFolder) -> dict[str, Any]:
    """The predictions of the model on every test example.

    Raises:
        PlaygroundError: when that cannot be read, or is of other labels or texts than the run's.
    """
    path = run.path / TEST
    if not ships_predictions(run):
        raise PlaygroundError(
            "The predictions for the test texts of {name} are too large to ship with it.",
            "Fine-tune the same yourself: then its mistakes can be read.",
            name=run.name,
        )
    found = _predictions(str(run.path), path.stat().st_mtime_ns if path.exists() else 0)
    data, most = data_of(run), lambda name: int(found[name].max(initial=-1))
    n = len(data.test)
    fits = max(most("true"), most("predicted")) < len(data.labels)
    if data.task == "tag":
        fits &= "example" in found and "piece" in found and most("example") < n
    else:
        fits &= len(found["true"]) <= n
    if not fits:
        raise PlaygroundError("{name} has no test results that can be read.", "Let it train to its end.", name=run.name)
    return found


@st.cache_data(max_entries=16, show_spinner=False)
def _predictions(path: str, changed: int) -> dict[str, Any]:
    from playground.training.results import load_test_predictions

    return load_test_predictions(RunFolder(path))
