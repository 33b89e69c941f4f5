"""Figures are scikit-learn's, in our order of labels, and calibration is what its definition says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support
from sklearn.utils.class_weight import compute_class_weight

from playground.labelled.scores import by_label, calibration, confusion, macro_f1
from playground.training.labelled import LabelledScore, balanced_weights

ROOT = Path(__file__).parents[3]
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=80).map(
    lambda pairs: tuple(map(np.array, zip(*pairs)))
)


@settings(deadline=None)
@given(PAIRS)
def test_scores_are_those_of_scikit_learn(pairs):
    true, said = pairs
    assert (confusion(true, said, 6) == confusion_matrix(true, said, labels=range(6))).all()
    assert macro_f1(true, said) == pytest.approx(f1_score(true, said, average="macro", zero_division=0))
    expected = precision_recall_fscore_support(true, said, labels=range(6), zero_division=0)
    for score, *figures in zip(by_label(true, said, list("abcdef")), *expected):
        assert (score.precision, score.recall, score.f1, score.support) == pytest.approx(tuple(figures))


@settings(deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=4))
def test_what_is_added_up_while_training_is_the_same_macro_f1(batches):
    total = LabelledScore(counts=np.zeros((3, 6)))
    count = lambda codes: np.bincount(codes, minlength=6)
    for true, said in batches:
        counts = np.stack([count(true[true == said]), count(said), count(true)]).astype(float)
        total = total + LabelledScore.from_list(LabelledScore(1.0, len(true), counts).as_list())
    true, said = (np.concatenate(side) for side in zip(*batches))
    assert total.extra_metrics()["val_f1"] == pytest.approx(f1_score(true, said, average="macro", zero_division=0))
    assert total.correct == (true == said).sum() and total.targets == len(true)


def test_scikit_learn_is_imported_with_the_first_predictions():
    """It takes a second: the start of a trainer and of a page would wait for it."""
    code = (
        "import sys, playground.training.worker, playground.training.results, playground.labelled.scores;"
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_calibration_by_hand():
    """Ten bins: two of 0.95 with one right, one of 0.55 that is right; |0.95-0.5|·2/3 + |0.55-1|/3."""
    bins, error = calibration(np.array([0.95, 0.95, 0.55]), np.array([True, False, True]))
    assert [(b["from"], b["n"], b["accuracy"]) for b in bins] == [(0.5, 1, 1.0), (0.9, 2, 0.5)]
    assert error == pytest.approx(0.45 * 2 / 3 + 0.45 / 3)
    bins, error = calibration(np.ones(4), np.ones(4, bool))
    assert error == 0 and [(b["to"], b["n"]) for b in bins] == [(1.0, 4)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_balanced_weights_are_those_of_scikit_learn(codes):
    present = np.unique(codes)
    expected = compute_class_weight("balanced", classes=present, y=np.array(codes))
    found = balanced_weights(np.bincount(codes, minlength=5))
    torch.testing.assert_close(found[torch.from_numpy(present)], torch.from_numpy(expected).float())
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-5)  # 0 for what is not there
