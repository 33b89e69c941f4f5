import math

import pytest
import torch

from models import ModelSpec, SpecError, build


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
def test_a_memory_span_opens_the_gates_that_keep(architecture):
    """Chrono initialisation (Tallec & Ollivier 2018): biases are the logarithms of spans from 1 to the one asked for."""
    torch.manual_seed(0)
    model = build(ModelSpec(architecture, vocab_size=9, d_model=512, n_layers=1, chrono_max_span=101))
    keeps = model.recurrent.bias_ih_l0[512:1024].detach()
    assert keeps.min() >= 0 and keeps.max() <= math.log(100)
    assert keeps.exp().mean() == pytest.approx(50.5, abs=5)
    assert not model.recurrent.bias_hh_l0.any()
    if architecture == "lstm":
        assert torch.equal(model.recurrent.bias_ih_l0[:512], -keeps)


def test_a_memory_span_makes_an_lstm_remember_longer():
    """What a signal in the cell is worth after 60 tokens of something else, untrained."""

    def left(span):
        torch.manual_seed(0)
        model = build(ModelSpec("lstm", vocab_size=9, d_model=64, n_layers=1, chrono_max_span=span)).eval()
        ids = torch.full((1, 60), 3)
        cells = []
        for value in (0.0, 1.0):
            state = model.initial_state(1)
            start = type(state)(state.hidden, torch.full_like(state.cell, value))
            cells.append(model(ids, state=start).state.cell)
        return (cells[1] - cells[0]).abs().mean().item()

    assert left(60) > 100 * left(None)


def test_one_spread_for_all_when_asked_for():
    torch.manual_seed(0)
    model = build(ModelSpec("decoder", vocab_size=400, d_model=64, n_layers=8, init_std=0.02))
    assert model.embedding.tokens.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert model.layers[0].attention.qkv.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert model.layers[0].mlp.down.weight.std().item() == pytest.approx(0.02 / 16**0.5, rel=0.03)


@pytest.mark.parametrize(
    "choices, words",
    [
        ({"architecture": "decoder", "chrono_max_span": 9}, "needs gates"),
        ({"architecture": "rnn", "chrono_max_span": 9}, "needs gates"),
        ({"architecture": "lstm", "chrono_max_span": 9, "bias": False}, "biases are off"),
        ({"architecture": "lstm", "chrono_max_span": 0}, "at least 1"),
        ({"architecture": "decoder", "init_std": -0.1}, "standard deviation"),
    ],
)
def test_what_cannot_be_is_said(choices, words):
    with pytest.raises(SpecError, match=words):
        ModelSpec(**choices)
