"""Buttons that save a chart of the page as a picture."""

import re

from playground.ui.components import component


def save_chart(key: str, file: str) -> None:
    """Draws PNG and SVG buttons for a plotly chart.

    Args:
        key: of the chart.
        file: the file's name, without what follows the dot.
    """
    chart = re.sub(r"[^a-zA-Z0-9_-]", "-", key.strip())  # as Streamlit makes a CSS class of it
    component("save_chart", "save")(key=f"{key}.save", data={"chart": chart, "file": file}, width=120)
