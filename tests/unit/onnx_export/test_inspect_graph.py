"""What a viewer shows of an ONNX file: shapes, sizes and operators, and files that are none."""

import os

import pytest

from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.session import open_session
from playground.onnx_export import quantize
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export
from playground.onnx_export.inspect_graph import describe
from playground.onnx_export.rnn_graphs import recurrent
from playground.training.load_model import load_model
from tests.support.made_exports import built, recurrent_spec


def test_a_viewer_sees_what_a_scan_repeats(tmp_path):
    model = built(recurrent_spec("gru", bidirectional=False, bias=True))
    quantize.save(recurrent(model.spec, state_of(model), native=False), tmp_path / "model.onnx")
    told = describe(tmp_path / "model.onnx")
    scans = [i for i, node in enumerate(told["nodes"]) if node[1] == "Scan"]
    assert len(scans) == model.spec.n_layers and dict(told["operators"])["Sigmoid"] == 2 * model.spec.n_layers
    inside = told["nodes"][scans[0] + 1]
    assert (
        inside[1] == "MatMul" and "weight_hh_l0.T" in inside[4] and "nodes, which follow" in told["nodes"][scans[0]][5]
    )


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" + os.urandom(2000)])
def test_a_damaged_file_is_said(content, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(PlaygroundError, match="model.onnx"):
        open_session(path)
    if content:
        with pytest.raises(PlaygroundError, match="no ONNX model"):
            describe(path)


def test_the_graph_is_read_with_shapes_and_sizes():
    made = export(gallery.get("bible-decoder"))
    found = describe(made.folder / "model.onnx")
    assert ("input_ids", "input", "int64", "[batch, sequence]") in found["ends"]
    matmul = next(node for node in found["nodes"] if node[1] == "MatMul" and "up.weight" in node[4])
    up = load_model(gallery.get("bible-decoder")).layers[0].mlp.up.weight
    assert matmul[3].endswith(f", {up.shape[0]}]") and "[batch, " in matmul[3]
    assert f"[{up.shape[1]}, {up.shape[0]}] float, {up.numel() * 4:,} bytes" in matmul[4]
    assert dict(found["operators"])["Softmax"] == 4
