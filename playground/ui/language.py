"""The words of the app in the person's language. English is in the code; other languages in ``locale/``."""

import gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from models.message import Message, fill, shortened

LANGUAGES = {"en": "English", "zh": "中文"}
FOLDER = Path(__file__).parent / "locale"


_spoken: ContextVar[str] = ContextVar("spoken", default="")


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """The words of this language, also where there is no page to ask which one is chosen."""
    before = _spoken.set(wanted)
    try:
        yield
    finally:
        _spoken.reset(before)


def language() -> str:
    """The language chosen, else that of the link, else that of the browser, else English."""
    if spoken := _spoken.get():
        return spoken
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
    text = in_language(text, language())
    return text.format(**values) if values else text


def joined(*said: str) -> str:
    """Sentences one after another, the empty ones left out: a space between them, but none after a Chinese mark."""
    return re.sub(r"(?<=[。？！；：，）…”]) (?=\0)", "", " \0".join(filter(None, said))).replace("\0", "")


def in_language(text: str, wanted: str) -> str:
    """The translation of a text; the text itself where there is none."""
    return catalogue(wanted).gettext(text) if text else ""  # gettext keeps its header under ""


@lru_cache
def catalogue(wanted: str) -> gettext.NullTranslations:
    """All translations into a language, compiled from the ``.po`` files of its folder by ``make words``."""
    return gettext.translation("messages", FOLDER, [wanted], fallback=True)


MOST_SENTENCES = 50
"""A text of the core has a handful; what has more is somebody's own, and stays as it is."""


def translated(text: str) -> str:
    """What the core says (an error, a status, where a text comes from) in the person's language.

    A Message is looked up by its template, and so are its values: those that are words of the core are translated too.
    Any other text is looked up as it is, whole and by its sentences. What is not known stays English. Values and texts are
    what strangers typed or brought: they are shortened first, nothing in them is evaluated, and their templates are only
    looked up.
    """
    wanted, text = language(), shortened(text)
    return text if wanted == "en" else shortened(_in_language(text, wanted))


def _in_language(text: str, wanted: str) -> str:
    if isinstance(text, Message) and text.values:
        values = {name: _in_language(value, wanted) for name, value in text.values.items()}
        template = in_language(text.template, wanted)
        if (
            template == text.template
        ):  # sentences one after another, each translated; no space after a Chinese full stop
            return re.sub(r"(?<=[。？！]) ", "", fill(template, values))
        return fill(template, {name: shortened(value) for name, value in values.items()})
    whole = in_language(text, wanted)
    if whole != text:
        return whole
    parts = re.split(r"(?<=[.!?])\s+", text, maxsplit=MOST_SENTENCES)
    found = [in_language(part, wanted) for part in parts]
    if len(parts) == 1 or found == parts:
        return str(text)
    return "".join(new if new != old else old + " " for old, new in zip(parts, found, strict=True)).strip()
