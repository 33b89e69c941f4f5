"""Recurrent models as ONNX, against torch: both kinds of graph, both directions, with and without biases."""

import numpy as np
import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.inference.engine import RnnDecoder
from playground.inference.session import open_session
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.rnn_graphs import recurrent
from tests.support.made_exports import about_of, assert_graphs_agree, built, recurrent_spec


@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_recurrent_models_agree_with_torch(kind, bidirectional, bias, native, tmp_path):
    model = built(recurrent_spec(kind, bidirectional, bias))
    assert_graphs_agree(model, tmp_path, {"model.onnx": recurrent(model.spec, state_of(model), native)})


@pytest.mark.parametrize("native", [True, False], ids=["operators of ONNX", "cells"])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_recurrent_writer_remembers_what_torch_remembers(kind, native):
    """Three texts at once, token by token, with a twin that writes others in between; then all begins anew."""
    model = built(recurrent_spec(kind, bidirectional=False, bias=True))
    graph = recurrent(model.spec, state_of(model), native)
    first = RnnDecoder(open_session(graph.SerializeToString(), "cpu"), about_of(model.spec), batch=3)
    twin = first.clone()
    ids = np.random.default_rng(1).integers(4, 50, (2, 3, 20))
    with torch.no_grad():
        right = [model(torch.from_numpy(texts)).logits.numpy() for texts in ids]
    for n in (7, 1):
        said = [writer.prefill(texts[:, :n]).copy() for writer, texts in ((first, ids[0]), (twin, ids[1]))]
        for i in range(n, 20):
            assert max(np.abs(said[k] - right[k][:, i - 1]).max() for k in (0, 1)) < 1e-5, f"token {i}"
            said = [writer.decode_step(texts[:, i]) for writer, texts in ((first, ids[0]), (twin, ids[1]))]
    with pytest.raises(PlaygroundError, match="equal length"):
        first.prefill([[5], [5, 6], [7]])
