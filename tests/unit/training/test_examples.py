"""Examples of evaluations: what a plain forward pass says, and nothing that training would notice."""

import errno
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from models.transformer import Source
from playground.finetune.plan import plan
from playground.runs import examples, gallery
from playground.runs.examples import RunExamples
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.training import trainer as trainer_module
from playground.training import worker
from playground.training.device import choose_device
from playground.training.load_model import load_model
from tests.support.same_run import losses

PAIRS = {"corpus": "task-dates", "tokenizer": {"kind": "char", "vocab_size": 300}}
KINDS = {
    "decoder": ({"dropout": 0.1}, {"gradient_accumulation_steps": 2}, {}),
    "lstm": ({"architecture": "lstm", "dropout": 0.1}, {}, {}),
    "completion": ({"architecture": "gru", "context_length": 40}, {"loss_on": "completion"}, PAIRS),
    "encoder": ({"architecture": "encoder", "dropout": 0.1}, {"objective": "mlm"}, {}),
    "encoder-decoder": ({"architecture": "encoder-decoder", "context_length": 40}, {"objective": "seq2seq"}, PAIRS),
}
LABELS = ("classify", "tag")


@pytest.fixture
def make(new_run, tmp_path):
    """``make(kind)``: a run of this kind, ready to train."""

    def of(kind: str):
        if kind not in LABELS:
            model, training, data = KINDS[kind]
            return new_run(model, training, data)
        labelled = LabelledSpec("bible-punctuation", limit=200)
        if kind == "classify":
            path = tmp_path / "kinds.csv"
            lines = [f"the king went to {i},king\nthe lamb ate grass {i},sheep" for i in range(40)]
            path.write_text("\n".join(["text,kind", *lines]))
            labelled = LabelledSpec("file", path=str(path))
        config = plan(gallery.get("bible-encoder"), FineTuneSpec(kind, labelled), steps=12, threads=1)
        return RunStore().create(config.replace(training=config.training.replace(eval_every=6, eval_batches=2)))

    return of


def trained(run):
    assert worker.run(run) == "finished", run.status()
    found = RunExamples(run.path)
    found.update()
    return found.history


@pytest.mark.parametrize("kind", ["decoder", "lstm", "completion"])
def test_the_likeliest_are_those_of_a_plain_forward_pass(make, kind):
    run = make(kind)
    history, model = trained(run), load_model(run)
    assert history.steps == [6, 12] and history.texts.kind == "next"
    found = []
    for row, read in zip(history.texts.rows, logger_of(run).rows.ids, strict=True):
        assert [row.ids[place] for place in row.asked] == row.targets
        left_out = next(n for n in range(len(read)) if read[n : n + len(row.ids)].tolist() == row.ids)
        assert row.before == (left_out > 0)
        with torch.no_grad():
            logits = model(torch.tensor(read[None, :-1])).logits[0]
        found.append(logits.softmax(-1)[np.array(row.asked) + left_out - 1])
    same_as(history, torch.cat(found))


def test_masked_tokens_are_those_of_a_plain_forward_pass(make):
    run = make("encoder")
    history, model = trained(run), load_model(run)
    logger = logger_of(run)
    assert history.texts.kind == "masked" and logger.texts == history.texts
    found = []
    for row, shown in zip(history.texts.rows, logger.rows.masked_ids, strict=True):
        assert [row.ids[place] for place in row.asked] == row.targets
        with torch.no_grad():
            found.append(model(torch.tensor(shown[None])).logits[0].softmax(-1)[row.asked])
    same_as(history, torch.cat(found))


def test_answers_are_those_of_a_plain_forward_pass(make):
    run = make("encoder-decoder")
    history, model = trained(run), load_model(run)
    assert history.texts.kind == "answer"
    rows, found = logger_of(run).rows, []
    for i, row in enumerate(history.texts.rows):
        bos = row.asked[0] - 1
        source, read = rows.sources[i, : rows.source_lengths[i]].tolist(), [row.ids[bos], *row.targets[:-1]]
        assert source[-bos:] == row.ids[:bos]
        with torch.no_grad():
            logits = model(torch.tensor([read]), source=Source(torch.tensor([source]))).logits
        found.append(logits[0].softmax(-1))
    same_as(history, torch.cat(found))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_those_of_a_plain_forward_pass(make, kind):
    run = make(kind)
    history, model = trained(run), load_model(run)
    assert history.texts.kind == {"classify": "label"}.get(kind, kind)
    rows, found = logger_of(run).rows, []
    for i, row in enumerate(history.texts.rows):
        ids = rows.ids[i, : rows.lengths[i]]
        assert row.ids == ids[: len(row.ids)].tolist()
        with torch.no_grad():
            probabilities = model(torch.tensor(ids[None])).logits[0].softmax(-1)
        found.append(probabilities[None] if kind == "classify" else probabilities[row.asked])
        asked = [rows.labels[i]] if kind == "classify" else rows.labels[i, row.asked]
        assert row.targets == list(asked)
    same_as(history, torch.cat(found))


def logger_of(run):
    """The logger as the run had it: it knows the whole texts, of which a part is shown."""
    config = run.config()
    prepared = worker._load(run, run.data_folder())
    return trainer_module.Trainer(run, config, prepared, choose_device(config.training)).example_logger


def same_as(history, probabilities: torch.Tensor) -> None:
    """The newest evaluation is that of the checkpoint: the sixteen likeliest in order, and the right one's probability."""
    k = min(16, probabilities.shape[-1])
    assert history.ids.shape == (len(probabilities), k + 1) == (history.texts.n_asked, k + 1)
    targets = torch.tensor(history.texts.targets)
    told = torch.tensor(history.p[-1].astype(np.float32))
    assert torch.allclose(told[:, :k], probabilities.topk(k).values, rtol=2e-3, atol=1e-6)
    of_ids = probabilities.gather(1, torch.tensor(history.ids[:, :k]).long())
    assert torch.allclose(told[:, :k], of_ids, rtol=2e-3, atol=1e-6), "each id has its own"
    assert torch.allclose(told[:, k], probabilities.gather(1, targets[:, None])[:, 0], rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("kind", [*KINDS, *LABELS])
def test_training_notices_nothing(make, kind, monkeypatch):
    """Losses, weights, the optimizer's state and every random state are the same bit for bit, with examples and without."""
    states, runs = [], []
    for without in (False, True):
        if without:
            monkeypatch.setattr(trainer_module, "ExampleLogger", lambda *_: None)
        run = make(kind)
        random.seed(1)
        np.random.seed(1)
        assert worker.run(run) == "finished"
        states.append((random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()))
        runs.append(run)
    one, other = runs
    assert examples.steps(one.path) == [6, 12] and examples.steps(other.path) == []
    assert states[0] == states[1]
    assert losses(one) == losses(other)
    evaluations = [[row["val_loss"] for row in run.metrics()[0] if row["kind"] == "eval"] for run in runs]
    assert evaluations[0] == evaluations[1]
    for name in ("model.safetensors", "optimizer.safetensors"):
        ours, theirs = (run.checkpoint(12) / name for run in runs)
        assert ours.read_bytes() == theirs.read_bytes(), name


def test_a_run_that_is_cut_and_goes_on_has_what_an_uncut_one_has(new_run):
    whole = new_run(training={"eval_every": 2})
    assert worker.run(whole) == "finished"
    cut = new_run(training={"eval_every": 2, "keep_steps": (4,)})
    assert worker.run(cut) == "finished"
    cut.rewind(4)
    assert examples.steps(cut.path) == [2, 4]
    assert worker.run(cut) == "finished"
    for step in range(2, 13, 2):
        ours, theirs = (examples.path_of(run.path, step).read_bytes() for run in (cut, whole))
        assert ours == theirs, step


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_disk_that_takes_none_is_told_once_and_training_goes_on(new_run, monkeypatch, number):
    write = Path.write_bytes

    def full(path, data):
        if examples.FOLDER in path.parts:
            raise OSError(number, "No room here")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    run, other = new_run(), new_run(training={"eval_every": 2})
    assert worker.run(other) == "finished"
    assert other.log_path.read_text().count("examples could not be written (No room here)") == 1
    assert examples.steps(other.path) == [] and not list(other.path.rglob(".step*"))
    monkeypatch.undo()
    assert worker.run(run) == "finished"
    assert losses(run) == losses(other)


def test_a_loss_that_is_no_number_leaves_no_examples_of_it(new_run):
    training = {
        "steps": 400,
        "optimizer": "sgd",
        "lr": 100.0,
        "grad_clip": 0.0,
        "eval_every": 1,
        "warmup_steps": 0,
        "weight_decay": 10.0,
    }
    run = new_run(training=training)
    assert worker.run(run) == "failed"
    found = RunExamples(run.path)
    found.update()
    assert not found.problem
