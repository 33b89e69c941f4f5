"""The four places of the app, and the pages of each; what is chosen in one stays chosen in the next."""

from collections.abc import Sequence

import streamlit as st

from playground.ui import links
from playground.ui.language import t

PLACES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "learn": ("Learn", ":material/school:", ("home",)),
    "lab": ("Lab", ":material/science:", ("train", "build", "data")),
    "inside": ("Look inside", ":material/search_insights:", ("explore", "generate")),
    "ship": ("Ship", ":material/deployed_code:", ("finetune", "export")),
}
"""Title, icon and pages; the first of them opens unless another one was open last."""
TAB_NAMES = {
    "train": "Training",
    "build": "Model",
    "data": "Text",
    "generate": "Writing",
    "finetune": "Teach labels",
    "export": "Export",
}
"""What a page is called among the tabs of its place."""
VIEWS = {
    "attention": "Attention",
    "steps": "Step by step",
    "positions": "Positions",
    "recurrent": "Gates and states",
    "predictions": "Predictions",
    "intervene": "Intervene",
    "timeline": "Timeline",
}
"""The views of a model that Explore has; beside them stands Generate."""


def place_of(page: str) -> str:
    """The place that a page belongs to; "" for one beside them, such as the table of runs."""
    return next((name for name, (_, _, pages) in PLACES.items() if page in pages), "")


def place_links(here: str) -> None:
    """The ways to the four places; each opens on the page that was open last there.

    Args:
        here: the page that is open.
    """
    if place := place_of(here):
        st.session_state[f"place.{place}"] = here
    for name, (title, icon, pages) in PLACES.items():
        shown = [page for page in pages if links.leads_to(page)]
        if not shown:
            continue
        last = st.session_state.get(f"place.{name}")
        with st.container(key=f"frame-place-{name}{'-here' if name == place else ''}", width="content"):
            links.link(last if last in shown else shown[0], t(title), icon=icon)


def place_tabs(here: str) -> None:
    """The pages of a place as one row of tabs; nothing where there is but one.

    Args:
        here: the page that is open.
    """
    pages = [page for page in PLACES[place_of(here)][2] if page == here or links.leads_to(page)]
    if len(pages) < 2:
        return
    key = f"tabs.{here}"
    st.session_state[key] = here
    st.segmented_control(
        t("View"),
        pages,
        key=key,
        required=True,
        format_func=lambda page: t(TAB_NAMES[page]),
        label_visibility="collapsed",
        on_change=_open_tab,
        args=(key, here),
    )
    links.hurry()


def inside_tabs(key: str, offered: Sequence[str], here: str = "explore") -> str:
    """The views of the chosen model, and beside them what it writes, as one row of tabs.

    Args:
        key: of the tabs; the session's state may hold what is chosen at first.
        offered: the views that this model has, keys of `VIEWS`.
        here: the page that is open, "explore" or "generate".

    Returns:
        The view that is chosen.
    """
    pages = [page for page in ("generate",) if page == here or links.leads_to(page)]
    if here == "generate":
        st.session_state.setdefault(key, "generate")
    chosen = st.segmented_control(
        t("View"),
        [*offered, *pages],
        key=key,
        required=True,
        format_func=lambda view: t(VIEWS.get(view) or TAB_NAMES[view]),
        label_visibility="collapsed",
    )
    if chosen != "generate" and here == "generate":
        del st.session_state[key]
        links.go("explore", view=chosen)
    if chosen == "generate" and here == "explore":
        del st.session_state[key]
        links.go("generate")
    return chosen


def _open_tab(key: str, here: str) -> None:
    """Asks for the page of the tab that was pressed; it is opened as the run of the script begins."""
    asked = st.session_state.get(key)
    if asked and asked != here:
        links.ask(asked)
