"""Held-out examples on the disk: thinned evenly, rewound, copied and packed; what is damaged or hostile is left out and told."""

import json
import os
from itertools import pairwise

import numpy as np
import pytest
import safetensors.numpy

from playground.runs import archive, examples
from playground.runs.examples import FOLDER, HEAVIEST, MOST_KEPT, TEXTS, Row, RunExamples, Texts

TWO = Texts("next", [Row([5, 6, 7], [1, 2], [6, 7]), Row([7, 5], [1], [5], before=True)])


def evaluation(step: int = 1, n: int = 3, k: int = 16) -> dict[str, np.ndarray]:
    """Three tokens; the first is right, the others are wrong."""
    ids = np.stack([np.roll(np.arange(k), -(6 + step * i)) for i in range(n)]).astype(np.int32)
    p = np.tile(np.sort(np.linspace(0.01, 0.1, k))[::-1], (n, 1)).astype(np.float16)
    return {"ids": ids, "p": p, "p_target": np.full(n, 0.05, np.float16)}


def read(run) -> RunExamples:
    found = RunExamples(run.path)
    found.update()
    return found


@pytest.fixture
def run(store, config):
    made = store.create(config)
    examples.begin(made.path, TWO)
    return made


@pytest.mark.parametrize("n", [MOST_KEPT, MOST_KEPT + 1, 777])
def test_what_is_kept_of_many_evaluations_is_even(run, n):
    for step in range(10, 10 * n + 1, 10):
        examples.save(run.path, step, evaluation())
    kept = examples.steps(run.path)
    assert (kept[0], kept[-1]) == (10, 10 * n)
    assert len(kept) == min(n, MOST_KEPT)
    gaps = [after - before for before, after in pairwise(kept)]
    assert max(gaps[:-1]) <= 2 * min(gaps[:-1])
    assert sum(file.stat().st_size for file in (run.path / FOLDER).iterdir()) < MOST_KEPT * 1000


def test_a_run_that_goes_on_from_earlier_forgets_what_came_after(run):
    for step in (2, 4, 6):
        examples.save(run.path, step, evaluation())
    found = read(run)
    run.rewind(4)
    assert examples.steps(run.path) == [2, 4]
    assert found.update() and found.history.steps == [2, 4]
    assert not found.update()


def test_other_texts_begin_anew(run):
    examples.save(run.path, 2, evaluation())
    examples.begin(run.path, TWO)
    assert examples.steps(run.path) == [2], "the same texts go on"
    examples.begin(run.path, Texts("next", TWO.rows[:1]))
    assert examples.steps(run.path) == []


def test_the_newest_likeliest_are_followed_back(run):
    before, after = evaluation(step=1), evaluation(step=3)
    before["p_target"][:] = 0.25
    examples.save(run.path, 1, before)
    examples.save(run.path, 3, after)
    history = read(run).history
    assert history.said.tolist() == [[6, 7, 8], [6, 9, 12]]
    assert (history.said[-1] == TWO.targets).tolist() == [True, False, False]
    assert history.ids[:, :-1].tolist() == after["ids"].tolist() and history.ids[:, -1].tolist() == [6, 7, 5]
    for token in range(3):
        known = dict(zip(before["ids"][token].tolist(), before["p"][token].tolist()))
        told = history.p[0, token, :-1].tolist()
        assert [None if np.isnan(p) else p for p in told] == [known.get(id) for id in after["ids"][token].tolist()]
    assert history.p[:, :, -1].tolist() == [[0.25] * 3, after["p_target"].tolist()]


def test_one_that_is_no_longer_likely_leaves_a_gap(run):
    first = evaluation()
    first["ids"] += 1000
    examples.save(run.path, 1, first)
    examples.save(run.path, 2, evaluation())
    history = read(run).history
    assert np.isnan(history.p[0, :, :-1]).all() and not np.isnan(history.p[1]).any()


def spoilt(name: str):
    tensors = evaluation()
    changes = {
        "other shape": {"ids": tensors["ids"][:2]},
        "other type": {"ids": tensors["ids"].astype(np.int64)},
        "no number": {"p": np.full_like(tensors["p"], np.nan)},
        "no probability": {"p_target": np.full(3, 7, np.float16)},
        "below zero": {"ids": -tensors["ids"] - 1},
        "flat": {"ids": tensors["ids"].ravel()},
        "too many": {"ids": np.zeros((3, 17), np.int32), "p": np.zeros((3, 17), np.float16)},
        "none": {"ids": np.zeros((3, 0), np.int32), "p": np.zeros((3, 0), np.float16)},
    }
    if name in changes:
        return safetensors.numpy.save(tensors | changes[name])
    whole = safetensors.numpy.save(tensors)
    return {
        "empty": b"",
        "torn": whole[:-5],
        "zeros": bytes(len(whole)),
        "a lie": (2**62).to_bytes(8, "little") + whole[8:],
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "huge": bytes(HEAVIEST + 1),
        "missing": safetensors.numpy.save({"ids": tensors["ids"]}),
    }[name]


BAD = ["other shape", "other type", "no number", "no probability", "below zero", "flat", "too many", "none"]
TORN = ["empty", "torn", "zeros", "a lie", "pickle", "huge", "missing"]


@pytest.mark.parametrize("how", BAD + TORN)
def test_a_damaged_evaluation_is_left_out_and_told(run, how):
    for step in (1, 3):
        examples.save(run.path, step, evaluation())
    examples.path_of(run.path, 2).write_bytes(spoilt(how))
    found = read(run)
    assert found.history.steps == [1, 3]
    assert found.problem == "Damaged evaluations, which are left out: 1."
    examples.save(run.path, 2, evaluation())
    assert found.update() and found.history.steps == [1, 2, 3] and not found.problem, "written anew"


ROW = {"ids": [1, 2], "asked": [1], "targets": [2]}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"[" * 100_000,
        bytes(2 * HEAVIEST),
        json.dumps({"kind": "next", "rows": []}),
        json.dumps({"kind": "evil", "rows": [ROW]}),
        json.dumps({"kind": "next", "rows": [ROW] * 33}),
        json.dumps({"kind": "next", "rows": [ROW | {"asked": [3]}]}),
        json.dumps({"kind": "next", "rows": [ROW | {"asked": [1, 1], "targets": [1, 1]}]}),
        json.dumps({"kind": "next", "rows": [ROW | {"asked": [-1]}]}),
        json.dumps({"kind": "next", "rows": [ROW | {"targets": [1, 2]}]}),
        json.dumps({"kind": "next", "rows": [ROW | {"ids": [10**30]}]}),
        json.dumps({"kind": "next", "rows": [ROW | {"ids": [1] * 97}]}),
    ],
)
def test_texts_that_make_no_sense_are_told_and_nothing_is_shown(run, said):
    examples.save(run.path, 1, evaluation())
    (run.path / FOLDER / TEXTS).write_bytes(said if isinstance(said, bytes) else said.encode())
    found = read(run)
    assert found.history is None and "examples.json is damaged" in found.problem


def test_files_that_are_none_keep_nobody_waiting(run):
    examples.save(run.path, 1, evaluation())
    os.mkfifo(examples.path_of(run.path, 2))
    os.mkdir(examples.path_of(run.path, 3))
    os.symlink("/dev/zero", examples.path_of(run.path, 4))
    found = read(run)
    assert found.history.steps == [1] and "3" in found.problem


def test_without_examples_there_is_nothing_to_say(store, config):
    found = read(store.create(config))
    assert found.history is None and found.problem == "" and not found.update()


def test_a_packed_and_a_copied_run_bring_them(store, run, checkpoint_files, tmp_path):
    for step in (2, 4, 6):
        examples.save(run.path, step, evaluation(step))
    run.save_checkpoint(4, checkpoint_files)
    run.update_status(state="stopped", step=4)
    back = archive.unpack(store.export_zip(run.id, tmp_path / "run.zip"), store.root)
    assert read(back).history.p.tobytes() == read(run).history.p.tobytes()
    copy = store.duplicate(run.id, weights=True)
    assert examples.steps(copy.path) == [2, 4], "up to its checkpoint"
    assert store.delete(run.id) and not run.path.exists()
