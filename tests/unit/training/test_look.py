"""Looks into a model that learns: a watched run is the unwatched one, and every number is the model's own."""

import csv
import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from models.spec import ModelSpec
from playground.finetune.plan import plan
from playground.runs import look
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.frames import KINDS, from_bytes
from playground.runs.look import LookRequest
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training import graphs, look_tensors, worker
from playground.training import look as looker_module
from tests.support.cuda_graph_double import Double, with_graphs
from tests.support.watched import EVERY_KIND, RUNS, assert_bit_equal, make, train, watched


@pytest.mark.parametrize("name", RUNS)
def test_a_watched_run_is_bit_equal_to_an_unwatched_one(new_run, name):
    one, other = make(new_run, name), make(new_run, name)
    unwatched = train(one)
    with watched() as frames:
        assert train(other) == unwatched
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert [frame.about["step"] for frame in frames] == list(range(1, 13))
    assert look.written(other)["step"] > 1
    assert not look.error(other) and not other.log_path.exists(), "nothing went wrong unseen"


@pytest.mark.parametrize("name", ["decoder", "encoder", "encoder-decoder", "rnn"])
def test_a_watched_run_whose_steps_are_replayed_is_bit_equal_too(new_run, monkeypatch, name):
    """With the double of CUDA graphs: a look is outside of every recording, and the weights stay where they are."""
    monkeypatch.setattr(graphs, "recorder", Double)
    monkeypatch.setattr(worker, "choose_device", with_graphs)
    runs = [new_run({**RUNS[name][0], "dropout": 0.0}, RUNS[name][1], RUNS[name][2]) for _ in range(2)]
    Double.made.clear()
    unwatched = train(runs[0])
    with watched() as frames:
        assert train(runs[1]) == unwatched
    assert_bit_equal(*runs)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert all(made.replays >= 12 for made in Double.made) and len(Double.made) == 2
    assert Double.made[0].recorded == Double.made[1].recorded
    assert not look.error(runs[1]) and not runs[1].log_path.exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["decoder", "lstm", "encoder", "encoder-decoder", "lstm-attention"])
def test_a_watched_run_on_a_gpu_is_bit_equal_too(new_run, name):
    """With dropout, bfloat16 and, where the model can, CUDA graphs."""
    one, other = make(new_run, name, device="cuda"), make(new_run, name, device="cuda")
    states = []
    for run, watching in ((one, False), (other, True)):
        with watched() if watching else watched([None]) as frames:
            chances_after = train(run)
        states.append((chances_after, torch.cuda.get_rng_state().tolist()))
    assert states[0] == states[1]
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    assert not look.error(other) and "did not work" not in (
        other.log_path.read_text() if other.log_path.exists() else ""
    )


@pytest.fixture(scope="module")
def parents():
    """An encoder, a decoder and an LSTM to fine-tune."""
    import sklearn.metrics  # noqa: F401  # which reports need: its import draws from Python's random numbers

    made = {}
    for architecture, objective in (("encoder", "mlm"), ("decoder", "clm"), ("lstm", "clm")):
        spec = ModelSpec(architecture, d_model=16, n_layers=2, n_heads=2, context_length=24)
        training = TrainingSpec(
            steps=4, batch_size=4, warmup_steps=1, eval_every=4, eval_batches=1, threads=1, objective=objective
        )
        data = DataSpec("python-docs", tokenizer=TokenizerSpec("char", 300), max_bytes=40_000)
        made[architecture] = RunStore().create(RunConfig(f"a parent {architecture}", spec, data, training))
        assert worker.run(made[architecture]) == "finished"
    return made


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A table of texts with labels, and one of words with tags."""
    folder = tmp_path_factory.mktemp("tables")
    turn = lambda i: "up" if i % 2 else "down"
    rows = {
        "classify": [(f"the row {i} is {turn(i)}", f"{i % 2}") for i in range(60)],
        "tag": [(f"row {i} goes {turn(i)}", "N D V P") for i in range(60)],
    }
    for name, lines in rows.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *lines])
    return {name: LabelledSpec("file", path=str(folder / f"{name}.csv")) for name in rows}


@pytest.mark.parametrize(
    ("parent", "task", "method"),
    [
        ("encoder", "classify", "head"),
        ("encoder", "classify", "lora"),
        ("decoder", "tag", "lora"),
        ("lstm", "tag", "head"),
    ],
)
def test_a_watched_fine_tuning_is_bit_equal_too(parents, tables, parent, task, method):
    tuned = FineTuneSpec(task, tables[task], method=method, rank=4)
    quick = {"steps": 10, "batch_size": 8, "eval_every": 5, "eval_batches": 1, "threads": 1}
    one, other = (RunStore().create(plan(parents[parent], tuned, None, **quick)) for _ in range(2))
    unwatched = train(one)
    with watched() as frames:
        assert train(other) == unwatched
    assert_bit_equal(one, other)
    assert {frame.about["kind"] for frame in frames} == set(KINDS)
    labels = {"0", "1"} if task == "classify" else {"N", "D", "V", "P"}
    assert {piece for _, piece, _ in frames[0].about["likeliest"]} <= labels
    assert set(look.written(other)["text"].split()) <= labels
    gradients = next(frame for frame in frames if frame.about["kind"] == "gradients")
    assert np.abs(gradients.tensors["embeddings"].astype(float)).max() > 0, "also of a frozen body"
    assert not look.error(other) and not other.log_path.exists()


def test_one_step_shows_exactly_what_it_changed(new_run):
    """A person presses "one step" while a page watches: the process ends after it, and the frame is there."""
    run = new_run(training={"steps": 50})
    for step, kind in ((1, "weights_change"), (2, "change")):
        look.ask(run, LookRequest(kind=kind))
        run.request("step")
        assert worker.run(run) == "paused"
        frame = from_bytes(look.newest(run))
        assert (frame.about["kind"], frame.about["step"], frame.about["since"]) == (kind, step, step - 1)
    assert any(np.abs(value.astype(float)).max() > 0 for value in frame.tensors.values())


def test_a_run_that_is_paused_shows_its_last_step(new_run, monkeypatch):
    monkeypatch.setattr(looker_module, "gap_after", lambda seconds: 1e6)  # one answer, and then the end
    run = new_run(training={"steps": 100_000})
    look.ask(run, LookRequest())

    def pause(kind, value):
        if kind == "metrics" and not run.pending_requests():
            os.utime(run.path / look.REQUEST)
            run.request("pause")

    assert worker.run(run, pause) == "paused"
    assert from_bytes(look.newest(run)).about["step"] == run.status().step > 1


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (LookRequest(names=("layers.99.output", "embeddings")), "no tensor layers.99.output"),
        (LookRequest(kind="weights", names=("no.such.weight",)), "no tensor no.such.weight"),
        (LookRequest(kind="weights_change", names=("a", "b", "c", "d", "e")), "a, b, c and 2 more"),
        (LookRequest(kind="gradients", text="a"), "no gradient"),
    ],
)
def test_what_cannot_be_shown_is_said_and_the_run_goes_on(new_run, request_, said):
    one, run = new_run(), new_run()
    train(one)
    with watched([request_]) as frames:
        train(run)
    assert_bit_equal(one, run)
    assert said in look.error(run)
    assert bool(frames) == ("embeddings" in request_.names), "what is there is shown"
    with watched([LookRequest()]):
        run.write_config(run.config().replace(training=run.config().training.replace(steps=14)))
        train(run)
    assert look.error(run) is None, "and forgotten when it is over"


def test_a_full_disk_never_stops_the_run_and_is_said_once(new_run, monkeypatch):
    one, run = new_run(), new_run()
    train(one)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with watched():
        monkeypatch.setattr(look, "replace_file", full)
        train(run)
    assert_bit_equal(one, run)
    assert run.log_path.read_text().count("No space left") == 1


def test_a_bug_in_a_look_never_stops_the_run(new_run, monkeypatch):
    one, run = new_run({"dropout": 0.1}), new_run({"dropout": 0.1})
    unwatched = train(one)

    def broken(*arguments):
        torch.rand(3), np.random.random(), random.random()
        raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB\nand much more")

    monkeypatch.setattr(look_tensors, "activations", broken)
    with watched([LookRequest()]):
        assert train(run) == unwatched
    assert_bit_equal(one, run)
    assert "out of memory" in look.error(run) and "much more" not in look.error(run)
    assert run.log_path.read_text().count("out of memory") == 1


def test_a_request_that_is_damaged_or_old_is_none(new_run):
    run = new_run()
    (run.path / look.REQUEST).write_bytes(b"\xff{")
    train(run)
    look.ask(run, LookRequest())
    os.utime(run.path / look.REQUEST, (1e9, 1e9))
    run.write_config(run.config().replace(training=run.config().training.replace(steps=14)))
    train(run)
    assert look.newest(run) is None and look.error(run) is None


def test_an_unwatched_run_looks_at_its_folder_ten_times_a_second_at_most(new_run, monkeypatch):
    """And passes nothing through its model."""
    run, times = new_run(training={"steps": 400, "eval_every": 400, "sample_every": 0}), []
    asked = look.asked
    monkeypatch.setattr(look, "asked", lambda run: (times.append(1), asked(run))[1])
    monkeypatch.setattr(look_tensors, "activations", lambda *arguments: pytest.fail("nobody looks"))
    began = time.monotonic()
    train(run)
    most = (time.monotonic() - began) / looker_module.POLL_SECONDS + 1
    assert 2 <= len(times) <= most + 2, "the last step, and the end, are always looked at"


def test_answers_cost_at_most_a_tenth_of_the_time():
    for took in (0.001, 0.02, 0.04, 0.5, 3.0):
        gap = looker_module.gap_after(took)
        assert gap >= 0.25 and took / gap <= 0.1 + 1e-9
    assert looker_module.gap_after(0.02) == 0.35, "two a second, and the step that each waits for"


WATCHED_PROCESS = """
import sys
from playground.runs.folder import RunFolder
from playground.training import worker
from playground.training.distributed import exit_together, join_group
from tests.support.watched import watched
group = join_group()
with watched() as frames:
    state = worker.run(RunFolder(sys.argv[1]), group=group)
print(state, len(frames), sorted({frame.about["kind"] for frame in frames}))
exit_together(group, 0)
"""


def test_two_watched_processes_train_what_two_unwatched_ones_do(new_run, tmp_path):
    """The leader looks alone, and the other one waits for it at the next step."""
    watching, alone = tmp_path / "watching.py", tmp_path / "alone.py"
    watching.write_text(WATCHED_PROCESS)
    alone.write_text(WATCHED_PROCESS.replace("watched() as frames", "watched([None]) as frames"))
    made = []
    for script in (alone, watching):
        run = make(new_run, "lstm")
        launcher = ["-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d"]
        command = [sys.executable, *launcher, "--rdzv-endpoint=localhost:0", str(script), str(run.path), script.stem]
        environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
        result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
        assert result.returncode == 0, result.stderr[-3000:]
        made.append((run, result.stdout))
    assert f"finished 12 {sorted(KINDS)}" in made[1][1] and "finished 0 []" in made[0][1]
    assert_bit_equal(made[0][0], made[1][0])


KILLED = """
import os, sys
from playground.runs import look
from playground.runs.folder import RunFolder
from playground.training import worker
from tests.support.watched import watched

made, rename = [], os.replace
def killed(source, target):
    if str(target).endswith("look.safetensors"):
        made.append(1)
        if len(made) == 3:
            os._exit(9)
    rename(source, target)
with watched():
    os.replace = killed
    worker.run(RunFolder(sys.argv[1]))
"""


def test_a_trainer_killed_while_it_writes_leaves_a_whole_frame(new_run, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    run = new_run()
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, str(script), str(run.path)], env=environment, timeout=120)
    assert result.returncode == 9
    assert from_bytes(look.newest(run)).about["step"] == 2
    assert list(run.path.glob(".look*")), "half of the next one"
    assert worker.run(run) == "finished"
    assert not list(run.path.glob(".look*"))


def test_every_kind_is_looked_at_in_these_tests():
    assert {request.kind for request in EVERY_KIND} == set(KINDS)
