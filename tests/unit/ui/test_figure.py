"""A chart's letters and margins, for the page and for a room."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from playground.ui.figure import LETTERS, PRESENTED, letters, literal, whole_decades


def drawn(**layout: Any) -> Any:
    fig: Any = go.Figure(go.Scatter(x=[1, 2, 3], y=[1, 10, 1000], name="<b>token</b>"))
    fig.update_xaxes(title="position").update_yaxes(title="loss", type="log").update_layout(**layout)
    fig.add_annotation(text="end of the context", x=2, y=1)
    return fig


@pytest.mark.parametrize("size", [LETTERS, PRESENTED])
def test_no_letters_are_smaller_than_asked(size):
    fig = drawn(legend={"font": {"size": 8}})
    letters(fig, size)
    sizes = [fig.layout.font, fig.layout.legend.font, fig.layout.hoverlabel.font, fig.layout.annotations[0].font]
    sizes += [font for axis in (fig.layout.xaxis, fig.layout.yaxis) for font in (axis.tickfont, axis.title.font)]
    assert {font.size for font in sizes} == {size}


def test_axes_make_their_own_room_and_a_title_keeps_what_it_asks_for():
    fig = drawn(margin={"l": 60, "b": 150, "t": 40, "r": 10})
    letters(fig, PRESENTED)
    margin = fig.layout.margin
    assert margin.l <= 10 and margin.b <= 10 and margin.t == round(40 * PRESENTED / LETTERS)
    assert fig.layout.xaxis.automargin and fig.layout.yaxis.automargin


def test_a_logarithmic_axis_before_a_room_shows_powers_of_ten_alone():
    fig = drawn()
    whole_decades(fig)
    assert fig.layout.yaxis.dtick == 1 and fig.layout.yaxis.exponentformat == "none"
    fig.data[0].y = np.geomspace(1e-9, 1e9, 20)
    whole_decades(fig)
    assert fig.layout.yaxis.dtick == 3
    narrow: Any = go.Figure(go.Scatter(y=[1.0, 2.0])).update_yaxes(type="log")
    whole_decades(narrow)
    assert narrow.layout.yaxis.dtick is None


def test_names_are_shown_as_they_are_written():
    assert literal(drawn()).data[0].name == "&lt;b&gt;token&lt;/b&gt;"
