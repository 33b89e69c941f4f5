"""How long training should take follows from what a run like it achieved; without one, nothing is said."""

import pytest

from models.costs import flops_per_token
from models.spec import ModelSpec
from playground.runs.config import TrainingSpec
from playground.runs.throughput import Throughput, expected, free_memory, measured

SPEC = ModelSpec("decoder", 1000)
TRAINING = TrainingSpec(steps=100, batch_size=10)
WORK = flops_per_token(SPEC).training


def test_the_same_model_takes_its_tokens_at_its_pace():
    seconds, pace = expected(SPEC, TRAINING, [Throughput("a", "decoder", WORK, 5000.0)])
    assert seconds == pytest.approx(100 * 10 * 64 / 5000) and pace.name == "a"


def test_the_run_most_like_it_tells():
    paces = [Throughput("far", "decoder", WORK * 5, 1.0), Throughput("near", "decoder", WORK * 2, 1000.0)]
    seconds, pace = expected(SPEC, TRAINING, paces)
    assert pace.name == "near" and seconds == pytest.approx(64_000 / 2000)


@pytest.mark.parametrize(
    "pace", [Throughput("other", "lstm", WORK, 1e3), Throughput("tiny", "decoder", WORK // 100, 1e3)]
)
def test_nothing_is_guessed(pace):
    assert expected(SPEC, TRAINING, [pace]) is None


def test_runs_that_never_trained_tell_nothing(new_run):
    assert measured([new_run()]) == []


def test_memory_is_that_of_the_machine():
    assert free_memory() > 10_000_000
