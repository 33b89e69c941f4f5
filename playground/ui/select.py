"""Boxes to choose from that stay at their choice.

The browser sends the title that a box shows, not which option it is. Of two options with one title, Streamlit takes the
last. And while a page is still being drawn in another language, a title of the language before comes, which is none of the
titles of now: Streamlit takes the title itself for the choice, or the first option.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import count
from typing import Any

import streamlit as st


def select(
    label: str,
    options: Sequence[Any],
    index: int | None = 0,
    *,
    key: str,
    format_func: Callable[[Any], str] = str,
    **more: Any,
) -> Any:
    """``st.selectbox`` that stays at its choice."""
    keep(key, options)
    _tell(key, options, options[index] if index is not None and options else None)
    titles = distinct(options, format_func)
    chosen = st.selectbox(label, options, index, key=key, format_func=titles.__getitem__, **more)
    st.session_state[_before(key)] = chosen
    return chosen


def select_several(
    label: str,
    options: Sequence[Any],
    default: Sequence[Any] = (),
    *,
    key: str,
    format_func: Callable[[Any], str] = str,
    **more: Any,
) -> list[Any]:
    """``st.multiselect`` that stays at its choices."""
    keep(key, options)
    _tell(key, options, list(default))
    titles = distinct(options, format_func)
    first = {} if key in st.session_state else {"default": list(default)}
    chosen = st.multiselect(label, options, key=key, format_func=titles.__getitem__, **first, **more)
    st.session_state[_before(key)] = chosen
    return chosen


def distinct(options: Sequence[Any], title: Callable[[Any], str]) -> dict[Any, str]:
    """The titles by option; of equal ones all but the last get a number. What is new stands first in a list, so that the
    others keep theirs.
    """
    titles: dict[Any, str] = {}
    taken: set[str] = set()
    for option in reversed(options):
        said = str(title(option))
        numbered = (f"{said} ({number})" for number in count(2))
        titles[option] = said if said not in taken else next(one for one in numbered if one not in taken)
        taken.add(titles[option])
    return titles


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


def _tell(key: str, options: Collection[Any], first: Any) -> None:
    """Where what was chosen before is no option any more, ``first`` is written down: the browser, whose box has the same key,
    would go on to show the old choice while another one is taken.
    """
    state = st.session_state
    if key not in state and _before(key) in state and not _among(state[_before(key)], options):
        state[key] = first


def _among(chosen: Any, options: Collection[Any]) -> bool:
    return chosen is None or all(one in options for one in (chosen if isinstance(chosen, list) else [chosen]))


def _before(key: str) -> str:
    return f"{key} before"
