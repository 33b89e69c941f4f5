"""Recipes of presets, and of fine-tuning: settings that can be, for any number of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.presets import PRESETS
from models.spec import SpecError
from playground.training.recipes import RECIPES, recipe, warmup_for


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_recipe_that_fits_it(preset):
    assert recipe(preset).objective in PRESETS[preset].spec.objectives()


@given(st.sampled_from(sorted(PRESETS)), st.integers(1, 10_000))
def test_a_shorter_run_warms_up_for_fewer_steps(preset, steps):
    found = recipe(preset, steps=steps)
    assert found.steps == steps and found.warmup_steps <= recipe(preset).warmup_steps
    assert recipe(preset, steps=steps, warmup_steps=7).warmup_steps == 7


def test_a_small_preset_learns_more_slowly_from_larger_batches():
    tiny, small = recipe("gpt2-tiny"), recipe("gpt2-small")
    assert small.lr == pytest.approx(tiny.lr / 3) and small.batch_size == 2 * tiny.batch_size


def test_no_preset_no_recipe():
    for name in ("gpt9-tiny", "gpt2-huge", "gpt2"):
        with pytest.raises(SpecError, match="no recipe"):
            recipe(name)
    assert warmup_for(RECIPES["gpt2"], 10**6) == RECIPES["gpt2"].warmup_steps
