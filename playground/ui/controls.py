"""Controls and pages that a link can hide, so that a lesson shows a class only what it is about.

A link says ``?hide=build,train.steps``: a page by its name, a control by its page's and its own. Hidden is not locked:
whoever opens the link can show everything again.
"""

import streamlit as st

from playground.ui import url_state
from playground.ui.url_state import CONTROLS


def control(page: str, name: str, width: str = "stretch"):
    """The place of a control that a link may hide; use as ``with control("train", "steps"):``."""
    assert name in CONTROLS[page], name
    return st.container(key=f"control-{page}-{name}", width=width)


def hidden() -> list[str]:
    """What this visit's link hides, each once; pages and controls that are not known are passed over."""
    asked = st.session_state.setdefault("hide", url_state.text("", "hide")) or ""
    return [name for name in dict.fromkeys(asked.split(",")) if name in CONTROLS or titled(name)]


def titled(name: str) -> str:
    """What "train.steps" is called; "" where there is no such control."""
    page, _, own = name.partition(".")
    return CONTROLS.get(page, {}).get(own, "")


def hide(names: list[str]) -> None:
    """Hides these and no others from now on, and says so in the address."""
    st.session_state["hide"] = ",".join(names)
    url_state.remember("", hide=names)


def style() -> str:
    """The rules that take the hidden controls out of sight, and out of the keyboard's way.

    Inside a component, which no rule from outside reaches, a variable of the control's name says it.
    """
    names = [name.replace(".", "-") for name in hidden() if "." in name]
    if not names:
        return ""
    places = ", ".join(f".st-key-control-{name}" for name in names)
    variables = " ".join(f"--control-{name}: none;" for name in names)
    return f"{places} {{ display: none !important; }} :root {{ {variables} }}"
