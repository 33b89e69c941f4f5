"""Amounts as they are written."""

import pytest

from playground.ui.number_format import share


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (0, "0%"),
        (1152 / 1_049_728, "< 1%"),
        (0.0049, "< 1%"),
        (0.006, "1%"),
        (0.5, "50%"),
        (0.996, "> 99%"),
        (1, "100%"),
    ],
)
def test_a_share_is_never_nothing_where_there_is_something(part, told):
    assert share(part) == told
