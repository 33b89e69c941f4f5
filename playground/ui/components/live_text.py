"""A box to type in that reports every key, so that what is drawn of the text follows the typing."""

from collections.abc import Callable

import streamlit as st

from playground.ui.components import component


def live_text(
    key: str,
    text: str,
    label: str,
    rows: int = 2,
    longest: int = 20_000,
    line: bool = False,
    on_typed: Callable[[str], None] | None = None,
) -> str:
    """Draws the box and returns what the person has typed so far.

    It reports a key at once, and keys that follow each other within 120 ms when 60 ms have passed since the last, so that
    fast typing asks once.

    Args:
        key: of the component.
        text: what stands in the box; another one than last time replaces what was typed.
        label: above the box, translated.
        rows: height at first; the box grows with its text.
        longest: in characters; the box takes no more.
        line: one line without the label above it, which is read aloud; it grows to a few lines.
        on_typed: is told what was typed before anything runs again, also where that is another page already.
    """

    def tell() -> None:
        typed = (st.session_state.get(key) or {}).get("typed")
        if typed and on_typed:
            on_typed(str(typed["text"])[:longest])

    known = st.session_state.get(key)
    typed = known.get("typed") if known else None
    shown = typed["text"] if typed and typed["given"] == text else text
    answer = component("live_text")(
        key=key,
        data={"given": text, "shown": shown, "label": label, "rows": rows, "longest": longest, "line": line},
        default={"typed": None},
        on_typed_change=tell,
    )
    typed = answer.typed
    return str(typed["text"])[:longest] if typed and typed["given"] == text else text
