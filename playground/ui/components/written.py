"""What a model wrote while it learned, large: the newest sample on top, the former ones fading below."""

from collections.abc import Sequence
from typing import Any

from playground.ui.components import component
from playground.ui.language import t

MOST = 12
"""Samples that are shown below one another."""


def written(key: str, samples: Sequence[dict[str, Any]], colour: str, title: str = "") -> None:
    """Draws the samples; they follow the cursor of the curves on the same page.

    Args:
        samples: lines of ``samples.jsonl``, the oldest first.
        colour: of the run.
        title: what stands above, translated, where that is something else than what a model writes.
    """
    component("written", "plot", "sample_body")(
        key=key,
        data={
            "samples": [
                {**sample, "said": "" if title else t("step {step:,}", step=sample["step"])} for sample in samples
            ],
            "colour": colour,
            "most": MOST,
            "words": {
                "title": title or t("What it writes"),
                "truth": t("the text says"),
                "none": t("Its first text comes with the first step …"),
            },
        },
    )
