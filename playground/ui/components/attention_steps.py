"""One query's attention on one screen: a row per key, a column per step, and arrows from each to the next."""

from collections.abc import Callable, Sequence
from typing import Any

from playground.ui.colours import diverging
from playground.ui.components import component, nothing
from playground.ui.language import t

MOST_KEYS = 16
"""Rows that are sent; the drawing shows as many of the heaviest as its height has room for, and sums up the others."""
LARGE = 20.0
"""Scores beyond it are written less the largest one: exp of them would fill the line."""


def attention_steps(
    steps: Any,
    key: str,
    queries: Sequence[str],
    keys: Sequence[str],
    query: int,
    colour: str,
    alt: str,
    itself: bool = True,
    heads: int = 0,
    made_up: bool = False,
    on_asked: Callable[[], None] = nothing,
) -> None:
    """Draws q·k → ÷√d → mask → softmax → × v → z of one query; pointing at a number tells its formula.

    Args:
        steps: a `playground.inspection.attention_steps.HeadSteps`.
        key: of the component, which holds what was asked for as ``asked``: ``{"query": int}`` or ``{"head": int}``.
        queries, keys: tokens of all queries, and of all keys.
        query: whose steps they are.
        colour: of the bars.
        alt: one sentence for a screen reader.
        itself: the queries are those of the keys' own tokens.
        heads: how many there are, for the keys 1 to 9 to choose one.
        made_up: the numbers are those of the worked example.
        on_asked: called back when another query or head was asked for.
    """
    component("attention_steps", "plot", "ramp", "save")(
        key=key,
        data={
            **told(steps, keys, query),
            "queries": list(queries),
            "query": query,
            "asksOwn": itself,
            "heads": heads,
            "colour": colour,
            "scale": diverging(),
            "alt": alt,
            "file": key.replace(".", "-"),
            "digits": 2 if made_up else 3,
            "words": words(),
        },
        on_asked_change=on_asked,
    )


def told(steps: Any, keys: Sequence[str], query: int) -> dict[str, Any]:
    """The numbers of a query: of its heaviest keys, those that it may not look at last."""
    import numpy as np

    order = np.lexsort((np.abs(np.arange(len(keys)) - query), -steps.weights))[:MOST_KEYS]
    shift = float(steps.scaled[steps.allowed].max())
    shift = shift if abs(shift) > LARGE else 0.0
    rows = [
        {
            "place": int(j),
            "token": keys[j],
            "rank": rank,
            "k": steps.k[j].tolist(),
            "v": steps.v[j].tolist(),
            "product": float(steps.products[j]),
            "bias": None if steps.bias is None else float(steps.bias[j]),
            "scaled": float(steps.scaled[j]),
            "allowed": bool(steps.allowed[j]),
            "weight": float(steps.weights[j]),
            "part": steps.parts[j].tolist(),
        }
        for rank, j in enumerate(order)
    ]
    return {
        "rows": sorted(rows, key=lambda row: row["place"]),
        "n": len(keys),
        "hidden": int((~steps.allowed).sum()),
        "q": steps.q.tolist(),
        "z": steps.mixed.tolist(),
        "scaling": steps.scale != 1,
        "shift": shift,
        "total": float(np.exp(steps.scaled[steps.allowed] - shift).sum()),
    }


def words() -> dict[str, Any]:
    """What the drawing says."""
    return {
        "play": t("Play the steps"),
        "stop": t("Show all steps"),
        "query": t("query"),
        "key": t("key"),
        "mask": t("mask"),
        "open": t("none hidden"),
        "later": t("later: −∞"),
        "numbers": t("{n} numbers"),
        "more": t("+ {n} more"),
        "unscaled": t("not divided"),
        "hint": t("Point at a number to see how it was computed. Click a token to make it the query."),
        "masked": t("“{token}” comes later: its score becomes −∞, its weight exp(−∞) = 0"),
        "seen": t("“{token}” may be seen: its score stays {score}"),
        "steps": [
            t("1. The query of “{token}” times the key of each token: how well do they match?"),
            t("2. Divided by √{d}, so that the scores do not grow with the number of channels."),
            t("3. The mask: what comes after the query must not be seen."),
            t("4. Softmax: scores become weights that add up to 1. “{most}” gets {weight}."),
            t("5. Each value times its weight, added up: z, what this head hands on."),
        ],
        "unmasked": t("3. The mask: nothing is hidden from this query, every score stays."),
        "undivided": t("2. Not divided by √{d}: with many channels, one key would take nearly all the weight."),
    }
