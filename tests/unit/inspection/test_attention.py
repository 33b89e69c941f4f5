"""Who looks at whom: the weights really make the model's answer, and what is told of them is true."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.factory import build
from models.spec import ModelSpec
from models.transformer import Source
from playground.inspection.attention import attention_weights, distance, entropy, may_look, pooled, rollout
from playground.inspection.capture import capture

SMALL = {"vocab_size": 40, "d_model": 32, "n_layers": 2, "n_heads": 4, "context_length": 16}
SPECS = {
    "gpt2": ModelSpec("decoder", **SMALL),
    "grouped, rotary": ModelSpec("decoder", **SMALL, n_kv_heads=2, position="rotary", norm="rmsnorm", bias=False),
    "alibi, qk-norm": ModelSpec("decoder", **SMALL, position="alibi", qk_norm=True),
    "bert": ModelSpec("encoder", **SMALL, norm_position="post", embedding_norm=True, head_transform=True),
    "lstm with attention": ModelSpec("lstm-attention", **SMALL),
    "pairs": ModelSpec("encoder-decoder", **SMALL, position="sinusoidal", norm_position="post"),
}
IDS = [5, 9, 7, 5, 9, 31, 12]


def seeded(name: str):
    torch.manual_seed(3)
    return build(SPECS[name]).eval()


def source_of(name: str) -> list[int] | None:
    return [8, 14, 22, 6] if SPECS[name].reads_pairs else None


@pytest.mark.parametrize("name", SPECS)
def test_rows_sum_to_one_and_what_is_hidden_is_exactly_zero(name):
    found = attention_weights(seeded(name), IDS, source_of(name))
    for part, weights in found.items():
        assert np.abs(weights.sum(-1) - 1).max() < 1e-5
        hidden = np.triu(np.ones(weights.shape[-2:], dtype=bool), 1)
        if part == "decoder" or (part == "self" and name != "bert"):
            assert (weights[..., hidden] == 0).all()
        else:
            assert (weights > 0).all(), "nothing is hidden from an encoder, nor in the source"


@pytest.mark.parametrize("name", ["gpt2", "grouped, rotary", "bert"])
def test_the_weights_make_the_output(name):
    """weights · v, the heads side by side, times the output matrix: what the layer adds to the residual stream."""
    model = seeded(name)
    held = capture(model, IDS)
    for i, layer in enumerate(model.layers):
        at = f"layers.{i}.attention."
        v = held[at + "v"].repeat(model.spec.n_heads // model.spec.kv_heads, axis=0)
        mixed = (held[at + "weights"] @ v).transpose(1, 0, 2).reshape(len(IDS), -1)
        output = layer.attention.output
        expected = mixed @ output.weight.detach().numpy().T
        if output.bias is not None:
            expected = expected + output.bias.detach().numpy()
        assert np.abs(expected - held[at + "output"]).max() < 1e-5


@pytest.mark.parametrize("name", ["gpt2", "grouped, rotary", "bert"])
def test_the_weights_are_those_of_fused_attention(name):
    model = seeded(name)
    held = capture(model, IDS)
    at = "layers.1.attention."
    q, k, v = (torch.from_numpy(held[at + x])[None] for x in "qkv")
    fused = F.scaled_dot_product_attention(q, k, v, is_causal=name != "bert", enable_gqa=True)[0].numpy()
    assert np.abs(fused - held[at + "heads"]).max() < 1e-5


@pytest.mark.parametrize("name", SPECS)
def test_watching_changes_nothing(name):
    model, source = seeded(name), source_of(name)
    more = {"source": Source(torch.tensor([source]))} if source else {}
    with torch.no_grad():
        logits = model(torch.tensor([IDS]), **more).logits[0].numpy()
    assert np.abs(capture(model, IDS, source)["logits"] - logits).max() < 1e-5


def test_rollout_by_hand():
    first = np.array([[[1.0, 0.0], [0.5, 0.5]]])  # one head
    second = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    # half of each layer is the residual: [[1, 0], [.25, .75]], then [[1, 0], [.5, .5]] times it
    expected = np.array([[1.0, 0.0], [0.5 + 0.5 * 0.25, 0.5 * 0.75]])
    found = rollout(np.stack([first, second]))
    assert np.allclose(found[0], [[1, 0], [0.25, 0.75]]) and np.allclose(found[1], expected)


def test_entropy_and_distance_by_hand():
    weights = np.array([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0], [0.25] * 4])
    nats = (0 + np.log(2) + (0.5 * np.log(4) + 0.5 * np.log(2)) + np.log(4)) / 4
    assert np.isclose(entropy(weights), nats)
    assert np.isclose(distance(weights), (0 + 0.5 + (0.5 + 0.25) + (0.75 + 0.5 + 0.25)) / 4)


def test_a_small_picture_keeps_the_largest_weight_of_each_square():
    weights = np.zeros((100, 90))
    weights[57, 33] = 0.9
    small = pooled(weights, 10)
    assert small.shape == (10, 10) and small[5, 3] == 0.9 and (small > 0).sum() == 1
    assert pooled(weights, 200).shape == (100, 90)


def test_a_small_picture_leaves_paper_only_where_a_square_has_nothing_else():
    weights = np.where(np.tri(4, dtype=bool), 0.25, np.nan)
    small = pooled(weights, 2)
    assert np.isnan(small[0, 1]) and small[0, 0] == small[1, 0] == small[1, 1] == 0.25


def test_where_a_token_may_look():
    assert may_look("self", True, 3, 3).tolist() == np.tri(3, dtype=bool).tolist()
    assert may_look("decoder", False, 2, 2).tolist() == [[True, False], [True, True]]
    for part in ("encoder", "cross", "self"):
        assert may_look(part, part != "self", 2, 5).all()


@pytest.mark.parametrize("name", SPECS)
def test_a_model_looks_where_it_may_and_nowhere_else(name):
    for part, weights in attention_weights(seeded(name), IDS, source_of(name)).items():
        seen = may_look(part, SPECS[name].is_causal, *weights.shape[-2:])
        assert ((weights > 0) == seen).all(), part
