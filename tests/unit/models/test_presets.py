import pytest
import torch
import torch.nn.functional as F

from models import PRESETS, build
from models.presets import nearest_preset
from tests.support.small_models import source, tokens

FAMILIES = ("rnn", "lstm", "gru", "lstm-attention", "gpt2", "llama", "bert", "seq2seq", "modern")


def test_every_family_comes_in_two_sizes():
    assert list(PRESETS) == [f"{family}-{size}" for family in FAMILIES for size in ("tiny", "small")]
    assert all(preset.name == name and preset.title and preset.summary for name, preset in PRESETS.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_tiny_presets_learn_a_batch_by_heart(family):
    spec = PRESETS[f"{family}-tiny"].spec.replace(vocab_size=20)
    model = build(spec)
    ids = tokens(spec, 2, 17)
    inputs, targets = ids[:, :-1], ids[:, 1:]
    more = source(model, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(100):
        loss = F.cross_entropy(model(inputs, **more).logits.flatten(0, 1), targets.flatten())
        if loss < 0.2:
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pytest.fail(f"loss is still {loss.item():.2f}")


def test_gpt2_is_gpt2():
    spec = PRESETS["gpt2-tiny"].spec
    assert (spec.n_layers, spec.n_heads, spec.d_model, spec.context_length) == (4, 4, 128, 64)
    assert (spec.norm, spec.norm_position, spec.mlp, spec.position) == ("layernorm", "pre", "gelu", "learned")
    assert spec.bias and spec.tie_embeddings and spec.dropout == 0


def test_llama_is_llama():
    spec = PRESETS["llama-small"].spec
    assert (spec.n_layers, spec.n_heads, spec.d_model, spec.context_length) == (6, 6, 384, 256)
    assert (spec.norm, spec.norm_position, spec.mlp, spec.position) == ("rmsnorm", "pre", "swiglu", "rotary")
    assert not spec.bias and not spec.qk_norm and spec.logit_softcap is None


def test_bert_is_bert():
    model = build(PRESETS["bert-tiny"].spec.replace(vocab_size=9))
    assert model.norm is None  # post-norm: no last norm
    names = set(model.state_dict())
    assert {"embedding.norm.bias", "head.dense.bias", "head.norm.bias", "head.bias"} <= names
    assert "head.weight" not in names


def test_modern_is_modern():
    spec = PRESETS["modern-tiny"].spec
    assert (spec.norm, spec.position, spec.mlp, spec.logit_softcap) == ("rmsnorm", "rotary", "relu2", 15.0)
    assert spec.qk_norm and spec.zero_init and not spec.tie_embeddings and not spec.bias and spec.dropout == 0


def test_the_nearest_preset_differs_least():
    for name, preset in PRESETS.items():
        assert nearest_preset(preset.spec) == nearest_preset(preset.spec.replace(n_layers=5)) == name
    llama = PRESETS["llama-tiny"].spec.replace(n_layers=5, context_length=128)
    assert nearest_preset(llama.replace(d_model=96)) == "llama-tiny", "equally many differences: the nearest width"
    assert nearest_preset(llama.replace(d_model=500, n_heads=5)) == "llama-small"
    assert nearest_preset(llama, "modern-tiny") == "modern-tiny" and nearest_preset(llama, "lstm-tiny") == "llama-tiny"
    assert nearest_preset(llama, "gone") == nearest_preset(llama, None) == "llama-tiny"
