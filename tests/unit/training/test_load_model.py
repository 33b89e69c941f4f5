"""A run's model from its checkpoint, and the weights that a run takes from its parent."""

import json

import pytest
import torch

from models.factory import build
from models.heads import ClassificationHead, ModelWithHead
from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.training import worker
from playground.training.load_model import (
    LABELS,
    body_of,
    copy_parent_head,
    copy_parent_weights,
    labels_of,
    load_model,
    starts_from_parent,
)

SPEC = ModelSpec("encoder", vocab_size=11, d_model=16, n_layers=1, n_heads=2, context_length=8)


def with_head(n_labels: int, seed: int) -> ModelWithHead:
    torch.manual_seed(seed)
    return ModelWithHead(build(SPEC), ClassificationHead(SPEC.d_model, n_labels, 0.0, "mean"))


def test_a_trained_run_gives_its_model(new_run):
    run = new_run(training={"steps": 2})
    with pytest.raises(PlaygroundError, match="no checkpoint"):
        load_model(run)
    assert worker.run(run) == "finished"
    model = load_model(run)
    assert not model.training and model.spec == run.config().model
    assert all(parameter.requires_grad for parameter in model.parameters())
    with pytest.raises(PlaygroundError):
        load_model(run, step=999)


def test_a_parents_weights_are_copied_and_its_head_where_it_fits(new_run):
    parent, same, other = with_head(3, seed=0), with_head(3, seed=1), with_head(4, seed=2)
    before = {name: tensor.clone() for name, tensor in other.head.state_dict().items()}
    config = new_run().config().replace(parent={"run": "a", "step": None})
    copy_parent_weights(body_of(same), parent, config)
    copy_parent_head(same, parent)
    copy_parent_head(other, parent)
    for name, tensor in parent.state_dict().items():
        assert torch.equal(same.state_dict()[name], tensor), name
    kept = other.head.state_dict()  # for another number of labels
    assert all(torch.equal(before[name], kept[name]) for name in before if before[name].shape[0] == 4)
    with pytest.raises(PlaygroundError, match="do not fit"):
        copy_parent_weights(build(SPEC.replace(d_model=32)), parent, config)


def test_who_starts_from_a_parent(new_run):
    config = new_run().config()
    assert not starts_from_parent(config) and starts_from_parent(config.replace(parent={"run": "a", "step": None}))


@pytest.mark.parametrize("said", ["{", "[1, 2]", '{"a": 1}'])
def test_damaged_labels_are_told(new_run, said):
    run = new_run()
    (run.path / LABELS).write_text(json.dumps(["no", "yes"]))
    assert labels_of(run) == ["no", "yes"]
    (run.path / LABELS).write_text(said)
    with pytest.raises(PlaygroundError):
        labels_of(run)
