"""The graph for CUDA, whose attention is in 16 bits: on a CPU it runs too, and says what the other says."""

import numpy as np
import onnx
import pytest

from playground.inference.engine import FusedDecoder
from playground.inference.fp16_attention import ATTENTION, EIGHT_BITS, with_half_attention
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.fused import can_be_fused, fused_decoder
from tests.support.made_exports import DECODERS, about_of, built

FUSED = [name for name, spec in DECODERS.items() if can_be_fused(spec)]


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("small", [False, True], ids=["32-bit cache", "8-bit cache"])
def test_it_says_the_same_but_for_rounding(name, small):
    spec = DECODERS[name]
    model = built(spec)
    width = spec.kv_heads * spec.head_dim
    scales = [(np.full(width, 0.05, np.float32),) * 2] * spec.n_layers if small else None
    whole = fused_decoder(spec, state_of(model))
    half = with_half_attention(fused_decoder(spec, state_of(model), scales))
    assert {value.type.tensor_type.elem_type for value in half.graph.input if value.name.startswith("past_key")} == {
        onnx.TensorProto.FLOAT16
    }
    attentions = [node for node in half.graph.node if node.op_type == ATTENTION]
    assert len(attentions) == spec.n_layers
    assert not any(attribute.name in EIGHT_BITS for node in attentions for attribute in node.attribute)
    ids = np.random.default_rng(0).integers(4, 50, (2, 20))
    ours, right = (
        FusedDecoder(graph.SerializeToString(), about_of(spec), batch=2, device="cpu") for graph in (half, whole)
    )
    texts = [ids[0, :9], ids[1, :14]]
    scale = max(1, np.abs(right.prefill(texts)).max())
    assert np.abs(ours.prefill(texts) - right.prefill(texts)).max() < 5e-3 * scale
    for i in range(5):
        step = ids[[0, 1], [9 + i, 14 + i]]
        assert np.abs(ours.decode_step(step) - right.decode_step(step)).max() < 5e-3 * scale
