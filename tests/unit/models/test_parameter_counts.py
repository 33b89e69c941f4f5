import pytest
import torch
from hypothesis import given, settings

from models import PRESETS, build, parameter_counts
from models.parameter_counts import block_matrices
from tests.support.small_models import specs


@given(specs())
@settings(max_examples=150, deadline=None)
def test_parameters_are_counted_exactly(spec):
    counts = parameter_counts(spec)
    assert sum(counts.values()) == sum(parameter.numel() for parameter in build(spec).parameters())
    assert all(count > 0 for count in counts.values())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_counted_exactly(name):
    spec = PRESETS[name].spec.replace(vocab_size=65)
    with torch.device("meta"):
        model = build(spec)
    assert sum(parameter_counts(spec).values()) == sum(p.numel() for p in model.parameters())


def test_nanogpts_size_is_known():
    """nanoGPT's CPU shape with 65 characters: 0.80 M parameters, here with biases and learned positions."""
    counts = parameter_counts(PRESETS["gpt2-tiny"].spec.replace(vocab_size=65))
    assert counts == {
        "token embedding": 65 * 128,
        "position embedding": 64 * 128,
        "attention": 4 * (128 * 384 + 384 + 128 * 128 + 128),
        "mlp": 4 * (128 * 512 + 512 + 512 * 128 + 128),
        "norms": 9 * 256,
    }


@given(specs())
@settings(max_examples=50, deadline=None)
def test_block_matrices_are_the_matrices_of_the_layers(spec):
    layers = ("layers.", "recurrent.", "decoder.")
    named = build(spec).named_parameters()
    assert block_matrices(spec) == sum(p.numel() for name, p in named if p.ndim == 2 and any(w in name for w in layers))
