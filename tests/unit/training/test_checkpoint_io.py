"""A training state comes back from its checkpoint bit for bit; a checkpoint of another model is refused."""

import math

import pytest
import torch

from models.factory import build
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.training.checkpoint_io import PROGRESS, restore_checkpoint, save_checkpoint
from playground.training.optimizers import build_optimizers, optimizer_tensors
from playground.training.train_state import Progress, TrainState

SPEC = ModelSpec("decoder", vocab_size=11, d_model=16, n_layers=1, n_heads=2, context_length=8)


def state_of(config, spec: ModelSpec = SPEC, seed: int = 0) -> TrainState:
    torch.manual_seed(seed)
    model = build(spec)
    return TrainState(model, build_optimizers(model, config.training, "cpu"), None, Progress())


@pytest.mark.parametrize("best_loss", [math.inf, 1.5])
@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd"])
def test_what_is_saved_is_restored(new_run, optimizer, best_loss):
    run = new_run(training={"optimizer": optimizer})
    config = run.config()
    state = state_of(config)
    state.model(torch.arange(8)[None]).logits.sum().backward()
    for each in state.optimizers:
        each.step()
    state.progress = Progress(3, 24, 0.5, best_loss, 2, 1, 0.5)
    save_checkpoint(run, config, state)
    other = state_of(config, seed=1)
    restore_checkpoint(run, other)
    assert other.progress == state.progress
    for name, tensor in state.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], tensor), name
    saved, found = (optimizer_tensors(each.model, each.optimizers) for each in (state, other))
    assert saved.keys() == found.keys() and all(torch.equal(saved[name], found[name]) for name in saved)


def test_another_models_checkpoint_and_none_are_told(new_run):
    run = new_run()
    config = run.config()
    with pytest.raises(PlaygroundError, match="no checkpoint"):
        restore_checkpoint(run, state_of(config))
    save_checkpoint(run, config, state_of(config))
    with pytest.raises(PlaygroundError, match="cannot be used"):
        restore_checkpoint(run, state_of(config, SPEC.replace(d_model=32)))
    (run.latest_checkpoint() / PROGRESS).write_text("{}")
    with pytest.raises(PlaygroundError, match="cannot be used"):
        restore_checkpoint(run, state_of(config))
