"""How good predictions are: confusion, precision and recall (of scikit-learn), calibration.

Labels are codes 0, 1, 2, …, arrays of at least one of them ``[n]``. scikit-learn takes a second to import: the functions
do so when they are called, so that neither a page nor a training run waits for it at its start.
"""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class LabelScore:
    """Of one label; 0 where there is nothing to divide by."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def confusion(true: np.ndarray, predicted: np.ndarray, n_labels: int) -> np.ndarray:
    """How often each label (rows) was taken for each (columns) ``[n_labels, n_labels]``."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(true, predicted, labels=np.arange(n_labels))


def by_label(true: np.ndarray, predicted: np.ndarray, labels: list[str]) -> list[LabelScore]:
    """Precision, recall and F1 of every label."""
    from sklearn.metrics import precision_recall_fscore_support

    figures = precision_recall_fscore_support(
        true,
        predicted,
        labels=np.arange(len(labels)),
        zero_division=0,  # pyright: ignore[reportArgumentType] (it has no types; the default is a text)
    )
    columns = [np.asarray(figure) for figure in figures]  # an array each: no average was asked for
    return [
        LabelScore(label, float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(labels, *columns)
    ]


def macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """The mean F1 of the labels that are there or were predicted."""
    from sklearn.metrics import f1_score

    found = f1_score(
        true,
        predicted,
        average="macro",
        zero_division=0,  # pyright: ignore[reportArgumentType] (it has no types; the default is a text)
    )
    return float(found)


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
