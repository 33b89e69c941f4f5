"""Each sampling step against its definition, and the draw against its probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core.errors import PlaygroundError
from playground.inference.sampling import Sampling, choose, softmax, steps

LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.1]))


def last(**choices) -> np.ndarray:
    return steps(LOGITS, Sampling(**choices))[-1][1]


def test_the_first_step_is_the_models_own_distribution():
    name, probabilities = steps(LOGITS, Sampling())[0]
    assert name == "model"
    np.testing.assert_allclose(probabilities, [0.5, 0.25, 0.15, 0.1])


def test_temperature_divides_logits():
    squared = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    np.testing.assert_allclose(last(temperature=0.5), squared / squared.sum())


def test_the_smallest_temperature_is_greedy():
    with np.errstate(all="raise", under="ignore", over="ignore", divide="ignore"):
        assert last(temperature=5e-324).tolist() == [1, 0, 0, 0]
    assert choose(LOGITS, Sampling(temperature=5e-324), np.random.default_rng(0)) == 0


def test_top_k_keeps_k():
    np.testing.assert_allclose(last(top_k=2), [2 / 3, 1 / 3, 0, 0])


def test_top_p_keeps_the_token_that_reaches_p():
    """0.5 + 0.25 reaches 0.6, so two stay; a p below the first probability keeps the first alone."""
    np.testing.assert_allclose(last(top_p=0.6), [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(last(top_p=0.0), [1, 0, 0, 0])


def test_min_p_is_relative_to_the_likeliest():
    np.testing.assert_allclose(last(min_p=0.3), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0])


def test_repetition_penalty_divides_positive_and_multiplies_negative_logits():
    logits = np.array([2.0, -1.0, 0.5])
    result = steps(logits, Sampling(repetition_penalty=2.0), seen=[0, 1, 1])[-1][1]
    np.testing.assert_allclose(result, softmax(np.array([1.0, -2.0, 0.5])))


def test_steps_that_are_off_are_left_out_and_those_that_are_on_come_in_order():
    names = [name for name, _ in steps(LOGITS, Sampling(0.7, 3, 0.9, 0.05, 1.1), seen=[1])]
    assert names == ["model", "repetition penalty", "temperature", "top-k", "top-p", "min-p"]


def test_zero_temperature_is_greedy():
    assert choose(LOGITS, Sampling(temperature=0), np.random.default_rng(0)) == 0
    assert steps(LOGITS, Sampling(temperature=0))[-1][1].tolist() == [1, 0, 0, 0]


def test_draws_follow_the_probabilities():
    generator = np.random.default_rng(0)
    drawn = np.bincount([choose(LOGITS, Sampling(), generator) for _ in range(20_000)], minlength=4) / 20_000
    np.testing.assert_allclose(drawn, [0.5, 0.25, 0.15, 0.1], atol=0.015)


@settings(max_examples=100)
@given(
    st.lists(st.floats(-30, 30), min_size=1, max_size=40),
    st.floats(0, 3),
    st.integers(0, 50),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 2**32),
)
def test_only_tokens_that_were_kept_are_drawn(logits, temperature, top_k, top_p, min_p, seed):
    sampling = Sampling(temperature, top_k, top_p, min_p)
    history = steps(np.array(logits), sampling)
    for _, probabilities in history:
        assert probabilities.sum() == pytest.approx(1)
    drawn = choose(np.array(logits), sampling, np.random.default_rng(seed))
    assert history[-1][1][drawn] > 0
    if top_k > 0:
        assert (history[-1][1] > 0).sum() <= max(1, top_k)


@pytest.mark.parametrize("choice", [{"temperature": -1}, {"top_p": 1.5}, {"min_p": float("nan")}, {"top_k": -2}])
def test_nonsense_is_refused_in_words(choice):
    with pytest.raises(PlaygroundError, match="outside"):
        Sampling(**choice)
