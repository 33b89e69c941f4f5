"""Attention weights of an export, against torch's."""

import numpy as np
import pytest

from models.presets import PRESETS
from playground import gallery
from playground.core.errors import PlaygroundError
from playground.inference.attention_session import AttentionSession
from playground.onnx_export.export import export
from playground.training.load_model import load_model
from tests.support.made_exports import ATTENTIVE, DECODERS, PAIRS, SMALL


@pytest.mark.parametrize("name", ["bible-decoder", "bible-encoder", "dates", "dates-lstm"])
def test_attention_weights_are_those_of_torch(name):
    from playground.inference.attention_session import AttentionSession
    from playground.inspection.attention import attention_weights

    run = gallery.get(name)
    with pytest.raises(PlaygroundError, match="no attention weights"):
        AttentionSession(export(run).folder)
    made = export(run, attentions=True)
    assert made.report["attentions"]
    ids, source = [5, 9, 30, 7, 9], [8, 4, 17] if name.startswith("dates") else None
    ours, right = AttentionSession(made.folder).weights(ids, source), attention_weights(load_model(run), ids, source)
    assert ours.keys() == right.keys()
    for part, weights in right.items():
        assert weights.shape == ours[part].shape and np.abs(weights - ours[part]).max() < 1e-5, part


def test_the_alignment_of_an_lstm_is_that_of_torch(exports):
    from playground.inspection.attention import attention_weights

    model, folder = exports(ATTENTIVE["lstm-attention"])
    ids, source = [5, 9, 30, 7], [8, 4, 17]
    ours, right = AttentionSession(folder, "cpu").weights(ids, source), attention_weights(model, ids, source)
    assert ours.keys() == right.keys() == {"cross"}
    assert ours["cross"].shape == (1, 1, 4, 3) and np.abs(ours["cross"] - right["cross"]).max() < 1e-5


def test_attention_weights_are_the_same(exports, gpu):
    for spec in (DECODERS["gpt2"], PAIRS["as published"], PRESETS["bert-tiny"].spec.replace(**SMALL)):
        _, folder = exports(spec)
        source = [7, 8] if spec.architecture == "encoder-decoder" else None
        ours, theirs = (AttentionSession(folder, device).weights([5, 9, 7], source) for device in ("cuda", "cpu"))
        for part, weights in theirs.items():
            assert np.abs(weights - ours[part]).max() < 1e-6
