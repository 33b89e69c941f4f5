"""The report of a test: read as it was written, or told to be damaged; nothing between."""

import json
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.report import read_report
from playground.training import results
from tests.unit.runs.test_rows import ANYTHING

PREDICTIONS = {
    "true": np.array([0, 1, 1, 0]),
    "predicted": np.array([0, 1, 0, 0]),
    "confidence": np.array([0.9, 0.8, 0.6, 1.0], np.float32),
    "truth": np.array([0.9, 0.8, 0.4, 1.0], np.float32),
}
WHOLE = {
    "step": 40,
    "task": "classify",
    "trained_parameters": 100,
    "parameters": 1000,
    "training_seconds": 1.5,
    "used": 30,
    **results.evaluation_of(PREDICTIONS, ["no", "yes"]),
    "forgetting": {"text": "a text", "objective": "clm", "before": 2.5, "after": 3.0},
    "seconds": 0.1,
}


def run_with(folder, report) -> RunFolder:
    (folder / "results").mkdir(exist_ok=True)
    (folder / "run.json").write_text('{"name": "mine"}')
    (folder / "results" / "report.json").write_text(report if isinstance(report, str) else json.dumps(report))
    return RunFolder(folder)


def places(value, path=()) -> list[tuple]:
    """The way to everything in a report."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, each in inner for place in places(each, (*path, name)))]


def test_what_a_test_wrote_comes_back(tmp_path):
    assert read_report(run_with(tmp_path, WHOLE)) == WHOLE
    assert read_report(RunFolder(tmp_path / "other")) is None
    for forgetting in ({"missing": "There is no run any more."}, None):
        report = {name: value for name, value in WHOLE.items() if name not in ("forgetting", "confusion")}
        report |= {"forgetting": forgetting} if forgetting else {}
        assert read_report(run_with(tmp_path, report)) == report


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(places(WHOLE)), ANYTHING | st.just("gone"))
def test_anything_in_any_place_is_read_right_or_told_to_be_damaged(tmp_path_factory, place, value):
    report = deepcopy(WHOLE)
    if place:
        inside = report
        for name in place[:-1]:
            inside = inside[name]
        if value == "gone":
            del inside[place[-1]]
        else:
            inside[place[-1]] = value
    try:
        found = read_report(run_with(tmp_path_factory.mktemp("run"), report if place else value))
    except PlaygroundError as error:
        assert error.message == "The file report.json of mine is damaged." and error.hint
        return
    # everything that the pages show of it
    assert isinstance(found["step"], int) and found["training_seconds"] < 1e101
    assert f"{found['trained_parameters']:,} of {found['parameters']:,}"
    if "test" in found:
        assert (
            f"{found['test']['n']:,} {found['test']['accuracy']:.1%} {found['test']['macro_f1']:.1%} {found['used']:,}"
        )
        assert all(
            f"{row['label']}{100 * row['f1']}{row['precision']:.1%}{row['recall']:.1%}" for row in found["by_label"]
        )
        assert all(f"{bin['confidence']:.0%}{bin['accuracy']:.0%}{bin['n']:,}" for bin in found["calibration"]["bins"])
        counts = np.array(found.get("confusion", [[0]]))
        assert counts.ndim == 2 and counts.shape[0] == counts.shape[1] or not counts.size
    kept = found.get("forgetting", {})
    assert isinstance(kept.get("missing", ""), str) and (
        "missing" in kept or not kept or f"{kept['before'] - kept['after']:.3f}"
    )


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "null", "{}", '{"step": 1e999}', "\0"])
def test_a_file_that_is_no_report_is_told(tmp_path, text):
    with pytest.raises(PlaygroundError, match=r"report\.json of mine is damaged"):
        read_report(run_with(tmp_path, text))


def written(folder, predictions) -> RunFolder:
    run = run_with(folder, WHOLE)
    save_file(predictions, folder / "results" / "test.safetensors")
    return run


def test_predictions_come_back(tmp_path):
    found = results.load_test_predictions(written(tmp_path, PREDICTIONS))
    assert all((found[name] == values).all() for name, values in PREDICTIONS.items())


@pytest.mark.parametrize(
    "name, values",
    [
        ("true", np.array([0, 1])),
        ("true", np.array([[0], [1], [1], [0]])),
        ("predicted", np.array([0, 1, -1, 0])),
        ("predicted", np.array([0.0, 1.0, 1.0, 0.0])),
        ("confidence", np.array([0.5, np.nan, 0.5, 0.5])),
        ("truth", np.array([1, 1, 1, 1])),
        ("confidence", np.array([7.0, 0.5, 0.5, 0.5])),
        ("example", np.array([0, 1])),
        ("true", None),
    ],
)
def test_predictions_that_are_none_are_told(tmp_path, name, values):
    found = {**PREDICTIONS, name: values}
    with pytest.raises(PlaygroundError, match="no test results that can be read"):
        results.load_test_predictions(
            written(tmp_path, {name: values for name, values in found.items() if values is not None})
        )
