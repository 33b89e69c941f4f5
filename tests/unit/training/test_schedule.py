import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.runs.config import SCHEDULES, TrainingSpec
from playground.training.schedule import lr_curve, lr_factor


def test_cosine_is_nanogpts_curve():
    """The formula of nanoGPT's get_lr, written out again: linear warm-up, then a half cosine to min_lr."""
    training = TrainingSpec(steps=2001, warmup_steps=100, schedule="cosine", final_lr=0.1)
    assert lr_factor(training, 0) == pytest.approx(1 / 101)
    assert lr_factor(training, 99) == pytest.approx(100 / 101)
    assert lr_factor(training, 100) == 1
    half = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.5))
    assert lr_factor(training, 1050) == pytest.approx(half)
    assert lr_factor(training, 2000) == pytest.approx(0.1)


def test_linear_holds_then_falls_straight():
    training = TrainingSpec(steps=101, warmup_steps=0, schedule="linear", hold=0.3, final_lr=0.02)
    assert lr_factor(training, 30) == 1
    assert lr_factor(training, 65) == pytest.approx((1 + 0.02) / 2)
    assert lr_factor(training, 100) == pytest.approx(0.02)


@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 5000),
    st.integers(0, 6000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.data(),
)
def test_factor_stays_between_zero_and_one(schedule, steps, warmup, hold, final, data):
    training = TrainingSpec(steps=steps, warmup_steps=warmup, schedule=schedule, hold=hold, final_lr=final)
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= lr_factor(training, step) <= 1
    if warmup < steps - 1 and schedule != "constant" and int(hold * steps) < steps - 1:
        assert lr_factor(training, steps - 1) == pytest.approx(final, abs=1e-9)


@given(st.integers(1, 100_000))
def test_the_drawn_curve_has_both_ends(steps):
    curve = lr_curve(TrainingSpec(steps=steps, lr=2.0, warmup_steps=0, schedule="linear", final_lr=0.5))
    assert curve[0] == (0, 2.0)
    assert curve[-1][0] == steps - 1
    assert len(curve) <= 500
