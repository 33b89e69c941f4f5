"""Weights in fewer bits, against torch with the same weights rounded by hand."""

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.presets import PRESETS
from playground.inference.engine import FusedDecoder
from playground.inference.session import open_session
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.fused import fused_decoder
from playground.onnx_export.rnn_graphs import recurrent
from tests.support.made_exports import about_of, built, recurrent_spec


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_shrunk_recurrent_model_is_that_with_rounded_weights(kind, bidirectional, precision, tmp_path):
    """Against torch itself, with the same weights rounded by hand; only the products of 8 bits round once more."""
    spec = recurrent_spec(kind, bidirectional, bias=False).replace(tie_embeddings=False)
    model = built(spec)
    graph = recurrent(spec, state_of(model), native=precision == "fp16")
    quantize.save(quantize.quantize_weights(graph, precision), tmp_path / "model.onnx")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if precision == "fp16":
                weight.copy_(weight.half())
            elif not name.startswith("embedding"):
                weight.copy_(torch.from_numpy(rounded(weight.numpy(), quantize.BITS[precision])))
    for check in verify.check_graph(model, tmp_path):
        assert check.error <= 0.03 * check.scale, check


def rounded(rows: np.ndarray, bits: int) -> np.ndarray:
    """A matrix after its way through the blocks."""
    numbers, scales = quantize.blocks(rows, bits, quantize.BLOCKS[bits])
    if bits == 4:
        numbers = np.stack([numbers & 15, numbers >> 4], axis=-1).reshape(*numbers.shape[:2], -1)
    values = (numbers.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]
    return values.reshape(len(rows), -1)[:, : rows.shape[1]]


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_every_matrix_of_a_recurrent_model_is_shrunk(kind, precision):
    model = built(recurrent_spec(kind, bidirectional=False, bias=True).replace(d_model=128))
    graph = quantize.quantize_weights(recurrent(model.spec, state_of(model), native=False), precision).graph
    large = [
        tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
    ]
    assert all(tensor.name.endswith(".scales") for tensor in large)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("bits", [8, 4])
def test_token_vectors_are_looked_up_in_few_bits(bits, tied):
    """Against torch with its weights rounded by hand; a table that is the output matrix too is in the file once."""
    spec = PRESETS["lstm-tiny"].spec.replace(vocab_size=300, tie_embeddings=tied, n_layers=1)
    model = built(spec)
    graph = quantize.quantize_weights(recurrent(spec, state_of(model), native=False), f"int{bits}")
    tables = [tensor for tensor in graph.graph.initializer if tensor.dims[0] == 300 and "bit" in tensor.name]
    assert len(tables) == (1 if tied else 2)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.copy_(torch.from_numpy(rounded(weight.numpy(), bits)))
        ids = torch.arange(10, 40)[None]
        right = model(ids).logits.numpy()
    session = open_session(graph.SerializeToString(), "cpu")
    (ours,) = session.run(["logits"], {"input_ids": ids.numpy()} | verify._empty(session, spec, 1))
    assert np.abs(ours - right).max() < 0.03 * np.abs(right).max()


@pytest.mark.parametrize("precision", ["fp16", "int8", "int4"])
def test_smaller_weights_are_smaller_and_still_close(precision):
    spec = PRESETS["llama-tiny"].spec.replace(vocab_size=300)
    model = built(spec)
    whole = fused_decoder(spec, state_of(model))
    small = quantize.quantize_weights(fused_decoder(spec, state_of(model)), precision)
    share = small.ByteSize() / whole.ByteSize()
    assert share < {"fp16": 0.55, "int8": 0.45, "int4": 0.35}[precision]
    ids = list(range(10, 30))
    ours, right = (
        FusedDecoder(graph.SerializeToString(), about_of(spec)).prefill([ids])[0] for graph in (small, whole)
    )
    assert np.corrcoef(ours, right)[0, 1] > {"fp16": 0.9999, "int8": 0.999, "int4": 0.9}[precision]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 300), st.sampled_from([4, 8]), st.integers(0, 2**16))
def test_every_weight_is_within_half_a_step_and_the_largest_is_exact(n_rows, n_columns, bits, seed):
    """A step is the largest magnitude of a block divided by 2^(bits − 1); at the short end of the range it may be a whole one."""
    rows = np.random.default_rng(seed).normal(size=(n_rows, n_columns)).astype(np.float32)
    size, back = quantize.BLOCKS[bits], rounded(rows, bits)
    for start in range(0, n_columns, size):
        block, ours = rows[:, start : start + size], back[:, start : start + size]
        step = np.abs(block).max(1, keepdims=True) / 2 ** (bits - 1)
        cut = np.abs(block) > step * (2 ** (bits - 1) - 1)
        assert (np.abs(block - ours) <= np.where(cut, 1.001, 0.501) * step).all()
        at = np.abs(block).argmax(1)
        np.testing.assert_allclose(ours[np.arange(n_rows), at], block[np.arange(n_rows), at], rtol=1e-6)


def test_zeros_stay_zeros():
    assert not rounded(np.zeros((2, 130), np.float32), 8).any() and not rounded(np.zeros((2, 130), np.float32), 4).any()
