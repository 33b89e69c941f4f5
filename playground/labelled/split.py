"""Which example is for training, validation or the test: by group and label, and nothing on two sides."""

from dataclasses import dataclass

import numpy as np

from playground.runs.finetuning import LabelledSpec

SIDES = ("train", "validation", "test")
LEFT_OUT = -1


@dataclass(frozen=True)
class Split:
    """Attributes:
    side: of each example, an index into SIDES, or LEFT_OUT ``[n]``.
    repeated: how many examples have a text that another one has too.
    leaking: how many of these were left out, since their twin is on an earlier side.
    contrary: how many texts have more than one label.
    """

    side: np.ndarray
    repeated: int
    leaking: int
    contrary: int


def split(texts: np.ndarray, groups: np.ndarray, labels: np.ndarray, spec: LabelledSpec) -> Split:
    """Sides that hold each label in the same share, whole groups, and no text twice.

    A group (all copies of a text where the set has no groups) is never divided. In each label the groups are put in
    an order of chance that the seed gives. A label with fewer than three groups is in training alone.

    Args:
        texts, groups: 64-bit hashes ``[n]``.
        labels: ``[n]``, small whole numbers.
    """
    unique, first, member, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    chance = _mixed(unique, spec.seed)
    side_of_group = np.zeros(len(unique), dtype=np.int8)
    label_of_group = labels[first]
    for label in np.unique(label_of_group):
        mine = np.flatnonzero(label_of_group == label)
        mine = mine[np.argsort(chance[mine], kind="stable")]
        if len(mine) >= 3:
            side_of_group[mine] = _sides(sizes[mine], spec)
    return _without_leaks(side_of_group[member.reshape(-1)], texts, labels)


def _sides(sizes: np.ndarray, spec: LabelledSpec) -> np.ndarray:
    """Fills the test and then validation up to their shares of the examples, from groups in the order of chance.

    A group that would fill a side far beyond its share is passed over; each side has at least one group, also the
    training side, however small the groups that fit.
    """
    total = int(sizes.sum())
    side = np.zeros(len(sizes), dtype=np.int8)
    for code, share in ((2, spec.test_fraction), (1, spec.validation_fraction)):
        free = np.flatnonzero(side == 0)
        spare = len(free) - code  # what is left is for the sides after this one, a group each
        wanted, filled = share * total, 0
        for place in free:
            if spare and filled < wanted and filled + sizes[place] <= max(1.25 * wanted, 1):
                side[place], filled, spare = code, filled + int(sizes[place]), spare - 1
        if not filled:
            side[free[np.argmin(sizes[free])]] = code
    return side


def _without_leaks(side: np.ndarray, texts: np.ndarray, labels: np.ndarray) -> Split:
    """Leaves out of validation what is in training, and out of the test what is in either."""
    side = side.copy()
    _, member, counts = np.unique(texts, return_inverse=True, return_counts=True)
    member = member.reshape(-1)
    for later, earlier in ((1, (0,)), (2, (0, 1))):
        known = np.zeros(len(counts), dtype=bool)
        known[member[np.isin(side, earlier)]] = True
        side[(side == later) & known[member]] = LEFT_OUT
    pairs = np.unique(np.stack([member, labels.astype(np.int64)]), axis=1)
    kinds = np.bincount(pairs[0])
    return Split(
        side,
        repeated=int((counts[member] > 1).sum()),
        leaking=int((side == LEFT_OUT).sum()),
        contrary=int((kinds > 1).sum()),
    )


def chosen(n: int, spec: LabelledSpec) -> np.ndarray:
    """Which of ``n`` training examples are used, by ``train_fraction`` and ``limit``; a smaller share is part of a larger one."""
    order = np.argsort(_mixed(np.arange(n, dtype=np.uint64), spec.seed + 1), kind="stable")
    most = max(1, round(n * spec.train_fraction))
    return np.sort(order[: min(most, spec.limit) if spec.limit else most])


def _mixed(values: np.ndarray, seed: int) -> np.ndarray:
    """Hashes that look random (SplitMix64, Steele et al. 2014), the same on every machine."""
    z = values.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
