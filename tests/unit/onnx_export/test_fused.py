"""The fused graph, whose cache stays in place, against torch: token by token, texts of different lengths at once."""

import numpy as np
import pytest
import torch

from models.spec import ModelSpec
from models.transformer import Source
from playground.inference.engine import FusedDecoder, FusedEncoderDecoder
from playground.inference.session import open_session
from playground.onnx_export.decoder_graphs import source_encoder, state_of
from playground.onnx_export.fused import can_be_fused, fused_decoder
from tests.support.made_exports import DECODERS, PAIRS, about_of, built


@pytest.mark.parametrize("name", [name for name, spec in DECODERS.items() if can_be_fused(spec)])
def test_the_fused_graph_with_its_cache_in_place_agrees_with_torch(name):
    spec = DECODERS[name]
    model = built(spec)
    engine = FusedDecoder(fused_decoder(spec, state_of(model)).SerializeToString(), about_of(spec), batch=3)
    ids = np.random.default_rng(0).integers(4, 50, (3, 24))
    with torch.no_grad():
        right = model(torch.from_numpy(ids)).logits.numpy()
    lengths = np.array([1, 7, 15])
    ours = engine.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)])
    for i in range(8):
        assert np.abs(ours - right[np.arange(3), lengths - 1 + i]).max() < 1e-4, f"token {i}"
        ours = engine.decode_step(ids[np.arange(3), lengths + i])


@pytest.mark.parametrize("name", PAIRS)
def test_the_writing_half_with_its_cache_in_place_agrees_with_torch(name):
    """Answers of different lengths at once, token by token; then another source, which nothing of the first may reach."""
    spec = PAIRS[name]
    model = built(spec)
    weights = state_of(model)
    graphs = source_encoder(spec, weights), fused_decoder(spec, weights)
    opened = [open_session(graph.SerializeToString(), "cpu") for graph in graphs]
    first, other = (
        FusedEncoderDecoder(*opened, about_of(spec), batch=3),
        FusedEncoderDecoder(*opened, about_of(spec), batch=3),
    )
    rng = np.random.default_rng(0)
    ids, lengths = rng.integers(4, 50, (3, 24)), np.array([1, 7, 15])
    for engine, n in ((first, 9), (other, 24), (first, 1)):
        source = rng.integers(4, 50, n)
        engine.encode_source(source)
        with torch.no_grad():
            right = model(torch.from_numpy(ids), source=Source(torch.from_numpy(source).expand(3, -1))).logits.numpy()
        ours = engine.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)])
        for i in range(8):
            assert np.abs(ours - right[np.arange(3), lengths - 1 + i]).max() < 1e-4, f"source of {n}, token {i}"
            ours = engine.decode_step(ids[np.arange(3), lengths + i])


def test_heads_that_the_operator_does_not_take_are_left_to_the_portable_graph():
    assert not can_be_fused(ModelSpec("decoder", vocab_size=50, d_model=24, n_heads=2))


def test_a_cache_that_is_far_larger_than_its_model_is_not_made_at_once():
    deep = ModelSpec(
        "decoder", 300, d_model=16, n_layers=1000, n_heads=1, d_mlp=1, context_length=8192, position="alibi"
    )
    assert not can_be_fused(deep)
    assert can_be_fused(deep.replace(n_layers=8)) and can_be_fused(deep.replace(context_length=512))
