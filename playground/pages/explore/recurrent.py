"""Gates and states of a recurrent model: at one token, over time, unit by unit, and how long they remember."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import streamlit as st

from models.hyperparameters import RECURRENT
from playground.pages.explore.url_widgets import choose, seeded, several, switch, whole
from playground.runs.folder import RunFolder
from playground.text.visible import visible
from playground.ui import cached, url_state
from playground.ui.colours import ABOVE, ACCENT, ARCHITECTURE, BELOW, SPARE
from playground.ui.components.cell_tape import Gauge, Tape, cell_tape
from playground.ui.components.heatmap import heatmap
from playground.ui.components.token_strip import brushed_strip, token_strip
from playground.ui.figure import LEGEND, downloads, figure, graph_objects
from playground.ui.held_out import windows_of
from playground.ui.language import joined, t
from playground.ui.measuring import Measurement, measured
from playground.ui.messages import empty
from playground.ui.run_picker import known_runs, name_of, speaks
from playground.ui.scene import Scene, only_labels
from playground.ui.stage import Stage, part
from playground.ui.titles import TITLES

VIEW = "explore.recurrent"
ASPECTS = {
    "gates": "Gates at a token",
    "states": "All units",
    "unit": "One unit over time",
    "gradient": "Vanishing gradient",
    "memory": "How long it remembers",
    "find": "Find maximal activations",
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
GAUGES = {
    "gates.forget": ("f", "how much of the old cell stays"),
    "gates.input": ("i", "how much of the candidate comes in"),
    "gates.cell": ("g", "what could be written into the cell"),
    "gates.output": ("o", "how much of the cell is shown"),
    "gates.reset": ("r", "how much of the old state the candidate sees"),
    "gates.update": ("z", "how much of the old state stays"),
    "gates.candidate": ("n", "what could take its place"),
    "hidden": ("h", "what it carries on to the next token"),
}
"""Letter and use of what is shown at a token; the hidden state only where there is no gate."""
SIGNED = ("hidden", "cell", "gates.cell", "gates.candidate")
ORDERS = {"selectivity": "selectivity", "spread": "variance", "number": "number"}
FOLDED = 16  # units that are shown at first: those that vary most
AT_ONCE = 4  # passages whose gradients are measured together
SAMPLE = 96  # windows of held-out text that are searched


def show(scene: Scene, place: Stage) -> None:
    if not scene.is_recurrent:
        with place.picture:
            empty(
                t("This model has no gates"),
                t("A transformer attends to all tokens at every step. An RNN, LSTM or GRU reads one after another."),
            )
        return
    with place.drawer:
        look = choose_look(OF_PAIRS if scene.has_source else tuple(ASPECTS))
    if scene.gives_labels and look in ("find", "gradient"):  # the text it learnt its language from is another run's
        with place.picture:
            only_labels()
        return
    {"gates": gates, "states": all_units, "unit": one_unit, "find": find, "memory": memory, "gradient": gradient}[look](
        scene, place
    )
    with place.rest:
        st.caption(scene.said())


OF_PAIRS = ("gates", "states", "unit")
"""What there is of a model that reads two texts: the others follow one text."""


def choose_look(offered: Sequence[str]) -> str:
    """What is drawn. Links from before there was a look at the gates name what they show of all units instead."""
    key, said = f"{VIEW}.look.{'-'.join(offered)}", url_state.text("explore", "look")
    if (
        key not in st.session_state
        and not said
        and any(url_state.text("explore", x) for x in ("signal", "order", "unit"))
    ):
        st.session_state[key] = "states"
    look = choose(VIEW, "look", t("Show"), {name: ASPECTS[name] for name in offered}, box=True)
    if look == "gates":
        url_state.remember("explore", signal=None, order=None)
        if url_state.text("explore", "unit"):
            url_state.remember("explore", look=look)
    return look


def traced(scene: Scene) -> dict[str, Any]:
    source = tuple(scene.source_ids()) if scene.has_source else None
    return _traced(str(scene.run.path), scene.step, tuple(scene.ids()), source)


@st.cache_resource(max_entries=16, show_spinner=False)
def _traced(path: str, step: int, ids: tuple[int, ...], source: tuple[int, ...] | None) -> dict[str, Any]:
    from playground.inspection.recurrence import trace

    return trace(cached.model(RunFolder(path), step), ids, source)


def tokens_read(scene: Scene, name: str) -> list[str]:
    """The tokens over which an activation is known: of an encoder those of the source."""
    return scene.source_tokens() if name.startswith("encoder.") else scene.tokens()


def choose_layer(scene: Scene, name: str) -> str:
    """One of the layers, and of those that read both ways one of its directions; as its activations begin."""
    found = traced(scene)
    names = {name.rsplit(".gates.", 1)[0].rsplit(".hidden", 1)[0].rsplit(".cell", 1)[0] for name in found}
    layers = sorted(names, key=lambda name: (name.startswith("decoder."), name))  # what reads comes before what writes
    shown = {str(i): layer_name(layer) for i, layer in enumerate(layers)}
    last = str(len(layers) - 1)
    return layers[int(choose(f"{VIEW}.{name}", "layer", t("Layer"), shown, first=last, box=True))]


def layer_name(layer: str) -> str:
    """What a layer is called, by how its activations begin: "1", "0 ←", of two sides "Encoder 0 ←"."""
    side, _, rest = layer.rpartition("layers.")
    rest = rest.replace(".reverse", " ←")
    return f"{t({'encoder.': 'Encoder', 'decoder.': 'Decoder'}[side])} {rest}" if side else rest


def choose_signal(scene: Scene, name: str) -> tuple[str, str]:
    """A layer and one of its gates or states: the activation's name, and what to call it."""
    layer = choose_layer(scene, name)
    signals = {signal: SIGNALS[signal] for signal in SIGNALS if f"{layer}.{signal}" in traced(scene)}
    signal = choose(f"{VIEW}.{name}", "signal", t("What"), signals, box=False)
    return f"{layer}.{signal}", t(SIGNALS[signal])


def choose_unit(values: Any, first: int, name: str) -> int:
    """One of the units, in the address; at first the one that says most."""
    width = values.shape[1]
    key = seeded(f"{VIEW}.{name}.unit.{width}", "unit", whole(range(width)), None)
    st.session_state.setdefault(key, None)
    typed = st.number_input(t("Unit"), 0, width - 1, key=key, placeholder=str(first), width=160)
    url_state.remember("explore", unit=typed)
    return first if typed is None else int(typed)


def keep_unit(unit: int, name: str, width: int) -> None:
    """What was clicked in a picture is what the box says, at the next run."""
    url_state.remember("explore", unit=unit)
    st.session_state.pop(f"{VIEW}.{name}.unit.{width}", None)  # the box is filled from the address again


def most_selective(values: Any) -> int:
    from playground.inspection.recurrence import selectivity

    return int(selectivity(values).argmax())


# Gates at a token


def gates(scene: Scene, place: Stage) -> None:
    """A play head over the tokens: the gates there, and over all of them how large the states are."""
    import numpy as np

    found = traced(scene)
    with place.drawer:
        layer = choose_layer(scene, "gates")
        hidden = found[f"{layer}.hidden"]
        unit = choose_unit(hidden, most_selective(hidden), "gates")
    mine = {signal: found[f"{layer}.{signal}"] for signal in SIGNALS if f"{layer}.{signal}" in found}
    tokens, lengths = (
        tokens_read(scene, layer),
        {state: np.linalg.norm(mine[state], axis=1) for state in ("cell", "hidden") if state in mine},
    )
    backwards = layer.endswith(".reverse")
    marked, kept = forgetting(mine, backwards)
    first = len(kept) - 1 if backwards else 0
    shown = [signal for signal in GAUGES if signal in mine and (signal != "hidden" or len(mine) == 1)]
    gauges = [Gauge(GAUGES[x][0], t(SIGNALS[x]), t(GAUGES[x][1]), mine[x], x in SIGNED) for x in shown]
    tapes = [Tape("", kept_name(mine), kept, bars=True, without=None if marked is None else first)]
    tapes += [Tape("", t(LENGTHS[state]), lengths[state]) for state in lengths]
    with place.picture:
        moved = cell_tape(
            f"{VIEW}.gates",
            tokens,
            gauges,
            tapes,
            unit,
            at=url_state.whole(url_state.text("explore", "place")) or (marked or 0),
            marked=marked,
            mark=t("forgets most") if len(mine) > 1 else t("changes most"),
            left_out=t("nothing to forget yet"),
            of=f"{scene.run.path} {scene.step} {layer} {tokens}",
            alt=t("The token that is read: the gates there, and the size of the states over the text"),
        )
    if moved is not None:
        url_state.remember("explore", place=moved)
    place.say(forgetting_sentence(mine, np.delete(kept, first), marked, tokens, lengths))
    with place.rest:
        downloads("explore-recurrent", found)


LENGTHS = {"cell": "size of the cell c (norm)", "hidden": "size of the hidden state h (norm)"}


def forgetting(mine: dict[str, Any], backwards: bool) -> tuple[int | None, Any]:
    """The token at which a layer keeps least of what it knew, and how much it keeps at each, from 0 to 1.

    The first token that it reads finds nothing to forget, and is not it.

    Args:
        mine: its gates and states by their names.
        backwards: whether it reads from the end.
    """
    import numpy as np

    kept = kept_share(mine, backwards)
    n = len(kept)
    if n < 2:
        return None, kept
    changes = np.array(kept) if "gates.forget" in mine or "gates.update" in mine else -kept
    changes[n - 1 if backwards else 0] = np.inf
    return int(changes.argmin()), kept


def kept_share(mine: dict[str, Any], backwards: bool) -> Any:
    """The mean gate that keeps the old state; of a layer without gates how far its state moves instead, of the most."""
    import numpy as np

    for gate in ("gates.forget", "gates.update"):
        if gate in mine:
            return mine[gate].mean(1)
    hidden = mine["hidden"][::-1] if backwards else mine["hidden"]
    before = np.vstack([np.zeros_like(hidden[:1]), hidden[:-1]])
    moved = np.linalg.norm(hidden - before, axis=1) / np.maximum(
        np.linalg.norm(hidden, axis=1) + np.linalg.norm(before, axis=1), 1e-9
    )
    return moved[::-1] if backwards else moved


def kept_name(mine: dict[str, Any]) -> str:
    if "gates.forget" in mine:
        return t("mean forget gate f")
    return t("mean update gate z") if "gates.update" in mine else t("change of the hidden state h")


def forgetting_sentence(
    mine: dict[str, Any], kept: Any, marked: int | None, tokens: list[str], lengths: dict[str, Any]
) -> str:
    """Where it forgets most, and where its state is largest.

    Args:
        kept: how much it keeps at each token after the first that it reads.
    """
    if marked is None:
        return t("Type some more words: with one token there is nothing to forget yet.")
    token = visible(tokens[marked])
    value, usual = float(kept.min() if len(mine) > 1 else kept.max()), float(kept.mean())
    if "gates.forget" in mine:
        said = t(
            "It forgets most at “{token}”: mean forget gate {value:.2f}, after the first token {usual:.2f} on average.",
            token=token,
            value=value,
            usual=usual,
        )
    elif "gates.update" in mine:
        said = t(
            "It forgets most at “{token}”: mean update gate {value:.2f}, after the first token {usual:.2f} on average.",
            token=token,
            value=value,
            usual=usual,
        )
    else:
        said = t(
            "Its state changes most at “{token}”: by {value:.0%}, after the first token on average by {usual:.0%}.",
            token=token,
            value=value,
            usual=usual,
        )
    state, sizes = next(iter(lengths.items()))
    most = visible(tokens[int(sizes.argmax())])
    longest = (
        t("The cell is largest at “{token}”.", token=most)
        if state == "cell"
        else t("The state is largest at “{token}”.", token=most)
    )
    return joined(said, longest, t("Press space to read along."))


# All units, and one


def all_units(scene: Scene, place: Stage) -> None:
    """Units × tokens; at first those that vary most."""
    import numpy as np

    from playground.inspection.recurrence import selectivity

    with place.drawer:
        name, called = choose_signal(scene, "states")
        values = traced(scene)[name]
        by = choose(VIEW, "order", t("Units sorted by"), ORDERS)
    choosy, width = selectivity(values), values.shape[1]
    order = {"selectivity": np.argsort(-choosy), "spread": np.argsort(-values.std(0)), "number": np.arange(width)}[by]
    if width > FOLDED:
        with place.command:
            is_whole = switch(VIEW, "all", t("All {n} units", n=width))
        order = order if is_whole else folded(values, order)
    with place.drawer:
        unit = choose_unit(values, int(order[0]), "states")
    if unit not in order:
        order = np.array([unit, *order[:-1]])
    row = int(np.flatnonzero(order == unit)[0])
    with place.picture:
        clicked = heatmap(
            values[:, order].T,
            f"{VIEW}.map",
            [str(int(u)) for u in order],
            [visible(token) for token in tokens_read(scene, name)],
            (t("unit"), t("token"), called),
            t("{called} of every unit over the text", called=called),
            span=(-1.0, 1.0) if is_gate(name) else None,  # a gate is from 0 to 1: half of the one scale of this view
            diverging=True,
            floor=0.1 if not is_gate(name) else 0.0,
            clickable=True,
            selected=(row, -1),
            tokens=False,
            curve=True,
        )
    if clicked:
        keep_unit(int(order[clicked[0]]), "states", width)
        st.rerun(scope="fragment")
    place.say(units_sentence(len(order), width, unit, choosy))
    with place.rest:
        downloads("explore-recurrent", traced(scene))
        unit_strip(scene, name, unit)


def is_gate(name: str) -> bool:
    return not any(name.endswith("." + signal) for signal in SIGNED)


def folded(values: Any, order: Any) -> Any:
    """Those of the order that vary most."""
    import numpy as np

    return order[np.isin(order, np.argsort(-values.std(0))[:FOLDED])]


def units_sentence(n: int, width: int, unit: int, choosy: Any) -> str:
    said = t(
        "Each row is a unit, each column a token. Point at a row and its curve is drawn below; click it to keep it."
    )
    if n < width:
        return joined(t("The {n} of {width} units that vary most.", n=n, width=width), said)
    return joined(said, t("Unit {unit} has selectivity {choosy:.1f}.", unit=unit, choosy=choosy[unit]))


def unit_strip(scene: Scene, name: str, unit: int) -> None:
    """The tokens coloured by one unit, and the way to passages where it is high."""
    values, tokens = traced(scene)[name][:, unit], tokens_read(scene, name)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(t("Unit {unit}", unit=unit), anchor=False, width="content")
        if len(tokens) > 2 and not (scene.gives_labels or scene.has_source):
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
    st.caption(t("Unit {unit}: purple tokens are above 0, orange ones below.", unit=unit))


DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot")


def one_unit(scene: Scene, place: Stage) -> None:
    """Every gate and state of one unit over the text; the one that is chosen stands out."""
    go = graph_objects()
    found = traced(scene)
    with place.drawer:
        name, called = choose_signal(scene, "unit")
        tokens = [visible(token) for token in tokens_read(scene, name)]
        unit = choose_unit(found[name], most_selective(found[name]), "unit")
    layer = name.removesuffix(next(s for s in sorted(SIGNALS, key=len, reverse=True) if name.endswith("." + s)))
    fig = go.Figure()
    others = [signal for signal in SIGNALS if layer + signal in found and layer + signal != name]
    for i, signal in enumerate([name.removeprefix(layer), *others]):
        fig.add_scatter(
            x=list(range(len(tokens))),
            y=found[layer + signal][:, unit],
            name=t(SIGNALS[signal]),
            mode="lines+markers" if i == 0 else "lines",
            text=tokens,
            hovertemplate="<b>%{text}</b> %{y:.3f}<extra>%{fullData.name}</extra>",
            line={
                "color": ACCENT if i == 0 else SPARE[5],
                "dash": DASHES[i % len(DASHES)],
                "width": 3.5 if i == 0 else 1.8,
            },
            visible=True if i == 0 or signal in ("hidden", "cell") else "legendonly",
        )
    fig.update_layout(margin={"l": 60, "r": 10, "t": 30, "b": 70}, legend=LEGEND, showlegend=True)
    if len(tokens) <= 60:
        fig.update_xaxes(tickmode="array", tickvals=list(range(len(tokens))), ticktext=tokens)
    fig.update_xaxes(title=t("Token"))
    fig.update_yaxes(title=t("Activation"))
    values = found[name][:, unit]
    caption = t(
        "Unit {unit}: its {called} is highest at “{high}” ({most:.2f}), lowest at “{low}” ({least:.2f}).",
        unit=unit,
        called=called,
        high=tokens[int(values.argmax())],
        most=float(values.max()),
        low=tokens[int(values.argmin())],
        least=float(values.min()),
    )
    if others:
        caption = joined(caption, t("Click the legend for its other gates and states."))
    with place.picture:
        figure(fig, f"{VIEW}.curve", caption, {"values": values}, place=place)
    with place.rest:
        unit_strip(scene, name, unit)


# Find


def seek(unit: int, peak: int, n_tokens: int) -> None:
    """Goes to the search, with one unit and the token where it is highest."""
    span = peak, peak + 1
    st.session_state[f"{VIEW}.look.{'-'.join(ASPECTS)}"] = "find"
    st.session_state[f"{VIEW}.span.{n_tokens}"] = st.session_state[f"{VIEW}.units.of"] = span
    url_state.remember("explore", span=f"{span[0]}-{span[1]}", units=unit)


def find(scene: Scene, place: Stage) -> None:
    """Brush a span; the units high inside and low outside; where else in the run's own held-out text they are high."""
    import numpy as np
    import pandas as pd

    from playground.inspection.recurrence import contrast, passages

    with place.drawer:
        name, _ = choose_signal(scene, "find")
    values, tokens = traced(scene)[name], scene.tokens()
    if len(tokens) < 3:
        with place.picture:
            st.info(t("Type at least three tokens, then choose a part of them."))
        return
    start, end = span_of(tokens, place)
    difference = contrast(values, start, end)
    units = units_of(difference, name, start, end, place)
    with place.picture, part("passages", 70):
        if not units:
            st.info(t("Choose at least one unit."))
            return
        windows = windows_of(scene, SAMPLE, f"{VIEW}.search")
        if windows is None:
            return
        states = states_of(scene, windows, name)
        found = passages(states, units, np.sign(difference[units]).tolist(), end - start)
        show_passages([context(scene, windows[window], at, end - start, score) for window, at, score in found])
    place.say(
        t(
            "Passages among {n:,} held-out tokens where the mean activation of the chosen units is highest, in standard deviations above their mean. What do these passages have in common?",
            n=windows.size,
        )
    )
    said = lambda ids: "".join(scene.tokenizer().pieces(ids.tolist()))
    table = pd.DataFrame(
        [(score, window, at, said(windows[window, at : at + end - start])) for window, at, score in found],
        columns=["score", "passage", "place", "text"],
    )
    with place.rest:
        downloads("explore-recurrent-find", {"difference": difference, "units": np.array(units)}, table)


def units_of(difference: Any, name: str, start: int, end: int, place: Stage) -> list[int]:
    """The units that are searched for: at first those that differ most between the part and the rest."""
    import numpy as np

    best = np.argsort(-np.abs(difference))[:8]
    if st.session_state.get(f"{VIEW}.units.of", (start, end)) != (start, end):
        url_state.remember("explore", units=None)  # they were chosen for another part
    st.session_state[f"{VIEW}.units.of"] = start, end
    with place.drawer:
        return several(
            f"{VIEW}.{name}.{start}.{end}",
            "units",
            t("Units (initially those that differ most between this part and the rest)"),
            range(len(difference)),
            best.tolist(),
            format_func=lambda unit: f"{unit} ({difference[unit]:+.1f}σ)",
        )


def span_of(tokens: list[str], place: Stage) -> tuple[int, int]:
    """The part of the text that is chosen: drawn over with the mouse, or moved with a slider's keys; in the address."""
    n, key = len(tokens), f"{VIEW}.span.{len(tokens)}"
    said = [x for x in map(url_state.whole, url_state.text("explore", "span").split("-")) if x is not None]
    first = (n // 3, max(n // 3 + 1, 2 * n // 3))
    start, end = st.session_state.get(key, tuple(said) if len(said) == 2 and said[0] < said[1] <= n else first)
    with place.picture, part("brush", 30):
        drawn = brushed_strip(
            [
                {"text": token, "value": 0.6 if start <= i < end else 0.05, "tip": str(i)}
                for i, token in enumerate(tokens)
            ],
            f"{VIEW}.brush",
            t("Tokens; draw over a part of them"),
        )
    if drawn and drawn != (start, end):
        url_state.remember("explore", span=f"{drawn[0]}-{drawn[1]}")
        st.session_state[key] = drawn
        st.rerun(scope="fragment")
    st.session_state[key] = start, end
    with place.drawer:
        start, end = st.slider(t("The part of the text: draw over the tokens, or move these"), 0, n, key=key)
    end = max(start + 1, end) if start < n else n
    start = min(start, end - 1)
    url_state.remember("explore", span=f"{start}-{end}" if (start, end) != first else None)
    return start, end


def context(scene: Scene, ids: Any, at: int, width: int, score: float) -> tuple[str, str, str, str]:
    """How high the units are in a passage, what stands before it, the passage, and what follows."""
    pieces = scene.tokenizer().pieces(ids.tolist())
    parts = pieces[max(0, at - 20) : at], pieces[at : at + width], pieces[at + width : at + width + 12]
    before, hit, after = ("".join(part).replace("\n", " ↵ ") for part in parts)
    return f"{score:+.1f}σ", before, hit or "∅", after


def show_passages(passages: list[tuple[str, str, str, str]]) -> None:
    """Passages below each other, over all of their part of the picture."""
    rows = "".join(
        f"<p><b>{score}</b> … {escape(before)}<mark>{escape(hit)}</mark>{escape(after)} …</p>"
        for score, before, hit, after in passages
    )
    st.html(
        "<style>.passages { height: calc(100cqh - 0.5rem); display: flex; flex-direction: column; "
        "justify-content: space-between; overflow-y: auto; font-size: max(var(--label-size), 1.15rem); } "
        ".passages p { margin: 0; } .passages b { font-variant-numeric: tabular-nums; opacity: 0.72; } "
        f".passages mark {{ color: inherit; background: color-mix(in srgb, {ACCENT} 28%, transparent); }}</style>"
        f'<div class="passages" data-own="">{rows}</div>'
    )


def states_of(scene: Scene, windows: Any, name: str) -> Any:
    return _states(str(scene.run.path), scene.step, name, windows)


@st.cache_resource(max_entries=4, show_spinner=False)
def _states(path: str, step: int, name: str, windows: Any) -> Any:
    from playground.inspection.recurrence import states_along

    return states_along(cached.model(RunFolder(path), step), windows, name)


# Memory


def memory(scene: Scene, place: Stage) -> None:
    import numpy as np

    from playground.inspection.recurrence import influence

    go = graph_objects()

    ids = scene.ids()[:64]
    if len(ids) < 3:
        with place.picture:
            st.info(t("Type at least three tokens."))
        return
    found = influence(scene.model(), ids)
    tokens = [visible(token) for token in scene.tokens()[: len(ids)]]
    shown = found if scene.model().spec.bidirectional else np.where(np.tri(len(ids), dtype=bool).T, found, np.nan)
    with place.picture:
        heatmap(
            shown,
            f"{VIEW}.influence",
            tokens,
            tokens,
            (t("token replaced"), t("state at token"), t("change of the state")),
            t("Memory: how much of each token is still in the state later"),
            tokens=False,
            diverging=True,  # never below 0: the positive half of the one scale of this view
            floor=0.01,
            span=(0.0, max(float(np.percentile(found, 99.5)), 0.01)),
            empty=t("read before that token"),
        )
    place.say(
        t(
            "Each row: that token is replaced by another; the colour is how much the last layer's state changes from then on. Long rows are tokens that the model remembers."
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
    with place.rest:
        figure(fig, f"{VIEW}.faded", caption, {"influence": found, "by_distance": faded}, height=320)


# Vanishing gradient


def gradient(scene: Scene, place: Stage) -> None:
    """How much each token back from a prediction has to do with its loss: measured by itself, with progress."""
    with place.drawer:
        runs = chosen_runs(scene)
        untrained = switch(VIEW, "untrained", t("Also untrained models of the same shape"), True)
    with place.picture:
        top = st.container()
        with top:
            windows = windows_of(scene, 24, f"{VIEW}.gradient", at_least=49)
        measures = [] if windows is None else measures_of(scene, runs, untrained, windows)
        of = (*(key for key, *_ in measures), scene.run.id)
        with top:
            values = (
                measured(f"{VIEW}.gradients", of, "Measuring the gradients …", lambda job: measure(measures, job))
                if measures
                else None
            )
        if values is None or windows is None:
            waiting_chart(place)
            return
        curves = {name: (kind, value) for (_, name, kind, *_), value in zip(measures, values, strict=True)}
        fig = gradient_figure(curves)
        figure(fig, f"{VIEW}.gradients", gradient_sentence(curves), dict(zip(curves, values, strict=True)), place=place)
    with place.rest:
        st.caption(
            t(
                "Gradient of the last token's loss with respect to a token this far back. A straight line down is exponential decay (vanishing gradient): the model can hardly learn from there. See how training and gates change the slope."
            )
        )
        said = t("Means over {n} passages of held-out text.", n=len(windows))
        st.caption(joined(said, t("Untrained models are dotted, drawn from the run's seed.") if untrained else ""))


def waiting_chart(place: Stage) -> None:
    """The axes of the gradients, as long as they are measured."""
    with part("waiting", 80):
        said = t("How much a token this far back has to do with the loss of the last one: it is being measured.")
        figure(gradient_figure({}), f"{VIEW}.waiting", said, place=place)


def measures_of(scene: Scene, runs: list[RunFolder], untrained: bool, windows: Any) -> list[tuple]:
    """What there is to measure, each as (what it depends on, its name, its architecture, the function that does it, passages)."""
    found: dict[str, tuple] = {}
    for run in runs:
        step = scene.step if run.id == scene.run.id else run.checkpoints()[-1]
        kind = run.about()["model"]["architecture"]
        own = windows if run.id == scene.run.id else recut(scene, run, windows)
        name = f"{name_of(run)} ({TITLES[kind]})"
        name = name if name not in found else f"{name} {run.id}"
        found[name] = (str(run.path), step), name, kind, by_distance(cached.model(run, step)), own
    for kind in RECURRENT if untrained else ():
        name = t("{kind}, untrained", kind=TITLES[kind])
        found[name] = ("untrained", kind), name, kind, untrained_by_distance(scene.run, kind), windows
    return list(found.values())


def measure(measures: list[tuple], job: Measurement) -> list[Any]:
    """One after another, some passages at a time; whoever asked can stop it in between."""
    import numpy as np

    values = []
    for i, (*_, work, windows) in enumerate(measures):
        found = []
        for start in range(0, len(windows), AT_ONCE):
            job.progress((i + start / len(windows)) / len(measures))
            piece = windows[start : start + AT_ONCE]
            found.append(work(piece) * len(piece))
        values.append(np.sum(found, axis=0) / len(windows))
    return values


def gradient_figure(curves: dict[str, tuple[str, Any]]) -> Any:
    go = graph_objects()
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
    fig.update_layout(margin={"l": 70, "r": 10, "t": 30, "b": 50}, legend=LEGEND, showlegend=True)
    fig.update_xaxes(title=t("Tokens back from the prediction"))
    fig.update_yaxes(title=t("Gradient norm, relative to distance 0"), type="log", exponentformat="power")
    if not curves:
        fig.add_scatter(x=[0, 64], y=[1, 1e-8], mode="lines", line={"color": "rgba(0,0,0,0)"}, showlegend=False)
    return fig


def gradient_sentence(curves: dict[str, tuple[str, Any]]) -> str:
    """After how many tokens the first curve, and the one that falls soonest, are at a hundredth: as measured."""
    reached = {name: falls_to(values, 0.01) for name, (_, values) in curves.items()}
    first = next(iter(reached))
    soonest = min(reached, key=lambda name: reached[name] or 10**9)
    own = reached[first]
    said = (
        t("The gradient of {name} is at 1% after {n} tokens.", name=first, n=own)
        if own
        else t("The gradient of {name} stays above 1% over {n} tokens.", name=first, n=len(curves[first][1]) - 1)
    )
    if soonest != first and reached[soonest]:
        said = joined(said, t("Soonest there: {name}, after {n}.", name=soonest, n=reached[soonest]))
    if not own and not reached[soonest]:
        return said
    return joined(said, t("From further back it can hardly learn (vanishing gradient)."))


def falls_to(values: Any, share: float) -> int | None:
    """The first distance from which on the gradient stays below this share of that at distance 0; None for none."""
    import numpy as np

    above = np.flatnonzero(values / values[0] >= share)
    distance = int(above.max()) + 1
    return distance if distance < len(values) else None


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


def by_distance(model: Any) -> Callable[[Any], Any]:
    from playground.inspection.recurrence import gradient_by_distance

    return lambda windows: gradient_by_distance(model, windows)


def untrained_by_distance(run: RunFolder, kind: str) -> Callable[[Any], Any]:
    from playground.inspection.positions import untrained
    from playground.inspection.recurrence import gradient_by_distance

    config = run.config()
    spec = config.model.replace(architecture=kind, bidirectional=False)
    return lambda windows: gradient_by_distance(untrained(spec, config.training.seed), windows)
