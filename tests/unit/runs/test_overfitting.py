"""Overfitting is detected from the gap of two made curves whose truth is known, and from nothing else."""

import numpy as np
import pytest

from playground.runs import gallery
from playground.runs.curves import RunCurves
from playground.runs.overfitting import TurningPoint, generalization_gap, late_rule, loss_gaps, turning_point

STEPS = 2000


def made(train, validation, every=100, noise=0.1, eval_noise=0.01, seed=0, stride=1, steps=STEPS):
    """A run's two tables: a training loss at every step (or every ``stride``-th), a validation loss at some."""
    rng = np.random.default_rng(seed)
    at, told = np.arange(1, steps + 1, stride), np.arange(every, steps + 1, every)
    losses = [train(step) + rng.normal() * noise for step in at]
    return (
        {"step": at.tolist(), "loss": losses},
        {"step": told.tolist(), "val_loss": [validation(step) + rng.normal() * eval_noise for step in told]},
    )


def falls(to: float, start: float = 6.0, speed: float = 150.0):
    return lambda step: to + (start - to) * np.exp(-step / speed)


SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [50, 100, 400])
@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_two_curves_that_both_fall_and_part_are_a_gap(seed, every, noise):
    """The validation loss never rises: only the gap tells."""
    train = lambda step: falls(3.1)(step) - 2.3 * max(0, step - 300) / (STEPS - 300)
    found = generalization_gap(*made(train, falls(3.05), every, noise, seed=seed))
    assert found is not None and found.grows
    assert found.nats == pytest.approx(2.25, abs=0.45 if every < 400 else 0.6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every", [25, 100, 400])
@pytest.mark.parametrize("speed", [20, 150, 800])
def test_equal_curves_have_no_gap_however_steep_or_noisy(seed, every, speed):
    same = falls(1.5, speed=speed)
    assert generalization_gap(*made(same, same, every, noise=0.3, eval_noise=0.05, seed=seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_harder_validation_text_is_no_learning_by_heart(seed):
    train = falls(2.0)
    assert generalization_gap(*made(train, lambda step: train(step) + 0.7, seed=seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_that_has_learned_little_has_none(seed):
    flat = lambda step: 6.0 - step / 20_000
    assert generalization_gap(*made(flat, flat, noise=0.3, eval_noise=0.1, seed=seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_an_easier_validation_loss_is_none(seed):
    """Dropout makes the training loss the higher one."""
    assert generalization_gap(*made(falls(2.4), falls(2.0), seed=seed)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gap_that_stays_is_told_as_one_that_stays(seed):
    opened = lambda step: falls(3.0)(step) - 1.5 * (1 - np.exp(-max(0, step - 100) / 150))
    found = generalization_gap(*made(opened, falls(3.0), every=50, seed=seed))
    assert found is not None and not found.grows and found.nats == pytest.approx(1.5, abs=0.1)


def test_as_many_points_as_there_happen_to_be():
    """Downsampled curves, evaluations between their points, holes and steps told twice."""
    train = lambda step: falls(3.1)(step) - 2.3 * max(0, step - 300) / (STEPS - 300)
    rows, told = made(train, falls(3.05), every=130, stride=64)
    rows["loss"][5] = None
    told["val_loss"][2] = float("nan")
    told = {name: [*values, values[-1]] for name, values in told.items()}
    found = generalization_gap(rows, told)
    assert found is not None and found.grows and found.nats == pytest.approx(2.1, abs=0.4)


def test_too_few_evaluations_tell_nothing():
    rows, told = made(falls(0.1), falls(3.0), every=700)
    assert len(told["step"]) == 2 and generalization_gap(rows, told) is None
    assert generalization_gap({}, {}) is None and generalization_gap(rows, {}) is None


def test_the_gap_by_hand():
    train = {"step": [1, 2, 3, 4, 5, 6, 7, 8], "loss": [8, 7, 6, 5, 4, 3, 2, 1]}
    gaps, losses = loss_gaps(train, {"step": [4, 8], "val_loss": [6, 6.5]})
    assert gaps.tolist() == [1.0, 5.0], "the second: the mean of the steps 7 and 8 is 1.5"
    assert losses.tolist() == [6, 6.5]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rise_is_one_only_above_the_noise(seed):
    rising = lambda step: falls(3.0)(step) + max(0, step - 800) / 2000
    found = turning_point(*made(falls(0.5), rising, seed=seed))
    assert found is not None and found.train_loss_falls and 600 <= found.step <= 900
    assert turning_point(*made(falls(2.9), falls(3.0), eval_noise=0.05, seed=seed)) is None, (
        "its last point may lie above its best"
    )


def test_two_losses_that_rise_are_no_learning_by_heart():
    up = lambda step: falls(3.0)(step) + max(0, step - 800) / 1000
    rows, told = made(up, up, noise=0.02)
    assert generalization_gap(rows, told) is None and turning_point(rows, told).train_loss_falls is False


def test_a_turn_by_hand():
    train = {"step": [10, 20, 30], "loss": [4.0, 3.0, 2.0]}
    assert turning_point(train, {"step": [10, 20, 30], "val_loss": [4.0, 3.5, 3.9]}) == TurningPoint(20, 3.5, True)
    assert turning_point(train, {"step": [10, 20, 30], "val_loss": [4.0, 3.5, 3.51]}) is None


def drops(at: float, high: float = 3.0, low: float = 0.01, width: float = 40.0):
    return lambda step: low + (high - low) / (1 + np.exp((step - at) / width))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_that_is_found_long_after_the_text_is_known_is_grokking(seed):
    tables = made(falls(0.01), drops(1500), noise=0.02, seed=seed)
    found = late_rule(*tables)
    assert found is not None
    assert abs(found.by_heart - 150 * np.log(50)) <= 150  # 6·e^(-s/150) is a fiftieth of 6 there
    assert abs(found.rule - (1500 + 40 * np.log(2.99 / 0.05 - 1))) <= 150


@pytest.mark.parametrize(
    "train, validation",
    [
        (falls(0.01), falls(0.02)),  # both fall together
        (falls(0.01), lambda step: 3.0),  # the rule is never found
        (falls(0.01), drops(400)),  # found while the text is learned
        (falls(3.0), drops(1500)),  # the text is never known
        (falls(0.01), lambda step: drops(1000)(step) + 2 * (step > 1500)),  # found and lost again
    ],
)
def test_nothing_else_is_grokking(train, validation):
    assert late_rule(*made(train, validation, noise=0.02)) is None


def test_without_an_evaluation_or_a_loss_there_is_no_late_rule():
    assert late_rule({"step": [1], "loss": [3.0]}, {"step": [], "val_loss": []}) is None
    assert late_rule({"step": [], "loss": []}, {"step": [1], "val_loss": [2.0]}) is None


def test_only_the_shipped_model_that_adds_around_a_clock_groks():
    found = {}
    for run in gallery.runs():
        measured = RunCurves(run)
        measured.update()
        found[run.id] = late_rule(measured.table()["train"], measured.table()["validation"])
    assert {name for name, late in found.items() if late} == {"grokking"}
    assert found["grokking"].rule > 2000 > found["grokking"].by_heart
