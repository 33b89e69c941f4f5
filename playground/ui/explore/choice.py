"""Switches of the Explore page that a link can set."""

import streamlit as st

from playground.ui import links
from playground.ui.language import t


def choose(view: str, name: str, label: str, options: dict[str, str]) -> str:
    """A switch bound to the address; the first option unless told, and no switch where there is only one.

    Args:
        view: what its key begins with, "explore.<view>".
        name: of the parameter in the address.
        label: above it, translated.
        options: what the address says, and what a person reads (in English).
    """
    if len(options) == 1:
        return next(iter(options))
    wanted, first = links.param(name), next(iter(options))
    first_shown, key = wanted if wanted in options else first, f"{view}.{name}.{'-'.join(options)}"
    said = lambda option: t(options[option])
    if len(options) > 3:  # a phone has no room for them beside each other
        chosen = st.selectbox(
            label, list(options), list(options).index(first_shown), format_func=said, key=key, width=240
        )
    else:
        chosen = st.segmented_control(
            label, list(options), default=first_shown, required=True, format_func=said, key=key
        )
    links.remember(**{name: chosen if chosen != first else None})
    return chosen


def number(name: str, most: int, otherwise: int) -> int:
    """A whole number of the address, from 0 to ``most``; ``otherwise`` where there is none or it is too large."""
    wanted = links.param(name)
    return int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) <= most else otherwise
