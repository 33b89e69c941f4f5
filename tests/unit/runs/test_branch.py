"""Branches begin at a checkpoint; a run whose loss is no number is mended from its last good one."""

import pytest

from playground.core.errors import PlaygroundError
from playground.runs.branch import best_checkpoint, branch, with_lower_lr, with_smaller_micro_batches


def keep(run, *steps: int, losses: dict[int, float] | None = None) -> None:
    """Checkpoints at these steps, evaluations with these losses."""
    header = b'{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    whole = len(header).to_bytes(8, "little") + header
    for step in steps:
        run.save_checkpoint(step, {"model.safetensors": whole}, keep=steps)
    for step, loss in (losses or {}).items():
        run.append_metrics({"kind": "eval", "step": step, "val_loss": loss})


def test_a_branch_starts_from_a_checkpoint_with_the_same_settings(new_run):
    run = new_run()
    keep(run, 5, 10)
    config = branch(run)
    assert config.parent == {"run": run.id, "step": 10} and config.training == run.config().training
    assert branch(run, 5).parent["step"] == 5
    with pytest.raises(PlaygroundError, match="no checkpoint of step 7"):
        branch(run, 7)


def test_nothing_branches_from_an_untrained_run(new_run):
    with pytest.raises(PlaygroundError, match="no checkpoint yet"):
        branch(new_run())


def test_the_mended_copy_learns_at_a_third_from_the_best_evaluation(new_run):
    run = new_run(training={"lr": 0.9, "muon_lr": 0.3, "grad_clip": 0.0, "steps": 100, "warmup_steps": 0})
    keep(run, 20, 40, 43, losses={20: 3.0, 40: 2.5, 43: 9.0})
    config = with_lower_lr(run)
    assert config.training.lr == pytest.approx(0.3) and config.training.muon_lr == pytest.approx(0.1)
    assert config.training.grad_clip == 1.0 and config.training.warmup_steps == 10
    assert config.parent == {"run": run.id, "step": 40}


def test_an_evaluation_without_its_checkpoint_does_not_count(new_run):
    run = new_run()
    keep(run, 20, losses={10: 1.0})
    assert best_checkpoint(run) == 20


def test_without_a_checkpoint_it_begins_at_the_beginning(new_run):
    run = new_run()
    assert best_checkpoint(run) is None and with_lower_lr(run).parent is None


def test_a_lighter_copy_learns_the_same_in_smaller_pieces(new_run):
    assert with_smaller_micro_batches(new_run(training={"batch_size": 12})).training.gradient_accumulation_steps == 2
    config = with_smaller_micro_batches(new_run(training={"batch_size": 9}))
    assert (config.training.batch_size, config.training.gradient_accumulation_steps) == (9, 3)
    assert with_smaller_micro_batches(new_run(training={"batch_size": 1})) is None
