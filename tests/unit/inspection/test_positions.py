"""Positions: the published equations, and what is left without them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.factory import build
from models.positions import rotate
from models.spec import ModelSpec
from playground.inspection.capture import capture
from playground.inspection.positions import (
    alibi_table,
    angles,
    by_distance,
    cosines,
    loss_by_position,
    other_order,
    prediction_at,
    rotary_match,
    sinusoidal_formula,
    sinusoidal_table,
    total_variation,
    untrained,
    without_positions,
)
from playground.inspection.prediction_task import log_probabilities, losses, prediction_task
from tests.unit.inspection.test_attention import IDS, SMALL


@pytest.mark.parametrize(("position", "dimension"), [(0, 0), (5, 4), (5, 5), (63, 31)])
def test_a_cell_and_its_formula(position, dimension):
    pair = dimension // 2 * 2
    angle = position / 10000 ** (pair / 32)
    value = math.sin(angle) if dimension % 2 == 0 else math.cos(angle)
    equation, told = sinusoidal_formula(position, dimension, 32)
    assert told == pytest.approx(value) and f"{value:.4f}" in equation
    assert sinusoidal_table(64, 32)[position, dimension] == pytest.approx(value, abs=1e-6)


def test_rotary_match_is_the_product_of_rotated_vectors():
    from models.positions import Positions, Rotary

    turn = Rotary(8, 10_000.0, 32)
    cos, sin = turn(Positions(0, 20, None, 20))
    x = torch.ones(1, 1, 20, 8)
    rotated = rotate(x, cos, sin)[0, 0]
    products = (rotated[0] @ rotated.T / 8).numpy()
    assert rotary_match(20, 8, 10_000.0) == pytest.approx(products, abs=1e-5)
    assert angles(20, 8, 10_000.0)[3, 1] == pytest.approx(3 * 10_000 ** (-2 / 8))


def test_alibi_falls_by_its_slope():
    table = alibi_table(10, 8)
    assert table[0, 4] == -4 * 0.5 and table[7, 1] == -(2.0**-8)


def test_similarity_by_distance_by_hand():
    table = np.array([[1.0, 0], [0, 1], [1, 0]])
    assert by_distance(cosines(table)).tolist() == pytest.approx([1, 0, 1])


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rotary", "alibi", "none"])
def test_an_encoder_not_told_positions_cannot_tell_an_order(position):
    torch.manual_seed(0)
    model = build(ModelSpec("encoder", **SMALL, position=position)).eval()
    last = len(IDS) - 1
    mixed = [IDS[i] for i in other_order(len(IDS), {last})]
    assert sorted(mixed) == sorted(IDS) and mixed[-1] == IDS[-1] and mixed != IDS

    def changed(model):
        return total_variation(prediction_at(model, IDS, last), prediction_at(model, mixed, last))

    assert changed(without_positions(model)) < 1e-5
    if position != "none":
        assert changed(model) > 1e-4


@given(st.integers(0, 12), st.sets(st.integers(0, 12)), st.integers(0, 99))
def test_another_order_leaves_what_is_fixed(n, fixed, seed):
    order = other_order(n, fixed, seed)
    assert sorted(order) == list(range(n))
    assert all(order[i] == i for i in fixed if i < n)
    assert order != list(range(n)) or len(set(range(n)) - fixed) < 2
    assert order == other_order(n, fixed, seed)


def test_the_prediction_at_a_place_is_the_models():
    torch.manual_seed(0)
    model = build(ModelSpec("decoder", **SMALL)).eval()
    expected = torch.from_numpy(capture(model, IDS)["logits"])[2].softmax(-1)
    assert np.abs(prediction_at(model, IDS, 2) - expected.numpy()).max() < 1e-6


def test_the_model_itself_keeps_its_positions():
    torch.manual_seed(0)
    model = build(ModelSpec("decoder", **SMALL)).eval()
    before = capture(model, IDS)["logits"]
    without_positions(model)
    assert (capture(model, IDS)["logits"] == before).all()


def test_untrained_weights_are_the_seeds():
    spec = ModelSpec("decoder", **SMALL)
    torch.manual_seed(7)
    expected = build(spec).embedding.positions.weight
    state = torch.get_rng_state()
    assert torch.equal(untrained(spec, 7).embedding.positions.weight, expected)
    assert torch.equal(torch.get_rng_state(), state), "nobody else's random numbers move"


def test_loss_by_position_is_the_mean_of_each_texts():
    torch.manual_seed(0)
    model = build(ModelSpec("decoder", **SMALL, position="rotary")).eval()
    windows = np.random.default_rng(0).integers(4, 40, size=(5, 24))
    found = loss_by_position(model, windows, piece=2)
    one_by_one = [
        losses(log_probabilities(model, task)[0], task).mean()
        for task in (prediction_task(row, "clm") for row in windows)
    ]
    assert found.shape == (23,) and found.mean() == pytest.approx(np.mean(one_by_one), rel=1e-5)
