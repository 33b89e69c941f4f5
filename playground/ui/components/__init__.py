"""Drawings that answer in the browser: each is a ``name.js`` and ``name.css`` beside its Python wrapper.

Hovering, typing and sliding happen in the page and never wait for the server; what a person decides is sent.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from playground.ui.colours import ACCENT
from playground.ui.language import t

FOLDER = Path(__file__).parent
PALETTE = f".root {{ --accent: {ACCENT}; }}"
"""What scripts and styles use of `playground.ui.colours`: ``var(--accent)``."""


@lru_cache
def component(name: str, *parts: str) -> Callable[..., Any]:
    """The component of ``name.js`` and ``name.css``, registered once in a server's life.

    Args:
        name: of the files, and of the component.
        parts: scripts that it stands on, such as "plot"; put before its own, after shared.js.
    """
    scripts = [FOLDER / f"{part}.js" for part in ("shared", *parts, name)]
    styles = [path for path in (FOLDER / "common.css", FOLDER / f"{name}.css") if path.exists()]
    made = st.components.v2.component(
        f"playground_{name}",
        html='<div class="root"></div>',
        css="\n".join([PALETTE, *(path.read_text(encoding="utf-8") for path in styles)]),
        js="\n".join(path.read_text(encoding="utf-8") for path in scripts),
    )
    if "save" not in parts:
        return made

    def named(**call: Any) -> Any:
        return made(**call | {"data": call["data"] | {"saved": t("Save this drawing")}})

    return named


def nothing() -> None:
    """What a component calls back where no answer but the rerun is wanted."""


def ticks() -> int:
    """Another number at every call: a component is only told of data that changed, and one that waits has to be told."""
    return time.monotonic_ns()
