"""Gates and states of a recurrent model: over time, unit by unit, and how long they remember."""

from typing import Any

import streamlit as st

from models.hyperparameters import RECURRENT
from playground.pages.explore.url_widgets import choose, number, several, switch
from playground.runs.folder import RunFolder
from playground.text.visible import visible
from playground.ui import cached, url_state
from playground.ui.colours import ABOVE, ARCHITECTURE, BELOW
from playground.ui.components.heatmap import heatmap
from playground.ui.components.token_strip import brushed_strip, token_strip
from playground.ui.figure import LEGEND, downloads, figure
from playground.ui.held_out import windows_of
from playground.ui.language import t
from playground.ui.messages import empty, plain
from playground.ui.run_picker import known_runs, name_of, speaks
from playground.ui.scene import Scene, only_labels
from playground.ui.stage import Stage
from playground.ui.titles import TITLES

VIEW = "explore.recurrent"
ASPECTS = {
    "states": "Over time",
    "find": "Find maximal activations",
    "memory": "How long it remembers",
    "gradient": "Vanishing gradient",
}
SIGNALS = {
    "hidden": "hidden state",
    "cell": "cell",
    "gates.input": "input gate",
    "gates.forget": "forget gate",
    "gates.cell": "cell candidate",
    "gates.output": "output gate",
    "gates.update": "update gate",
    "gates.reset": "reset gate",
    "gates.candidate": "candidate",
}
ORDERS = {"selectivity": "selectivity", "spread": "variance", "number": "number"}
SAMPLE = 96  # windows of held-out text that are searched


def show(scene: Scene, place: Stage) -> None:
    with place.rest:
        show_all(scene)


def show_all(scene: Scene) -> None:
    if not scene.is_recurrent:
        empty(
            t("This model has no gates"),
            t(
                "A transformer attends to all tokens at every step: see Attention. Choose an RNN, LSTM or GRU above to see states."
            ),
        )
        return
    look = choose(VIEW, "look", t("What to look at"), ASPECTS, box=False, hidden=True)
    if scene.gives_labels and look in (
        "find",
        "gradient",
    ):  # the text that it learnt its language from is another run's
        only_labels()
        return
    {"states": over_time, "find": find, "memory": memory, "gradient": gradient}[look](scene)
    st.caption(scene.said())


def traced(scene: Scene) -> dict[str, Any]:
    return _traced(str(scene.run.path), scene.step, tuple(scene.ids()))


@st.cache_resource(max_entries=16, show_spinner=False)
def _traced(path: str, step: int, ids: tuple[int, ...]) -> dict[str, Any]:
    from playground.inspection.recurrence import trace

    return trace(cached.model(RunFolder(path), step), ids)


def choose_signal(scene: Scene, name: str) -> tuple[str, str]:
    """A layer and one of its gates or states: the activation's name, and what to call it."""
    found = traced(scene)
    layers = sorted({name.rsplit(".gates.", 1)[0].rsplit(".hidden", 1)[0].rsplit(".cell", 1)[0] for name in found})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = {str(i): layer.removeprefix("layers.").replace(".reverse", " ←") for i, layer in enumerate(layers)}
        layer = layers[int(choose(f"{VIEW}.{name}", "layer", t("Layer"), shown, first=str(len(layers) - 1), box=True))]
        signals = {signal: SIGNALS[signal] for signal in SIGNALS if f"{layer}.{signal}" in found}
        signal = choose(f"{VIEW}.{name}", "signal", t("What"), signals, box=False)
    return f"{layer}.{signal}", t(SIGNALS[signal])


# Over time


def over_time(scene: Scene) -> None:
    import numpy as np

    from playground.inspection.recurrence import selectivity

    name, called = choose_signal(scene, "states")
    values = traced(scene)[name]
    choosy = selectivity(values)
    order = {
        "selectivity": np.argsort(-choosy),
        "spread": np.argsort(-values.std(0)),
        "number": np.arange(values.shape[1]),
    }[(by := choose(VIEW, "order", t("Units sorted by"), ORDERS))]
    tokens = [visible(token) for token in scene.tokens()]
    unit = chosen_unit(values, order)
    gate = ".gates." in name and not name.endswith((".cell", ".candidate"))
    row = int(np.flatnonzero(order == unit)[0])
    clicked = heatmap(
        values[:, order].T,
        f"{VIEW}.map",
        [str(int(u)) for u in order],
        tokens,
        (t("unit"), t("token"), called),
        t("{called} of every unit over the text", called=called),
        span=(0.0, 1.0) if gate else None,
        diverging=not gate,
        floor=0.1,
        clickable=True,
        selected=(row, -1),
        tokens=False,
        curve=True,
    )
    if clicked:
        url_state.remember("explore", unit=int(order[clicked[0]]))
        st.rerun(scope="fragment")
    said = t(
        "Each row is a unit, each column a token. Point at a row and its curve is drawn under the tokens; click it to "
        "keep it."
    )
    st.caption(
        said
        + (
            " " + t("The most selective units (at the top) are active at few tokens only.")
            if by == "selectivity"
            else ""
        )
    )
    downloads("explore-recurrent", traced(scene))
    curve(scene, name, unit, choosy[unit])


def chosen_unit(values: Any, order: Any) -> int:
    return number("unit", values.shape[1] - 1, int(order[0]))


def curve(scene: Scene, name: str, unit: int, choosy: float) -> None:
    """One unit under the text: every gate and state of it, and the tokens coloured by the one chosen."""
    import plotly.graph_objects as go

    found, tokens = traced(scene), scene.tokens()
    layer = name.removesuffix(next(s for s in sorted(SIGNALS, key=len, reverse=True) if name.endswith("." + s)))
    values = found[name][:, unit]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(t("Unit {unit}", unit=unit), anchor=False, width="content")
        if len(tokens) > 2 and not scene.gives_labels:
            st.button(
                t("Find text with maximal activation"),
                icon=":material/search:",
                key=f"{VIEW}.seek",
                on_click=seek,
                args=(unit, int(values.argmax()), len(tokens)),
            )
    top = max(abs(values).max(), 1e-9)
    token_strip(
        [
            {
                "text": token,
                "tip": f"{value:+.3f}",
                "value": float(abs(value) / top),
                "colour": BELOW if value < 0 else ABOVE,
            }
            for token, value in zip(tokens, values, strict=True)
        ],
        key=f"{VIEW}.strip",
        clickable=False,
        tools=True,
    )
    fig = go.Figure()
    others = [signal for signal in SIGNALS if layer + signal in found and layer + signal != name]
    for signal, title in SIGNALS.items():
        if layer + signal in found:
            fig.add_scatter(
                x=list(range(len(tokens))),
                y=found[layer + signal][:, unit],
                name=t(title),
                mode="lines+markers",
                text=[visible(token) for token in tokens],
                hovertemplate="<b>%{text}</b> %{y:.3f}<extra>%{fullData.name}</extra>",
                visible=True if layer + signal == name or signal in ("hidden", "cell") else "legendonly",
            )
    fig.update_layout(margin={"l": 60, "r": 10, "t": 30, "b": 70}, legend=LEGEND)
    few = len(tokens) <= 60
    ticks = (
        {"tickmode": "array", "tickvals": list(range(len(tokens))), "ticktext": [visible(x) for x in tokens]}
        if few
        else {}
    )
    fig.update_xaxes(title=t("Token"), **ticks)
    fig.update_yaxes(title=t("Activation"))
    caption = t(
        "Unit {unit}: purple tokens are above 0, orange ones below; selectivity {choosy:.1f}.", unit=unit, choosy=choosy
    )
    if others:
        caption += " " + t("Click the legend for its other gates and states.")
    figure(fig, f"{VIEW}.curve", caption, {"values": values}, height=340)


# Find


def seek(unit: int, peak: int, n_tokens: int) -> None:
    """Goes to the search, with one unit and the token where it is highest."""
    span = peak, peak + 1
    st.session_state[f"{VIEW}.look.{'-'.join(ASPECTS)}"] = "find"
    st.session_state[f"{VIEW}.span.{n_tokens}"] = st.session_state[f"{VIEW}.units.of"] = span
    url_state.remember("explore", span=f"{span[0]}-{span[1]}", units=unit)


def find(scene: Scene) -> None:
    """Brush a span; the units high inside and low outside; where else in the run's own held-out text they are high."""
    import numpy as np
    import pandas as pd

    from playground.inspection.recurrence import contrast, passages

    name, called = choose_signal(scene, "find")
    values, tokens = traced(scene)[name], scene.tokens()
    if len(tokens) < 3:
        st.info(t("Type at least three tokens, then choose a part of them."))
        return
    start, end = span_of(tokens)
    difference = contrast(values, start, end)
    best = np.argsort(-np.abs(difference))[:8]
    if st.session_state.get(f"{VIEW}.units.of", (start, end)) != (start, end):
        url_state.remember("explore", units=None)  # they were chosen for another part
    st.session_state[f"{VIEW}.units.of"] = start, end
    units = several(
        f"{VIEW}.{name}.{start}.{end}",
        "units",
        t("Units (initially those that differ most between this part and the rest)"),
        range(values.shape[1]),
        best.tolist(),
        format_func=lambda unit: f"{unit} ({difference[unit]:+.1f}σ)",
    )
    if not units:
        st.info(t("Choose at least one unit."))
        return
    windows = windows_of(scene, SAMPLE, f"{VIEW}.search")
    if windows is None:
        return
    states = states_of(scene, windows, name)
    signs = np.sign(difference[units])
    found = passages(states, units, signs, end - start)
    for window, place, score in found:
        context(scene, windows[window], place, end - start, score)
    st.caption(
        t(
            "Passages among {n:,} held-out tokens where the mean activation of the chosen units is highest, in standard deviations above their mean. What do these passages have in common?",
            n=windows.size,
        )
    )
    said = lambda ids: "".join(scene.tokenizer().pieces(ids.tolist()))
    table = pd.DataFrame(
        [(score, window, place, said(windows[window, place : place + end - start])) for window, place, score in found],
        columns=["score", "passage", "place", "text"],
    )
    downloads("explore-recurrent-find", {"difference": difference, "units": np.array(units)}, table)


def span_of(tokens: list[str]) -> tuple[int, int]:
    """The part of the text that is chosen: drawn over with the mouse, or moved with a slider's keys; in the address."""
    n, key = len(tokens), f"{VIEW}.span.{len(tokens)}"
    said = [x for x in map(url_state.whole, url_state.text("explore", "span").split("-")) if x is not None]
    first = (n // 3, max(n // 3 + 1, 2 * n // 3))
    start, end = st.session_state.get(key, tuple(said) if len(said) == 2 and said[0] < said[1] <= n else first)
    drawn = brushed_strip(
        [{"text": token, "value": 0.6 if start <= i < end else 0.05, "tip": str(i)} for i, token in enumerate(tokens)],
        f"{VIEW}.brush",
        t("Tokens; draw over a part of them"),
    )
    if drawn and drawn != (start, end):
        url_state.remember("explore", span=f"{drawn[0]}-{drawn[1]}")
        st.session_state[key] = drawn
        st.rerun(scope="fragment")
    st.session_state[key] = start, end
    start, end = st.slider(t("The part of the text: draw over the tokens, or move these"), 0, n, key=key)
    end = max(start + 1, end) if start < n else n
    start = min(start, end - 1)
    url_state.remember("explore", span=f"{start}-{end}" if (start, end) != first else None)
    return start, end


def context(scene: Scene, ids: Any, place: int, width: int, score: float) -> None:
    """A passage with what stands around it."""
    pieces = scene.tokenizer().pieces(ids.tolist())
    before, hit, after = (
        plain("".join(part).replace("\n", " ↵ "))
        for part in (
            pieces[max(0, place - 20) : place],
            pieces[place : place + width],
            pieces[place + width : place + width + 12],
        )
    )
    st.markdown(f"`{score:+.1f}σ` … {before}:orange-background[{hit or '∅'}]{after} …")


def states_of(scene: Scene, windows: Any, name: str) -> Any:
    return _states(str(scene.run.path), scene.step, name, windows)


@st.cache_resource(max_entries=4, show_spinner=False)
def _states(path: str, step: int, name: str, windows: Any) -> Any:
    from playground.inspection.recurrence import states_along

    return states_along(cached.model(RunFolder(path), step), windows, name)


# Memory


def memory(scene: Scene) -> None:
    import numpy as np
    import plotly.graph_objects as go

    from playground.inspection.recurrence import influence

    ids = scene.ids()[:64]
    if len(ids) < 3:
        st.info(t("Type at least three tokens."))
        return
    found = influence(scene.model(), ids)
    tokens = [visible(token) for token in scene.tokens()[: len(ids)]]
    shown = found if scene.model().spec.bidirectional else np.where(np.tri(len(ids), dtype=bool).T, found, np.nan)
    heatmap(
        shown,
        f"{VIEW}.influence",
        tokens,
        tokens,
        (t("token replaced"), t("state at token"), t("change of the state")),
        t("Memory: how much of each token is still in the state later"),
        tokens=False,
        span=(0.0, max(float(np.percentile(found, 99.5)), 0.01)),
        empty=t("read before that token"),
    )
    st.caption(
        t(
            "Each row: that token is replaced by another token of the text. The colour is the relative change of the last layer's state from then on. Long bright rows are tokens that the model remembers."
        )
    )
    faded = np.array([np.diagonal(found, d).mean() for d in range(len(ids))])
    fig = go.Figure(
        go.Scatter(
            x=np.arange(len(ids)),
            y=faded,
            mode="lines+markers",
            line_color=ARCHITECTURE[scene.architecture],
            hovertemplate="%{x}: %{y:.1%}<extra></extra>",
        )
    )
    fig.update_layout(margin={"l": 60, "r": 10, "t": 20, "b": 50})
    fig.update_xaxes(title=t("Tokens since the change"))
    fig.update_yaxes(title=t("Relative change of the state"), tickformat=".0%", rangemode="tozero")
    caption = t("Mean over all tokens of the text. Where the curve is flat at 0, the state has forgotten the token.")
    figure(fig, f"{VIEW}.faded", caption, {"influence": found, "by_distance": faded}, height=320)


# Vanishing gradient


def gradient(scene: Scene) -> None:
    import plotly.graph_objects as go

    windows = windows_of(scene, 24, f"{VIEW}.gradient", at_least=49)
    if windows is None:
        return
    curves: dict[str, tuple[str, Any]] = {}
    for run in chosen_runs(scene):
        step = scene.step if run.id == scene.run.id else run.checkpoints()[-1]
        kind = run.about()["model"]["architecture"]
        own = windows if run.id == scene.run.id else recut(scene, run, windows)
        name = f"{name_of(run)} ({TITLES[kind]})"
        curves[name if name not in curves else f"{name} {run.id}"] = kind, by_distance(str(run.path), step, own)
    if untrained := switch(VIEW, "untrained", t("Also untrained models of the same shape"), True):
        for kind in RECURRENT:
            curves[t("{kind}, untrained", kind=TITLES[kind])] = (
                kind,
                untrained_by_distance(str(scene.run.path), kind, windows),
            )
    fig = go.Figure()
    for name, (kind, values) in curves.items():
        dash = "dot" if name.endswith(t("{kind}, untrained", kind="")) else "solid"
        fig.add_scatter(
            x=list(range(len(values))),
            y=values / values[0],
            name=name,
            mode="lines",
            line={"color": ARCHITECTURE[kind], "dash": dash, "width": 2.5},
            hovertemplate="%{x}: %{y:.2e}<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(margin={"l": 70, "r": 10, "t": 30, "b": 50}, legend=LEGEND)
    fig.update_xaxes(title=t("Tokens back from the prediction"))
    fig.update_yaxes(title=t("Gradient norm, relative to distance 0"), type="log", exponentformat="power")
    caption = t(
        "Gradient of the last token's loss with respect to a token this far back. A straight line down is exponential decay (vanishing gradient): the model can hardly learn from there. See how training and gates change the slope."
    )
    figure(fig, f"{VIEW}.gradients", caption, {name: values for name, (_, values) in curves.items()}, height=460)
    said = t("Means over {n} passages of held-out text.", n=len(windows))
    st.caption(said + (" " + t("Untrained models are dotted, drawn from the run's seed.") if untrained else ""))


def chosen_runs(scene: Scene) -> list[RunFolder]:
    """This run, and others that the person adds."""
    others = {run.id: run for run in known_runs() if speaks(run) and run.about()["model"]["architecture"] in RECURRENT}
    if set(others) <= {scene.run.id}:
        st.caption(t("Train an RNN, an LSTM and a GRU on the same text to compare their curves here."))
        return [scene.run]
    added = several(
        VIEW,
        "beside",
        t("Beside it"),
        [id for id in others if id != scene.run.id],
        format_func=lambda id: name_of(others[id]),
    )
    return [scene.run, *(others[id] for id in added)]


def recut(scene: Scene, run: RunFolder, windows: Any) -> Any:
    """The same passages in another run's tokens, cut to one length."""
    import numpy as np

    own, other = scene.tokenizer(), cached.tokenizer(run)
    texts = [other.encode(own.decode(row.tolist())) for row in windows]
    length = min(len(text) for text in texts)
    return np.array([text[:length] for text in texts])


@st.cache_data(max_entries=32, show_spinner=False)
def by_distance(path: str, step: int, windows: Any) -> Any:
    from playground.inspection.recurrence import gradient_by_distance

    return gradient_by_distance(cached.model(RunFolder(path), step), windows)


@st.cache_data(max_entries=32, show_spinner=False)
def untrained_by_distance(path: str, kind: str, windows: Any) -> Any:
    from playground.inspection.positions import untrained
    from playground.inspection.recurrence import gradient_by_distance

    config = RunFolder(path).config()
    spec = config.model.replace(architecture=kind, bidirectional=False)
    return gradient_by_distance(untrained(spec, config.training.seed), windows)
