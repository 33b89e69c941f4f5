"""Runs as rows, and what sets them apart."""

from models.spec import ModelSpec
from playground.runs.overview import matches, settings, summaries, summary


def test_a_row_tells_what_the_files_say(new_run):
    run = new_run(model={"vocab_size": 300})
    run.update_status(state="stopped", step=7, steps=12, val_loss=2.5)
    row = summary(run)
    assert (row.state, row.step, row.steps, row.val_loss, row.text) == ("stopped", 7, 12, 2.5, "python-docs")
    assert row.parameters and row.parameters > 300 * 32
    assert matches(row, "SMALL stopped") and not matches(row, "small lstm")


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
