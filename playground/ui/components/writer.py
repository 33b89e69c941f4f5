"""Where a text is written with a model: every token can be looked into and replaced."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from playground.ui.components import component, ticks
from playground.ui.language import t


def writer(
    key: str,
    *,
    tokens: Sequence[dict[str, Any]],
    position: int,
    logits: Any | None,
    order: Sequence[int],
    pieces: dict[int, str],
    seen: Sequence[int],
    sampling: dict[str, float],
    count: int,
    commanded: bool,
    working: bool,
    can_undo: bool,
    can_write: bool,
    status: str,
    beams: Sequence[dict[str, str]],
    colour: str,
    on_act: Callable[[], None],
) -> None:
    """Draws the text, the distribution of one place after each step of sampling, and the controls.

    What a person does arrives in ``st.session_state[key]["act"]`` before ``on_act`` is called: a dict with ``kind``
    ("write" with ``n``, "stop", "beam" with ``n`` and ``width``, "take" with ``index``, "select" and "pick" with
    ``position`` and ``token``, "undo", "clear", "poll") and ``sampling``, the sliders' values.

    Args:
        tokens: the text, each ``{"id", "text", "p", "drawn", "given"}``; ``given`` are those of the prompt.
        position: index in ``tokens`` of the place whose distribution is shown; one past the last: the next token.
        logits: of that place, float32 ``[vocabulary]``; None keeps what is shown (while writing).
        order: ids that the bars choose from, the likeliest first.
        pieces: what each of them shows as.
        seen: ids before the place, for the repetition penalty.
        sampling, count: what a text is written with.
        commanded: the buttons that write and stop stand elsewhere.
        working: something is being computed: the component asks for news several times a second.
        status: one line under the text.
        beams: continuations that beam search found, ``{"text", "score"}``.
        colour: of the boxes.
    """
    component("writer", "sampling")(
        key=key,
        data={
            "tokens": list(tokens),
            "position": position,
            "logits": None if logits is None else base64.b64encode(logits.astype("<f4").tobytes()).decode(),
            "order": list(order),
            "pieces": {str(id): piece for id, piece in pieces.items()},
            "seen": list(seen),
            "sampling": sampling,
            "count": count,
            "commanded": commanded,
            "working": working,
            "tick": ticks() if working else 0,
            "canUndo": can_undo,
            "canWrite": can_write,
            "status": status,
            "beams": list(beams),
            "colour": colour,
            "words": words(),
        },
        on_act_change=on_act,
    )


def words() -> dict[str, str]:
    return {
        "write": t("Write"),
        "stop": t("Stop"),
        "one": t("One token"),
        "undo": t("Undo"),
        "clear": t("Clear"),
        "text": t("The text, token by token"),
        "steps": t("Steps of sampling"),
        "next": t("The next token"),
        "instead": t("Instead of"),
        "unseen": t("The first token: nothing to predict it from"),
        "drawn": t("when it was drawn"),
        "click": t("Click for alternatives"),
        "pick": t("Put this token here and continue from it"),
        "take": t("Take this continuation"),
        "left": t("left"),
        "model": t("Model"),
        "greedy": t("greedy"),
        "temperature": t("Temperature"),
        "top-k": t("Top-k"),
        "top-p": t("Top-p"),
        "min-p": t("Min-p"),
        "repetition penalty": t("Repetition penalty"),
        "caption": t("Outline: probability of the model. Filled: after sampling. Click a token to use it."),
        "cut_caption": t(
            "Outline: probability of the model. Filled: after sampling, which removed the tokens below the dashed line. Click a token to use it."
        ),
    }
