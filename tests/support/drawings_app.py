"""One drawing on a stage, by ``?draw=``, without a model or a run: for tests of what a drawing does with its place."""

import numpy as np
import pandas as pd
import streamlit as st

from models.presets import PRESETS
from playground.ui import links
from playground.ui.components.architecture import architecture
from playground.ui.components.bars import bars
from playground.ui.components.curves import Series, curves, run_panels
from playground.ui.components.next_token import next_token
from playground.ui.components.race_bars import race_bars
from playground.ui.diagram import draw
from playground.ui.figure import LEGEND, figure
from playground.ui.frame import frame
from playground.ui.stage import Stage, part, stage

COLOUR = "#888844"


def chart(name: str, place: Stage, say: bool = True) -> None:
    import plotly.graph_objects as go

    x = np.arange(50)
    fig = go.Figure([go.Scatter(x=x, y=np.sin(x / (3 + i)), name=f"layer {i}") for i in range(3)])
    fig.update_layout(legend=LEGEND, margin={"l": 60, "r": 10, "t": 30, "b": 50})
    fig.update_xaxes(title="position").update_yaxes(title="loss (nats per token)")
    table = pd.DataFrame({"x": x})
    figure(fig, name, "Each layer has its own rhythm.", {"x": x}, table, place=place, say=say)


def charts(place: Stage) -> None:
    with part("above", 55):
        chart("drawn.above", place)
    with part("below", 45):
        left, right = st.columns(2)
        with left:
            chart("drawn.left", place, say=False)
        with right:
            chart("drawn.right", place, say=False)


def losses(n: int) -> None:
    steps = np.arange(1, 101) * 10
    series = []
    for i in range(n):
        loss = 1.2 + 0.3 * i + 4 * np.exp(-steps / 200)
        table = {"step": steps, "tokens": steps * 4096, "seconds": steps / 3}
        train, held_out = table | {"loss": loss}, {name: values[::10] for name, values in table.items()}
        series.append(
            Series(
                f"run{i}",
                f"Model {i} reads a long book",
                COLOUR,
                i == 0,
                "",
                {name: values.tolist() for name, values in train.items()},
                {name: values.tolist() for name, values in (held_out | {"val_loss": loss[::10] + 0.3}).items()},
            )
        )
    curves(f"drawn.curves{n}", series, run_panels()[:1], "The loss falls.", until=1200)


def expected() -> None:
    options = [{"text": f" w{i}", "piece": f" word{i}", "p": 0.4 / (i + 1)} for i in range(10)]
    next_token("drawn.next", "The king said", "The king said", options, COLOUR, "Greedy.")


def groups() -> None:
    rows = [{"text": f" word{i}", "p": 0.4 / (i + 1), "mark": i == 2} for i in range(8)]
    bars("drawn.bars", [{"title": f"place {i}", "note": "p = 0.3", "rows": rows} for i in range(3)], COLOUR, "Click")


def race() -> None:
    rows = [{"name": f"model {i}", "value": i + 1, "told": f"{i} tokens/s", "colour": COLOUR} for i in range(3)]
    race_bars(rows, "drawn.race", 3, "Speed")


def model(preset: str) -> None:
    spec = PRESETS[preset].spec.replace(vocab_size=4096)
    figures = [("Parameters", "1.2 M", "1.0 M without embeddings"), ("Memory", "5 MB", "float32")]
    shares = [("Embedding", "embedding", 30_000), ("MLP", "mlp", 90_000)]
    architecture(draw(spec), COLOUR, figures, shares, "drawn.model")


DRAWINGS = {
    "chart": lambda place: chart("drawn.chart", place),
    "charts": charts,
    "curve": lambda _: losses(1),
    "curves": lambda _: losses(3),
    "next": lambda _: expected(),
    "bars": lambda _: groups(),
    "race": lambda _: race(),
    **{preset: lambda _, preset=preset: model(preset) for preset in ("gpt2-tiny", "lstm-small", "seq2seq-tiny")},
}


def visit() -> None:
    """The page."""
    st.set_page_config(page_title="Drawings", layout="wide")
    links.register({})
    frame("home")
    with st.container(key="page"):
        place = stage()
        with place.command:
            st.button("Train", type="primary")
        with place.drawer:
            st.slider("Temperature", 0, 1)
        with place.picture:
            DRAWINGS[st.query_params.get("draw", "chart")](place)


if __name__ == "__main__":
    visit()
