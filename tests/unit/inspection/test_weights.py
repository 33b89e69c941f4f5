"""What the model expects, told against its own logits."""

import pytest
import torch
import torch.nn.functional as F

from playground.inspection.weights import parameter_stats
from tests.unit.inspection.test_attention import IDS, seeded
from tests.unit.inspection.test_predictions import asked_of


def test_gradients_are_autograds():
    model, task = seeded("gpt2"), asked_of("gpt2")
    found = {spread.name: spread for spread in parameter_stats(model, task)}
    assert all(p.grad is None for p in model.parameters()), "the model stays as it is"
    logits = model(torch.tensor([IDS])).logits[0, :-1]
    F.cross_entropy(logits, torch.tensor(IDS[1:])).backward()
    for name, p in model.named_parameters():
        assert found[name].gradient_norm == pytest.approx(p.grad.norm().item(), rel=1e-4, abs=1e-7), name
        assert found[name].norm == pytest.approx(p.detach().norm().item(), rel=1e-5)
        assert found[name].counts.sum() == p.numel()
