"""Words of strangers where the app writes them itself: on one line of Markdown, and in plotly's charts."""

import plotly.graph_objects as go
import pytest

from playground.ui.figure import literal
from playground.ui.messages import plain


@pytest.mark.parametrize("part", [" ", "\n", "www.", "<- ", "`", "\t\x00"])
def test_any_length_takes_its_time_alone(part):
    assert "\n" not in plain(part * 100_000)


def test_a_text_is_one_line():
    assert plain("a\n\n  # b\r\n\x85c\u2028") == r"a \# b c" and plain("") == "" and plain("\n") == ""


def test_a_chart_writes_tokens_as_they_are():
    """Plotly reads <b>, <br> and <a href> into names, labels and hovers; an entity is written as its character."""
    evil, safe = "<a href='javascript:x'>&amp;", "&lt;a href='javascript:x'&gt;&amp;amp;"
    fig = go.Figure(
        [
            go.Bar(x=[1, 2], y=[evil, "b"], name=evil, customdata=[evil, 3], hovertemplate="<b>%{y}</b>"),
            go.Scatter(x=[1.5, 2.5], y=[None, 1], text=[evil, None]),
        ]
    )
    fig.update_xaxes(ticktext=[evil], tickvals=[1])
    bar, line = literal(fig).data
    assert (bar.y[0], bar.name, bar.customdata[0], line.text[0]) == (safe,) * 4 and fig.layout.xaxis.ticktext[0] == safe
    assert list(bar.x) == [1, 2] and bar.customdata[1] == 3 and list(line.y) == [None, 1] and line.text[1] is None
    assert bar.hovertemplate == "<b>%{y}</b>"
