"""Choices of the Explore page that stand in its address, so that a link opens what its sender saw.

Each seeds its widget from the address when it is first drawn; from then on the address follows the widget. What is as it
is without being told stands in no address.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from playground.ui import url_state
from playground.ui.components.live_text import live_text
from playground.ui.language import t
from playground.ui.select import keep, select, select_several


def choose(
    view: str,
    name: str,
    label: str,
    options: dict[str, str],
    first: str | None = None,
    box: bool | None = None,
    hidden: bool = False,
) -> str:
    """One of several words; no switch where there is only one.

    Args:
        view: what its key begins with, "explore.<view>".
        name: of the parameter in the address.
        label: above it, translated.
        options: what the address says, and what a person reads (in English).
        first: what is chosen unless told; the first option otherwise.
        box: a box to open instead of buttons beside each other; with more than three options unless told.
        hidden: the label is there for screen readers only.
    """
    if len(options) == 1:
        return next(iter(options))
    first = first or next(iter(options))
    key = seeded(f"{view}.{name}.{'-'.join(options)}", name, lambda said: said if said in options else None, first)
    said = lambda option: t(options[option])
    shown = "collapsed" if hidden else "visible"
    if len(options) > 3 if box is None else box:  # a phone has no room for them beside each other
        chosen = select(label, list(options), format_func=said, key=key, width=240, label_visibility=shown)
    else:
        chosen = st.segmented_control(
            label, list(options), required=True, format_func=said, key=key, label_visibility=shown, wrap=True
        )
    url_state.remember("explore", **{name: chosen if chosen != first else None})
    return chosen


def switch(view: str, name: str, label: str, first: bool = False, **more: Any) -> bool:
    """On or off; 1 or 0 in the address."""
    key = seeded(f"{view}.{name}", name, {"1": True, "0": False}.get, first)
    on = st.toggle(label, key=key, **more)
    url_state.remember("explore", **{name: int(on) if on != first else None})
    return on


def one_of(view: str, name: str, label: str, options: Sequence[int], first: int, **more: Any) -> int:
    """One of some whole numbers, from a box."""
    key = seeded(f"{view}.{name}", name, whole(options), first)
    keep(key, options)
    if st.session_state.get(key) not in options:
        st.session_state[key] = first
    chosen = select(label, options, key=key, **more)
    url_state.remember("explore", **{name: chosen if chosen != first else None})
    return chosen


def slide(view: str, name: str, label: str, options: Sequence[int], first: int, **more: Any) -> int:
    """One of some whole numbers, on a slider."""
    key = seeded(f"{view}.{name}.{options[0]}.{options[-1]}", name, whole(options), first)
    chosen = st.select_slider(label, options, key=key, **more)
    url_state.remember("explore", **{name: chosen if chosen != first else None})
    return chosen


def several(
    view: str,
    name: str,
    label: str,
    options: Sequence[Any],
    first: Sequence[Any] = (),
    pills: bool = False,
    **more: Any,
) -> list[Any]:
    """Some of several; "3,5" in the address, "-" for none where some are chosen unless told."""
    known = {str(option): option for option in options}

    def read(said: str) -> list[Any] | None:
        return [known[x] for x in dict.fromkeys(said.split(",")) if x in known] if said else None

    key = seeded(f"{view}.{name}.{len(options)}.{'-'.join(map(str, first))}", name, read, list(first))
    if pills:
        chosen = st.pills(label, options, selection_mode="multi", key=key, **more)
    else:
        chosen = select_several(label, options, key=key, **more)
    url_state.remember(
        "explore", **{name: (",".join(map(str, chosen)) or "-") if list(chosen) != list(first) else None}
    )
    return list(chosen)


def typed(view: str, name: str, label: str, first: str, id: str, rows: int = 2) -> str:
    """A second box for a text, in the address where it is not what stands there at first.

    Args:
        first: what stands in it at first; another one takes the place of what was typed.
        id: of what the text is for, such as a run's.
    """
    given = f"{view}.{name}.{id}.given"
    if url_state.text("explore", name) and given not in st.session_state:
        st.session_state[given] = (url_state.text("explore", name), first)
    known = st.session_state.get(given)
    if known is None or known[1] != first:
        known = st.session_state[given] = (first, first)
    text = live_text(f"{view}.{name}.{id}", known[0], label, rows)
    url_state.remember("explore", **{name: text if text != first and len(text) <= 500 else None})
    return text


def number(name: str, most: int, otherwise: int) -> int:
    """A whole number of the address, from 0 to ``most``; ``otherwise`` where there is none or it is too large."""
    wanted = url_state.whole(url_state.text("explore", name))
    return otherwise if wanted is None or wanted > most else wanted


def pairs(name: str, n: int, m: int) -> list[tuple[int, int]]:
    """Such as heads, "1.3,0.2" in the address: (1, 3), (0, 2), those below n and m."""
    said = [
        tuple(map(url_state.whole, pair.split(".")))
        for pair in dict.fromkeys(url_state.text("explore", name).split(","))
    ]
    found = [pair for pair in said if len(pair) == 2 and None not in pair]
    return [(i, j) for i, j in found if i < n and j < m]


def whole(options: Sequence[int]) -> Callable[[str], int | None]:
    """Reads a whole number that is among the options."""
    known = {str(option): option for option in options}
    return known.get


def seeded(key: str, name: str, read: Callable[[str], Any], first: Any) -> str:
    """The key of a widget, which holds what the address says when the widget is first drawn."""
    if key not in st.session_state:
        said = read(url_state.text("explore", name))
        st.session_state[key] = first if said is None else said
    return key
