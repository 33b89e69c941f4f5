"""A sentence and the same words in another order, and what a model makes of both."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component, nothing
from playground.ui.language import t


def word_shuffle(
    key: str,
    words: Sequence[str],
    order: Sequence[int],
    panels: Sequence[dict[str, Any]],
    colour: str,
    alt: str,
    hidden: int | None = None,
) -> bool:
    """Draws two rows of words with a line from each to its new place, and under them a panel of bars for each model.

    Args:
        key: of the component.
        words: of the sentence, as they are read.
        order: which word stands at each place of the other row.
        panels: each ``{"title", "changed", "rows": [{"token", "before", "after"}]}``, its probabilities for the sentence
            and for the other order, the likeliest first; ``changed`` is the total variation distance.
        colour: of the bars before.
        alt: one sentence for a screen reader.
        hidden: the word whose last token is hidden from the model.

    Returns:
        Whether the space bar has asked for another order just now.
    """
    answer = component("word_shuffle")(
        key=key,
        data={
            "words": list(words),
            "order": list(order),
            "panels": list(panels),
            "colour": colour,
            "alt": alt,
            "hidden": hidden,
            "says": {
                "before": t("in order"),
                "after": t("shuffled"),
                "changed": t("{share} changed"),
            },
        },
        on_again_change=nothing,
    )
    return answer.again is not None
