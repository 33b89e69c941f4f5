import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ClassificationHead, ModelSpec, build
from models.heads import ModelWithHead
from models.lora import MATRICES, LoRALinear, adapter_tensors, add_lora, is_adapter, merge_lora
from models.spec import SpecError
from tests.support.small_models import lively, source, tokens, transformer_specs

SPEC = {
    "vocab_size": 23,
    "d_model": 16,
    "n_layers": 2,
    "n_heads": 4,
    "n_kv_heads": 2,
    "mlp": "swiglu",
    "norm": "rmsnorm",
    "position": "rotary",
    "bias": False,
    "context_length": 12,
}
SUBSETS = st.sets(st.sampled_from(MATRICES), min_size=1)


def stirred(model, std: float = 0.3):
    """The adapters as training leaves them: B no longer 0."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_adapter(name):
                parameter.normal_(std=std)
    return model


def logits(model, seed: int = 1):
    torch.manual_seed(seed)
    return model(tokens(model.spec, 2, 6), **source(model, 2)).logits


@settings(deadline=None, max_examples=40)
@given(transformer_specs(), SUBSETS, st.integers(1, 3), st.floats(0.5, 32))
def test_merged_equals_unmerged(spec, matrices, rank, alpha):
    """Of every architecture, norm, position and grouping of heads, for every choice of matrices."""
    model = lively(spec)
    before = logits(model)
    try:
        add_lora(model, rank, alpha, matrices)
    except SpecError as error:
        assert "no saving" in error.message
        return
    torch.testing.assert_close(logits(model), before, rtol=0, atol=0)  # B is 0: nothing has changed
    apart = logits(stirred(model))
    names = set(merge_lora(model).state_dict())
    assert names == set(build(spec).state_dict()) and not any(map(is_adapter, names))
    torch.testing.assert_close(logits(model), apart, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("architecture", ["decoder", "encoder", "encoder-decoder"])
def test_merged_equals_unmerged_to_a_hundred_thousandth_in_single_precision(architecture):
    torch.manual_seed(0)
    model = build(ModelSpec(architecture, **SPEC))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    add_lora(model, 3, 8.0, MATRICES)
    before, apart = logits(model), logits(stirred(model, 0.1))
    assert (apart - before).abs().max() > 0.05
    assert (logits(merge_lora(model)) - apart).abs().max() < 1e-5


@pytest.mark.parametrize("architecture", ["decoder", "encoder", "encoder-decoder"])
def test_the_adapters_alone_make_the_model_from_its_parent(architecture):
    parent = lively(ModelSpec(architecture, **SPEC))
    tuned = lively(ModelSpec(architecture, **SPEC))
    tuned.load_state_dict(parent.state_dict())
    add_lora(tuned, 2, 4.0, ("query", "value", "down"))
    kept = adapter_tensors(stirred(tuned))
    add_lora(parent, 2, 4.0, ("query", "value", "down"))
    missing, unexpected = parent.load_state_dict(kept, strict=False)
    assert not unexpected and not any(map(is_adapter, missing))
    torch.testing.assert_close(logits(parent), logits(tuned), rtol=0, atol=0)
    assert sum(t.numel() for t in kept.values()) < 0.5 * sum(p.numel() for p in tuned.parameters())


def test_the_detour_by_hand():
    """Hu et al. 2021, eq. 3: W + alpha/rank·BA, on the rows of the adapted map alone."""
    torch.manual_seed(0)
    plain = torch.nn.Linear(5, 9)
    x = torch.randn(4, 5)
    adapted = LoRALinear(plain, 2, 6.0, [(0, 3), (6, 9)])  # like query and value in one matrix
    torch.nn.init.normal_(adapted.lora_b)
    a, b = adapted.lora_a, adapted.lora_b
    expected = F.linear(x, plain.weight, plain.bias)
    expected[:, 0:3] += 3.0 * x @ a[:2].T @ b[:3].T
    expected[:, 6:9] += 3.0 * x @ a[2:].T @ b[3:].T
    torch.testing.assert_close(adapted(x), expected)
    weight = plain.weight.detach().clone()
    weight[0:3] += 3.0 * b[:3] @ a[:2]
    weight[6:9] += 3.0 * b[3:] @ a[2:]
    torch.testing.assert_close(adapted.merged().weight, weight)


@given(SUBSETS)
@settings(deadline=None, max_examples=20)
def test_what_is_adapted_is_what_was_chosen(matrices):
    """Gradients move the rows of the chosen maps and no others; counted by the shapes of the maps."""
    spec = ModelSpec("decoder", **SPEC)
    model = build(spec)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    add_lora(model, 2, 4.0, matrices)
    d, kv, wide = 16, 8, spec.mlp_width
    rows = {"query": (d, d), "key": (d, kv), "value": (d, kv), "output": (d, d), "up": (d, 2 * wide), "down": (wide, d)}
    expected = sum(2 * 2 * sum(rows[name]) for name in matrices)  # two layers, rank 2
    assert sum(t.numel() for t in adapter_tensors(model).values()) == expected
    after = merge_lora(stirred(model)).state_dict()
    for layer in range(2):
        moved = lambda name, at=f"layers.{layer}.": (after[at + name] != before[at + name]).any(1)
        qkv = moved("attention.qkv.weight")
        found = {"query": qkv[:16], "key": qkv[16:24], "value": qkv[24:]} | {
            name: moved(f"{place}.weight")
            for name, place in (("output", "attention.output"), ("up", "mlp.up"), ("down", "mlp.down"))
        }
        for name, changed in found.items():
            assert changed.all() if name in matrices else not changed.any(), name


def test_a_reader_is_adapted_under_its_head():
    body = lively(ModelSpec("encoder", **SPEC)).float()
    model = ModelWithHead(body, ClassificationHead(16, 3))
    assert all(name.startswith("body.") for name in add_lora(model, 2, 4.0, ["query"]))
    assert all(name.startswith("body.") for name in adapter_tensors(model))


def test_what_cannot_be_is_refused():
    with pytest.raises(SpecError, match="no saving in a matrix of 8 × 16") as caught:
        add_lora(build(ModelSpec("decoder", **SPEC)), 8, 16.0, ["value"])  # 2 of 4 heads: 8 rows
    assert "below 8" in caught.value.hint
    add_lora(build(ModelSpec("decoder", **SPEC)), 8, 16.0, ["query"])
    with pytest.raises(SpecError, match="this model has none"):
        add_lora(build(ModelSpec("lstm", vocab_size=23, d_model=16)), 2, 4.0, MATRICES)
