"""The words of the app in the person's language. English is in the code; other languages in ``locale/``."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

LANGUAGES = {"en": "English", "zh": "中文"}
FOLDER = Path(__file__).parent / "locale"


def language() -> str:
    """The language chosen, else that of the link, else that of the browser, else English."""
    for wanted in (st.session_state.get("lang"), st.query_params.get("lang"), browser_language()):
        if wanted in LANGUAGES:
            return wanted
    return "en"


def browser_language() -> str:
    """What the browser asks for, "zh-CN" read as "zh"; English where there is no browser (tests)."""
    wanted = (getattr(st.context, "locale", None) or "en").lower().split("-")[0]
    return wanted if wanted in LANGUAGES else "en"


def t(text: str, **values: Any) -> str:
    """The text in the person's language; ``{name}`` is replaced by the value of that name.

    Args:
        text: English, written out where it is used. Without a translation it stays English.
        values: what goes into the braces; format specs work: ``t("{n:,} tokens", n=1234)``.
    """
    text = catalogue(language()).get(text, text)
    return text.format(**values) if values else text


@lru_cache
def catalogue(wanted: str) -> dict[str, str]:
    """All translations into a language: ``{"English": "中文"}``, one file for each area of the app."""
    words: dict[str, str] = {}
    for path in sorted((FOLDER / wanted).glob("*.json")):
        words.update(json.loads(path.read_text(encoding="utf-8")))
    return words
