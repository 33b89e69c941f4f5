"""Labelled text in the training loop: weights of rare labels, and sums that add up."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from playground.training.labelled import LabelledScore, balanced_weights

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any)


@given(COUNTS)
def test_balanced_every_label_counts_as_much(counts):
    found = balanced_weights(np.array(counts)).double() * torch.tensor(counts)
    present = found[torch.tensor(counts) > 0]
    assert torch.allclose(present, present[0].expand_as(present), rtol=1e-5)
    assert torch.isclose(found.sum(), torch.tensor(float(sum(counts))).double(), rtol=1e-5)


def test_scores_add_up_and_survive_a_list():
    one = LabelledScore(torch.tensor(1.5), 3, torch.tensor([[1, 1], [2, 1], [1, 2]]))
    two = LabelledScore(0.5, 1, np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    total = LabelledScore.total([one, two])
    again = LabelledScore.from_list(total.as_list())
    assert (again.loss, again.targets, again.correct) == (2.0, 4, 3.0)
    assert again.counts.tolist() == [[2, 1], [3, 1], [2, 2]]
    assert np.isclose(again.extra_metrics()["val_f1"], (2 * 2 / 5 + 2 * 1 / 3) / 2)
