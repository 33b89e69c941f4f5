"""Boxes of a table's columns: a browser that shall show a hundred thousand of them stands still."""

from collections.abc import Iterable, Sequence

import streamlit as st

from playground.ui.language import t

OFFERED = 300


def offered(names: Sequence[str], wanted: Iterable[str | None] = ()) -> list[str]:
    """The columns that a box offers: the first ones, and of the others those that were found or chosen."""
    first = list(names[:OFFERED])
    further = dict.fromkeys(name for name in wanted if name not in first and name in names)
    return [*first, *further]


def tell_of_more(names: Sequence[str]) -> None:
    """Says how many columns there are, where a box does not offer them all."""
    if len(names) > OFFERED:
        st.caption(
            t(
                "The boxes offer the first {shown:,} of {n:,} columns. To choose another one, bring a table with fewer columns.",
                shown=OFFERED,
                n=len(names),
            )
        )
