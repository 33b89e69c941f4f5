"""Each layer as a graph, against torch's own functions and the equations of the papers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.spec import ModelSpec
from playground.inference.session import open_session
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Layers

SPEC = ModelSpec("decoder", vocab_size=11, d_model=8, n_layers=1, n_heads=2, context_length=16)
RNG = np.random.default_rng(0)


def ran(spec: ModelSpec, weights: dict, add: Callable[..., str], rank: int = 3, **inputs: np.ndarray) -> np.ndarray:
    """The output, of so many axes, of a graph to which ``add(net, *inputs)`` adds layers."""
    g = Graph("layers")
    net = Layers(g, spec, {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()})
    kinds = {"float32": "float", "int64": "int64"}
    names = [g.input(name, kinds[str(value.dtype)], list(value.shape)) for name, value in inputs.items()]
    g.output("made", "float", [f"size {i}" for i in range(rank)], add(net, *names))
    return open_session(g.model().SerializeToString(), "cpu").run(["made"], inputs)[0]


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_is_torchs(bias):
    x, weight, shift = 10 * normal(2, 3, 8), normal(8), normal(8)
    weights = {"n.weight": weight} | ({"n.bias": shift} if bias else {})
    ours = ran(SPEC, weights, lambda net, x: net.norm(x, "n"), x=x)
    given = torch.from_numpy(shift) if bias else None
    right = F.layer_norm(torch.from_numpy(x), (8,), torch.from_numpy(weight), given, SPEC.norm_eps)
    np.testing.assert_allclose(ours, right.numpy(), atol=1e-5)


def test_rms_norm_is_torchs():
    x, weight = 10 * normal(2, 3, 8), normal(8)
    spec = SPEC.replace(norm="rmsnorm")
    ours = ran(spec, {"n.weight": weight}, lambda net, x: net.norm(x, "n"), x=x)
    right = F.rms_norm(torch.from_numpy(x), (8,), torch.from_numpy(weight), spec.norm_eps)
    np.testing.assert_allclose(ours, right.numpy(), atol=1e-5)


ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
    "relu2": lambda x: F.relu(x) ** 2,
    "swiglu": lambda x: F.silu(x[..., :6]) * x[..., 6:],
}


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_an_mlp_is_two_matrices_with_an_activation_between(kind):
    spec = SPEC.replace(mlp=kind)
    x, up, down = normal(2, 3, 8), normal(12 if kind == "swiglu" else 6, 8), normal(8, 6)
    ours = ran(spec, {"m.up.weight": up, "m.down.weight": down}, lambda net, x: net.mlp(x, "m"), x=x)
    x, up, down = map(torch.from_numpy, (x, up, down))
    np.testing.assert_allclose(ours, (ACTIVATIONS[kind](x @ up.T) @ down.T).numpy(), atol=1e-4)


def test_rotary_positions_turn_pairs_as_complex_numbers():
    """Channels i and i + d/2 are one complex number, multiplied by exp(i·position·base^(−2i/d)) (Su et al. 2021, eq. 34)."""
    spec = SPEC.replace(position="rotary", rope_theta=100.0)
    x, positions = normal(1, 2, 3, 4), np.array([[0, 5, 11]])
    ours = ran(spec, {}, lambda net, x, positions: net.rotate(x, net.rope(positions)), 4, x=x, positions=positions)
    angles = positions[0][:, None] * 100.0 ** (-np.arange(0, 4, 2) / 4)  # [positions, pairs]
    turned = (x[..., :2] + 1j * x[..., 2:]) * np.exp(1j * angles)
    np.testing.assert_allclose(ours, np.concatenate([turned.real, turned.imag], axis=-1), atol=1e-5)


@pytest.mark.parametrize("width", [8, 5])
def test_sinusoidal_positions_are_those_of_the_paper(width):
    """sin(pos / 10000^(2i/d)) and cos of the same, in turn (Vaswani et al. 2017, section 3.5)."""
    spec = SPEC.replace(d_model=width, n_heads=1, position="sinusoidal")
    positions = np.array([[0, 3, 900]])
    ours = ran(spec, {}, lambda net, positions: net.sinusoidal(positions), positions=positions)
    for place, row in zip(positions[0], ours[0], strict=True):
        right = [(np.sin, np.cos)[c % 2](place / 10000 ** ((c - c % 2) / width)) for c in range(width)]
        np.testing.assert_allclose(row, right, atol=1e-4)


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_torchs_with_grouped_heads_and_a_mask(kv_heads):
    spec = SPEC.replace(n_heads=4, n_kv_heads=kv_heads)
    q, k, v = normal(2, 4, 3, 2), normal(2, kv_heads, 5, 2), normal(2, kv_heads, 5, 2)
    allowed = (RNG.random((2, 1, 3, 5)) < 0.6).astype(np.int64)
    allowed[..., 0] = 1  # every query sees one key at least
    eye = np.eye(8)
    attend = lambda net, q, k, v, allowed: net.attend(q, k, v, net.hide(net.g("Cast", allowed, to=9)), "a")
    ours = ran(spec, {"a.output.weight": eye}, attend, q=q, k=k, v=v, allowed=allowed)
    given = (torch.from_numpy(each) for each in (q, k, v))
    mask = torch.from_numpy(allowed).bool()
    right = F.scaled_dot_product_attention(*given, attn_mask=mask, enable_gqa=True).transpose(1, 2).flatten(2)
    np.testing.assert_allclose(ours, right.numpy(), atol=1e-5)


def test_alibi_lowers_scores_by_the_distance():
    """Slopes of 2^−2, 2^−4, 2^−6 and 2^−8 for four heads (Press et al. 2022, section 3)."""
    spec = SPEC.replace(n_heads=4, position="alibi")
    places = np.array([[0, 1, 4]])
    ours = ran(spec, {}, lambda net, places: net.alibi(places, places), 4, places=places)
    distance = np.abs(places[0][:, None] - places[0][None])
    np.testing.assert_allclose(ours[0], [-slope * distance for slope in (1 / 4, 1 / 16, 1 / 64, 1 / 256)])


def test_positions_are_counted_over_real_tokens():
    mask = np.array([[1, 1, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1]])
    positions = ran(SPEC, {}, lambda net, mask: net.g("Cast", net.positions_of(mask), to=1), 2, mask=mask)
    assert positions.tolist() == [[0, 1, 2, 2], [0, 0, 0, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_products_with_the_token_vectors_softly_capped(tied):
    spec = SPEC.replace(tie_embeddings=tied, logit_softcap=5.0)
    x, table = 4 * normal(2, 3, 8), normal(11, 8)
    name = "embedding.tokens.weight" if tied else "head.weight"
    ours = ran(spec, {name: table}, lambda net, x: net.head(x), x=x)
    np.testing.assert_allclose(ours, 5 * np.tanh(x @ table.T / 5), atol=1e-4)


def test_a_residual_is_normed_before_or_after():
    x, weight = normal(2, 3, 8), normal(8)
    norm = lambda x: F.layer_norm(torch.from_numpy(x), (8,), torch.from_numpy(weight), None, SPEC.norm_eps).numpy()
    double = lambda net: lambda h: net.g("Add", h, h)
    for place, right in (("pre", x + 2 * norm(x)), ("post", norm(3 * x))):
        spec = SPEC.replace(norm_position=place)
        ours = ran(spec, {"n.weight": weight}, lambda net, x: net.residual(x, "n", double(net)), x=x)
        np.testing.assert_allclose(ours, right, atol=1e-5)
