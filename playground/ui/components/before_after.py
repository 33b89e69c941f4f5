"""What a model says before and after a change: the likeliest tokens as pairs of bars, and what it writes."""

from collections.abc import Sequence

from playground.ui.colours import ACCENT, SPARE
from playground.ui.components import component
from playground.ui.language import t


def before_after(
    key: str,
    title: str,
    tokens: Sequence[str],
    before: Sequence[float],
    after: Sequence[float] | None,
    written: tuple[str, str] | None = None,
    writing: str = "",
) -> None:
    """Draws it.

    Args:
        key: of the component.
        title: what is told, in some words.
        tokens: as ``Tokenizer.pieces`` gives them.
        before, after: their probabilities; None where nothing is changed.
        written: what the model writes on, before and after the change.
        writing: what is said as long as it writes.
    """
    component("before_after")(
        key=key,
        data={
            "title": title,
            "rows": [
                {"text": text, "before": float(p), "after": None if after is None else float(after[i])}
                for i, (text, p) in enumerate(zip(tokens, before, strict=True))
            ],
            "changed": after is not None,
            "written": list(written) if written else None,
            "writing": writing,
            "colours": {"before": SPARE[5], "after": ACCENT},
            "words": {"before": t("before"), "after": t("changed"), "writes": t("It writes on")},
        },
    )
