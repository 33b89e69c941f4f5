"""The words of the app in the person's language. English is in the code; other languages in ``locale/``."""

import gettext
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from playground.core.errors import shortened

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
    text = in_language(text, language())
    return text.format(**values) if values else text


def in_language(text: str, wanted: str) -> str:
    """The translation of a text; the text itself where there is none."""
    said = catalogue(wanted).gettext(text) if text else ""  # gettext keeps its header under ""
    return sentences(wanted).get(text, said)


@lru_cache
def catalogue(wanted: str) -> gettext.NullTranslations:
    """All translations into a language, compiled from the ``.po`` files of its folder by ``make words``."""
    return gettext.translation("messages", FOLDER, [wanted], fallback=True)


@lru_cache
def sentences(wanted: str) -> dict[str, str]:
    path = FOLDER / wanted / "errors.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


MOST_SENTENCES = 50
"""A text of the core has a handful; what has more is somebody's own, and stays as it is."""


def told(text: str) -> str:
    """A sentence of the core (an error, a status, where a text comes from) in the person's language.

    The core speaks English and has filled in its values already, so the sentence is looked up by its shape: in
    ``errors.json`` the values are numbered holes ("{0} has no checkpoint yet."). What is not known stays English.
    Values are what strangers typed, so a text is shortened first, and the time grows with its length alone.
    """
    wanted, text = language(), shortened(text)
    if wanted == "en" or not text:
        return text
    whole = _matched(text, wanted)
    if whole is not None:
        return whole
    parts = re.split(r"(?<=[.!?])\s+", text, maxsplit=MOST_SENTENCES)
    return "".join(_matched(part, wanted) or part + " " for part in parts).strip()


def _matched(text: str, wanted: str) -> str | None:
    for shape, chinese in shapes(wanted):
        values = shape.values_in(text)
        if values is not None:
            return _filled(chinese, [in_language(value, wanted) for value in values])
    return None


def _filled(text: str, values: list[str]) -> str:
    """The template with its holes filled; braces in a value stay as they are."""
    written = {"{{": "{", "}}": "}"}
    return re.sub(r"\{\{|\}\}|\{(\d+)\}", lambda hole: values[int(hole[1])] if hole[1] else written[hole[0]], text)


@lru_cache
def shapes(wanted: str) -> list[tuple["Shape", str]]:
    """Sentences with holes and their translations, those with the most words of their own first."""
    known = sentences(wanted)
    bare = lambda text: re.sub(r"\{\d+\}", "", text)
    telling = [english for english in known if len(bare(english)) > 3]  # "{0} {1}." would match anything
    return [(shape_of(english), known[english]) for english in sorted(telling, key=lambda text: -len(bare(text)))]


class Shape(NamedTuple):
    """A sentence with holes: what stands before, between and behind them."""

    parts: tuple[str, ...]

    def values_in(self, text: str) -> list[str] | None:
        """What fills the holes in a text, each as short as can be and never empty; None where it is another sentence.

        Each part is looked for once, from where the one before ended: where a text fits at all, it fits that way, so
        that a text of n characters takes n steps (a regular expression with three holes takes n³).
        """
        if len(self.parts) == 1:
            return [] if text == self.parts[0] else None
        first, *inner, last = self.parts
        if not (text.startswith(first) and text.endswith(last)):
            return None
        values, start, end = [], len(first), len(text) - len(last)
        for part in inner:
            found = text.find(part, start + 1, end)
            if found < 0:
                return None
            values.append(text[start:found])
            start = found + len(part)
        return [*values, text[start:end]] if start < end else None


def shape_of(template: str) -> Shape:
    """The shape of a sentence with numbered holes, which are its values from left to right."""
    parts = re.split(r"\{\d+\}", template)
    return Shape(tuple(part.replace("{{", "{").replace("}}", "}") for part in parts))
