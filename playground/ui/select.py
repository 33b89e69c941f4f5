"""Boxes to choose from whose choice outlives a quick change of the language, there and back.

The browser sends the title that a box shows, not which option it is. While a page is still being drawn in the other
language it sends a title of the language before, which is none of the titles of now. Streamlit then takes the title itself
for the choice, or the first option.
"""

from collections.abc import Collection, Sequence
from typing import Any

import streamlit as st


def select(label: str, options: Sequence[Any], index: int | None = 0, *, key: str, **more: Any) -> Any:
    """``st.selectbox`` that stays at its choice."""
    keep(key, options)
    chosen = st.selectbox(label, options, index, key=key, **more)
    st.session_state[_before(key)] = chosen
    return chosen


def select_several(
    label: str, options: Sequence[Any], default: Sequence[Any] = (), *, key: str, **more: Any
) -> list[Any]:
    """``st.multiselect`` that stays at its choices."""
    keep(key, options)
    first = {} if key in st.session_state else {"default": list(default)}
    chosen = st.multiselect(label, options, key=key, **first, **more)
    st.session_state[_before(key)] = chosen
    return chosen


def keep(key: str, options: Collection[Any]) -> bool:
    """Puts back what was chosen before, where what the session holds is none of the options; says whether it had to.

    To be called before such a value is read: in a callback, or above the box.
    """
    state = st.session_state
    if key not in state or _among(state[key], options):
        return False
    if _before(key) not in state:
        return False  # it was never drawn: what a link asks for is told elsewhere
    before = state[_before(key)]
    if _among(before, options):
        state[key] = before
    else:
        del state[key]
    return True


def _among(chosen: Any, options: Collection[Any]) -> bool:
    return chosen is None or all(one in options for one in (chosen if isinstance(chosen, list) else [chosen]))


def _before(key: str) -> str:
    return f"{key} before"
