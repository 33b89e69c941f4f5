import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.spec import ModelSpec
from playground.runs.config import SCHEDULES, RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec, LabelledSpec
from playground.text.spec import DataSpec
from playground.training import finetune_recipes
from playground.training.recipes import RECIPES, recipe, warmup_for
from playground.training.schedule import lr_curve, lr_factor, warmup_warning

PRESETS = [f"{family}-{size}" for family in RECIPES for size in ("tiny", "small")]


def test_cosine_is_nanogpts_curve():
    """The formula of nanoGPT's get_lr, written out again: linear warm-up, then a half cosine to min_lr."""
    training = TrainingSpec(steps=2001, warmup_steps=100, schedule="cosine", final_lr_fraction=0.1)
    assert lr_factor(training, 0) == pytest.approx(1 / 101)
    assert lr_factor(training, 99) == pytest.approx(100 / 101)
    assert lr_factor(training, 100) == 1
    half = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.5))
    assert lr_factor(training, 1050) == pytest.approx(half)
    assert lr_factor(training, 2000) == pytest.approx(0.1)


def test_linear_holds_then_falls_straight():
    training = TrainingSpec(steps=101, warmup_steps=0, schedule="linear", constant_fraction=0.3, final_lr_fraction=0.02)
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
    training = TrainingSpec(
        steps=steps, warmup_steps=warmup, schedule=schedule, constant_fraction=hold, final_lr_fraction=final
    )
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= lr_factor(training, step) <= 1
    if warmup < steps - 1 and schedule != "constant" and int(hold * steps) < steps - 1:
        assert lr_factor(training, steps - 1) == pytest.approx(final, abs=1e-9)


@given(st.integers(1, 100_000))
def test_the_drawn_curve_has_both_ends(steps):
    curve = lr_curve(TrainingSpec(steps=steps, lr=2.0, warmup_steps=0, schedule="linear", final_lr_fraction=0.5))
    assert curve[0] == (0, 2.0)
    assert curve[-1][0] == steps - 1
    assert len(curve) <= 500


def highest(training: TrainingSpec) -> float:
    return max(lr_factor(training, step) for step in range(training.steps))


@given(st.sampled_from(PRESETS), st.integers(1, 3000))
@settings(deadline=None)
def test_a_run_of_any_length_reaches_its_learning_rate(preset, steps):
    training, usual = recipe(preset, steps=steps), recipe(preset)
    assert highest(training) == 1 and not warmup_warning(training)
    assert training.warmup_steps == (
        usual.warmup_steps if steps >= usual.steps else min(usual.warmup_steps, steps // 10)
    )


@given(st.sampled_from(["classify", "tag", "language", "answer"]), st.integers(1, 600))
@settings(deadline=None)
def test_fine_tuning_of_any_length_reaches_its_learning_rate(task, steps):
    labelled = {"labelled": LabelledSpec("bible-unread")} if task in ("classify", "tag") else {}
    parent = RunConfig("parent", ModelSpec("decoder"), DataSpec("python-docs"))
    training = finetune_recipes.recipe(FineTuneSpec(task, **labelled), parent, steps=steps)
    assert highest(training) == 1 and training.warmup_steps <= max(1, steps // 10)


def test_a_warm_up_that_somebody_chose_is_theirs_and_is_told_where_it_is_too_long():
    training = recipe("bert-tiny", steps=20, warmup_steps=200)
    assert training.warmup_steps == 200 and highest(training) < 0.1
    assert "warm-up (200) is not shorter than the run (20)" in warmup_warning(training)
    assert "never reached" in warmup_warning(training.replace(warmup_steps=20))
    assert not warmup_warning(training.replace(warmup_steps=19)) and highest(training.replace(warmup_steps=19)) == 1
    assert TrainingSpec.from_dict(training.to_dict()) == training, "what a run has begun with it goes on with"


def test_a_shorter_branch_keeps_at_least_its_parents_share():
    long = TrainingSpec(steps=1000, warmup_steps=500)
    assert [warmup_for(long, steps) for steps in (2000, 1000, 100, 10, 1)] == [500, 500, 50, 5, 0]
