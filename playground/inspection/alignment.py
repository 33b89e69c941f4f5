"""Two runs side by side: which frame of one belongs beside which of the other."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from playground.runs.frames import Frame

BY = ("step", "tokens", "seconds", "loss")
"""What two runs can be aligned by. The loss is that of the text looked at, as low as it has been so far."""


def aligned(first: Sequence[Frame], second: Sequence[Frame], by: str = "step") -> list[tuple[int, int]]:
    """For each frame of the first run the nearest of the second, as pairs of indices.

    Both runs go forward in the pairs. Of two frames that are equally near, the earlier is taken. By loss, the running
    minimum is compared, since the loss itself goes up and down: each frame belongs to the frame at which the other run had
    first come as far down.

    Args:
        first, second: frames in the order of their steps.
        by: one of BY.

    Returns:
        ``len(first)`` pairs; none where one of the two has no frame, or no loss to be aligned by.

    Raises:
        ValueError: for another ``by``.
    """
    if by not in BY:
        raise ValueError(f"aligned by {by!r}")
    one, other = (values_of(frames, by) for frames in (first, second))
    if one is None or other is None or not one or not other:
        return []
    return [(i, nearest(value, other)) for i, value in enumerate(one)]


def values_of(frames: Sequence[Frame], by: str) -> list[float] | None:
    """What the frames are aligned by, rising; of losses the running minimum with its sign changed. None where one has none."""
    values: list[Any] = [frame.about.get(by) for frame in frames]
    if any(value is None for value in values):
        return None
    if by == "loss":
        return [-value for value in accumulate(values, min)]
    return list(accumulate((float(value) for value in values), max))


def nearest(value: float, rising: Sequence[float]) -> int:
    """The index of the nearest number in a list that never falls; of equally near ones the first."""
    after = bisect_left(rising, value)
    if after == 0:
        return 0
    before = bisect_left(rising, rising[after - 1])  # the first of those that are the same
    if after == len(rising):
        return before
    return before if value - rising[before] <= rising[after] - value else after
