"""Size against quality: each precision as a point, or its size alone as a bar where nothing was measured."""

import math
from collections.abc import Mapping
from typing import Any

from playground.ui.colours import SPARE
from playground.ui.figure import figure
from playground.ui.language import t
from playground.ui.number_format import bytes_of
from playground.ui.stage import Stage

LETTERS = 16
"""Of the words at a point or a bar, in pixels; more before a room."""
LEAST_SPAN = 0.04
"""Of an axis of shares: less than four points of it would make noise look like a difference."""
LEAST_FACTOR = 1.06
"""Between the ends of an axis of perplexity, for the same reason."""


def draw_sizes(sizes: Mapping[str, float], place: Stage, estimate: bool = False) -> None:
    """The sizes as bars.

    Args:
        sizes: bytes by precision.
        estimate: they are reckoned, not measured; drawn hatched.
    """
    import pandas as pd
    import plotly.graph_objects as go

    names = list(sizes)[::-1]
    told = [("≈ " if estimate else "") + bytes_of(sizes[name]) for name in names]
    pattern = {"shape": "/", "fgcolor": SPARE[0], "bgcolor": "rgba(128,128,128,.12)"} if estimate else {}
    fig = go.Figure()
    fig.add_bar(
        x=[sizes[name] / 1e6 for name in names],
        y=names,
        orientation="h",
        text=told,
        textposition="outside",
        textfont={"size": LETTERS},
        cliponaxis=False,
        marker={"color": SPARE[0], "pattern": pattern},
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    title = t("Estimated size (MB)") if estimate else t("Size (MB)")
    fig.update_xaxes(title=title, range=[0, 1.15 * max(sizes.values()) / 1e6])
    fig.update_layout(showlegend=False, bargap=0.45, margin={"t": 10, "r": 30})
    table = pd.DataFrame({t("Weights"): list(sizes), t("Size"): [round(size) for size in sizes.values()]})
    key = "export.estimate" if estimate else "export.sizes.bars"
    figure(fig, key, title, table=table, place=place, say=False)


def draw_costs(sizes: Mapping[str, float], costs: Mapping[str, Any], place: Stage, caption: str) -> None:
    """Each precision at its size and its quality: accuracy of answers or labels, else the perplexity of the text.

    Args:
        sizes: bytes by precision.
        costs: results by precision, of `onnx_export.precision_eval`.
        caption: what it was measured on, for those who hear the page.
    """
    import pandas as pd
    import plotly.graph_objects as go

    rated = costs["fp32"].right is not None
    quality = {name: each.right if rated else math.exp(each.loss) for name, each in costs.items()}
    said = {name: f"{value:.1%}" if rated else f"{value:.3g}" for name, value in quality.items()}
    fig = go.Figure()
    fig.add_scatter(
        x=[sizes[name] / 1e6 for name in quality],
        y=list(quality.values()),
        mode="markers+text",
        text=[f"{name}  {bytes_of(sizes[name])} · {said[name]}" for name in quality],
        textposition=positions(sizes, list(quality)),
        textfont={"size": LETTERS},
        cliponaxis=False,
        marker={"size": 20, "color": SPARE[0]},
        hovertemplate="%{text}<extra></extra>",
    )
    fig.update_xaxes(title=t("Size (MB)"), range=[0, 1.12 * max(sizes.values()) / 1e6])
    fig.update_yaxes(title=title_of(rated), tickformat=".1%" if rated else ".3g", range=span_of(quality, rated))
    fig.update_layout(showlegend=False, margin={"t": 30, "r": 30})
    table = pd.DataFrame(
        {"precision": list(quality), "bytes": [sizes[n] for n in quality], "quality": quality.values()}
    )
    figure(fig, "export.costs", caption, table=table, place=place, say=False)


def title_of(rated: bool) -> str:
    """What the upright axis measures, and which way is better."""
    return (
        t("Accuracy on held-out texts (up is better)") if rated else t("Perplexity of held-out text (down is better)")
    )


def span_of(quality: Mapping[str, float], rated: bool) -> list[float]:
    """The ends of the upright axis: no share above all, and no difference that is none."""
    low, high = min(quality.values()), max(quality.values())
    if not rated:
        grown = max(1.0, math.sqrt(LEAST_FACTOR * low / high))
        room = 0.25 * (high * grown - low / grown)
        return [low / grown - room, high * grown + room]
    room = max(0.3 * (high - low), (LEAST_SPAN - (high - low)) / 2)
    return [max(0.0, low - room), min(1.0 + 0.2 * room, high + room)]


def positions(sizes: Mapping[str, float], names: list[str]) -> list[str]:
    """Where the words of each point stand: not beyond the edge, and not on those of a point of the same size."""
    most, found = max(sizes.values()), []
    for place, name in enumerate(names):
        side = "left" if sizes[name] > 0.75 * most else "right" if sizes[name] < 0.25 * most else "center"
        taken = any(abs(sizes[other] - sizes[name]) < 0.08 * most for other in names[:place])
        found.append(f"{'bottom' if taken else 'top'} {side}")
    return found
