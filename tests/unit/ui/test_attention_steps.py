"""What the drawing of attention's steps is told: the numbers of PyTorch's own attention, and the heaviest keys of a long text."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from playground.inspection.attention_steps import EXAMPLE, attention_steps, worked_example
from playground.ui.components.attention_steps import MOST_KEYS, told

VECTORS = np.array(list(EXAMPLE.values()))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scaling", [False, True])
def test_the_numbers_are_those_of_scaled_dot_product_attention(causal, scaling):
    x = torch.tensor(VECTORS)[None]
    scale = None if scaling else 1.0
    z = F.scaled_dot_product_attention(x, x, x, is_causal=causal, scale=scale)[0]
    weights = F.scaled_dot_product_attention(x, x, torch.eye(6, dtype=x.dtype)[None], is_causal=causal, scale=scale)[0]
    for query in range(6):
        said = told(worked_example(VECTORS, query, causal, scaling), list(EXAMPLE), query)
        assert said["z"] == pytest.approx(z[query].tolist())
        assert [row["weight"] for row in said["rows"]] == pytest.approx(weights[query].tolist())
        assert sum(row["part"][1] for row in said["rows"]) == pytest.approx(said["z"][1])
        assert said["hidden"] == (5 - query if causal else 0)


def test_each_step_follows_from_the_one_before():
    """As the drawing's formulas say it: q·k, divided, exp over their sum, times v."""
    said = told(worked_example(VECTORS, 2, causal=True, scaling=True), list(EXAMPLE), 2)
    for row in said["rows"]:
        assert row["product"] == pytest.approx(np.dot(said["q"], row["k"]))
        assert row["scaled"] == pytest.approx(row["product"] / math.sqrt(3))
        power = math.exp(row["scaled"] - said["shift"]) if row["allowed"] else 0.0
        assert row["weight"] == pytest.approx(power / said["total"])
        assert row["part"] == pytest.approx([row["weight"] * v for v in row["v"]])


def test_of_a_long_text_the_heaviest_keys_are_told_in_its_order():
    random = np.random.default_rng(0)
    q, k, v = random.normal(size=8), random.normal(size=(100, 8)), random.normal(size=(100, 8))
    steps = attention_steps(q, k, v, np.arange(100) <= 60)
    rows = told(steps, [str(i) for i in range(100)], 60)["rows"]
    places = [row["place"] for row in rows]
    assert places == sorted(places) and len(places) == MOST_KEYS
    assert set(places) == set(np.argsort(steps.weights)[-MOST_KEYS:].tolist())
    assert rows[[row["rank"] for row in rows].index(0)]["place"] == steps.weights.argmax()


def test_large_scores_are_told_less_the_largest():
    """exp of 1,000 is no number."""
    steps = attention_steps(np.array([1000.0]), np.array([[1.0], [0.999]]), np.ones((2, 1)), np.ones(2, dtype=bool))
    said = told(steps, ["a", "b"], 0)
    assert said["shift"] == 1000 and said["total"] == pytest.approx(1 + math.exp(-1))
