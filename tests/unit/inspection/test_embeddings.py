"""What the model expects, told against its own logits."""

import numpy as np
import pytest

from playground.core.errors import PlaygroundError
from playground.inspection.embeddings import neighbours, project


def test_neighbours_by_hand():
    table = np.array([[1.0, 0], [0.9, 0.1], [0, 1], [-1, 0]])
    assert [token for token, _ in neighbours(table, 0, range(4))] == [1, 2, 3]
    assert neighbours(table, 0, range(4))[-1][1] == pytest.approx(-1)


def test_pca_keeps_the_directions_that_differ_most():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(30, 2)) * [5, 3]
    table = plane @ np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    apart = lambda x: np.linalg.norm(x[:, None] - x[None], axis=-1)
    assert np.abs(apart(project(table, "pca")) - apart(plane)).max() < 1e-6
    assert project(table, "tsne").shape == (30, 2)
    with pytest.raises(PlaygroundError):
        project(table[:3], "pca")
