"""Whole small runs: what they write, how they end, and that they can be cut anywhere and go on."""

import json
import math
import shutil
import types

import pytest
import torch
from safetensors.torch import load_file

from models.presets import PRESETS
from playground.runs.config import TrainingSpec
from playground.runs.store import RunStore
from playground.text.prepare import load
from playground.text.spec import TokenizerSpec
from playground.training import trainer as trainer_module
from playground.training import worker
from playground.training.device import Device, choose_device
from playground.training.distributed import Group
from playground.training.load_model import load_model
from playground.training.recipes import recipe
from playground.training.samples import greedy_answer
from tests.support.same_run import assert_same_run, losses, weights


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_learns_from_real_text(preset, new_run):
    """A few steps bring the loss well below that of knowing nothing, and the validation loss falls from then on."""
    steps = 60 if preset.endswith("tiny") else 10
    data = {"corpus": "jupyterlab-zh", "max_bytes": 40_000} if PRESETS[preset].spec.reads_pairs else {}
    changes = {"steps": steps, "batch_size": 8, "warmup_steps": 5}
    telling = {"eval_every": steps // 2, "eval_batches": 4, "sample_every": steps, "sample_max_new_tokens": 8}
    training = recipe(preset, **changes, **telling)
    folder = new_run(PRESETS[preset].spec.replace(context_length=32).to_dict(), training.to_dict(), data)
    assert worker.run(folder) == "finished"
    evaluations = [row["val_loss"] for row in folder.metrics()[0] if row["kind"] == "eval"]
    assert evaluations[-1] < losses(folder)[1] - 0.5
    assert evaluations[-1] < evaluations[0]


def test_a_run_writes_what_the_pages_read(new_run):
    folder = new_run()
    events = []
    assert worker.run(folder, lambda kind, value: events.append(kind)) == "finished"
    rows = folder.metrics()[0]
    assert list(losses(folder)) == list(range(1, 13))
    evaluations = [row for row in rows if row["kind"] == "eval"]
    assert [row["step"] for row in evaluations] == [6, 12]
    assert all(0 <= row["val_accuracy"] <= 1 and row["memory_bytes"] > 1e6 for row in evaluations)
    assert [sample["step"] for sample in folder.samples()] == [1, 5, 6, 12], "the first ones early"
    status = folder.status()
    assert (status.state, status.step, status.steps) == ("finished", 12, 12)
    assert len(evaluations[0]["probe"]) == len(status.note["probe"]) == folder.config().model.context_length
    assert {"metrics", "sample", "status"} <= set(events)
    assert folder.config().model.vocab_size > 260


def test_answers_of_training_are_told_beside_those_of_validation(new_run):
    """As many as greedy decoding gets right of each side; of a text without answers, none."""
    data = {"corpus": "task-addition", "options": {"digits": 1}, "tokenizer": {"kind": "char", "vocab_size": 300}}
    training = {
        "steps": 150,
        "eval_every": 150,
        "eval_batches": 4,
        "loss_on": "completion",
        "lr": 0.01,
        "batch_size": 32,
    }
    folder = new_run({"architecture": "gru", "d_model": 32, "n_layers": 1, "context_length": 8}, training, data)
    assert worker.run(folder) == "finished"
    row = next(row for row in folder.metrics()[0] if row["kind"] == "eval")
    prepared, model = load(folder.data_folder()), load_model(folder)
    for name, side in (("train_exact", prepared.train), ("val_exact", prepared.validation)):
        pairs = [side[i] for i in range(len(side))]
        right = [greedy_answer(model, a.tolist(), prepared.tokenizer, 4) == b.tolist() for a, b in pairs]
        assert row[name] == pytest.approx(sum(right) / len(right), abs=1e-6)
        assert name == "val_exact" or 0.05 < row[name] < 1, "neither end, where a mistake would not show"
    assert not any("train_exact" in row for row in _trained(new_run()))


@pytest.mark.parametrize(("eval_batches", "looked_at"), [(3, 3 * 8), (100, 512)])
def test_an_evaluation_looks_at_no_more_of_training_than_of_validation(new_run, eval_batches, looked_at):
    data = {"corpus": "task-addition", "options": {"digits": 2}, "tokenizer": {"kind": "char", "vocab_size": 300}}
    training = {"loss_on": "completion", "batch_size": 8, "eval_batches": eval_batches, "steps": 1}
    folder = new_run({"context_length": 16}, training, data)
    assert worker.run(folder) == "finished"
    config, prepared = folder.config(), load(folder.data_folder())
    trainer = trainer_module.Trainer(folder, config, prepared, choose_device(config.training))
    asked, rows = [], trainer.sampler.trained_rows
    trainer.sampler.trained_rows = lambda places: asked.extend(places) or rows(places)
    trainer.evaluate()
    assert len(set(asked)) == len(asked) == looked_at


def _trained(folder):
    worker.run(folder)
    return folder.metrics()[0]


def test_first_loss_is_that_of_a_model_that_knows_nothing(new_run):
    """A zero-initialised head gives every token the same probability: exactly ln(vocabulary)."""
    folder = new_run(PRESETS["modern-tiny"].spec.replace(context_length=16).to_dict(), {"steps": 1})
    worker.run(folder)
    assert losses(folder)[1] == pytest.approx(math.log(folder.config().model.vocab_size), abs=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_same_seed_gives_the_same_run_and_another_seed_another(new_run, optimizer):
    one, two, other = (new_run({"dropout": 0.1}, {"optimizer": optimizer, "seed": seed}) for seed in (1, 1, 2))
    for folder in (one, two, other):
        worker.run(folder)
    assert_same_run(one, two)
    assert losses(one) != losses(other)


@pytest.mark.parametrize(
    "model, training",
    [
        ({"dropout": 0.1}, {}),
        ({"architecture": "lstm"}, {"optimizer": "sgd"}),
        ({"architecture": "encoder"}, {"objective": "mlm", "optimizer": "muon"}),
    ],
)
def test_paused_and_resumed_equals_uninterrupted(new_run, model, training):
    whole = new_run(model, training)
    worker.run(whole)
    cut = new_run(model, training)
    for at in (3, 7):
        while (len(losses(cut)) or 0) < at:
            cut.request("step")
            assert worker.run(cut) == "paused"
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)


def test_steps_after_the_checkpoint_are_forgotten_on_resuming(new_run, monkeypatch):
    """A worker that dies between checkpoints leaves metrics from the future: they are trained anew, the same."""
    whole = new_run(training={"checkpoint_seconds": 1e6, "eval_every": 5})
    worker.run(whole)
    cut = new_run(training={"checkpoint_seconds": 1e6, "eval_every": 5})

    def die(self):
        if self.progress.step == 9:
            self.run_logger.flush()
            raise RuntimeError("killed")
        return original(self)

    original = trainer_module.Trainer.one_step
    monkeypatch.setattr(trainer_module.Trainer, "one_step", die)
    assert worker.run(cut) == "failed"
    assert max(losses(cut)) == 9 and cut.checkpoints() == [5]
    monkeypatch.undo()
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)


def test_micro_batches_give_the_same_gradients(new_run):
    """Accumulating over 4 micro-batches is the same arithmetic in another order, for answers of any length too."""
    data = {"corpus": "task-addition"}
    for model, training in (
        ({}, {}),
        ({"architecture": "encoder"}, {"objective": "mlm"}),
        ({}, {"loss_on": "completion"}),
    ):
        one = new_run(model, training, data if training.get("loss_on") else None)
        four = new_run(model, {**training, "gradient_accumulation_steps": 4}, data if training.get("loss_on") else None)
        worker.run(one)
        worker.run(four)
        for step, loss in losses(one).items():
            assert losses(four)[step] == pytest.approx(loss, rel=2e-4), (training, step)


def test_evaluation_needs_no_more_memory_than_training(new_run, monkeypatch):
    """Who splits a batch because it does not fit must not be handed all of it at the first evaluation."""
    seen = []
    original = trainer_module.Objective.score
    monkeypatch.setattr(
        trainer_module.Objective,
        "score",
        lambda self, model, batch: seen.append(len(batch.targets)) or original(self, model, batch),
    )
    folder = new_run(training={"steps": 2, "batch_size": 96, "gradient_accumulation_steps": 2, "eval_batches": 2})
    assert worker.run(folder) == "finished"
    assert seen == [48] * 4


def test_masked_models_read_pairs_longer_than_their_context(new_run):
    data = {"corpus": "jupyterlab-zh", "max_bytes": 40_000}
    folder = new_run({"architecture": "encoder", "context_length": 8}, {"objective": "mlm", "steps": 2}, data)
    assert worker.run(folder) == "finished", folder.status().message


def test_nan_stops_the_run_with_a_reason_and_keeps_the_good_checkpoint(new_run):
    folder = new_run(training={"steps": 400, "optimizer": "sgd", "lr": 100.0, "grad_clip": 0.0, "eval_every": 1})
    assert worker.run(folder) == "failed"
    status = folder.status()
    assert "stopped being a number at step" in status.message and "learning rate" in status.hint
    for tensor in weights(folder).values():
        assert tensor.isfinite().all()
    raw = (folder.path / "metrics.jsonl").read_text()
    assert "NaN" not in raw and "Infinity" not in raw
    for line in raw.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("training", [{}, {"sample_every": 2, "eval_every": 2}])
def test_nan_just_before_the_end_is_no_success(new_run, monkeypatch, training):
    """The numbers are looked at a few times a second; a run that ends before the next look has not learnt all the same."""
    monkeypatch.setattr("playground.training.run_logger.FLUSH_SECONDS", 1e6)
    quiet = {"sample_every": 0, "eval_every": 1000}
    spoilt = {"optimizer": "sgd", "lr": 100.0, "grad_clip": 0.0, "warmup_steps": 0, "weight_decay": 10.0}
    folder = new_run(training={**quiet, **spoilt, "steps": 60, **training})
    assert worker.run(folder) == "failed"
    assert "stopped being a number at step" in folder.status().message


def test_an_early_stop_is_the_end_also_when_resumed(new_run):
    folder = new_run(training={"steps": 500, "lr": 0.0, "eval_every": 2, "patience": 2})
    worker.run(folder)
    before = losses(folder)
    assert worker.run(folder) == "finished"
    assert losses(folder) == before


def test_stop_saves_and_resume_goes_on(new_run):
    folder = new_run(training={"steps": 100_000})

    def stop_at_first_numbers(kind, value):
        if kind == "metrics" and not folder.pending_requests():
            folder.request("stop")

    assert worker.run(folder, stop_at_first_numbers) == "stopped"
    reached = folder.status().step
    assert 0 < reached < 100_000
    assert folder.checkpoints()[-1] == reached == max(losses(folder))


def test_early_stop_ends_when_validation_no_longer_improves(new_run):
    """With no learning at all nothing improves: the first evaluation is the best, and patience is two more."""
    folder = new_run(training={"steps": 500, "lr": 0.0, "eval_every": 2, "patience": 2})
    assert worker.run(folder) == "finished"
    assert folder.status().step == 6


def test_the_best_and_the_asked_for_checkpoints_stay(new_run):
    folder = new_run(training={"steps": 30, "keep_steps": (0, 4, 9), "eval_every": 10, "lr": 3e-3})
    worker.run(folder)
    assert {0, 4, 9, 30} <= set(folder.checkpoints())
    early, late = load_model(folder, 4), load_model(folder)
    assert any(not torch.equal(a, b) for a, b in zip(early.parameters(), late.parameters(), strict=True))


def test_learning_rate_can_be_changed_while_training(new_run):
    folder = new_run(training={"schedule": "constant", "warmup_steps": 0, "lr": 1e-3})
    folder.request({"lr_scale": 0.5})
    worker.run(folder)
    rates = [row["lr"] for row in folder.metrics()[0] if row["kind"] == "train"]
    assert rates[-1] == pytest.approx(5e-4)


def test_a_changed_learning_rate_survives_a_kill(new_run, monkeypatch):
    """Who takes a request is the only one to know of it, so it is saved before anything else happens."""
    folder = new_run(training={"checkpoint_seconds": 1e6, "schedule": "constant", "warmup_steps": 0, "lr": 1e-3})
    folder.request({"lr_scale": 0.5})
    monkeypatch.setattr(trainer_module.Trainer, "after_step", lambda self: 1 / 0)  # killed after the first step
    assert worker.run(folder) == "failed"
    monkeypatch.undo()
    assert worker.run(folder) == "finished"
    assert {row["lr"] for row in folder.metrics()[0] if row["kind"] == "train"} == {5e-4}


class Follower(Group):
    """The second of two processes, hearing a leader with as many targets and tokens, no request, half the learning rate."""

    def sum(self, values, device):
        return [2 * values[0], 2 * values[1], 0, 0.5] if len(values) == 4 else values

    def wrap(self, model, device):
        return model


def test_a_changed_learning_rate_is_heard_by_every_process(new_run):
    folder = new_run(training={"schedule": "constant", "warmup_steps": 0, "lr": 1e-3})
    worker.run(folder)
    config = folder.config()
    prepared, device = load(folder.about()["data_folder"]), choose_device(config.training)
    trainer = trainer_module.Trainer(folder, config, prepared, device, Follower(rank=1, world=2))
    before = trainer.progress.tokens
    trainer.one_step()
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(5e-4)
    assert trainer.progress.tokens - before == config.training.batch_size * config.model.context_length


def test_dropout_draws_anew_at_every_step_and_in_every_process(new_run, monkeypatch):
    """And the same when the step is made again, by a run that was resumed."""
    drawn = []
    monkeypatch.setattr(Device, "seed", lambda self, seed: drawn.append(seed))
    folders = [new_run({"dropout": 0.1}, {"seed": seed}) for seed in (1, 1, 2)]
    for folder in folders:
        worker.run(folder)
    steps = [tuple(drawn[i : i + 12]) for i in range(0, 36, 12)]
    assert len(drawn) == 36 and steps[0] == steps[1] and len({*steps[0], *steps[2]}) == 24
    config, prepared = folders[0].config(), load(folders[0].about()["data_folder"])
    drawn.clear()
    for rank in range(2):
        group = Follower(rank=rank, world=2)
        trainer = trainer_module.Trainer(folders[0], config, prepared, choose_device(config.training), group)
        for step in range(3):
            trainer.progress.step = step
            trainer.seed()
    assert len(drawn) == len(set(drawn)) == 6


def test_an_overflow_in_one_optimizers_gradients_holds_all_of_them_back():
    """Clipping spreads it: the other optimizer's own gradients were finite when the scaler looked at them."""
    one, two = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    one.grad, two.grad = torch.tensor([math.nan, 1.0]), torch.ones(2)
    trainer = types.SimpleNamespace(
        scaler=torch.amp.GradScaler("cpu", init_scale=8.0),
        optimizers=[torch.optim.SGD([one], lr=1.0), torch.optim.SGD([two], lr=1.0)],
        training=TrainingSpec(),
        parameters=[one, two],
    )
    trainer.scaler.scale(torch.ones(1))
    assert not trainer_module.Trainer.update(trainer).isfinite()
    assert torch.equal(one, torch.ones(2)) and torch.equal(two, torch.ones(2))
    assert trainer.scaler.get_scale() == 4.0


def test_a_branch_starts_from_its_parents_weights(new_run):
    parent = new_run(training={"keep_steps": (6,)})
    worker.run(parent)
    child = new_run(training={"lr": 0.0, "steps": 2}, parent={"run": parent.id, "step": 6})
    worker.run(child)
    for name, tensor in load_file(parent.checkpoint(6) / "model.safetensors").items():
        assert torch.equal(tensor, weights(child)[name])


def test_lines_of_a_worker_killed_before_its_first_checkpoint_are_forgotten(new_run):
    folder = new_run(training={"steps": 4})
    folder.append_metrics({"kind": "train", "step": 1, "loss": 9.0, "tokens": 64, "seconds": 0.1})
    assert worker.run(folder) == "finished", folder.status().message
    assert [row["step"] for row in folder.metrics()[0] if row["kind"] == "train"] == [1, 2, 3, 4]


def test_a_run_goes_on_with_its_own_tokens_when_its_text_has_changed(new_run, tmp_path):
    """As after a move to a machine where the text differs: a vocabulary of the same size would mean other words."""
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log. " * 400)
    words = {"corpus": "file", "path": str(text), "tokenizer": TokenizerSpec("bpe", 270), "max_bytes": None}
    folder = new_run(data=words, training={"keep_steps": (6,), "eval_every": 1000})
    worker.run(folder)
    learnt = folder.tokenizer_path.read_text()
    folder.rewind(6)
    shutil.rmtree(folder.about()["data_folder"])
    text.write_text("zip zap zop, zigzag zebras buzz in a bazaar of puzzles. " * 400)
    assert worker.run(folder) == "finished", folder.status().message
    assert folder.tokenizer_path.read_text() == learnt
    assert folder.status().step == 12


def test_a_branch_on_another_text_keeps_its_parents_tokens(new_run):
    parent = new_run()
    worker.run(parent)
    child = new_run(data={"corpus": "python-code"}, training={"steps": 2}, parent={"run": parent.id, "step": None})
    assert worker.run(child) == "finished"
    assert child.tokenizer_path.read_text() == parent.tokenizer_path.read_text()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"model": {"context_length": 100_000}}, "of at least 100,002 tokens"),
        (
            {
                "training": {"batch_size": 3, "gradient_accumulation_steps": 3},
                "parent": {"run": "no-such-run", "step": None},
            },
            "no run",
        ),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(new_run, change, words):
    folder = new_run(**change)
    assert worker.run(folder) == "failed"
    assert words in folder.status().message.lower() or words in folder.status().message
    assert "Traceback" not in folder.status().message


def test_out_of_memory_is_explained(new_run, monkeypatch):
    def explode(self):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(trainer_module.Trainer, "one_step", explode)
    folder = new_run()
    assert worker.run(folder) == "failed"
    assert "not enough memory" in folder.status().message and "smaller batch" in folder.status().hint


def test_a_damaged_checkpoint_is_named(new_run):
    folder = new_run()
    worker.run(folder)
    (folder.latest_checkpoint() / "trainer.json").write_text("{")
    assert worker.run(folder) == "failed"
    assert "cannot be used" in folder.status().message


def test_two_workers_cannot_train_one_run(new_run):
    folder, heard = new_run(), []
    with folder.hold():
        assert worker.run(RunStore().get(folder.id), lambda kind, value: heard.append(value)) == "failed"
    assert "another process" in heard[0]["message"]
    assert folder.status().state == "created", "the status is left to whoever trains"


def test_a_model_that_memory_has_no_room_for_is_told_before_it_is_built(new_run, monkeypatch):
    """Where memory runs out, the system ends any program: the server too."""
    folder = new_run()
    built = []
    monkeypatch.setattr(trainer_module, "build", lambda spec: built.append(spec))
    monkeypatch.setattr(trainer_module, "free_memory", lambda: 1000)
    assert worker.run(folder) == "failed" and not built
    assert "GiB of memory" in folder.status().message and folder.status().hint.startswith("Choose a smaller one")
