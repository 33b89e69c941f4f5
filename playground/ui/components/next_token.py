"""A box to type in, and what the model expects next, at every key."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from playground.ui.components import component, nothing, ticks
from playground.ui.language import t


def next_token(
    key: str,
    text: str,
    answer_to: str | None,
    options: Sequence[dict[str, Any]],
    colour: str,
    note: str = "",
    on_typed: Callable[[str], None] = lambda text: None,
) -> str:
    """Draws the box and the bars, and returns what the person has typed so far.

    It reports 80 ms after the last key, so that fast typing asks once. A click on a bar appends its token.

    Args:
        key: of the component.
        text: what stands in the box before anybody typed.
        answer_to: the text that ``options`` continue; pale bars mean that it is not what the box holds.
            None: the model is still being loaded; the component asks again twice a second.
        options: the likeliest tokens, each ``{"text": to append, "piece": to show, "p": probability}``.
        colour: of the bars.
        note: one line under the bars.
        on_typed: is told what was typed before anything runs again, also where that is another page already.
    """

    def tell() -> None:
        typed = (st.session_state.get(key) or {}).get("text")
        if typed is not None:  # a box that has left the page says nothing
            on_typed(str(typed))

    answer = component("next_token")(
        key=key,
        data={
            "text": text,
            "answerTo": answer_to,
            "options": list(options),
            "colour": colour,
            "note": note,
            "tick": ticks() if answer_to is None else 0,
            "words": {
                "label": t("Your text"),
                "next": t("What the model expects next"),
                "append": t("Click to append"),
                "loading": t("Loading the model …"),
            },
        },
        default={"text": text},
        on_text_change=tell,
        on_again_change=nothing,
    )
    return text if answer.text is None else str(answer.text)
