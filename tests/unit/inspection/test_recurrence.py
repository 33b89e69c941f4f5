"""Traces of recurrent models against torch's own modules, gradients against autograd."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.factory import build
from models.spec import ModelSpec
from playground.inspection.recurrence import (
    contrast,
    gradient_by_distance,
    influence,
    passages,
    selectivity,
    states_along,
    trace,
)

IDS = [5, 9, 7, 5, 30, 31, 12, 8]
MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def seeded(kind: str, **changes):
    torch.manual_seed(1)
    return build(ModelSpec(kind, vocab_size=40, d_model=16, n_layers=2, context_length=16, **changes)).eval()


@pytest.mark.parametrize("kind", MODULES)
def test_traced_states_are_those_of_torch(kind):
    model = seeded(kind)
    theirs = MODULES[kind](16, 16, 2, batch_first=True)
    theirs.load_state_dict(model.recurrent.state_dict())
    with torch.no_grad():
        x = model.embedding.tokens(torch.tensor([IDS]))
        expected = theirs(x)[0][0].numpy()
    found = trace(model, IDS)
    assert np.abs(found["layers.1.hidden"] - expected).max() < 1e-6


def test_the_gates_make_the_state():
    """c_t = f·c_{t−1} + i·g and h_t = o·tanh(c_t), from the traced numbers alone."""
    found = trace(seeded("lstm"), IDS)
    i, f, g, o = (found[f"layers.0.gates.{name}"] for name in ("input", "forget", "cell", "output"))
    cell, hidden = found["layers.0.cell"], found["layers.0.hidden"]
    before = np.vstack([np.zeros(16), cell[:-1]])
    assert np.abs(f * before + i * g - cell).max() < 1e-6
    assert np.abs(o * np.tanh(cell) - hidden).max() < 1e-6


def test_both_sides_of_an_lstm_with_attention_are_traced():
    """The encoder's last layer, both ways, is its annotations; the decoder's gates make its state."""
    model, source = seeded("lstm-attention"), [7, 3, 9]
    found = trace(model, IDS, source)
    with torch.no_grad():
        annotations = model.encode(torch.tensor([source]))[0].numpy()
    both = np.concatenate([found["encoder.layers.1.hidden"], found["encoder.layers.1.reverse.hidden"]], axis=1)
    assert np.abs(both - annotations).max() < 1e-6
    for layer in range(2):
        i, f, g, o = (found[f"decoder.layers.{layer}.gates.{name}"] for name in ("input", "forget", "cell", "output"))
        cell, hidden = found[f"decoder.layers.{layer}.cell"], found[f"decoder.layers.{layer}.hidden"]
        before = np.vstack([np.zeros(16), cell[:-1]])
        assert np.abs(f * before + i * g - cell).max() < 1e-6
        assert np.abs(o * np.tanh(cell) - hidden).max() < 1e-6


@pytest.mark.parametrize("kind", MODULES)
def test_gradient_norms_are_autograds(kind):
    """Independently: embeddings as leaves, through the fused kernel."""
    model = seeded(kind, tie_embeddings=False)
    windows = np.array([IDS, IDS[::-1]])
    found = gradient_by_distance(model, windows)
    norms = []
    for row in windows:
        x = model.embedding.tokens(torch.tensor(row[None, :-1])).detach().requires_grad_()
        logits = model.unembed(model.recurrent(x)[0])[0, -1]
        F.cross_entropy(logits[None], torch.tensor(row[-1:])).backward()
        norms.append(x.grad[0].norm(dim=-1).numpy()[::-1])
    assert found == pytest.approx(np.mean(norms, axis=0), rel=1e-4)


def test_nothing_changes_before_the_token_that_was_changed():
    found = influence(seeded("gru"), IDS)
    assert np.abs(found[np.tril_indices(len(IDS), -1)]).max() < 1e-6
    assert (np.diagonal(found) > 0).all()


def test_a_unit_that_wakes_once_is_the_most_selective():
    values = np.zeros((10, 3))
    values[4, 1] = 1.0
    values[::2, 2] = 1.0
    found = selectivity(values)
    assert found.argmax() == 1 and found[1] == pytest.approx(3.0)  # √(10 − 1)


def test_contrast_finds_the_unit_of_the_span():
    values = np.random.default_rng(0).normal(size=(20, 5)) * 0.1
    values[6:11, 3] += 2
    assert contrast(values, 6, 11).argmax() == 3
    assert (contrast(values, 0, 20) == 0).all(), "no outside, no contrast"


def test_passages_where_the_units_are_high():
    states = np.zeros((3, 12, 4), dtype=np.float32)
    states[1, 5:8, 2] = 3
    states[2, 2:5, 2] = 2
    found = passages(states, [2], [1.0], 3, k=2)
    assert [(window, place) for window, place, _ in found] == [(1, 5), (2, 2)]
    assert found[0][2] > found[1][2]


def test_states_along_windows_are_those_of_each():
    model = seeded("lstm")
    both = states_along(model, np.array([IDS, IDS[::-1]]), "layers.0.gates.forget")
    assert np.abs(both[1] - trace(model, IDS[::-1])["layers.0.gates.forget"]).max() < 1e-6
