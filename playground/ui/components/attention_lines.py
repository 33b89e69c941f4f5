"""One head as lines from the tokens that look to those looked at (BertViz's head view, Vig 2019)."""

import base64
from collections.abc import Sequence
from typing import Any

from playground.ui.components import component
from playground.ui.language import t


def attention_lines(weights: Any, key: str, queries: Sequence[str], keys: Sequence[str], colour: str, alt: str) -> None:
    """Draws them. Pointing at a token leaves its lines alone; clicks keep several and add them up, until Esc.

    Args:
        weights: ``[queries, keys]``; NaN where a query may not look.
        queries, keys: tokens.
        alt: one sentence for a screen reader.
    """
    import numpy as np

    values = np.ascontiguousarray(np.asarray(weights, dtype=np.float32))
    component("attention_lines", "plot", "save")(
        key=key,
        data={
            "values": base64.b64encode(values.tobytes()).decode(),
            "queries": list(queries),
            "keys": list(keys),
            "colour": colour,
            "alt": alt,
            "file": key.replace(".", "-"),
            "words": {
                "query": t("attends"),
                "key": t("is attended to"),
                "sum": t("added up over {n} tokens"),
                "closed": t("causal mask: it cannot attend to later tokens"),
                "hint": t("Point at a token to see only its lines; a click keeps them, Esc lets go."),
            },
        },
    )
