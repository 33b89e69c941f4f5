"""Whether a run memorises its text: seen in the gap between its two losses, while both curves fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LEAST_EVALUATIONS = 4
SHARE, LEAST_NATS = 0.1, 0.1
"""A gap is spoken of from a tenth of the validation loss on, and never below so many nats: by some hundredths every run
does better on what it has seen."""
LEAST_RISE = 0.02
"""Nats: a smaller rise of the validation loss is none."""
SIGMAS = 3.0
KNOWN, UNKNOWN = 0.02, 0.25
"""A text is known by heart where its loss is a fiftieth of the first, and a rule is not where it is still a quarter of it."""
LATE = 2.0
"""Times the steps that learning by heart took: a rule that is found later than that is found late."""


@dataclass(frozen=True)
class GeneralizationGap:
    """How much better a run knows the text that it learns from.

    Attributes:
        nats: validation loss minus training loss, just now.
        grows: whether it still does.
    """

    nats: float
    grows: bool


def generalization_gap(train: dict[str, Any], validation: dict[str, Any]) -> GeneralizationGap | None:
    """The gap of a run that has begun to memorise; None where there is none to speak of.

    There is one when it has become clearly larger, beyond the noise of the evaluations, than the smallest that it was:
    validation text that is harder from the first step on, and a run that has learned little yet, have none.

    Args:
        train: columns "step" and "loss"; as many points as there happen to be, None for those that are no numbers.
        validation: columns "step" and "val_loss".
    """
    gaps, losses = loss_gaps(train, validation)
    if len(gaps) < LEAST_EVALUATIONS:
        return None
    width = max(1, min(5, len(gaps) // 4))
    means = np.convolve(gaps, np.ones(width) / width, mode="valid")
    noise = noise_of(gaps) * np.sqrt(2 / width)  # of the difference of two such means
    now, least = means[-1], max(0.0, means[:-1].min())
    if now - least < max(SHARE * losses[-width:].mean(), LEAST_NATS, SIGMAS * noise):
        return None
    earlier = means[-1 - max(1, len(means) // 4)]
    return GeneralizationGap(float(gaps[-1]), bool(now - earlier > max(SIGMAS * noise, 0.02 * now)))


def loss_gaps(train: dict[str, Any], validation: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """At each evaluation, the validation loss minus the mean training loss around it; and the validation losses."""
    steps, losses = _finite(train.get("step", ()), train.get("loss", ()))
    at, told = _finite(validation.get("step", ()), validation.get("val_loss", ()))
    if not len(steps) or not len(at):
        return np.array([]), np.array([])
    reach = np.median(np.diff(at)) / 2 if len(at) > 1 else 0.0
    near = (
        np.abs(steps - at[:, None]) <= np.minimum(reach, 0.15 * at)[:, None]
    )  # early it falls steeply: only beside it
    n = near.sum(1)
    beside = np.where(n, near @ losses / np.maximum(n, 1), np.interp(at, steps, losses))
    return told - beside, told


@dataclass(frozen=True)
class TurningPoint:
    """The evaluation since which the validation loss rises.

    Attributes:
        step, loss: where it was lowest.
        train_loss_falls: whether the training loss has not risen with it.
    """

    step: int
    loss: float
    train_loss_falls: bool


def turning_point(train: dict[str, Any], validation: dict[str, Any]) -> TurningPoint | None:
    """Where the validation loss turned; None where it has not risen by more than its noise. Columns as in `generalization_gap`."""
    gaps, losses = loss_gaps(train, validation)
    if len(gaps) < 2:
        return None
    best = int(losses.argmin())
    if losses[-1] - losses[best] <= max(LEAST_RISE, SIGMAS * noise_of(losses)):
        return None
    alone = gaps[-1] - gaps[best] > (losses[-1] - losses[best]) / 2
    at = _finite(validation["step"], validation["val_loss"])[0]
    return TurningPoint(int(at[best]), float(losses[best]), bool(alone))


@dataclass(frozen=True)
class LateRule:
    """A run that learned by heart first and found the rule long after: grokking (Power et al. 2022).

    Attributes:
        by_heart: the evaluation from which on it knew the training text.
        rule: the one from which on it knew text that it never saw.
    """

    by_heart: int
    rule: int


def late_rule(train: dict[str, Any], validation: dict[str, Any]) -> LateRule | None:
    """Whether the validation loss fell long after the training loss; None where not. Columns as in `generalization_gap`."""
    gaps, losses = loss_gaps(train, validation)
    if not len(gaps):
        return None
    first = _finite(train["step"], train["loss"])[1][0]
    at = _finite(validation["step"], validation["val_loss"])[0]
    by_heart = int(np.argmax(losses - gaps <= KNOWN * first))  # 0 where there is none
    peak = by_heart + int(np.argmax(losses[by_heart:]))
    found = peak + int(np.argmax(losses[peak:] <= KNOWN * losses[peak]))
    is_so = losses[by_heart] - gaps[by_heart] <= KNOWN * first and losses[peak] >= UNKNOWN * first and found > peak
    if not is_so or losses[-1] > KNOWN * losses[peak] or at[found] < LATE * at[by_heart]:
        return None
    return LateRule(int(at[by_heart]), int(at[found]))


def noise_of(values: np.ndarray) -> float:
    """The standard deviation about a line that bends little, from the median second difference (1.48 · √6 of it)."""
    return float(1.4826 * np.median(np.abs(np.diff(values, 2))) / np.sqrt(6)) if len(values) > 4 else 0.0


def _finite(steps: Sequence[float], values: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """The points that are numbers, each step once, in order."""
    found = {
        step: value for step, value in zip(steps, values, strict=False) if value is not None and np.isfinite(value)
    }
    order = sorted(found)
    return np.array(order, dtype=float), np.array([found[step] for step in order], dtype=float)
