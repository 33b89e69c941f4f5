"""Graphs that are written node by node."""

import numpy as np
import onnx
import pytest

from playground.inference.session import open_session
from playground.onnx_export.decoder_graphs import decoder, state_of
from playground.onnx_export.graph import MICROSOFT, Graph
from tests.support.made_exports import DECODERS, built


def test_the_graph_obeys_onnx():
    model = built(DECODERS["gpt2"])
    graph = decoder(model.spec, state_of(model))
    onnx.checker.check_model(graph, full_check=True)
    assert [output.name for output in graph.graph.output][-1] == "logits"
    assert {domain.domain for domain in graph.opset_import} == {""}, "standard operators only"


def test_equal_constants_are_stored_once():
    g = Graph("constants")
    assert g.const([1, 2]) == g.const((1, 2)) != g.const([1, 2], np.float32)
    assert g.const(1) != g.const([1]), "another shape is another tensor"
    long = [g.const(list(range(n))) for n in (50, 50, 51)]
    assert long[0] == long[1] != long[2] and len(g.weights) == 6


def test_an_output_may_be_the_copy_of_another_tensor_and_a_node_may_have_several():
    g = Graph("copies")
    first, second = g("Split", g.input("x", "float", [4]), n=2, axis=0, num_outputs=2)
    g.output("sum", "float", [2], g("Add", first, second))
    g.output("first", "float", [2], first)
    made = open_session(g.model().SerializeToString(), "cpu").run(
        ["sum", "first"], {"x": np.arange(4, dtype=np.float32)}
    )
    assert [each.tolist() for each in made] == [[2, 4], [0, 1]]


def test_a_body_repeats_itself_with_the_weights_of_the_graph_around_it():
    """A Scan that multiplies a state by a weight: 3^n after n steps."""
    g = Graph("loop")
    state, steps = g.input("state", "float", [1]), g.input("steps", "float", ["n", 1])
    body = g.body("power")
    before, _ = body.input("before", "float", [1]), body.input("step", "float", [1])
    after = body("Mul", before, body.weight("three", np.array([3], np.float32)))
    body.output("after", "float", [1], after)
    body.output("each", "float", [1], after)
    last, every = g("Scan", state, steps, n=2, num_scan_inputs=1, body=body.proto())
    g.output("last", "float", [1], last)
    g.output("every", "float", ["n", 1], every)
    feed = {"state": np.ones(1, np.float32), "steps": np.zeros((4, 1), np.float32)}
    last, every = open_session(g.model().SerializeToString(), "cpu").run(["last", "every"], feed)
    assert last.tolist() == [81] and every[:, 0].tolist() == [3, 9, 27, 81]


def test_the_domain_of_onnx_runtime_is_named_where_it_is_used_and_mistakes_are_found():
    g = Graph("fused")
    g.output("y", "float", ["n", 2], g("QuickGelu", g.input("x", "float", ["n", 2]), domain=MICROSOFT))
    assert g.is_fused and {opset.domain for opset in g.model().opset_import} == {"", MICROSOFT}
    wrong = Graph("wrong")
    wrong.output("y", "float", ["n"], wrong("Relu", "nothing"))
    with pytest.raises(onnx.checker.ValidationError):
        wrong.model()
