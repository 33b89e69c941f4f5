"""Runs as rows, and what sets them apart."""

import json

from models.spec import ModelSpec
from playground.runs.overview import matches, settings, summaries, summary
from playground.text import uploads


def test_a_row_tells_what_the_files_say(new_run):
    run = new_run(model={"vocab_size": 300})
    run.update_status(state="stopped", step=7, steps=12, val_loss=2.5)
    row = summary(run)
    assert (row.state, row.step, row.steps, row.val_loss, row.text) == ("stopped", 7, 12, 2.5, "python-docs")
    assert row.parameters and row.parameters > 300 * 32
    assert matches(row, "SMALL stopped") and not matches(row, "small lstm")


def test_a_run_that_learns_labels_learns_from_the_text_that_has_them(new_run):
    run = new_run()
    table, shipped = {"dataset": "file", "path": "/somewhere/moods.csv"}, {"dataset": "bible-parts", "path": None}
    for labelled, text in ((table, "moods.csv"), (shipped, "bible-parts"), (None, "mine.txt")):
        data = {**run.about()["data"], "corpus": "file", "path": "/somewhere/mine.txt"}
        about = {**run.about(), "data": data, "finetune": {"task": "classify", "labelled": labelled}}
        (run.path / "run.json").write_text(json.dumps(about))
        assert summary(run).text == text


def test_a_written_text_is_called_by_its_first_words(new_run, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    kept = uploads.write("The lamp in the window is for the boats. " * 3)
    run = new_run()
    data = {**run.about()["data"], "corpus": "file", "path": str(kept.path)}
    (run.path / "run.json").write_text(json.dumps({**run.about(), "data": data}))
    assert summary(run).text == "The lamp in the window is for the boats…"


def test_damaged_runs_are_passed_over(new_run):
    run, broken = new_run(), new_run()
    (broken.path / "run.json").write_text('{"name": "x", "model": {"architecture": "mamba"}}')
    assert [row.id for row in summaries([run, broken])] == [run.id]
    assert summary(run).parameters is None


def test_only_differences_are_told(new_run):
    one, other = new_run().config(), new_run(training={"lr": 0.5}).config()
    assert [name for name, _ in settings([one, other])] == ["training.lr"]
    assert settings([one, one]) == [] and len(settings([one, one], only_different=False)) > 40


def test_what_an_architecture_has_no_use_for_is_not_told(new_run):
    one = new_run().config()
    other = one.replace(model=ModelSpec("lstm", d_model=32))
    assert dict(settings([one, other]))["model.n_heads"] == [2, None]
