"""How far weights moved: each part by hand, in the order of the model."""

import copy

import pytest
import torch

from models.factory import build
from models.presets import PRESETS
from playground.finetune.weight_change import weight_changes


@pytest.mark.parametrize("preset", ["gpt2-tiny", "bert-tiny", "seq2seq-tiny", "lstm-tiny", "lstm-attention-tiny"])
def test_only_what_was_changed_moved(preset):
    spec = PRESETS[preset].spec.replace(vocab_size=20, d_model=16, n_layers=2, context_length=8)
    spec = spec if spec.is_recurrent else spec.replace(n_heads=2)
    before = build(spec)
    after = copy.deepcopy(before)
    assert all(each.change == 0 for each in weight_changes(before, after))
    assert sum(each.parameters for each in weight_changes(before, after)) == sum(
        p.numel() for p in before.state_dict().values()
    )
    told = "recurrent.weight_hh_l1" if spec.is_recurrent else "layers.1.mlp.up.weight"
    name = next(n for n, _ in before.named_parameters() if told in n)
    with torch.no_grad():
        dict(after.named_parameters())[name].add_(0.5)
    found = {each.part: each.change for each in weight_changes(before, after)}
    changed = [part for part, change in found.items() if change]
    expected = "layer 1" if spec.is_recurrent else "layer 1 mlp"
    assert [part.removeprefix("encoder ") for part in changed] == [expected]


def test_the_change_is_the_norm_of_the_difference_over_the_norm():
    spec = PRESETS["gpt2-tiny"].spec.replace(vocab_size=20, d_model=16, n_layers=1, n_heads=2, context_length=8)
    before = build(spec)
    after = copy.deepcopy(before)
    with torch.no_grad():
        for name, parameter in after.named_parameters():
            if name.startswith("layers.0.attention"):
                parameter.mul_(1.25)
    found = {each.part: each.change for each in weight_changes(before, after)}
    assert found["layer 0 attention"] == pytest.approx(0.25, abs=1e-6)
    assert list(found)[0] == "embedding" and list(found)[-1] == "head"
