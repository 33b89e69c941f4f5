import pytest
import torch
from torch import nn

from models.hooks import unchanged
from models.rnn_trace import NAMES, trace_layer


@pytest.mark.parametrize("kind, kernel", [("tanh", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_a_traced_layer_computes_what_torchs_kernel_does(kind, kernel):
    layer, x, zeros = kernel(5, 4, batch_first=True), torch.randn(2, 6, 5), torch.zeros(2, 4)
    seen = []
    hook = lambda name, value: seen.append(name) or value
    weights = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
    before = zeros, zeros if kind == "lstm" else None
    hidden, (end, _) = trace_layer(kind, weights, x, before, None, False, hook)
    torch.testing.assert_close(hidden, layer(x)[0])
    torch.testing.assert_close(end, hidden[:, -1])
    assert tuple(seen) == NAMES[kind]


def test_a_text_that_has_ended_keeps_its_state():
    layer, x, zeros = nn.GRU(5, 4, batch_first=True), torch.randn(1, 4, 5), torch.zeros(1, 4)
    weights = layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
    alive = torch.tensor([[True, True, False, False]])
    hidden, (end, _) = trace_layer("gru", weights, x, (zeros, None), alive, False, unchanged)
    torch.testing.assert_close(end, layer(x[:, :2])[0][:, -1])
    assert (hidden[:, 2:] == 0).all()
