"""A chart with what belongs to it: a sentence on what to notice, and its numbers to take away."""

import io
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from playground.ui.components.save_chart import save_chart
from playground.ui.language import t
from playground.ui.messages import plain

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
"""Above the chart, which makes room for as many lines as it takes."""


def figure(
    fig: Any,
    key: str,
    caption: str,
    data: "Mapping[str, np.ndarray] | None" = None,
    table: "pd.DataFrame | None" = None,
    height: int | None = None,
) -> None:
    """A plotly figure, its caption, and its data to download.

    Args:
        fig: with axis titles and a hover that explains.
        key: "explore.<view>.<name>".
        caption: one translated sentence on what to notice.
        data: arrays by name, for the .npz.
        table: for the .csv.
    """
    for axis in (*fig.select_xaxes(), *fig.select_yaxes()):
        if axis.exponentformat is None:  # else plotly writes 0.00015 as "150µ"
            axis.exponentformat = "power" if axis.type == "log" else "none"
    if height:
        fig.update_layout(height=height)
    name = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
    config = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], "scrollZoom": False}
    st.plotly_chart(literal(fig), key=key, config=config, alt=caption)
    st.caption(plain(caption))  # it may name tokens and runs
    with st.container(horizontal=True, vertical_alignment="center"):
        save_chart(key, name)
        downloads(name, data, table)


def literal(fig: Any) -> Any:
    """The figure with its tokens and names as they are written: plotly reads bold, links and line breaks into them.

    What the hover's template, titles and axes say is the app's own.
    """
    for trace in fig.data:
        for name in ("name", "text", "x", "y", "customdata"):
            told = getattr(trace, name, None)
            if isinstance(told, str):
                trace[name] = escape(told, quote=False)
            elif isinstance(told, Iterable) and any(isinstance(each, str) for each in told):
                trace[name] = [escape(each, quote=False) if isinstance(each, str) else each for each in told]
    for axis in (*fig.select_xaxes(), *fig.select_yaxes()):
        if axis.ticktext is not None:
            axis.ticktext = [escape(str(each), quote=False) for each in axis.ticktext]
    return fig


def downloads(name: str, data: "Mapping[str, np.ndarray] | None" = None, table: "pd.DataFrame | None" = None) -> None:
    """A button that opens the ways to take numbers away; made only when somebody asks for them.

    Args:
        name: of the files, and of the widgets.
        data: arrays by name, for the .npz.
        table: for the .csv.
    """
    if data is None and table is None:
        return
    with st.popover(t("Data"), icon=":material/download:", key=f"{name}.data", width="content"):
        if table is not None:
            st.download_button(
                "CSV",
                lambda: table.to_csv(index=False).encode(),
                f"{name}.csv",
                "text/csv",
                key=f"{name}.csv",
                on_click="ignore",
            )
        if data is not None:
            st.download_button(
                "NPZ",
                lambda: packed(data),
                f"{name}.npz",
                "application/octet-stream",
                key=f"{name}.npz",
                on_click="ignore",
            )
        st.caption(t("NPZ opens with numpy.load, CSV with any spreadsheet."))


def packed(data: "Mapping[str, np.ndarray]") -> bytes:
    """Arrays as the bytes of an .npz file; nothing in it is pickled."""
    import numpy as np

    held = io.BytesIO()
    np.savez_compressed(held, **{name: np.asarray(value) for name, value in data.items()})
    return held.getvalue()
