"""Fine-tuned runs: what moves and what stays, where they start, and that they can be cut anywhere."""

import csv
import shutil

import pytest
import torch
from safetensors.torch import load_file

from models.factory import build
from models.lora import is_adapter
from models.spec import ModelSpec, SpecError
from playground.finetune.plan import plan
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training import worker
from playground.training.apply_finetuning import apply_finetuning, depth, lr_multipliers, trained_parameters
from playground.training.load_model import load_model, model_at
from playground.training.optimizers import build_optimizers
from tests.support.same_run import assert_same_run, losses, weights

QUICK = {"steps": 8, "batch_size": 8, "eval_every": 4, "eval_batches": 1, "sample_every": 8, "sample_max_new_tokens": 4}
PARENTS = {
    "decoder": ({"architecture": "decoder", "n_kv_heads": 1, "mlp": "swiglu"}, {"objective": "clm"}),
    "encoder": ({"architecture": "encoder"}, {"objective": "mlm"}),
    "lstm": ({"architecture": "lstm"}, {"objective": "clm"}),
}


def trained(architecture: str):
    model, training = PARENTS[architecture]
    run = RunStore().create(
        RunConfig(
            f"a {architecture} to go on from",
            ModelSpec(**{"d_model": 16, "n_layers": 2, "n_heads": 2, "context_length": 24, **model}),
            DataSpec("python-docs", tokenizer=TokenizerSpec("char", 300), max_bytes=40_000),
            TrainingSpec(**{**QUICK, "warmup_steps": 1, "threads": 1, **training}),
        )
    )
    assert worker.run(run) == "finished"
    return run


@pytest.fixture(scope="module")
def parents():
    return {architecture: trained(architecture) for architecture in PARENTS}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """A table of texts with labels, one of words with tags."""
    folder = tmp_path_factory.mktemp("tables")
    for name, rows in {
        "classify": [(f"the row {i} is {'up' if i % 2 else 'down'}", f"{i % 2}") for i in range(60)],
        "tag": [(f"row {i} goes {'up' if i % 2 else 'down'}", "N D V P") for i in range(60)],
    }.items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return lambda task, **kw: LabelledSpec("file", path=str(folder / f"{task}.csv"), **kw)


def tune(parent, tables, task="classify", model=None, training=None, **tuned):
    labelled = tables(task) if task in ("classify", "tag") else None
    data = None if labelled else DataSpec("python-code", max_bytes=40_000)
    choices, tuned = {**QUICK, **(training or {})}, {"rank": 4, **tuned}
    return RunStore().create(plan(parent, FineTuneSpec(task, labelled, **tuned), data, model=model, **choices))


@pytest.mark.parametrize(
    "parent, task, method",
    [
        ("encoder", "classify", "head"),
        ("encoder", "classify", "last"),
        ("decoder", "classify", "lora"),
        ("decoder", "tag", "lora"),
        ("encoder", "tag", "last"),
        ("lstm", "tag", "head"),
        ("lstm", "classify", "last"),
        ("decoder", "language", "last"),
        ("decoder", "language", "lora"),
        ("encoder", "language", "all"),
    ],
)
def test_what_is_frozen_is_bit_identical_and_what_is_counted_has_moved(parents, tables, parent, task, method):
    run = tune(parents[parent], tables, task, method=method, training={"keep_steps": (0,), "lr": 0.01})
    assert worker.run(run) == "finished"
    before, after, origin = weights(run, 0), weights(run), weights(parents[parent])
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    body = {name.removeprefix("body."): name for name in after}
    for name, tensor in origin.items():  # the parent's weights are where it starts
        assert torch.equal(before[body[name]], tensor), name
    top = lambda name: name.startswith("head.")
    if method == "head":
        assert moved == {name for name in after if top(name)}
    elif method == "lora":
        assert moved == {name for name in after if is_adapter(name) or (task != "language" and top(name))}
    elif method == "last":
        layer = "_l1" if parent == "lstm" else "layers.1."
        below = {name for name in after if "embedding" in name or "layers.0." in name or "_l0" in name}
        assert not moved & below and {name for name in after if layer in name} <= moved
    counted, total = trained_parameters(run.config(), 4 if task == "tag" else 2)
    assert sum(after[name].numel() for name in moved) == counted
    assert sum(tensor.numel() for tensor in after.values()) == total


def test_from_scratch_is_a_fresh_model(parents, tables):
    run = tune(parents["encoder"], tables, from_scratch=True, training={"keep_steps": (0,), "seed": 3})
    assert worker.run(run) == "finished"
    torch.manual_seed(3)
    fresh = build(run.config().model).state_dict()
    begun = weights(run, 0)
    for name, tensor in fresh.items():
        assert torch.equal(begun[f"body.{name}"], tensor), name
    assert any(not torch.equal(begun[f"body.{n}"], t) for n, t in weights(parents["encoder"]).items())


def test_it_starts_from_the_checkpoint_that_was_asked_for(parents, tables):
    parent = RunStore().create(
        parents["encoder"]
        .config()
        .replace(training=parents["encoder"].config().training.replace(keep_steps=(2,), seed=5))
    )
    assert worker.run(parent) == "finished"
    config = plan(parent, FineTuneSpec("classify", tables("classify")), step=2, **{**QUICK, "keep_steps": (0,)})
    run = RunStore().create(config)
    assert worker.run(run) == "finished"
    for name, tensor in weights(parent, 2).items():
        assert torch.equal(weights(run, 0)[f"body.{name}"], tensor)


@pytest.mark.parametrize("parent, method, model", [("encoder", "all", {"dropout": 0.0}), ("decoder", "lora", None)])
def test_paused_and_resumed_equals_uninterrupted(parents, tables, parent, method, model):
    """Also where the head's dropout is the only one."""
    whole, cut = (tune(parents[parent], tables, method=method, model=model) for _ in range(2))
    assert worker.run(whole) == "finished"
    for at in (2, 5):
        while len(losses(cut)) < at:
            cut.request("step")
            assert worker.run(cut) == "paused"
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)
    assert (cut.path / "results" / "report.json").exists()


def test_a_killed_run_goes_on_the_same(parents, tables, monkeypatch):
    from playground.training import trainer as module

    whole, cut = (tune(parents["decoder"], tables, "tag", training={"checkpoint_seconds": 1e6}) for _ in range(2))
    assert worker.run(whole) == "finished"
    original = module.Trainer.one_step

    def die(self):
        if self.progress.step == 7:
            self.run_logger.flush()
            raise RuntimeError("killed")
        return original(self)

    monkeypatch.setattr(module.Trainer, "one_step", die)
    assert worker.run(cut) == "failed" and max(losses(cut)) == 7
    monkeypatch.undo()
    assert worker.run(cut) == "finished"
    assert_same_run(whole, cut)


def test_lower_layers_learn_more_slowly(parents, tables):
    """0.5 a layer: the head with 0.1, the second layer 0.05, the first 0.025, the embeddings 0.0125."""
    config = plan(parents["encoder"], FineTuneSpec("classify", tables("classify"), layer_decay=0.5), lr=0.1)
    model = apply_finetuning(build(config.model), config, 2)
    names = {parameter: name for name, parameter in model.named_parameters()}
    seen = {
        names[parameter]: group["base_lr"]
        for optimizer in build_optimizers(model, config.training, "cpu", lr_multipliers(config))
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    for name, rate in seen.items():
        layer = 3 if name.startswith("head") or "norm" in name and "layers" not in name else 0
        layer = int(name.split("layers.")[1][0]) + 1 if "layers." in name else layer
        if "embedding" in name:
            layer = 0
        assert rate == pytest.approx(0.1 * 0.5 ** (3 - layer)), name
    assert len(set(seen.values())) == 4
    assert lr_multipliers(config.replace(finetune=config.finetune.replace(layer_decay=1.0))) is None


def test_the_encoder_is_below_the_decoder():
    spec = ModelSpec("encoder-decoder", vocab_size=20, d_model=16, n_layers=2, n_heads=2)
    found = {name: depth(name, spec) for name in build(spec).state_dict()}
    assert found["encoder.layers.1.attention.qkv.weight"] == 2 and found["decoder.layers.0.attention.qkv.weight"] == 3
    assert found["decoder.layers.1.cross.kv.weight"] == 4 and found["embedding.tokens.weight"] == 0
    assert max(found.values()) == 5


def test_the_encoder_of_an_lstm_with_attention_is_below_its_decoder():
    spec = ModelSpec("lstm-attention", vocab_size=20, d_model=16, n_layers=3)
    found = {name: depth(name, spec) for name in build(spec).state_dict()}
    assert [found[f"encoder.recurrent.weight_hh_l{i}_reverse"] for i in range(3)] == [1, 2, 3]
    assert found["decoder.cell.weight_ih"] == found["decoder.attention.score"] == found["decoder.start.weight"] == 4
    assert [found[f"decoder.recurrent.weight_hh_l{i}"] for i in range(2)] == [5, 6]
    assert found["decoder.output.weight"] == 6 == max(found.values()) and found["embedding.tokens.weight"] == 0


def test_a_lora_run_is_used_merged_and_its_adapter_lies_beside(parents, tables):
    run = tune(parents["decoder"], tables, method="lora", rank=2)
    assert worker.run(run) == "finished"
    kept = load_file(run.latest_checkpoint() / "adapter.safetensors")
    assert kept and all(map(is_adapter, kept)) and not any(".head" in name for name in kept)
    assert not any(map(is_adapter, load_model(run).state_dict()))


def test_a_branch_of_a_fine_tuned_run_goes_on_with_its_head(parents, tables):
    from playground.runs.branch import branch

    first = tune(parents["decoder"], tables, method="lora", training={"lr": 0.01})
    assert worker.run(first) == "finished"
    again = RunStore().create(branch(first).replace(training=first.config().training.replace(keep_steps=(0,))))
    assert worker.run(again) == "finished"
    for name, tensor in load_model(first).state_dict().items():
        assert torch.equal(weights(again, 0)[name], tensor), name


def test_what_cannot_be_is_refused(parents, tables):
    config = plan(parents["encoder"], FineTuneSpec("classify", tables("classify"), "last", last_layers=3))
    with pytest.raises(SpecError, match="The last 3 layers cannot be trained: the number of layers is 2"):
        trained_parameters(config, 2)
    tied = plan(parents["decoder"], FineTuneSpec("language", method="head"), DataSpec("python-code"))
    assert tied.model.tie_embeddings
    with pytest.raises(SpecError, match="no head of its own"):
        trained_parameters(tied)
    for wrong in ({"task": "classify"}, {"task": "language", "labelled": tables("tag")}):
        with pytest.raises(SpecError, match="labelled text"):
            FineTuneSpec(**wrong)


def test_labels_that_changed_since_are_refused(parents, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + "".join(f"row {i},{i % 2}\n" for i in range(60)))
    labelled = LabelledSpec("file", path=str(path))
    run = RunStore().create(plan(parents["encoder"], FineTuneSpec("classify", labelled), **QUICK))
    run.request("step")
    assert worker.run(run) == "paused"
    path.write_text("text,label\n" + "".join(f"row {i},{i % 3}\n" for i in range(60)))
    shutil.rmtree(run.about()["data_folder"])  # what was prepared is gone, and the file is another one
    assert worker.run(run) == "failed"
    assert "labels of the text have changed" in run.status().message


@pytest.mark.parametrize("task, method", [("classify", "lora"), ("tag", "last"), ("language", "lora")])
def test_a_fine_tuned_run_is_looked_at_by_its_snapshots(parents, tables, task, method):
    """LoRA is merged, and the head for the labels is there, as of a checkpoint."""
    run = tune(parents["decoder"], tables, task, method=method, training={"keep_steps": (4,), "lr": 0.01})
    assert worker.run(run) == "finished"
    exact = load_model(run, 4).state_dict()
    shutil.rmtree(run.checkpoint(4))
    looked_at = model_at(run, 4).state_dict()
    assert looked_at.keys() == exact.keys()
    for name, tensor in exact.items():
        torch.testing.assert_close(looked_at[name], tensor, rtol=2**-9, atol=2**-9)
