"""The ways from page to page; what a link says of the page that it opens stands in the table of `url_state`."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from playground.ui import url_state


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
    """Opens a page now. Parameters that are None, or the default, are left out.

    The page is changed at the beginning of a whole run of the script (:func:`follow`): Streamlit would draw the rest of
    a moving part that changes it by itself into the new page.
    """
    if has(page):
        ask(page, **params)
        st.rerun()


def ask(page: str, **params: Any) -> None:
    """Asks for a page, from a callback: the run of the script that follows opens it."""
    st.session_state["links.next"] = page, url_state.query(page, params)


def hurry() -> None:
    """Lets the whole script run now if a callback has asked for a page: a moving part runs again without it."""
    if "links.next" in st.session_state:
        st.rerun()


def follow() -> None:
    """Opens the page that somebody has asked for with :func:`go`; app.py does it before it opens any."""
    if asked := st.session_state.pop("links.next", None):
        page, query = asked
        st.switch_page(st.session_state["pages"][page], query_params=query)


def link(page: str, label: str, icon: str | None = None, **params: Any) -> None:
    """A link to a page. Nothing where that page does not exist, or is hidden."""
    if leads_to(page):
        st.page_link(
            st.session_state["pages"][page], label=label, icon=icon, query_params=url_state.query(page, params)
        )
