"""A chart with what belongs to it: a sentence on what to notice, and its numbers to take away."""

import io
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import streamlit as st

from playground.ui.components.save_chart import save_chart
from playground.ui.frame import presenting
from playground.ui.language import t
from playground.ui.messages import plain

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from playground.ui.stage import Stage

LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
"""Above the chart, which makes room for as many lines as it takes."""
LETTERS, PRESENTED = 13, 20
"""Size of letters in pixels, and before a room."""
LEAST_MARGIN = {"l": 10, "r": 10, "t": 30, "b": 10}
"""Of a figure that asks for none; the words of the axes are added to it."""


def graph_objects() -> Any:
    """plotly's ``go``. It looks for pandas among what is imported, and would take one that another thread has half imported."""
    import pandas  # noqa: F401
    import plotly.graph_objects as go

    return go


def figure(
    fig: Any,
    key: str,
    caption: str,
    data: "Mapping[str, np.ndarray] | None" = None,
    table: "pd.DataFrame | None" = None,
    height: int | None = None,
    place: "Stage | None" = None,
    say: bool = True,
) -> None:
    """A plotly figure, its caption, and one menu at its corner: PNG, SVG and its numbers.

    In a stage, ``with place.picture: figure(…, place=place)``: it stands in the current container, which is the picture,
    a `playground.ui.stage.part` or a column of it, and fills that; its caption becomes the notice. Elsewhere it is as
    high as ``height`` says, with the caption over it.

    Args:
        fig: with axis titles and a hover that explains.
        key: "explore.<view>.<name>".
        caption: one translated sentence on what to notice; at most 220 characters in a stage.
        data: arrays by name, for the .npz.
        table: for the .csv.
        height: in pixels, outside a stage.
        place: the stage whose picture it is part of.
        say: whether the caption becomes the notice; False where the page says another one.
    """
    for axis in (*fig.select_xaxes(), *fig.select_yaxes()):
        if axis.exponentformat is None:  # else plotly writes 0.00015 as "150µ"
            axis.exponentformat = "power" if axis.type == "log" else "none"
    letters(fig, PRESENTED if presenting() else LETTERS)
    if presenting():
        whole_decades(fig)
    if place and say:
        place.say(caption)
    with st.container(key=f"figure-{'stage' if place else 'page'}-{key}"):
        if not place:
            st.markdown(plain(caption))  # it may name tokens and runs
        fig.update_layout(height=None if place else height, autosize=True)
        config = {"displaylogo": False, "modeBarButtonsToRemove": ["toImage"], "scrollZoom": False, "responsive": True}
        st.plotly_chart(literal(fig), key=key, config=config, alt=caption, height="stretch" if place else "content")
        _menu(key, data, table)


def _menu(key: str, data: "Mapping[str, np.ndarray] | None", table: "pd.DataFrame | None") -> None:
    """All that can be taken away of a figure."""
    name = _file_name(key)
    with (
        st.container(key=f"figure-menu-{key}", width="content"),
        st.popover(t("Save"), icon=":material/download:", type="tertiary", key=f"{name}.data", width="content"),
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            save_chart(key, name)
            _files(name, data, table)
        if table is not None or data is not None:
            st.caption(t("NPZ opens with numpy.load, CSV with any spreadsheet."))


def _file_name(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")


def letters(fig: Any, size: int) -> None:
    """Gives every word of a figure at least this size, and its margins what the words need.

    Args:
        fig: changed in place.
        size: in pixels.
    """
    fig.update_layout(font_size=size, hoverlabel_font_size=size, legend_font_size=size, title_font_size=size + 2)
    fig.update_xaxes(tickfont_size=size, title_font_size=size, automargin=True)
    fig.update_yaxes(tickfont_size=size, title_font_size=size, automargin=True)
    fig.update_annotations(font_size=size)
    fig.update_coloraxes(colorbar_tickfont_size=size, colorbar_title_font_size=size)
    fig.update_polars(radialaxis_tickfont_size=size, angularaxis_tickfont_size=size)
    for trace in fig.data:
        if "colorbar" in trace and trace.colorbar:
            trace.update(colorbar={"tickfont_size": size, "title_font_size": size})
        for name in ("textfont", "insidetextfont", "outsidetextfont"):
            if name in trace and getattr(trace, name).size and getattr(trace, name).size < size:
                trace.update({name: {"size": size}})
    asked, grown = fig.layout.margin, size / LETTERS
    fits_itself = any(True for _ in fig.select_xaxes())  # with `automargin`, what stands at its axes asks for its room
    most = {side: LEAST_MARGIN[side] if fits_itself and side in "lb" else 1000 for side in LEAST_MARGIN}
    fig.layout.margin = {
        side: min(most[side], round((asked[side] or least) * grown)) for side, least in LEAST_MARGIN.items()
    }


def whole_decades(fig: Any) -> None:
    """Logarithmic axes with their powers of ten alone, written out: plotly sets the digits between, and exponents, small.

    Args:
        fig: changed in place.
    """
    import numpy as np

    for axis in (*fig.select_xaxes(), *fig.select_yaxes()):
        if axis.type != "log":
            continue
        side, name = axis.plotly_name[0], axis.plotly_name.replace("axis", "")
        its = [trace for trace in fig.data if (getattr(trace, f"{side}axis", None) or side) == name]
        told = [getattr(trace, side, None) for trace in its]
        values = np.concatenate([np.asarray(each, float).ravel() for each in told if each is not None] or [np.ones(1)])
        values = values[values > 0]
        decades = np.log10(values.max() / values.min()) if values.size else 0
        axis.exponentformat = "none"
        if decades >= 1:
            axis.dtick = max(1, round(decades / 6))


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
        _files(name, data, table)
        st.caption(t("NPZ opens with numpy.load, CSV with any spreadsheet."))


def _files(name: str, data: "Mapping[str, np.ndarray] | None", table: "pd.DataFrame | None") -> None:
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


def packed(data: "Mapping[str, np.ndarray]") -> bytes:
    """Arrays as the bytes of an .npz file; nothing in it is pickled."""
    import numpy as np

    held = io.BytesIO()
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in data.items()}
    np.savez_compressed(held, **arrays)
    return held.getvalue()
