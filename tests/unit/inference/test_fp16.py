"""Graphs in 16 bits, against numpy with the same numbers rounded by hand."""

import numpy as np
import onnx
import pytest

from playground.inference.fp16 import FLOAT, HALF, HIGHEST, halve
from playground.inference.session import open_session
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.graph import Graph
from playground.onnx_export.rnn_graphs import recurrent
from playground.onnx_export.verify import _empty
from tests.support.made_exports import built, recurrent_spec


def halved(g: Graph) -> onnx.ModelProto:
    model = g.model()
    halve(model.graph)
    onnx.checker.check_model(model)
    return model


def test_a_product_has_weights_of_16_bits_and_ends_of_32():
    """Beyond the range of 16 bits a weight is cut to its end, 65504, and does not become infinite."""
    g, rng = Graph("product"), np.random.default_rng(0)
    weight = rng.normal(size=(4, 3)).astype(np.float32)
    weight[0, 0] = 1e6
    g.output("y", "float", ["n", 3], g("MatMul", g.input("x", "float", ["n", 4]), g.weight("w", weight)))
    model = halved(g)
    assert [value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]] == [FLOAT, FLOAT]
    assert [tensor.data_type for tensor in model.graph.initializer] == [HALF]
    x = rng.normal(size=(2, 4)).astype(np.float32)
    (ours,) = open_session(model.SerializeToString(), "cpu").run(None, {"x": x})
    right = x.astype(np.float16).astype(np.float32) @ np.clip(weight, -HIGHEST, HIGHEST).astype(np.float16).astype(
        float
    )
    np.testing.assert_allclose(ours, right, rtol=2e-3, atol=2e-3)


def test_a_cache_is_in_16_bits_at_both_ends():
    g = Graph("cache")
    past = g.input("past_key_values.0.key", "float", ["n"])
    g.output("present.0.key", "float", ["n"], g("Mul", past, g.const(2.0, np.float32)))
    model = halved(g)
    assert [value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]] == [HALF, HALF]
    (ours,) = open_session(model.SerializeToString(), "cpu").run(None, {past: np.array([1.5, -3], dtype=np.float16)})
    assert ours.dtype == np.float16 and ours.tolist() == [3, -6]


@pytest.mark.parametrize(("op", "right"), [("Sin", np.sin), ("Cos", np.cos)])
def test_the_angles_of_positions_stay_in_32_bits(op, right):
    """In 16 bits, position 4097 would be 4096, and its angle another one."""
    g = Graph("angles")
    positions = g("Cast", g.input("positions", "int64", ["n"]), to=1)
    g.output("y", "float", ["n"], g(op, g("Mul", positions, g.weight("frequency", np.array([0.7], np.float32)))))
    places = np.array([0, 4097, 8191])
    (ours,) = open_session(halved(g).SerializeToString(), "cpu").run(None, {"positions": places})
    np.testing.assert_allclose(ours, right(places * 0.7), atol=2e-3)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_recurrent_layer_computes_in_32_bits_between_neighbours_of_16(kind):
    spec = recurrent_spec(kind, bidirectional=False, bias=True)
    whole = recurrent(spec, state_of(built(spec)), native=True)
    small = onnx.ModelProto()
    small.CopyFrom(whole)
    halve(small.graph)
    assert {tensor.data_type for tensor in small.graph.initializer} <= {HALF, onnx.TensorProto.INT64}
    sessions = [open_session(model.SerializeToString(), "cpu") for model in (whole, small)]
    ids = np.random.default_rng(1).integers(4, 50, (2, 9))
    right, ours = (session.run(["logits"], {"input_ids": ids} | _empty(session, spec, 2))[0] for session in sessions)
    assert 0 < np.abs(ours - right).max() < 5e-3 * np.abs(right).max()
