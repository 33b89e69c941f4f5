"""The LSTM with attention as ONNX graphs, against torch."""

import numpy as np
import onnx
import pytest

from playground.inference.session import open_session
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import graphs_of
from playground.onnx_export.graph import MICROSOFT
from tests.support.made_exports import ATTENTIVE, assert_graphs_agree, lively


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ATTENTIVE)
def test_the_graphs_agree_with_torch(name, native, tmp_path):
    model = lively(ATTENTIVE[name])
    graphs = graphs_of(model, state_of(model), native=native)
    assert_graphs_agree(model, tmp_path, {f"{stem}.onnx": graph for stem, graph in graphs.items()})
    operators = [node.op_type for node in graphs["encoder_model"].graph.node]
    assert operators.count("LSTM") == (model.spec.n_layers if native else 0)
    assert not {"Scan", "Loop", "LSTM"} & {node.op_type for node in graphs["decoder_model"].graph.node}


def test_the_graphs_are_standard_onnx():
    model = lively(ATTENTIVE["lstm-attention"])
    for graph in graphs_of(model, state_of(model), attentions=True).values():
        onnx.checker.check_model(graph, full_check=True)
        assert MICROSOFT not in {domain.domain for domain in graph.opset_import}


def test_one_weight_in_another_place_is_noticed(tmp_path):
    model = lively(ATTENTIVE["lstm-attention"])
    weights = state_of(model)
    weights["decoder.attention.score"] = np.roll(weights["decoder.attention.score"], 1)
    for stem, graph in graphs_of(model, weights).items():
        quantize.save(graph, tmp_path / f"{stem}.onnx")
    assert not all(check.agrees for check in verify.check_graph(model, tmp_path))


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_fewer_bits_make_smaller_files_that_run(precision, tmp_path):
    model = lively(ATTENTIVE["lstm-attention"].replace(d_model=128), 1.0)  # as wide as a block that shares a scale
    weights, sizes = state_of(model), {}
    graphs = graphs_of(model, weights, native=precision == "fp16")
    for stem, graph in graphs.items():
        small = quantize.quantize_weights(graph, precision)
        sizes[stem] = quantize.save(small, tmp_path / f"{stem}.onnx"), len(graph.SerializeToString())
    assert all(small < whole for small, whole in sizes.values())
    reader, writer = (open_session(tmp_path / f"{stem}_model.onnx", "cpu") for stem in ("encoder", "decoder"))
    ids, mask = np.array([[5, 6, 7]]), np.ones((1, 3), dtype=np.int64)
    names = [value.name for value in reader.get_outputs()]
    cross = dict(zip(names, reader.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))
    feed = {**cross, "encoder_attention_mask": mask, "past_cell": np.zeros_like(cross["past_hidden"])}
    (logits,) = writer.run(["logits"], {"input_ids": np.array([[1]]), **feed})
    assert logits.shape == (1, 1, model.spec.vocab_size) and np.isfinite(logits).all()
