import json
import subprocess
import sys

import pytest
from hypothesis import given

from models import ModelSpec, SpecError
from models.spec import nearest_multiple
from tests.support.small_models import specs


@given(specs())
def test_json_brings_the_same_spec_back(spec):
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"d_model": 130}, "130 channels do not divide into 4 heads; try 128."),
        ({"d_model": 3}, "3 channels do not divide into 4 heads; try 4."),
        ({"n_kv_heads": 3}, "4 heads cannot share 3 key-value heads evenly; try 2."),
        ({"d_model": 132, "position": "rotary"}, "leave 33 per head, an odd number; try 128 channels."),
        ({"n_layers": 0}, "A model cannot have 0 layers; use at least 1."),
        ({"context_length": 10**10}, "A model cannot have more than 100,000,000 tokens of context."),
        ({"n_layers": 10**400}, "A model cannot have more than 1,000 layers."),
        ({"vocab_size": 10**9}, "A model cannot have more than 10,000,000 tokens of vocabulary."),
        ({"dropout": 10**400}, "dropout is a number"),
        ({"dropout": 1.0}, "below 1, not 1."),
        ({"dropout": float("nan")}, "dropout is a number"),
        ({"d_model": 128.0}, "d_model is a whole number, not 128.0."),
        ({"d_model": "128"}, "d_model is a whole number, not '128'."),
        ({"d_model": None}, "d_model is a whole number, not None."),
        ({"bias": 1}, "bias is either true or false, not 1."),
        ({"norm_eps": 0.0}, "norm_eps must be above 0"),
        ({"logit_softcap": 0.0}, "Logits cannot be capped at 0"),
        ({"vocab_size": -1}, "A vocabulary cannot have -1 tokens."),
        ({"mlp": "gelo"}, "'gelo' is not a choice for mlp"),
        ({"mlp": ["gelu"]}, "is not a choice for mlp"),
        ({"bidirectional": True}, "Only recurrent models can be made bidirectional"),
        ({"architecture": "lstm", "bidirectional": True, "d_model": 5}, "two reading directions; try 4."),
    ],
)
def test_nonsense_is_refused_in_the_persons_words(choices, words):
    with pytest.raises(SpecError) as caught:
        ModelSpec(**{"architecture": "decoder", **choices})
    assert words in caught.value.message
    assert str(caught.value) == caught.value.message


def test_a_misspelt_choice_gets_a_hint():
    with pytest.raises(SpecError) as caught:
        ModelSpec("decodr")
    assert caught.value.hint == "Did you mean decoder?"


def test_unknown_settings_are_named():
    with pytest.raises(SpecError) as caught:
        ModelSpec.from_dict({"architecture": "decoder", "n_head": 4, "zzz": 1})
    assert "n_head, zzz" in caught.value.message
    assert caught.value.hint.startswith("Did you mean n_heads? Known are architecture, vocab_size,")


@pytest.mark.parametrize("data", [{}, [], None])
def test_something_else_than_a_spec_is_refused(data):
    with pytest.raises(SpecError):
        ModelSpec.from_dict(data)


def test_replace_validates_again():
    spec = ModelSpec("decoder")
    assert spec.replace(d_model=64).d_model == 64
    with pytest.raises(SpecError):
        spec.replace(n_heads=3)
    with pytest.raises(SpecError):
        spec.replace(heads=4)


@pytest.mark.parametrize(
    ("spec", "causal", "objectives"),
    [
        (ModelSpec("decoder"), True, ("clm",)),
        (ModelSpec("encoder"), False, ("mlm",)),
        (ModelSpec("encoder-decoder"), True, ("seq2seq",)),
        (ModelSpec("lstm-attention"), True, ("seq2seq",)),
        (ModelSpec("gru"), True, ("clm",)),
        (ModelSpec("gru", bidirectional=True), False, ("mlm",)),
    ],
)
def test_what_a_model_can_learn(spec, causal, objectives):
    assert (spec.is_causal, spec.objectives()) == (causal, objectives)


@pytest.mark.parametrize(("d_model", "width"), [(128, 352), (384, 1024), (48, 128), (6, 16)])
def test_swiglu_is_eight_thirds_wide(d_model, width):
    assert ModelSpec("decoder", d_model=d_model, n_heads=1, mlp="swiglu").mlp_width == width


def test_mlp_width_can_be_chosen():
    assert ModelSpec("decoder").mlp_width == 512
    assert ModelSpec("decoder", d_mlp=77, mlp="swiglu").mlp_width == 77


@pytest.mark.parametrize(
    ("value", "step", "nearest"), [(130, 4, 128), (131, 4, 132), (1, 8, 8), (12, 8, 8), (13, 8, 16)]
)
def test_nearest_multiple(value, step, nearest):
    assert nearest_multiple(value, step) == nearest


def test_choosing_a_model_does_not_import_torch():
    code = (
        "import models, sys; models.parameter_counts(models.PRESETS['gpt2-tiny'].spec)\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
