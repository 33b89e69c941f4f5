"""Figures about predictions, worked out by hand."""

import numpy as np

from playground.training.results import evaluation_of


def test_the_figures_of_four_predictions():
    predictions = {
        "true": np.array([0, 0, 1, 1]),
        "predicted": np.array([0, 1, 1, 1]),
        "confidence": np.array([0.9, 0.6, 0.8, 0.7]),
        "truth": np.array([0.9, 0.4, 0.8, 0.7]),
    }
    found = evaluation_of(predictions, ["no", "yes"])
    assert found["test"]["n"] == 4 and found["test"]["accuracy"] == 0.75
    assert np.isclose(found["test"]["loss"], -np.log([0.9, 0.4, 0.8, 0.7]).mean())
    assert np.isclose(found["test"]["macro_f1"], (2 / 3 + 4 / 5) / 2)
    assert found["confusion"] == [[1, 1], [0, 2]]
