"""run.json has a format: that of today's and of earlier versions opens, a newer one is told."""

import json

import pytest

from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError, UserError
from playground.runs import throughput
from playground.runs.config import FORMAT, LONGEST_NAME, RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.training import load_model
from playground.training.trainer import Trainer  # noqa: F401 (the worker's)


def rewritten(run: RunFolder, **values) -> RunFolder:
    about = json.loads((run.path / "run.json").read_text())
    about = {name: value for name, value in {**about, **values}.items() if value is not ...}
    (run.path / "run.json").write_text(json.dumps(about))
    return run


def test_it_is_written_and_read(store, config):
    run = store.create(config)
    assert json.loads((run.path / "run.json").read_text())["format"] == FORMAT == 2
    assert store.list() == [run]


def test_a_home_of_before_there_was_a_number_loads(store, config):
    run = rewritten(store.create(config), format=...)
    assert "format" not in run.about() and run.config() == config and store.list() == [run] and store.damaged() == []
    store.rename(run.id, "renamed")
    assert run.about()["format"] == FORMAT and run.name == "renamed"


@pytest.mark.parametrize("number", [3, 999, 10**30])
def test_a_newer_one_is_told_and_can_be_deleted(store, config, number):
    run = rewritten(store.create(config), format=number)
    with pytest.raises(PlaygroundError, match="newer LM Playground") as caught:
        run.config()
    assert "Update the app" in caught.value.hint
    (damaged,) = store.damaged()
    assert store.list() == [] and "newer" in damaged.message and damaged.run == run
    store.delete(run.id)
    assert store.damaged() == [] and store.trash()[0].id == run.id


@pytest.mark.parametrize("number", ["2", 1.5, True, None, -1, []])
def test_what_is_no_number_is_damage(store, config, number):
    rewritten(store.create(config), format=number)
    assert len(store.damaged()) == 1


def test_weights_are_counted_before_anything_is_built(store, config, checkpoint_files, monkeypatch):
    """Ten words in run.json asked for all memory there is."""
    run = store.create(
        config.replace(model=ModelSpec("decoder", vocab_size=1000, d_model=4096, n_layers=400, n_heads=8))
    )
    run.save_checkpoint(5, checkpoint_files)
    monkeypatch.setattr(load_model, "build", lambda spec: pytest.fail("built"))
    with pytest.raises(PlaygroundError, match="do not belong to this model"):
        load_model.load_model(run)


def test_a_model_that_memory_has_no_room_for_is_told(store, config, checkpoint_files, monkeypatch):
    run = store.create(config.replace(model=ModelSpec("lstm", vocab_size=0, d_model=1, n_layers=1)))
    monkeypatch.setattr(load_model, "parameter_counts", lambda spec: {"all": 2})
    monkeypatch.setattr(throughput, "free_memory", lambda: 15)
    monkeypatch.setattr(load_model, "build", lambda spec: pytest.fail("built"))
    run.save_checkpoint(5, checkpoint_files)
    with pytest.raises(PlaygroundError, match="of memory"):
        load_model.load_model(run)


def test_the_most_parameters_are_bounded():
    with pytest.raises(SpecError, match="at most 100,000,000,000"):
        ModelSpec("decoder", d_model=1_000_000, n_layers=1000, n_heads=1)


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "a\x1b[2Jb", "x" * 10_000, "\u2066a\u2069", "a\u2028b"])
def test_a_name_is_one_line_of_bounded_length(config, name):
    shown = config.replace(name=name).name
    assert len(shown) <= LONGEST_NAME and shown.isprintable()


def test_a_name_in_the_file_is_shown_as_one_line_too(store, config):
    run = rewritten(store.create(config), name="a\n# b\u202e")
    assert run.name == run.about()["name"] == "a # b "


@pytest.mark.parametrize("field", ["steps", "batch_size", "seed", "threads", "eval_every"])
def test_whole_numbers_are_whole(field):
    with pytest.raises(SpecError, match="whole number"):
        TrainingSpec(**{field: 2.5})


def test_settings_of_any_type_are_refused_in_words(config):
    for key in ("model", "data", "training"):
        for value in (None, 7, "x", [], [1], {"x": 1}, [["a", 1]]):
            with pytest.raises(UserError):
                RunConfig.from_dict({**config.to_dict(), key: value})


def test_the_store_opens_whatever_its_folder_holds(home):
    """Files between the runs, folders that are none, links to nowhere."""
    root = home / "runs"
    root.mkdir(parents=True)
    (root / "a-file").write_text("x")
    (root / "a-folder").mkdir()
    (root / "a-link").symlink_to("/nowhere")
    (root / "A Name").mkdir()
    store = RunStore()
    assert store.list() == [] and [each.run.id for each in store.damaged()] == ["a-folder"]
