"""Drawings that answer in the browser: each is a ``name.js`` and ``name.css`` beside its Python wrapper.

Hovering, typing and sliding happen in the page and never wait for the server; what a person decides is sent.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent


@lru_cache
def component(name: str) -> Callable[..., Any]:
    """The component of ``name.js`` and ``name.css``, registered once in a server's life."""
    style = FOLDER / f"{name}.css"
    common = (FOLDER / "common.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        f"playground_{name}",
        html='<div class="root"></div>',
        css=common + (style.read_text(encoding="utf-8") if style.exists() else ""),
        js=(FOLDER / f"{name}.js").read_text(encoding="utf-8"),
    )


def nothing() -> None:
    """What a component calls back where no answer but the rerun is wanted."""
