import errno
import json
import os

import pytest

from playground.core.errors import PlaygroundError
from playground.runs import naming, queue
from playground.runs.store import RunStore


def test_made_found_and_listed_newest_first(store, config):
    runs = [store.create(config.replace(name=name)) for name in ("one", "two", "three")]
    assert [run.id for run in store.list()] == [run.id for run in reversed(runs)]
    assert store.get(runs[0].id) == runs[0]
    assert store.get("two") == runs[1]
    assert store.get("latest") == runs[2]
    assert store.get(runs[1].id[:6]) == runs[1]


def test_what_is_not_there_or_not_clear_is_said(store, config):
    with pytest.raises(PlaygroundError, match="no run 'latest'"):
        store.get("latest")
    first, second = store.create(config), store.create(config)
    with pytest.raises(PlaygroundError, match="2 runs") as error:
        store.get("first try")
    assert first.id in error.value.hint and second.id in error.value.hint
    with pytest.raises(PlaygroundError, match="no run"):
        store.get("third")


@pytest.mark.parametrize("which", ["../evil", "/etc", "..", ".", "", "a/../../evil", "\0", "~", "evil/", "..\\evil"])
def test_ids_that_look_like_paths_reach_nothing(store, config, which, home):
    run = store.create(config.replace(name="evil"))
    os.rename(run.path, home / "evil")  # a run outside of the store
    for act in (store.get, store.delete, store.duplicate, store.undelete, lambda w: store.rename(w, "x")):
        with pytest.raises(PlaygroundError):
            act(which)
    assert (home / "evil" / "run.json").exists()


def test_foreign_things_in_the_folder_do_no_harm(store, config):
    run = store.create(config)
    (store.root / "notes.txt").write_text("hello")
    (store.root / "empty").mkdir()
    (store.root / "broken").mkdir()
    (store.root / "broken" / "run.json").write_text("{")
    (store.root / ".import-abc").mkdir()
    assert store.list() == [run]


def test_rename_keeps_the_id(store, config):
    run = store.create(config)
    assert store.rename(run.id, "  better ").name == "better"
    assert store.get("better") == run


def test_duplicate_is_a_new_run_with_the_same_settings(store, config):
    run = store.create(config)
    run.append_metrics({"step": 1})
    copy = store.duplicate(run.id)
    assert copy.name == "first try (2)" and copy.config().replace(name="first try") == run.config()
    assert copy.metrics()[0] == [] and copy.status().state == "created"
    assert store.duplicate(run.id).name == "first try (3)"


def test_duplicate_with_weights_goes_on_from_there(store, config, checkpoint_files):
    run = store.create(config)
    with pytest.raises(PlaygroundError, match="no checkpoint"):
        store.duplicate(run.id, weights=True)
    assert len(store.list()) == 1
    run.save_checkpoint(5, checkpoint_files)
    run.tokenizer_path.write_text("{}")
    run.append_metrics(*({"step": step} for step in range(9)))
    copy = store.duplicate(run.id, weights=True)
    assert copy.checkpoints() == [5] and copy.status().state == "paused" and copy.status().step == 5
    assert [row["step"] for row in copy.metrics()[0]] == [0, 1, 2, 3, 4, 5]


def test_delete_can_be_undone(store, config, checkpoint_files):
    run = store.create(config)
    run.save_checkpoint(5, checkpoint_files)
    trashed = store.delete(run.id)
    assert store.list() == [] and trashed.name == "first try" and [t.key for t in store.trash()] == [trashed.key]
    assert store.undelete(trashed) == run and run.checkpoints() == [5]
    assert store.trash() == []
    store.delete(run.id)
    assert store.undelete(run.id) == run


def test_undelete_does_not_overwrite(store, config):
    run = store.create(config)
    trashed = store.delete(run.id)
    run.path.mkdir()
    back = store.undelete(trashed.key)
    assert back.id != run.id and naming.is_id(back.id) and back.name == "first try"


def test_emptied_trash_is_gone(store, config):
    trashed = store.delete(store.create(config).id)
    assert store.empty_trash(older_than=3600) == 0
    assert store.empty_trash() == 1
    with pytest.raises(PlaygroundError, match="in the trash"):
        store.undelete(trashed)


def test_a_run_in_training_is_not_deleted(store, config):
    run = store.create(config)
    run.update_status(state="running")
    with pytest.raises(PlaygroundError, match="being trained"):
        store.delete(run.id)
    run.update_status(state="paused")
    store.delete(run.id)


def test_deleting_a_waiting_run_takes_its_ticket(store, config):
    run = store.create(config)
    queue.enqueue(run.id, "cpu", run.path)
    store.delete(run.id)
    assert queue.tickets("cpu") == []


def test_full_disk_leaves_no_half_run(store, config, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlaygroundError, match="disk is full"):
        store.create(config)
    monkeypatch.undo()
    assert list(store.root.iterdir()) == []


def test_two_stores_at_once(store, config, python):
    code = (
        "import sys, json\n"
        "from playground.runs.store import RunStore; from playground.runs.config import RunConfig\n"
        "store = RunStore(); config = RunConfig.from_dict(json.loads(sys.argv[1]))\n"
        "for i in range(15):\n"
        "    run = store.create(config); store.list(); store.rename(run.id, f'renamed {i}')\n"
        "    if i % 3 == 0: store.delete(run.id)\n"
        "print('done', flush=True)"
    )
    children = [python(code, json.dumps(config.to_dict())) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "done\n"
    assert len(store.list()) == 20 and len(store.trash()) == 10
    assert all(run.name.startswith("renamed") for run in store.list())


def test_store_elsewhere_has_its_own_trash(tmp_path, config):
    store = RunStore(tmp_path / "a" / "runs")
    store.delete(store.create(config).id)
    assert (tmp_path / "a" / "trash").is_dir() and len(store.trash()) == 1
