"""A run from anybody, whose curves, samples, note or report are of wrong types: every page opens, and says what it can."""

import json
import shutil

import pytest

from playground.runs import gallery
from playground.runs.folder import RunFolder

ROWS = [
    {"kind": "train", "step": "9"},
    {"kind": "train", "step": 9, "loss": [1], "lr": "x"},
    {"kind": "train", "step": True},
    {"kind": "eval", "step": 9, "val_loss": "low", "probe": "abc"},
    {"kind": "eval", "step": {}, "val_loss": 1},
    {"kind": "train", "step": 10**400, "loss": 1},
    {"kind": "eval", "step": 2, "val_loss": 3.0, "probe": [None, "x"]},
]
SAMPLES = [
    {"kind": "text", "step": 1, "prompt": 5, "text": None},
    {"kind": "answers", "step": 1, "examples": [3]},
    {"kind": "blanks", "step": 1, "tokens": 7, "blanks": [99]},
    {"kind": "labels", "step": 1, "examples": {"a": 1}},
    {"kind": "text", "step": [], "prompt": ["a"], "text": "b"},
    {"examples": "abc", "step": 2},
    {"kind": "answers", "step": 1, "examples": [{"source": {"x": 1}, "target": 1, "answer": []}]},
]


@pytest.fixture(params=["bible-decoder", "bible-encoder", "dates"])
def strange(request, tmp_path, monkeypatch) -> RunFolder:
    """A good run, whose newest rows are spoilt: they are what pages show first."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = RunFolder(tmp_path / "runs" / "strange")
    shutil.copytree(gallery.get(request.param).path, run.path)
    run.append_metrics(
        {"kind": "train", "step": 1, "loss": 2.0, "grad_norm": 1.0},
        {"kind": "eval", "step": 1, "val_loss": 2.0},
        *ROWS,
    )
    for sample in SAMPLES:
        run.append_sample(sample)
    return run


@pytest.mark.parametrize("page", ["train", "generate", "explore", "runs", "export"])
def test_pages_open_on_rows_of_wrong_types(open_page, strange, page):
    app = open_page(page, run=strange.id, **({"runs": "strange,bible-lstm"} if page == "runs" else {}))
    assert not app.error, [error.value for error in app.error]


@pytest.mark.parametrize("note", ["x", [1], {"probe": 3, "cut": {"a": 1}}, {"probe": [1, None], "cut": [2]}])
def test_the_train_page_opens_on_any_note(open_page, tmp_path, monkeypatch, note):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = RunFolder(tmp_path / "runs" / "noted")
    shutil.copytree(gallery.get("bible-decoder").path, run.path)
    status = json.loads((run.path / "status.json").read_text())
    (run.path / "status.json").write_text(json.dumps({**status, "note": note}))
    app = open_page("train", run=run.id)
    assert not app.error, [error.value for error in app.error]
