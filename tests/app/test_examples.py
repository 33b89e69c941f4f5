"""Validation examples under a run's stage: shown where there are some; what is missing or damaged is told in a sentence."""

import shutil

import pytest

from playground.runs import examples, gallery
from playground.runs.store import RunStore
from playground.training import worker
from tests.support.made_runs import make_run

HEADING = "Validation examples: right and wrong"


@pytest.fixture(scope="module")
def trained():
    from models.presets import PRESETS
    from playground.runs.config import RunConfig, TrainingSpec
    from playground.text.spec import DataSpec, TokenizerSpec

    spec = PRESETS["gru-tiny"].spec.replace(d_model=16, n_layers=1, context_length=16)
    training = TrainingSpec(steps=4, eval_every=2, eval_batches=1, batch_size=4, warmup_steps=1, threads=1)
    data = DataSpec("python-docs", tokenizer=TokenizerSpec("char"), max_bytes=60_000)
    run = RunStore().create(RunConfig("with examples", spec, data, training))
    assert worker.run(run) == "finished"
    return run


@pytest.fixture
def copied(trained):
    """The run again, to be spoilt."""
    copy = RunStore().duplicate(trained.id, weights=True)
    yield copy
    shutil.rmtree(copy.path)


def headings(app) -> list[str]:
    return [each.value for each in app.subheader]


def test_a_run_with_examples_has_them_under_a_heading(open_page, trained, copied):
    for run in (trained, copied):
        app = open_page("train", run=run.id)
        assert HEADING in headings(app) and not app.warning


def test_what_ships_with_the_app_has_none(open_page):
    assert HEADING not in headings(open_page("train", run=gallery.runs()[0].id))


def test_an_older_run_says_how_to_get_them(open_page, trained):
    run = make_run(trained.path.parents[1], "older")
    app = open_page("train", run=run.id)
    assert HEADING in headings(app)
    assert any("Train its settings again" in each.value for each in app.caption)


def test_a_run_before_its_first_evaluation_says_when_it_is(open_page, copied):
    shutil.rmtree(copied.path / examples.FOLDER)
    copied.update_status(state="running")
    app = open_page("train", run=copied.id)
    assert any("The first evaluation is at step 2" in each.value for each in app.caption)


def test_damaged_files_are_told(open_page, copied):
    examples.path_of(copied.path, 2).write_bytes(b"torn")
    app = open_page("train", run=copied.id)
    assert [each.value.replace("\\", "") for each in app.warning] == ["Damaged evaluations, which are left out: 1."]
    (copied.path / examples.FOLDER / examples.TEXTS).write_text("{")
    app = open_page("train", run=copied.id)
    assert ["cannot be shown" in each.value for each in app.warning] == [True]


def test_tokens_that_the_run_does_not_know_are_told(open_page, copied):
    """A stranger's file: its numbers make sense, but not for this run."""
    texts = examples.Texts("next", [examples.Row([2**30, 2**30], [1], [2**30])])
    examples.begin(copied.path, texts)
    import numpy as np

    one = np.ones((1, 1), np.float16)
    examples.save(copied.path, 2, {"ids": one.astype(np.int32), "p": one, "p_target": one[0]})
    app = open_page("train", run=copied.id)
    assert any("do not fit this run's tokenizer" in each.value for each in app.warning)
    labels = examples.Texts("label", [examples.Row([5], [1], [9])])
    examples.begin(copied.path, labels)
    examples.save(copied.path, 2, {"ids": one.astype(np.int32), "p": one, "p_target": one[0]})
    app = open_page("train", run=copied.id)
    assert any("do not fit this run's tokenizer" in each.value for each in app.warning)
