import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings

from models import PRESETS, ModelSpec, SpecError, build
from tests.support.small_models import source, specs, tokens


def test_a_model_without_vocabulary_is_refused():
    with pytest.raises(SpecError, match="no vocabulary yet"):
        build(ModelSpec("decoder"))


@given(specs())
@settings(max_examples=60, deadline=None)
def test_every_combination_builds_runs_and_learns_from_every_parameter(spec):
    model = build(spec)
    ids = tokens(spec, 2, 5)
    out = model(ids, **source(model, 2))
    assert out.logits.shape == (2, 5, spec.vocab_size)
    assert out.hidden.shape == (2, 5, spec.d_model)
    assert model.spec == spec
    F.cross_entropy(out.logits.flatten(0, 1), ids.flatten()).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_same_seed_builds_the_same_model():
    spec = PRESETS["llama-tiny"].spec.replace(vocab_size=65)
    first, second = (torch.manual_seed(3) and build(spec).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_parameters_have_textbook_names():
    names = set(build(ModelSpec("decoder", vocab_size=5, d_model=8, n_layers=1, bias=False)).state_dict())
    assert names == {
        "embedding.tokens.weight",
        "embedding.positions.weight",
        "norm.weight",
        "layers.0.attention_norm.weight",
        "layers.0.attention.qkv.weight",
        "layers.0.attention.output.weight",
        "layers.0.mlp_norm.weight",
        "layers.0.mlp.up.weight",
        "layers.0.mlp.down.weight",
    }


@pytest.mark.parametrize("architecture", ["decoder", "encoder-decoder"])
def test_zero_initialised_layers_start_as_the_identity(architecture):
    spec = ModelSpec(architecture, vocab_size=9, d_model=16, zero_init=True, tie_embeddings=False)
    model = build(spec)
    seen = {}
    logits = model(tokens(spec, 2, 5), **source(model, 2), hook=lambda name, value: seen.setdefault(name, value)).logits
    prefix = "decoder." if architecture == "encoder-decoder" else ""
    assert torch.equal(seen[f"{prefix}layers.3.output"], seen[f"{prefix}embeddings"])
    assert (logits == 0).all()


def test_a_fresh_model_knows_nothing():
    """The first loss is not far above that of guessing, log of the vocabulary."""
    for name, preset in PRESETS.items():
        if name.endswith("tiny"):
            model = build(preset.spec.replace(vocab_size=64)).eval()
            ids = tokens(model.spec, 4, 32)
            logits = model(ids, **source(model, 4)).logits
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).item()
            assert 4.1 < loss < 4.16 * (1.9 if model.spec.is_recurrent else 1.2), name
