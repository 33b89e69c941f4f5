"""Moments of training: what the model wrote at each step, how sure it was of each token of one passage."""

from collections.abc import Mapping, Sequence
from typing import Any

from playground.ui.components import component
from playground.ui.language import t


def moments(
    key: str,
    samples: Sequence[dict[str, Any]],
    tokens: Sequence[str],
    probe: dict[str, Any],
    colour: str,
    words: Mapping[str, str] | None = None,
) -> None:
    """Draws both; they follow the cursor of the curves on the same page, and move it.

    Args:
        words: what is said otherwise than usual, by the names below, translated.
        samples: lines of ``samples.jsonl``.
        tokens: the probed passage; ``probe``: ``{"step": […], "rows": [[probability of each token] …]}``.
    """
    component("moments", "plot", "sample_body")(
        key=key,
        data={
            "samples": list(samples),
            "probe": {"tokens": list(tokens), **probe} if tokens and probe.get("rows") else None,
            "colour": colour,
            "words": {
                "samples": t("What it writes"),
                "step": t("step"),
                "step_title": t("optimizer step"),
                "truth": t("the text says"),
                "probe": t("When it learned each token"),
                "probe_hint": t(
                    "A held-out passage. The stronger the colour of a token, the higher its probability. Point at a token to see when it was learned."
                ),
                "mean": t("Mean of all tokens"),
                **(words or {}),
            },
        },
    )
