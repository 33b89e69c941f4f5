"""Rows from anybody: whatever stands in a field, every reader answers, and with the types that it promises."""

import io
import json
import math
from contextlib import redirect_stdout

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.cli.progress import Progress
from playground.onnx_export.first_text import first_text
from playground.onnx_export.package import curve
from playground.pages.finetune.progress import as_answers
from playground.runs import branch, rows
from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.overfitting import generalization_gap, turning_point
from playground.runs.samples import opening_text

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(2**70), 2**53 + 1, 1e300, 1e-320])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "train", "eval", "text", "blanks", "labels"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["text", "pieces", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
TRAIN = {
    "kind": "train",
    "step": 3,
    "loss": 2.5,
    "lr": 1e-3,
    "grad_norm": 1.0,
    "tokens": 192,
    "seconds": 0.03,
    "tokens_per_second": 6400.0,
}
EVAL = {
    "kind": "eval",
    "step": 3,
    "tokens": 192,
    "seconds": 0.03,
    "val_loss": 2.4,
    "val_accuracy": 0.3,
    "memory_bytes": 1000,
    "val_exact": 0.1,
    "train_exact": 0.9,
    "val_f1": 0.2,
    "probe": [0.1, 0.9],
}
SAMPLES = [
    {"kind": "text", "step": 3, "prompt": "Once", "text": " upon"},
    {"kind": "answers", "step": 3, "examples": [{"source": "1+1", "target": "2", "answer": "3"}]},
    {"kind": "blanks", "step": 3, "tokens": ["a", "b"], "blanks": [1], "filled": ["a", "c"], "probabilities": [0.5]},
    {
        "kind": "labels",
        "step": 3,
        "examples": [{"text": "good", "label": "yes", "said": "no", "probability": 0.7}],
    },
    {"kind": "labels", "step": 3, "examples": [{"pieces": ["a", "b"], "tags": ["N", "V"], "said": ["N", "N"]}]},
]


def spoilt(rows: list[dict]) -> st.SearchStrategy[dict]:
    """One of the rows with anything in one of its fields, or in one of its first example's."""

    @st.composite
    def draw(pick) -> dict:
        row = json.loads(json.dumps(pick(st.sampled_from(rows))))
        inside = row["examples"][0] if "examples" in row and pick(st.booleans()) else row
        inside[pick(st.sampled_from(sorted(inside)))] = pick(ANYTHING)
        return row

    return draw()


def write(path, found: list[dict]) -> None:
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in found))


def plain_number(value) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from([TRAIN, EVAL]) | spoilt([TRAIN, EVAL]), min_size=1, max_size=40))
def test_any_metrics_are_drawn(tmp_path_factory, found):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    write(run.path / "metrics.jsonl", found)
    curves = RunCurves(run)
    curves.update()
    table = curves.table()
    for part in (table["train"], table["validation"]):
        assert all(plain_number(value) for column in part.values() for value in column)
        assert len({len(column) for column in part.values()}) == 1
    assert all(len(row) == len(table["probe"]["rows"][0]) for row in table["probe"]["rows"])
    json.dumps(table, allow_nan=False).encode()
    generalization_gap(table["train"], table["validation"])
    turning_point(table["train"], table["validation"])
    assert curves.seconds_left(100) is None or curves.seconds_left(100) >= 0
    told = io.StringIO()
    with redirect_stdout(told):
        Progress(run).on_event("metrics", [metric.told() for metric in run.each_metric()])
    assert curve(run).startswith("<svg")
    whole = [row for row in run.metrics()[0] if row.get("kind") == "eval"]
    assert all(plain_number(row.get("val_loss")) for row in whole)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(SAMPLES) | spoilt(SAMPLES), min_size=1, max_size=20))
def test_any_samples_are_shown(tmp_path_factory, found):
    run = RunFolder(tmp_path_factory.mktemp("run"))
    write(run.path / "samples.jsonl", found)
    for row in run.samples():
        json.dumps(as_answers(row), allow_nan=False, ensure_ascii=False).encode()
        with redirect_stdout(io.StringIO()):
            Progress(run).on_event("sample", row)
        # what moments.js draws
        if row["kind"] == "blanks":
            assert len(row["tokens"]) == len(row["filled"]) and len(row["blanks"]) == len(row["probabilities"])
            assert all(isinstance(token, str) for token in row["tokens"]) and all(
                i < len(row["tokens"]) for i in row["blanks"]
            )
        elif row["kind"] == "text":
            assert isinstance(row["text"], str)
        else:
            assert all(
                isinstance(each[part], str) for each in as_answers(row)["examples"] for part in ("source", "target")
            )
    for said in (
        opening_text(run.samples()),
        first_text(run.samples(), fills=False),
        first_text(run.samples(), fills=True),
    ):
        assert isinstance(said, str)


def test_what_is_written_while_training_comes_back_as_it_was(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics(TRAIN, EVAL)
    for sample in SAMPLES:
        run.append_sample(sample)
    assert run.metrics()[0] == [TRAIN, EVAL] and run.samples() == SAMPLES
    assert [metric.told() for metric in run.each_metric()] == [TRAIN, EVAL]


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_loss_that_python_calls_no_number_is_none(tmp_path, word):
    run = RunFolder(tmp_path)
    run.append_metrics({**TRAIN, "step": 1}, {**TRAIN, "step": 2, "loss": float(word)})
    curves = RunCurves(run)
    curves.update()
    assert curves.table()["train"]["loss"] == [2.5, None] and curves.not_finite == 2


def test_a_row_that_does_not_fit_spoils_no_other(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics(
        {**TRAIN, "step": 1},
        {**TRAIN, "step": True},
        {**TRAIN, "step": "2"},
        {**TRAIN, "loss": [1]},
        {**TRAIN, "step": -1},
        {**TRAIN, "step": 10**13},
        {**TRAIN, "step": 2},
    )
    curves = RunCurves(run)
    curves.update()
    assert curves.table()["train"]["step"] == [1, 2]
    assert [row["step"] for row in run.metrics()[0]] == [1, 2]


def test_the_best_checkpoint_is_found_among_rows_from_anybody(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    run.append_metrics(
        {**EVAL, "step": [10]},
        {**EVAL, "step": 10, "val_loss": "low"},
        {**EVAL, "step": 20, "val_loss": None},
        {**EVAL, "step": 10, "val_loss": 3.0},
        {**EVAL, "step": 20, "val_loss": 2.0},
    )
    monkeypatch.setattr(RunFolder, "checkpoints", lambda self: [10, 20])
    assert branch.best_checkpoint(run) == 20


@given(ANYTHING, ANYTHING)
def test_any_note_of_a_status_is_read(probe, cut):
    for note in (probe, {"probe": probe, "cut": cut}, {"probe": ["a", probe]}):
        assert all(isinstance(token, str) for token in rows.passage(note))
        assert rows.cut(note) is None or isinstance(rows.cut(note), str)


def test_the_passage_and_the_cut_of_a_good_note():
    note = {"probe": ["a", " b"], "cut": "The text is longer."}
    assert rows.passage(note) == ["a", " b"] and rows.cut(note) == "The text is longer."


LINES = [
    b'{"step": 1}',
    b'{"step": 2} {"step": 3}',
    b'{"step":',
    b"4}",
    b"",
    b"\r",
    b'{"step": 5, "loss": NaN}',
    b'{"step": 6, "x": "NaN"}',
    b"[1]",
    b"\xff",
]


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_lines_are_read_one_by_one_whatever_stands_beside_them(lines):
    data = b"".join(line + b"\n" for line in lines)
    alone = [metric.step for line in lines for metric in rows.metrics(line + b"\n")]
    assert [metric.step for metric in rows.metrics(data)] == alone
    assert 2 not in alone and alone.count(1) == lines.count(b'{"step": 1}')
