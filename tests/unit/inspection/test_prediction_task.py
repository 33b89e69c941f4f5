"""What the model expects, told against its own logits."""

import numpy as np
import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.inspection.prediction_task import losses, prediction_task, pseudo_log_likelihood
from playground.text.targets import IGNORE_INDEX
from tests.unit.inspection.test_attention import IDS, seeded


def test_pieces_of_the_batch_do_not_matter():
    model = seeded("bert")
    assert torch.allclose(
        pseudo_log_likelihood(model, IDS, 3, piece=2), pseudo_log_likelihood(model, IDS, 3), atol=1e-5
    )


def test_one_token_is_no_task():
    with pytest.raises(PlaygroundError):
        prediction_task([5], "clm")


def test_targets_of_each_objective_by_hand():
    assert prediction_task([5, 6, 7], "clm").targets.tolist() == [6, 7, IGNORE_INDEX]
    pairs = prediction_task([5, 6, 7, 8], "clm", answer_from=1)
    assert pairs.targets.tolist() == [IGNORE_INDEX, 7, 8, IGNORE_INDEX] and pairs.target_positions.tolist() == [1, 2]
    masked = prediction_task(IDS, "mlm", mask=(3, 40))
    hidden = masked.target_positions
    assert (masked.inputs[hidden] == 3).all() and masked.targets[hidden].tolist() == np.array(IDS)[hidden].tolist()


def test_losses_are_the_negative_log_probabilities_of_the_targets():
    rows = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]))
    assert losses(rows, prediction_task([0, 1], "clm")).tolist() == pytest.approx([np.log(4)])
