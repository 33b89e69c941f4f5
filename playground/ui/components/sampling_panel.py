"""The sliders of sampling: what they say is seen at once in a `writer` on the same page."""

from collections.abc import Callable

from playground.ui.components import component, nothing
from playground.ui.language import t


def sampling_panel(
    key: str, given: str, sampling: dict[str, float], on_change: Callable[[], None] = nothing
) -> dict[str, float]:
    """Draws the sliders and returns what they stand at.

    Args:
        key: of the component.
        given: what they are for; another one than last time puts the sliders to ``sampling``.
        sampling: what they stand at first, a value for each field of `playground.inference.sampling.Sampling`.
        on_change: called when a slider was moved and let go, before the page runs again.
    """
    answer = component("sampling_panel")(
        key=key,
        data={"given": given, "sampling": sampling, "words": words()},
        default={"sampling": None},
        on_sampling_change=on_change,
    )
    set_ = answer.sampling
    return {**sampling, **set_["values"]} if set_ and set_["given"] == given else sampling


def words() -> dict[str, str]:
    return {
        "off": t("off"),
        "greedy": t("greedy"),
        "temperature": t("Temperature"),
        "top_k": t("Top-k"),
        "top_p": t("Top-p"),
        "min_p": t("Min-p"),
        "repetition_penalty": t("Repetition penalty"),
        "temperature_help": t(
            "Divides the logits. Below 1, likely tokens become more likely; above 1, unlikely ones do; 0 is greedy."
        ),
        "top_k_help": t("Keeps only the k most likely tokens."),
        "top_p_help": t("Keeps the most likely tokens whose probabilities add up to this value (nucleus sampling)."),
        "min_p_help": t("Keeps tokens whose probability is at least this fraction of the highest."),
        "repetition_penalty_help": t("Makes tokens that already occur in the text less likely."),
    }
