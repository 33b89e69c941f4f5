"""The settings of a plan in the address of the Train page: those that differ from the recipe.

They come back when a link is opened, when the page is reloaded, and when somebody returns from another page.
"""

import typing
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import streamlit as st

from models.spec import SpecError
from playground.runs.config import TrainingSpec
from playground.runs.old_keys import present_value
from playground.runs.settings import convert
from playground.ui import url_state
from playground.ui.messages import show
from playground.ui.url_state import TRAINING_FIELDS as FIELDS

TYPES = typing.get_type_hints(TrainingSpec)
KEEP = "keep"  # how many checkpoints are kept; the steps follow from it
OF, CHANGES, QUERY, WIDGET = "train.plan.of", "train.plan.changes", "train.plan.query", "train.plan.widget"


def linked(recipe: TrainingSpec) -> dict[str, Any]:
    """What the form starts with instead of the recipe's values.

    The same while its widgets live, so that moving one does not make another form; anew when a link is opened or
    the page is come back to.
    """
    state = st.session_state
    query = {name: said for name in (*FIELDS, KEEP) if (said := url_state.text("train", name))}
    opened = bool(query) and query != state.get(QUERY)
    if opened:
        state[OF], state[CHANGES] = recipe, _typed(query, recipe)
    elif state.get(OF) != recipe:
        state[OF], state[CHANGES] = recipe, {}
    elif state.get(WIDGET) not in state:  # back from another page
        state[CHANGES] = _typed(state.get(QUERY, {}), recipe)
    return state[CHANGES]


def remember(chosen: TrainingSpec, usual: TrainingSpec, keep: int | None, widget: str) -> None:
    """Writes into the address what differs from ``usual``.

    Args:
        chosen: the settings in the form.
        usual: what the recipe and the number of steps make of them.
        keep: how many checkpoints are kept; None where that is usual.
        widget: the key of one of the form's widgets.
    """
    different = {name: said(getattr(chosen, name)) for name in FIELDS if getattr(chosen, name) != getattr(usual, name)}
    if keep is not None:
        different[KEEP] = str(keep)
    url_state.remember("train", **{name: different.get(name) for name in (*FIELDS, KEEP)})
    st.session_state[QUERY], st.session_state[WIDGET] = different, widget


def said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _typed(query: dict[str, str], recipe: TrainingSpec) -> dict[str, Any]:
    """The settings that can be; a sentence about each of the others."""
    changes: dict[str, Any] = {}
    for name, text in query.items():
        try:
            if name == KEEP:
                changes[KEEP] = max(0, min(20, convert(text, int, KEEP)))
            else:
                value = present_value("training", name, convert(text, TYPES[name], name))
                recipe.replace(**{**{k: v for k, v in changes.items() if k != KEEP}, name: value})
                changes[name] = value
        except SpecError as error:
            show(error)
    return changes


# Which model and which text


@dataclass(frozen=True)
class Begun:
    """How a box of the form began: with which choice, what other pages had made, and what the address says since."""

    start: str
    key: str
    made: Any
    said: str
    chosen: str


PARAMETERS = {"model": "preset", "text": "corpus"}


def begun_with(what: str, made: Any, options: Container[str], usual: str, of: str = "") -> str:
    """Which model or text the form shows at first; the same while its box lives, so that choosing keeps the box.

    The one of the run that is begun from; the one chosen here before, unless Build or Data has made another since;
    what they made; else the usual one.

    Args:
        what: "model" or "text".
        made: what other pages have made of it.
        options: what there is to choose.
        usual: the one to begin with where nothing else says.
        of: the run that is looked at.
    """
    before: Begun | None = st.session_state.get(f"train.begun.{what}.{of}")
    last, said = [], said_of(what)
    if before and before.made == made:
        same = before.start in options and (before.start == "base") == ("base" in options)
        if before.key in st.session_state and said == before.said and same:
            return before.start
        if not said:
            last = [before.chosen]
    return next(name for name in ("base", *last, "draft", usual) if name in options)


def said_of(what: str) -> str:
    """What the address says of it."""
    return url_state.text("train", PARAMETERS[what])


def began(what: str, begun: Begun, of: str = "") -> None:
    st.session_state[f"train.begun.{what}.{of}"] = begun
