"""Every architecture as ONNX, against torch: all the choices a spec has, in shapes that were not tried while writing it."""

import numpy as np
import pytest
import torch

from models.spec import ModelSpec
from models.transformer import Source
from playground.inference.session import open_session
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import decoder, encoder, source_encoder, state_of, target_decoder
from playground.onnx_export.rnn_graphs import recurrent
from tests.support.made_exports import DECODERS, ENCODERS, PAIRS, SMALL, assert_graphs_agree, built


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_agree_with_torch(name, tmp_path):
    model = built(DECODERS[name])
    assert_graphs_agree(model, tmp_path, {"model.onnx": decoder(model.spec, state_of(model))})


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_agree_with_torch(name, tmp_path):
    model = built(ENCODERS[name])
    assert_graphs_agree(model, tmp_path, {"model.onnx": encoder(model.spec, state_of(model))})


@pytest.mark.parametrize("name", PAIRS)
def test_encoder_decoders_agree_with_torch(name, tmp_path):
    model = built(PAIRS[name])
    weights = state_of(model)
    graphs = {
        "encoder_model.onnx": source_encoder(model.spec, weights),
        "decoder_model.onnx": target_decoder(model.spec, weights),
    }
    assert_graphs_agree(model, tmp_path, graphs)


def alone_and_padded(side: str, length: int = 24) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Texts of several lengths as they are, and in one batch with a mask, padded with real tokens on a side or on both."""
    rng = np.random.default_rng(3)
    texts = [rng.integers(4, 50, n) for n in (1, length, length // 2, 3)]
    ids, mask = rng.integers(4, 50, (len(texts), length)), np.zeros((len(texts), length), dtype=np.int64)
    for row, real, text in zip(ids, mask, texts, strict=True):
        start = {"right": 0, "left": length - len(text), "both": (length - len(text)) // 2}[side]
        row[start : start + len(text)], real[start : start + len(text)] = text, 1
    return texts, ids, mask


BOTH_WAYS = {
    **{name: ENCODERS[name] for name in ENCODERS},
    "learned": ModelSpec("encoder", **SMALL, position="learned"),
    "sinusoidal": ModelSpec("encoder", **SMALL, position="sinusoidal"),
    "no positions": ModelSpec("encoder", **SMALL, position="none"),
    **{kind: ModelSpec(kind, **SMALL, bidirectional=True) for kind in ("rnn", "lstm", "gru")},
}


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("name", BOTH_WAYS)
def test_what_fills_in_says_the_same_on_whichever_side_a_text_is_padded(name, native, side):
    model = built(BOTH_WAYS[name])
    weights = state_of(model)
    graph = recurrent(model.spec, weights, native) if model.spec.is_recurrent else encoder(model.spec, weights)
    texts, ids, mask = alone_and_padded(side)
    (ours,) = open_session(graph.SerializeToString(), "cpu").run(["logits"], {"input_ids": ids, "attention_mask": mask})
    for text, said, real in zip(texts, ours, mask == 1, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs(said[real] - right).max() < 1e-4


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_says_the_same_on_whichever_side_a_text_is_padded(name, side):
    model = built(DECODERS[name])
    session = open_session(decoder(model.spec, state_of(model)).SerializeToString(), "cpu")
    texts, ids, mask = alone_and_padded(side)
    ours, _ = verify._call(session, ids, verify._empty(session, model.spec, len(ids)), 0, mask)
    for text, said, real in zip(texts, ours, mask == 1, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(text)[None]).logits[0].numpy()
        assert np.abs(said[real] - right).max() < 1e-4


@pytest.mark.parametrize("side", ["left", "right", "both"])
@pytest.mark.parametrize("name", PAIRS)
def test_an_answer_is_the_same_on_whichever_side_its_question_is_padded(name, side):
    model = built(PAIRS[name])
    spec, weights = model.spec, state_of(model)
    made_of = lambda graph: open_session(graph.SerializeToString(), "cpu")
    reader, writer = made_of(source_encoder(spec, weights)), made_of(target_decoder(spec, weights))
    texts, ids, mask = alone_and_padded(side)
    names = [value.name for value in reader.get_outputs() if value.name.startswith("cross")]
    cross = dict(zip(names, reader.run(names, {"input_ids": ids, "attention_mask": mask}), strict=True))
    answer = np.array([[1, 9, 8, 7]])
    state = verify._empty(writer, spec, len(ids)) | cross | {"encoder_attention_mask": mask}
    ours, _ = verify._call(writer, np.repeat(answer, len(ids), axis=0), state, 0)
    for text, said in zip(texts, ours, strict=True):
        with torch.no_grad():
            right = model(torch.from_numpy(answer), source=Source(torch.from_numpy(text)[None])).logits[0].numpy()
        assert np.abs(said - right).max() < 1e-4


def test_attention_weights_are_given_out(tmp_path):
    from playground.inspection.attention import attention_weights

    model = built(DECODERS["llama"])
    quantize.save(decoder(model.spec, state_of(model), attentions=True), tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx")
    ids = [5, 9, 30, 7, 9]
    feed = {
        "input_ids": np.array([ids]),
        "attention_mask": np.ones((1, 5), np.int64),
        "position_ids": np.arange(5)[None],
    }
    feed |= verify._empty(session, model.spec, 1)
    names = [f"attentions.layers.{i}.attention" for i in range(2)]
    ours = np.stack([weights[0] for weights in session.run(names, feed)])
    assert np.abs(ours - attention_weights(model, ids)["self"]).max() < 1e-5
    assert all(check.agrees for check in verify.check_graph(model, tmp_path)), "and nothing else is changed by it"
