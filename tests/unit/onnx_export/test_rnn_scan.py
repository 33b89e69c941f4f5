"""Recurrent layers out of matrix products, against torch.nn's own, from a state in the middle of a text."""

import numpy as np
import pytest
import torch
from torch import nn

from models.spec import ModelSpec
from playground.inference.session import open_session
from playground.onnx_export.graph import Graph
from playground.onnx_export.rnn_scan import STATES, cells

WIDTH, BATCH, LENGTH = 6, 3, 5
TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def layer_of(kind: str, both: bool, bias: bool) -> tuple[ModelSpec, nn.RNNBase, dict[str, np.ndarray]]:
    torch.manual_seed(2)
    spec = ModelSpec(kind, 10, d_model=WIDTH, n_layers=1, context_length=8, bias=bias, bidirectional=both)
    made = TORCH[kind](WIDTH, WIDTH // (1 + both), bias=bias, bidirectional=both)
    return spec, made, {f"recurrent.{name}": value.detach().numpy() for name, value in made.named_parameters()}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", TORCH)
@torch.no_grad()
def test_a_layer_goes_on_from_its_state(kind, bias):
    spec, layer, weights = layer_of(kind, False, bias)
    g, n = Graph("layer"), STATES[kind]
    x = g.input("x", "float", ["sequence", "batch", WIDTH])
    past = [g.input(f"past{i}", "float", [1, "batch", WIDTH]) for i in range(n)]
    y, after = cells(g, spec, weights, x, 0, "", past)
    g.output("y", "float", ["sequence", 1, "batch", WIDTH], y)
    for i, state in enumerate(after):
        g.output(f"after{i}", "float", [1, "batch", WIDTH], state)
    given, states = torch.randn(LENGTH, BATCH, WIDTH), [torch.randn(1, BATCH, WIDTH) for _ in range(n)]
    feed = {"x": given.numpy()} | {f"past{i}": state.numpy() for i, state in enumerate(states)}
    ours, *ends = open_session(g.model().SerializeToString(), "cpu").run(None, feed)
    right, last = layer(given, tuple(states) if n > 1 else states[0])
    np.testing.assert_allclose(ours[:, 0], right.numpy(), atol=1e-5)
    for end, theirs in zip(ends, last if n > 1 else [last], strict=True):
        np.testing.assert_allclose(end, theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", TORCH)
@torch.no_grad()
def test_a_layer_in_both_directions_reads_each_text_from_its_own_end(kind):
    spec, layer, weights = layer_of(kind, True, True)
    g = Graph("layer")
    x = g.input("x", "float", ["sequence", "batch", WIDTH])
    y, _ = cells(g, spec, weights, x, 0, g.input("lengths", "int32", ["batch"]), [])
    g.output("y", "float", ["sequence", 2, "batch", WIDTH // 2], y)
    given, lengths = torch.randn(LENGTH, BATCH, WIDTH), np.array([5, 1, 3], dtype=np.int32)
    (ours,) = open_session(g.model().SerializeToString(), "cpu").run(None, {"x": given.numpy(), "lengths": lengths})
    for i, length in enumerate(lengths):
        right = layer(given[:length, i : i + 1])[0][:, 0].numpy()  # the text alone
        np.testing.assert_allclose(ours[:length, :, i].reshape(length, WIDTH), right, atol=1e-5)
