"""The one model that is chosen, on every page the same: its name in the header, and the drawer of all models behind it."""

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.ui import links, url_state
from playground.ui.components.models_drawer import models_drawer
from playground.ui.language import t
from playground.ui.messages import shown_errors
from playground.ui.model_cards import cards
from playground.ui.places import PLACES, place_of
from playground.ui.run_picker import LAST, OFFERED

DRAWER = "frame.models"


def choose_model(here: str) -> None:
    """The name of the model that is chosen, in the header; pressed, it opens the drawer of all models.

    Args:
        here: the name of the page that is open.
    """
    with shown_errors():
        st.session_state["frame.here"] = here
        offered = st.session_state.pop(OFFERED, None)
        if offered is None and (
            named := url_state.text("", "run")
        ):  # a page on a run of its own, as that of a training
            st.session_state[LAST] = named
        run, said = last_chosen(), []
        elsewhere = {page: opening(page) for page in ("explore", "finetune", "train", "generate")}
        for card, told in cards():
            shows = here == "train" or (card.opens == here if offered is None else card.id in offered)
            page, said_of_it = (here, "") if shows else elsewhere[card.opens]
            said.append({**told, "page": page, "leads": said_of_it})
        name = next((card["name"] for card in said if run and card["id"] == run.id), t("Models"))
        models_drawer(DRAWER, name, run.id if run else "", said, here, chosen)


def opening(page: str) -> tuple[str, str]:
    """Where a model of that page is opened while another one is open, and what is said of it; "" where links hide all of them."""
    page = next((each for each in (page, "explore", "train") if links.leads_to(each)), "")
    return page, t("opens in {place}", place=t(PLACES[place_of(page)][0])) if page else ""


def chosen() -> None:
    """Takes what was chosen in the drawer, before the page is drawn."""
    asked = st.session_state[DRAWER].get("chosen") or {}
    if asked.get("table"):
        links.ask("runs")
    elif asked.get("compare"):
        links.ask("runs", runs=[str(run) for run in asked["compare"]])
    elif run := str(asked.get("run") or ""):
        page = str(asked.get("page"))
        st.session_state[LAST] = run
        if page == _open_page():
            url_state.remember("", run=run, step=None)
        elif links.leads_to(page):
            links.ask(page, run=run)


def _open_page() -> str:
    return st.session_state.get("frame.here", "")


def last_chosen() -> RunFolder | None:
    """The model that was chosen last; None when there is none, or when it is gone."""
    try:
        return RunStore().get(st.session_state[LAST]) if LAST in st.session_state else None
    except PlaygroundError:
        return None
