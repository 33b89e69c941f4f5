"""A few of many: bounded, even, and with both ends."""

from hypothesis import given
from hypothesis import strategies as st

from playground.runs.kept import Kept


@given(st.integers(0, 3000), st.integers(2, 60))
def test_the_first_and_the_last_are_kept_and_others_evenly(n, limit):
    kept = Kept(limit)
    for i in range(n):
        kept.add(i)
    items = kept.items()
    assert kept.count == n and len(items) <= limit + 1 and items == sorted(set(items))
    if n <= limit:
        assert items == list(range(n))
    else:
        gaps = {after - before for before, after in zip(items, items[1:-1])}
        assert items[0] == 0 and items[-1] == kept.newest == n - 1 and len(gaps) == 1 and len(items) > limit // 2


@given(st.lists(st.integers(1, 100), max_size=300))
def test_heavy_items_are_fewer(weights):
    kept = Kept(50, heaviest=500)
    for weight in weights:
        kept.add(weight, weight)
    assert sum(kept.items()[:-1]) <= 500
    assert not weights or kept.items()[-1] == weights[-1]
