"""Attention weights of a run on a text, and the names of their parts."""

from typing import Any

import streamlit as st

from playground.runs.folder import RunFolder
from playground.ui import cached
from playground.ui.language import t

PART_NAMES = {"self": "Self", "cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}


@st.cache_resource(max_entries=12, show_spinner=False)
def weights_on(path: str, step: int | None, ids: tuple[int, ...], source: tuple[int, ...] | None) -> dict[str, Any]:
    """Every head's weights on tokens, part by part; by ONNX Runtime where the step is exported with them."""
    from playground.inspection.attention import attention_weights

    if session := cached.attention_session(RunFolder(path), step):
        return session.weights(ids, source)
    return attention_weights(cached.model(RunFolder(path), step), ids, source)


def on_paper(weights: Any, part: str, causal: bool) -> Any:
    """The weights ``[..., queries, keys]`` as they are drawn: NaN where a query may not look."""
    import numpy as np

    from playground.inspection.attention import may_look

    return np.where(may_look(part, causal, *weights.shape[-2:]), weights, np.nan)


def sides(part: str, text: list[str], source: list[str]) -> tuple[list[str], list[str]]:
    """What looks, and what is looked at: of a text, and of the source that it is written from."""
    return source if part == "encoder" else text, text if part in ("self", "decoder") else source


def title_of(way: str, head: tuple[int, int]) -> str:
    layer, number = head
    return {
        "head": t("Layer {layer}, head {head}", layer=layer, head=number),
        "mean": t("Layer {layer}, mean of its heads", layer=layer),
        "max": t("Layer {layer}, largest of its heads", layer=layer),
        "rollout": t("Rollout from the input to layer {layer}", layer=layer),
    }[way]
