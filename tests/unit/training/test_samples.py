"""Samples while training: the same step writes the same text, and the model's mode is as it was."""

import pytest

from playground.training import worker
from playground.training.distributed import Group


def samples(run) -> list[dict]:
    assert worker.run(run) == "finished"
    return run.samples()


@pytest.mark.parametrize("prompt", ["", "def "])
def test_a_sample_is_written_and_is_the_same_again(new_run, prompt):
    training = {"steps": 2, "sample_every": 2, "sample_prompt": prompt, "sample_max_new_tokens": 5}
    one, two = (new_run(training=training) for _ in range(2))
    texts = [[(line["kind"], line["prompt"], line["text"]) for line in samples(run)] for run in (one, two)]
    assert texts[0] == texts[1] and texts[0][0][0] == "text" and prompt in texts[0][0][1]


def test_one_process_is_the_main_one():
    assert Group().is_main and Group().broadcast("x") == "x"
