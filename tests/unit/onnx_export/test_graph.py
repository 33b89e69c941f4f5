"""Graphs that are written node by node."""

import onnx

from playground.onnx_export.decoder_graphs import decoder, state_of
from tests.support.made_exports import DECODERS, built


def test_the_graph_obeys_onnx():
    model = built(DECODERS["gpt2"])
    graph = decoder(model.spec, state_of(model))
    onnx.checker.check_model(graph, full_check=True)
    assert [output.name for output in graph.graph.output][-1] == "logits"
    assert {domain.domain for domain in graph.opset_import} == {""}, "standard operators only"
