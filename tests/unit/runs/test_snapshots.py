"""Snapshots: when they are made, that they change nothing, and that a step can be looked at by them."""

import errno
import json
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from models.parameter_counts import parameter_counts
from playground.core.errors import PlaygroundError
from playground.runs import archive, snapshots
from playground.runs.branch import branch
from playground.runs.config import TrainingSpec
from playground.runs.store import RunStore
from playground.training import checkpoint_io, worker
from playground.training.load_model import load_model, model_at
from tests.support.same_run import assert_same_run, weights


@given(st.integers(1, 100_000), st.integers(2, 40))
def test_the_grid_begins_at_0_ends_at_the_end_and_grows_wider(steps, n):
    found = snapshots.grid(steps, n)
    assert found[0] == 0 and found[-1] == steps and len(found) <= n
    assert list(found) == sorted(set(found))
    gaps = [after - before for before, after in zip(found, found[1:], strict=False)]
    assert all(later >= earlier - 1 for earlier, later in zip(gaps, gaps[1:], strict=False)), "but for rounding"


def test_the_grid_of_a_thousand_steps_by_hand():
    assert snapshots.grid(1000, 15) == (0, 5, 20, 46, 82, 128, 184, 250, 327, 413, 510, 617, 735, 862, 1000)
    assert snapshots.grid(1000, 1) == (0,) and snapshots.grid(1000, 0) == ()


def test_small_models_have_fifteen_unless_told_and_large_ones_none():
    training = TrainingSpec(steps=1000)
    assert len(snapshots.planned(training, 3_000_000)) == 15
    assert snapshots.planned(training, 3_000_001) == ()
    assert snapshots.planned(training.replace(snapshots=0), 1000) == ()
    assert len(snapshots.planned(training.replace(snapshots=4), 10**9)) == 4


@pytest.mark.parametrize(
    "model, training",
    [
        ({"architecture": "decoder"}, {"gradient_accumulation_steps": 2}),
        ({"architecture": "encoder"}, {"objective": "mlm"}),
        ({"architecture": "rnn"}, {}),
        ({"architecture": "lstm"}, {"optimizer": "muon"}),
        ({"architecture": "gru"}, {"optimizer": "sgd"}),
    ],
)
def test_a_run_with_snapshots_is_bit_equal_to_one_without(new_run, model, training):
    seen, unseen = (new_run({**model, "dropout": 0.3}, training={**training, "snapshots": n}) for n in (-1, 0))
    for run in (seen, unseen):
        assert worker.run(run) == "finished", run.status().message
    assert snapshots.steps(seen.path) == list(snapshots.grid(12, 15)) and not snapshots.folder_of(unseen.path).exists()
    assert_same_run(seen, unseen)
    moments = [load_file(run.latest_checkpoint() / "optimizer.safetensors") for run in (seen, unseen)]
    assert moments[0].keys() == moments[1].keys()
    rows = [[row for row in run.metrics()[0] if row["kind"] == "eval"] for run in (seen, unseen)]
    assert [row["val_loss"] for row in rows[0]] == [row["val_loss"] for row in rows[1]]
    assert all(torch.equal(tensor, moments[1][name]) for name, tensor in moments[0].items())


def test_a_snapshot_is_the_checkpoint_of_its_step_rounded_to_float16_and_as_large_as_told(new_run):
    run = new_run(training={"keep_steps": (0, 5), "snapshots": 15})
    worker.run(run)
    n = sum(parameter_counts(run.config().model).values())
    for step in (0, 5, 12):
        path = snapshots.path_of(run.path, step)
        assert snapshots.size(1, n) <= path.stat().st_size <= snapshots.size(1, n) + 8_000
        kept = load_file(path)
        for name, tensor in weights(run, step).items():
            assert kept[name].dtype == torch.float16 and torch.equal(kept[name], tensor.half())


def test_a_step_is_looked_at_by_its_checkpoint_else_by_its_snapshot(new_run):
    run = new_run(training={"keep_steps": (5,)})
    worker.run(run)
    assert snapshots.steps_of(run) == sorted({*run.checkpoints(), *snapshots.grid(12, 15)})
    by_checkpoint = model_at(run, 5).state_dict()
    assert all(torch.equal(by_checkpoint[name], tensor) for name, tensor in weights(run, 5).items())
    shutil.rmtree(run.checkpoint(5))
    by_snapshot = model_at(run, 5)
    assert not by_snapshot.training
    for name, tensor in by_snapshot.state_dict().items():
        assert tensor.dtype == torch.float32 and torch.equal(tensor, by_checkpoint[name].half().float())
    with pytest.raises(PlaygroundError, match="no checkpoint of step 8"):
        model_at(run, 8)
    assert branch(run, 5).parent == {"run": run.id, "step": 5}


def test_a_run_that_was_cut_goes_on_with_its_grid(new_run):
    whole, cut = (new_run(training={"keep_steps": (6,)}) for _ in range(2))
    for run in (whole, cut):
        worker.run(run)
    cut.rewind(6)
    assert snapshots.steps(cut.path) == [step for step in snapshots.grid(12, 15) if step <= 6]
    snapshots.path_of(cut.path, 6).unlink()  # killed between the checkpoint and the snapshot
    assert worker.run(cut) == "finished", cut.status().message
    assert snapshots.steps(cut.path) == snapshots.steps(whole.path)
    for step in snapshots.steps(whole.path):
        one, other = (load_file(snapshots.path_of(run.path, step)) for run in (whole, cut))
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items()), step


def test_a_full_disk_ends_the_snapshots_and_not_the_run_and_is_told_once(new_run, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(snapshots, "save", full)
    run, told = new_run(), []
    assert worker.run(run, lambda kind, value: told.append(value)) == "finished"
    assert snapshots.steps(run.path) == []
    said = [line for line in run.log_path.read_text().splitlines() if "snapshots" in line]
    assert len(said) == 1 and "No space left" in said[0]
    assert sum("without snapshots" in str(value.get("message", "")) for value in told if isinstance(value, dict)) == 1


def test_weights_whose_loss_was_no_number_are_never_kept(new_run):
    run = new_run(training={"lr": 100.0, "optimizer": "sgd", "grad_clip": 0, "warmup_steps": 0, "steps": 40})
    assert worker.run(run) == "failed"
    assert "stopped being a number" in str(run.status().message)
    assert snapshots.steps(run.path)
    for step in snapshots.steps(run.path):
        assert all(bool(tensor.isfinite().all()) for tensor in load_file(snapshots.path_of(run.path, step)).values())


def test_a_weight_beyond_float16_makes_no_snapshot(new_run):
    run = new_run(training={"steps": 1})
    state = type("State", (), {"model": torch.nn.Linear(2, 2), "progress": type("P", (), {"step": 3})})
    state.model.weight.data[0, 0] = 1e6
    assert not checkpoint_io.save_snapshot(run, state) and snapshots.steps(run.path) == []


def test_a_damaged_snapshot_is_told_and_spoils_nothing_else(new_run):
    run = new_run()
    worker.run(run)
    short, wrong = (snapshots.path_of(run.path, step) for step in (2, 3))
    short.write_bytes(short.read_bytes()[:-10])
    data = bytearray(wrong.read_bytes())
    data[-1] ^= 1
    wrong.write_bytes(data)
    assert 2 not in snapshots.steps_of(run)
    with pytest.raises(PlaygroundError, match="damaged"):
        model_at(run, 3)
    assert [found.id for found in RunStore().list() if found.id == run.id]
    load_model(run)


@pytest.mark.parametrize(
    "header",
    [{"__metadata__": True}, {"__metadata__": {"sha256": "0"}}, {"x": {"dtype": "F8_E4M3"}}, {"x": {"shape": [2]}}],
)
def test_a_snapshot_of_a_stranger_is_told_or_refused(new_run, header):
    run = new_run()
    worker.run(run)
    path, x = snapshots.path_of(run.path, 3), {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}
    said = {"x": x | header.get("x", {})} | {name: value for name, value in header.items() if name != "x"}
    text = json.dumps(said).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0\0")
    with pytest.raises(PlaygroundError):
        model_at(run, 3)


def test_snapshots_travel_with_a_run_and_go_with_it(new_run, tmp_path):
    run, store = new_run(), RunStore()
    worker.run(run)
    back = archive.unpack(store.export_zip(run.id, tmp_path / "run.zip"), store.root)
    assert snapshots.steps_of(back) == snapshots.steps_of(run)
    for step in snapshots.steps(run.path):
        assert snapshots.path_of(back.path, step).read_bytes() == snapshots.path_of(run.path, step).read_bytes()
    copy = store.duplicate(run.id, weights=True)
    assert snapshots.steps(copy.path) == snapshots.steps(run.path)
    store.delete(run.id)
    assert not run.path.exists()


def test_an_archive_with_half_a_snapshot_is_refused(new_run, tmp_path):
    import zipfile

    run, store = new_run(), RunStore()
    worker.run(run)
    whole = store.export_zip(run.id, tmp_path / "run.zip")
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[:-7] if "snapshots/" in name else data)
    with pytest.raises(PlaygroundError, match="snapshot .* damaged"):
        archive.unpack(broken, store.root)


@pytest.mark.parametrize("nonsense", [-2, 201, True, 1.5, "many"])
def test_numbers_of_snapshots_that_cannot_be(nonsense):
    with pytest.raises(ValueError, match="snapshots"):
        TrainingSpec(snapshots=nonsense)
