"""The sentence under the picture of a run says what is there to be seen: of shipped runs whose story is known."""

import pytest

from playground.runs import gallery
from playground.runs.curves import RunCurves
from playground.ui.run_progress import verdict


@pytest.mark.parametrize(
    "name, told",
    [
        ("stories-decoder", "the next token is now like choosing among 2.0 equally likely ones"),  # exp(0.68)
        ("stories-encoder", "a hidden token is now like choosing among 1."),
        ("recall-rnn", "it answers 12.0% right"),  # a loss that fell, and nothing learnt
        ("recall-gru", "it answers 100.0% right"),
        ("grokking", "Grokking: from step 800 on"),
        ("dialogue", "memorise"),
    ],
)
def test_the_sentence_tells_the_story_of_a_shipped_run(name, told):
    run = gallery.get(name)
    measured = RunCurves(run)
    measured.update()
    assert told in verdict(run, measured)
