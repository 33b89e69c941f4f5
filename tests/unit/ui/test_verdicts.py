"""What is said of a run's figures in one sentence."""

import pytest

from playground.pages.finetune.verdict import told_large
from playground.pages.runs.compare import told_apart, verdict
from playground.runs import gallery
from playground.runs.curves import RunCurves
from playground.ui.run_progress import verdict as of_training

TEST = {"n": 90_759, "accuracy": 0.952, "macro_f1": 0.839}


def test_words_with_labels_are_not_called_texts_and_f1_is_what_counts():
    said = told_large(TEST, tags=True)
    assert "<b>83.9%</b>" in said and "macro F1" in said
    assert "held-out words or characters right (95.2%)" in said and "texts" not in said


def test_of_texts_the_accuracy_is_what_counts():
    said = told_large(TEST, tags=False)
    assert "<b>95.2%</b>" in said and "held-out texts right (accuracy)" in said and "83.9% mean F1" in said


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (1.5, 2.25, ("1.500", "2.250")),
        (2.3451, 2.3454, ("2.3451", "2.3454")),
        (2.677e-5, 6.844e-5, ("0.00003", "0.00007")),
        (1e-9, 1.04, ("0.000", "1.040")),
        (1e-9, 2e-9, ("< 0.000001", "< 0.000001")),
        (0.5, 0.5, ("0.500", "0.500")),
    ],
)
def test_losses_have_the_digits_that_tell_them_apart(low, high, told):
    assert told_apart(low, high) == told


def test_runs_that_are_alike_are_said_to_be():
    names = {"a": "GRU", "b": "LSTM"}
    assert "GRU, 0.00003; the next is LSTM with 0.00007" in verdict({"b": 6.8e-5, "a": 2.7e-5}, names)
    assert "GRU and LSTM, both 0.500" in verdict({"a": 0.5, "b": 0.5}, names)


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
    assert told in of_training(run, measured)
