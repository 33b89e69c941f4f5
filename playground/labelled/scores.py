"""How good predictions are: confusion, precision and recall, calibration. Plain numpy, shapes in the docstrings."""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class LabelScore:
    """Of one label; 0 where there is nothing to divide by, as scikit-learn does."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(true: np.ndarray, predicted: np.ndarray, n_labels: int) -> np.ndarray:
    """How often each label (rows) was taken for each (columns) ``[n_labels, n_labels]``."""
    cells = true.astype(np.int64) * n_labels + predicted
    return np.bincount(cells, minlength=n_labels**2).reshape(n_labels, n_labels)


def by_label(true: np.ndarray, predicted: np.ndarray, labels: list[str]) -> list[LabelScore]:
    """Precision, recall and F1 of every label."""
    n = len(labels)
    right = np.bincount(true[true == predicted], minlength=n)
    said, there = np.bincount(predicted, minlength=n), np.bincount(true, minlength=n)
    precision, recall = _share(right, said), _share(right, there)
    f1 = _share(2 * right, said + there)
    return [
        LabelScore(label, float(p), float(r), float(f), int(support))
        for label, p, r, f, support in zip(labels, precision, recall, f1, there)
    ]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def macro_f1(true: np.ndarray, predicted: np.ndarray, n_labels: int) -> float:
    """The mean F1 of the labels that are there or were predicted."""
    scores = by_label(true, predicted, [""] * n_labels)
    said = np.bincount(predicted, minlength=n_labels)
    present = [score.f1 for score, n in zip(scores, said) if score.support or n]
    return float(np.mean(present)) if present else 0.0


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> tuple[list[dict], float]:
    """Whether "80 % sure" is right 80 % of the time (Guo et al. 2017).

    Args:
        confidence: the probability of the predicted label ``[n]``.
        right: whether it was the true one ``[n]``.

    Returns:
        The bins that hold something (``confidence`` and ``accuracy`` are means, ``n`` how many), and the expected
        calibration error: the mean distance between the two, weighted by n.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    found = []
    for i in range(bins):
        mine = place == i
        if mine.any():
            found.append(
                {
                    "from": i / bins,
                    "to": (i + 1) / bins,
                    "n": int(mine.sum()),
                    "confidence": float(confidence[mine].mean()),
                    "accuracy": float(right[mine].mean()),
                }
            )
    error = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in found) / max(1, len(confidence))
    return found, float(error)
