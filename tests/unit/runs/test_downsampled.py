"""A few of many: bounded, even, and with both ends."""

from hypothesis import example, given
from hypothesis import strategies as st

from playground.runs.downsampled import EvenSample


@given(st.integers(0, 3000), st.integers(2, 60))
@example(65, 2)
def test_the_first_and_the_last_are_kept_and_others_evenly(n, limit):
    kept, together = EvenSample(limit), EvenSample(limit, shape=lambda item: -item)
    for i in range(n):
        kept.add(i)
    for start, end in zip((0, n // 3, n // 2), (n // 3, n // 2, n)):
        together.add_all(range(start, end))
    items = kept.items()
    assert [-item for item in together.items()] == items and together.count == n
    assert kept.count == n and len(items) <= limit + 1 and items == sorted(set(items))
    if n <= limit:
        assert items == list(range(n))
    else:
        gaps = {after - before for before, after in zip(items, items[1:-1])}
        assert items[0] == 0 and items[-1] == n - 1 and len(items) > limit // 2
        assert len(gaps) == (len(items) > 2), "even; where the first and the last alone are kept there is none between"


@given(st.lists(st.integers(1, 100), max_size=300))
def test_heavy_items_are_fewer(weights):
    kept = EvenSample(50, heaviest=500, weigh=lambda weight: weight)
    kept.add_all(weights)
    assert sum(kept.items()[:-1]) <= 500
    assert not weights or kept.items()[-1] == weights[-1]
