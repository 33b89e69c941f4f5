"""From page to page, with the choices in the address, so that a link opens what its sender saw."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

KEPT = ("lang", "present", "hide")
"""What stays in the address whichever page is opened."""
MOST = 50_000
"""Characters of one parameter; browsers and servers take addresses of about that length."""
UNKNOWN = object()


def register(pages: dict[str, Any], hidden: Iterable[str] = ()) -> None:
    """Tells this session its pages, by name ("home", "build", ...), and which of them no link leads to.

    app.py does it at every run.
    """
    st.session_state["pages"] = pages
    st.session_state["pages.hidden"] = set(hidden)


def has(page: str) -> bool:
    return page in st.session_state.get("pages", {})


def leads_to(page: str) -> bool:
    """Whether a page is there and not hidden."""
    return has(page) and page not in st.session_state.get("pages.hidden", ())


def go(page: str, **params: Any) -> None:
    """Opens a page now. Parameters that are None are left out.

    The page is changed at the beginning of a whole run of the script (:func:`follow`): Streamlit would draw the rest of
    a moving part that changes it by itself into the new page.
    """
    if has(page):
        st.session_state["links.next"] = page, address(params)
        st.rerun()


def follow() -> None:
    """Opens the page that somebody has asked for with :func:`go`; app.py does it before it opens any."""
    if asked := st.session_state.pop("links.next", None):
        page, query = asked
        st.switch_page(st.session_state["pages"][page], query_params=query)


def link(page: str, label: str, icon: str | None = None, **params: Any) -> None:
    """A link to a page. Nothing where that page does not exist, or is hidden."""
    if leads_to(page):
        st.page_link(st.session_state["pages"][page], label=label, icon=icon, query_params=address(params))


def address(params: dict[str, Any]) -> dict[str, str]:
    """The query of an address: these parameters and what is kept."""
    kept = {name: st.query_params[name] for name in KEPT if name in st.query_params}
    return {**kept, **{name: str(value) for name, value in params.items() if value is not None}}


def param(name: str, default: str = "") -> str:
    """A parameter of this page's address, without what is longer than an address can be."""
    return st.query_params.get(name, default)[:MOST]


def whole(text: str) -> int | None:
    """The whole number that a part of an address is; None where it is none ("²" is none) or no number of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def several(name: str) -> list[str]:
    """The parts of a list in the address ("a,b"), each once."""
    return list(dict.fromkeys(filter(None, param(name).split(","))))


def remember(**params: Any) -> None:
    """Writes choices into this page's address; None takes one out. Free when they are there already.

    Whether they are is asked of the address that the browser had when it sent the last click, and of what it was told last:
    it may not have heard of that yet. A run that ends while it tells, since a next click waits, leaves unknown what was told.
    """
    told = st.session_state.setdefault("links.told", {})
    wanted = {name: "" if value is None else str(value) for name, value in params.items()}
    there = lambda name, value: st.query_params.get(name, "") == value == told.get(name, value)
    changed = {name: value for name, value in wanted.items() if not there(name, value)}
    if not changed:
        return
    told.update(dict.fromkeys(changed, UNKNOWN))
    for name in [name for name, value in changed.items() if not value and name in st.query_params]:
        del st.query_params[name]
    st.query_params.update(
        {name: value for name, value in changed.items() if value}
    )  # tells all, also without a change
    told.update(changed)
