"""A cache in 8 bits, against the whole one and against torch."""

import numpy as np
import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.inference.engine import FusedDecoder
from playground.onnx_export import quantize
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export
from playground.onnx_export.fused import fused_decoder
from playground.onnx_export.kv_cache_calibration import cache_scales
from playground.runs import gallery
from tests.support.made_exports import DECODERS, about_of, built


def both(model, folder) -> tuple[FusedDecoder, FusedDecoder, list]:
    """The decoder with its whole cache, and the one with the small, for three texts; and the scales."""
    whole = folder / "fused.fp32.onnx"
    quantize.save(fused_decoder(model.spec, state_of(model)), whole)
    scales = cache_scales(whole, about_of(model.spec))
    small = fused_decoder(model.spec, state_of(model), scales).SerializeToString()
    return (
        FusedDecoder(whole, about_of(model.spec), batch=3),
        FusedDecoder(small, about_of(model.spec), batch=3),
        scales,
    )


@pytest.mark.parametrize("name", DECODERS)
def test_it_says_what_torch_says_but_for_rounding(name, tmp_path):
    model = built(DECODERS[name])
    _, small, _ = both(model, tmp_path)
    ids = np.random.default_rng(3).integers(4, 50, (3, 24))
    with torch.no_grad():
        right = model(torch.from_numpy(ids)).logits.numpy()
    lengths = np.array([1, 7, 15])
    ours = small.prefill([text[:n] for text, n in zip(ids, lengths, strict=True)])
    for i in range(8):
        theirs = right[np.arange(3), lengths - 1 + i]
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999, f"token {i}"
        ours = small.decode_step(ids[np.arange(3), lengths + i])


@pytest.mark.parametrize("name", ["llama", "grouped", "gpt2"])
def test_it_keeps_every_channel_to_half_a_step(name, tmp_path):
    """In the first layer, whose keys and values rest on nothing that was rounded."""
    model = built(DECODERS[name])
    whole, small, scales = both(model, tmp_path)
    ids = np.random.default_rng(4).integers(4, 50, (3, 20)).tolist()
    whole.prefill(ids)
    small.prefill(ids)
    for kind, steps in zip(("key", "value"), scales[0], strict=True):
        right, ours = whole.cached(0, kind)[:, :, :20], small.cached(0, kind)[:, :, :20]
        assert ours.dtype == np.int8 and np.abs(ours).max() > 60, "the range is used"
        steps = steps.reshape(1, model.spec.kv_heads, 1, -1)
        cut = np.clip(right, -128 * steps, 127 * steps)
        assert (np.abs(ours * steps - cut) <= 0.51 * steps).all()


def test_a_real_model_loses_next_to_nothing_and_others_are_told_that_they_have_no_cache():
    from playground.onnx_export.precision_eval import costs_of
    from playground.text.tokenizers import Tokenizer

    run = gallery.get("bible-decoder")
    folder = export(run, precisions=("fp32", "kv8")).folder
    text = "And God said, Let there be light: and there was light. And God saw the light, that it was good"
    windows = np.array([Tokenizer.load(run.tokenizer_path).encode(text)[:24]])
    costs = costs_of(folder, ("fp32", "kv8"), windows)
    assert costs["kv8"].loss == pytest.approx(costs["fp32"].loss, abs=0.03)
    assert costs["kv8"].agreement(costs["fp32"]) >= 0.95
    for other in ("bible-encoder", "bible-lstm"):
        with pytest.raises(PlaygroundError, match="no cache"):
            export(gallery.get(other), precisions=("kv8",))
