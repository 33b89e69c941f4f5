"""Two runs side by side: checked against looking at every pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.inspection.alignment import BY, aligned, nearest
from playground.runs.frames import Frame

RISING = st.lists(st.integers(0, 1000), min_size=1, max_size=20).map(sorted)
LOSSES = st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=20)


def frames(by, values):
    return [Frame({by: value}) for value in values]


@given(st.sampled_from(["step", "tokens", "seconds"]), RISING, RISING)
def test_each_frame_has_the_nearest_and_both_go_forward(by, one, other):
    pairs = aligned(frames(by, one), frames(by, other), by)
    assert [i for i, _ in pairs] == list(range(len(one)))
    for i, j in pairs:
        assert abs(one[i] - other[j]) == min(abs(one[i] - value) for value in other)
    assert all(later[1] >= before[1] for before, later in zip(pairs, pairs[1:], strict=False))


@given(LOSSES, LOSSES)
def test_by_loss_the_lowest_so_far_is_compared(one, other):
    pairs = aligned(frames("loss", one), frames("loss", other), "loss")
    lowest = lambda values, i: min(values[: i + 1])
    for i, j in pairs:
        gap = abs(lowest(one, i) - lowest(other, j))
        assert gap == min(abs(lowest(one, i) - lowest(other, k)) for k in range(len(other)))
    assert all(later[1] >= before[1] for before, later in zip(pairs, pairs[1:], strict=False))


@given(st.sampled_from(BY), st.lists(st.integers(0, 1000), min_size=1, max_size=20, unique=True).map(sorted))
def test_a_run_beside_itself(by, values):
    values = values[::-1] if by == "loss" else values
    same = frames(by, values)
    assert aligned(same, same, by) == [(i, i) for i in range(len(values))]


@given(RISING, st.floats(-10, 1010))
def test_of_equally_near_ones_the_first(rising, value):
    gaps = [abs(value - each) for each in rising]
    assert nearest(value, rising) == gaps.index(min(gaps))


def test_by_loss_two_runs_of_different_speed_meet():
    slow, fast = [5.0, 4.0, 4.2, 3.0, 2.0], [5.0, 3.0, 2.0]
    assert aligned(frames("loss", slow), frames("loss", fast), "loss") == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 2)]


def test_nothing_to_align_by():
    assert aligned([], frames("step", [1])) == [] == aligned(frames("step", [1]), [])
    assert aligned(frames("loss", [None]), frames("loss", [1.0]), "loss") == []
    with pytest.raises(ValueError, match="colour"):
        aligned([], [], "colour")
