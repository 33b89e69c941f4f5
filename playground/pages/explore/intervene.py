"""Switch parts off, or put in what they did on another text, and see at once what changes."""

from typing import Any

import streamlit as st

from playground.pages.explore.scene_task import asked_of, key_of, place_of
from playground.pages.explore.url_widgets import choose, one_of, pairs, several, slide, switch, typed
from playground.text.visible import visible
from playground.ui import url_state
from playground.ui.colours import ABOVE, ACCENT, SPARE
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.heatmap import heatmap
from playground.ui.components.token_strip import token_strip
from playground.ui.figure import LEGEND, downloads, figure
from playground.ui.language import t
from playground.ui.number_format import share
from playground.ui.scene import Scene, answer_to, only_labels
from playground.ui.stage import Stage

VIEW = "explore.intervene"
PART_NAMES = {"cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}
UNCHANGED = 0.01  # nats: a token whose loss moves by less keeps its colour
FLOOR = 0.1  # nats per token: the fullest colour, and the end of an axis, stand for at least so much
HOW = {
    "zero": "nothing",
    "mean": "their mean over the text",
    "patch": "their output on another text (activation patching)",
}
HOW_GATES = {"hold": "held at a level", "patch": "as on another text"}
GATES = {
    "lstm": {"gates.input": "input gate", "gates.forget": "forget gate", "gates.output": "output gate"},
    "gru": {"gates.update": "update gate", "gates.reset": "reset gate"},
    "rnn": {"hidden": "hidden state"},
}


def show(scene: Scene, place: Stage) -> None:
    with place.rest:
        show_all(scene)


def show_all(scene: Scene) -> None:
    if scene.gives_labels:
        only_labels()
        return
    task = asked_of(scene)
    changes, said = gates(scene, task) if scene.is_recurrent else parts(scene, task)
    if changes:
        outcome(scene, task, changes, said)
    else:
        st.info(
            t("Nothing is changed yet. Choose what to switch off; its effect appears below."),
            icon=":material/touch_app:",
        )
    st.caption(scene.said())


# Transformers: heads, MLPs, and places of the residual stream


def parts(scene: Scene, task: Any) -> tuple[dict[str, Any], str]:
    """What the person changes, as named changes and in words."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = choose(VIEW, "part", t("Heads of"), PART_NAMES, box=True) if scene.has_source else "self"
        how = choose(VIEW, "how", t("Replace their output by"), HOW)
    other = second_text(scene, task) if how == "patch" else None
    loss_increase = loss_increase_of((key_of(scene), part, how, other and key_of(other)), scene, task, part, how, other)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        chosen = choose_heads(loss_increase, part, how)
        mlps = several(
            VIEW,
            "mlps",
            t("MLPs switched off") if how != "patch" else t("MLPs patched"),
            range(scene.model().spec.n_layers),
            pills=True,
            format_func=lambda layer: t("layer {layer}", layer=layer),
        )
    with right:
        ranking(loss_increase, part, how)
    places = choose_places(scene, task, other) if other else []
    names = [f"{layer}.{head}" for layer, head in chosen] + [t("MLP {layer}", layer=layer) for layer in mlps]
    names += [
        t("position {place} after {depth}", place=place, depth=depth_name(scene, depth)) for depth, place in places
    ]
    words = t("With {names} from the other text") if other else t("Without {names}")
    return changes_of(scene, part, how, other, chosen, mlps, places), words.format(names=", ".join(names))


def changes_of(
    scene: Scene,
    part: str,
    how: str,
    other: Scene | None,
    chosen: list[tuple[int, int]],
    mlps: list[int],
    places: list[tuple[int, int]],
) -> dict[str, Any]:
    """The changes by the names of the activations."""
    from playground.inspection import ablation
    from playground.inspection.capture import residual_streams

    heads: dict[int, list[int]] = {}
    for layer, head in chosen:
        heads.setdefault(layer, []).append(head)
    at = {layer: ablation.heads_name(part, layer) for layer in heads}
    side = "encoder." if part == "encoder" else "decoder." if scene.has_source else ""
    outputs = [f"{side}layers.{layer}.mlp.output" for layer in mlps]
    if other is None:
        mean = how == "mean"
        return {at[layer]: ablation.without_heads(heads[layer], mean) for layer in heads} | {
            name: ablation.without(mean) for name in outputs
        }
    if not (heads or outputs or places):
        return {}
    there = there_of(key_of(other), other)
    changes = {at[layer]: ablation.patched_heads(there[at[layer]], heads[layer]) for layer in heads}
    changes |= {name: ablation.patched(there[name]) for name in outputs}
    names = residual_streams(scene.model().spec)
    for depth in sorted({depth for depth, _ in places}):
        mine = [place for at_depth, place in places if at_depth == depth]
        changes[names[depth]] = ablation.patched_positions(there[names[depth]], mine)
    return changes


@st.cache_resource(max_entries=4, show_spinner=False)
def there_of(key: tuple, _other: Scene) -> dict[str, Any]:
    from playground.inspection.ablation import recorded

    return recorded(_other.model(), asked_of(_other), ".heads", "embeddings", ".output")


def choose_heads(loss_increase: Any, part: str, how: str) -> list[tuple[int, int]]:
    """The heads that are changed, in the address; a click on a picture switches one."""
    import numpy as np

    n_layers, n_heads = loss_increase.shape
    off = pairs("off", n_layers, n_heads)
    shares = np.clip(loss_increase / max(np.abs(loss_increase).max(), FLOOR), -1, 1)[:, :, None, None]
    labels = [
        [f"{loss_increase[i, j]:+.2f}".replace("-0.00", "+0.00").replace("-", "−") for j in range(n_heads)]
        for i in range(n_layers)
    ]
    tips = [
        [
            t(
                "This change alone changes the loss by {loss_increase:+.3f} nats per token. Click to toggle it.",
                loss_increase=loss_increase[i, j],
            )
            for j in range(n_heads)
        ]
        for i in range(n_layers)
    ]
    clicked = heads_grid(shares, f"{VIEW}.grid.{part}", labels, tips, None, off, diverging=True, warm=True)
    if clicked:
        off = [pair for pair in off if pair != clicked] if clicked in off else sorted([*off, clicked])
        url_state.remember("explore", off=",".join(f"{i}.{j}" for i, j in off))
        st.rerun(scope="fragment")
    st.caption(
        t(
            "Click heads to switch them off and on again. Without an orange head the loss (nats per token) rises, without a purple one it falls; the stronger the colour, the more."
        )
        if how != "patch"
        else t(
            "Click heads to patch them. With the output of an orange head on the other text the loss (nats per token) rises, with that of a purple one it falls; the stronger the colour, the more."
        )
    )
    return off


def ranking(loss_increase: Any, part: str, how: str) -> None:
    """All heads by what changing each alone does."""
    import numpy as np
    import pandas as pd

    found = [(i, j) for i in range(loss_increase.shape[0]) for j in range(loss_increase.shape[1])]
    order = sorted(found, key=lambda pair: -loss_increase[pair])
    table = pd.DataFrame([(i, j, loss_increase[i, j]) for i, j in order], columns=["layer", "head", "harm"])
    best = order[0]
    if np.abs(loss_increase).max() < UNCHANGED:
        caption = nothing_missed()
    elif how == "patch":
        caption = t(
            "Activation patching: each head alone takes its output on the other text. The largest effect has layer {layer}, head {head}. A bar of 0: the head has the same effect on both texts.",
            layer=best[0],
            head=best[1],
        )
    else:
        caption = t(
            "Ablation: each head switched off alone, on this text. The most important is layer {layer}, head {head}. Below 0, the text is predicted better without the head.",
            layer=best[0],
            head=best[1],
        )
    shown = order[:24]
    bars(
        [f"{i}.{j}" for i, j in shown],
        [loss_increase[pair] for pair in shown],
        f"{VIEW}.ranking.{part}",
        caption,
        t("Head (layer.head), the most important first"),
        {"harm": np.asarray(loss_increase)},
        table,
    )


def nothing_missed() -> str:
    """Instead of naming the first of equals."""
    return t(
        "No single change alters the loss by {least} nats per token: this text is too easy or too short to need any one part of the model. Try a longer or a less common text.",
        least=UNCHANGED,
    )


def bars(
    names: list[str],
    values: list[float],
    key: str,
    caption: str,
    axis: str,
    data: dict[str, Any],
    table: Any,
    lying: bool = False,
) -> None:
    """Changes of the loss as bars: orange for harm, purple where the text is told better; lying for long names."""
    import plotly.graph_objects as go

    colours = [ACCENT if value > 0 else ABOVE for value in values]
    hover = ("%{y}: %{x:+.4f} " if lying else "%{x}: %{y:+.4f} ") + t("nats per token") + "<extra></extra>"
    x, y = (values, names) if lying else (names, values)
    fig = go.Figure(go.Bar(x=x, y=y, orientation="h" if lying else "v", marker_color=colours, hovertemplate=hover))
    fig.update_layout(margin={"l": 60, "r": 10, "t": 20, "b": 50})
    by_name, by_value = (fig.update_yaxes, fig.update_xaxes) if lying else (fig.update_xaxes, fig.update_yaxes)
    by_name(title=axis, type="category", automargin=True, **({"autorange": "reversed"} if lying else {}))
    by_value(title=t("Change of the loss (nats per token)"))
    if max(map(abs, values), default=0) < FLOOR:  # so that next to nothing looks so
        by_value(range=[-FLOOR, FLOOR])
    figure(fig, key, caption, data, table, height=max(240, 90 + 24 * len(names)) if lying else 330)


@st.cache_data(max_entries=64, show_spinner=False)
def loss_increase_of(key: tuple, _scene: Scene, _asked: Any, part: str, how: str, _other: Scene | None) -> Any:
    from playground.inspection.ablation import rank_heads

    other = asked_of(_other) if _other else None
    return rank_heads(_scene.model(), _asked, part, how == "mean", other)


# Another text


def second_text(scene: Scene, task: Any) -> Scene:
    """The text that is patched in: at first this one with two of its words or letters in each other's place."""
    from playground.inspection.ablation import same_length

    columns = st.columns(2) if scene.is_pairs else [st.container()]
    with columns[0]:
        text = typed(VIEW, "other", t("The other text (as many tokens as yours)"), exchanged(scene), scene.run.id)
    target = scene.target
    if scene.is_pairs:
        first = answer_to(str(scene.run.path), scene.step, text)
        with columns[1]:
            target = typed(VIEW, "other_target", t("What is written there"), first, scene.run.id)
    other = Scene(scene.run, scene.step, text, target)
    same_length(task, asked_of(other))
    return other


def exchanged(scene: Scene) -> str:
    """The text with two parts in each other's place, and as many tokens as before."""
    tokenizer, text = scene.tokenizer(), scene.text
    words = text.split(" ")
    if len(words) < 3:
        words, between = list(text), ""
    else:
        between = " "
    n = len(tokenizer.encode(text))
    for i in range(len(words) // 3, len(words) - 1):
        mixed = between.join([*words[:i], words[i + 1], words[i], *words[i + 2 :]])
        if mixed != text and len(tokenizer.encode(mixed)) == n:
            return mixed
    return text


def choose_places(scene: Scene, task: Any, other: Scene) -> list[tuple[int, int]]:
    """Where the difference between both texts travels: places of the residual stream, each patched alone."""
    import numpy as np

    width = 1 if len(task.inputs) <= 64 else -(-len(task.inputs) // 32)
    with st.spinner(t("Patching every position …")):
        table = places_of((key_of(scene), key_of(other), width), scene, task, other, width)
    n_depths, n = table.shape
    chosen = pairs("places", n_depths, n)

    def parts_of(inputs: Any) -> list[str]:
        tokens = [visible(token) for token in scene.tokenizer().pieces(inputs.tolist())]
        return ["".join(tokens[i : i + width]) for i in range(0, len(tokens), width)]

    tokens, there = parts_of(task.inputs), parts_of(asked_of(other).inputs)
    marked = [depth_name(scene, i) for i in range(n_depths)]
    notes = [
        [(t("patched") + " · " if (i, j) in chosen else "") + t("there: {token}", token=there[j]) for j in range(n)]
        for i in range(n_depths)
    ]
    order = slice(None, None, -1)
    clicked = heatmap(
        np.asarray(table)[order],
        f"{VIEW}.places",
        marked[order],
        tokens,
        (t("after"), t("at token"), t("change of the loss (nats per token)")),
        t("Causal tracing: loss with one position from the other text"),
        diverging=True,
        floor=FLOOR,
        warm=True,
        clickable=True,
        notes=notes[order],
        cell=34,
        tokens=False,
        selected=(n_depths - 1 - chosen[-1][0], chosen[-1][1]) if chosen else None,
    )
    if clicked:
        cell = n_depths - 1 - clicked[0], clicked[1]
        chosen = [pair for pair in chosen if pair != cell] if cell in chosen else [*chosen, cell]
        url_state.remember("explore", places=",".join(f"{i}.{j}" for i, j in chosen))
        st.rerun(scope="fragment")
    st.caption(
        t(
            "Each cell: the change of this text's loss when the residual stream at that position and depth is replaced by that of the other text. Follow the coloured cells upwards: the difference travels this way to the answer. Click cells to keep them patched."
        )
    )
    downloads("explore-intervene-places", {"places": table})
    return [(i, place) for i, j in chosen for place in range(j * width, min((j + 1) * width, len(task.inputs)))]


def depth_name(scene: Scene, depth: int) -> str:
    return t("embeddings") if depth == 0 else t("layer {layer}", layer=depth - 1)


@st.cache_data(max_entries=16, show_spinner=False)
def places_of(key: tuple, _scene: Scene, _asked: Any, _other: Scene, width: int) -> Any:
    from playground.inspection.ablation import causal_trace

    return causal_trace(_scene.model(), _asked, asked_of(_other), width)


# Recurrent models: gates


def gates(scene: Scene, task: Any) -> tuple[dict[str, Any], str]:
    """A gate held at a level or taken from another text, all its units or some."""
    from playground.inspection import ablation

    spec, names = scene.model().spec, GATES[scene.architecture]
    how = choose(VIEW, "how", t("A gate is"), HOW_GATES)
    other = second_text(scene, task) if how == "patch" else None
    left, right = st.columns([2, 3], gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            layer = one_of(VIEW, "layer", t("Layer"), range(spec.n_layers), 0, width=110)
            gate = choose(VIEW, "gate", t("Gate"), names, box=True)
        percent = (
            0
            if other
            else slide(
                VIEW, "level", t("Level (percent)"), range(-100 if scene.architecture == "rnn" else 0, 101, 5), 0
            )
        )
        width = spec.d_model // 2 if spec.bidirectional else spec.d_model
        units = several(VIEW, "units", t("Units (none chosen: all)"), range(width))
        on = switch(VIEW, "on", t("Change it"))
    sides = ("", "reverse.") if spec.bidirectional else ("",)
    with right:
        rank_of_gates(scene, task, names, sides, other)
    if not on:
        return {}, ""
    at = [f"layers.{layer}.{side}{gate}" for side in sides]
    said = {"gate": t(names[gate]), "layer": layer}
    if other is None:
        changes = {name: ablation.held_at(percent / 100, units or None) for name in at}
        return changes, t("{gate} of layer {layer} held at {level:g}", **said, level=percent / 100)
    there = ablation.recorded(scene.model(), asked_of(other), *at)
    changes = {name: ablation.patched(there[name], units or None) for name in at}
    return changes, t("{gate} of layer {layer} as on the other text", **said)


def rank_of_gates(scene: Scene, task: Any, names: dict[str, str], sides: tuple[str, ...], other: Scene | None) -> None:
    """What changing each gate alone does."""
    import pandas as pd

    found = [(layer, gate) for layer in range(scene.model().spec.n_layers) for gate in names]
    at = tuple(tuple(f"layers.{layer}.{side}{gate}" for side in sides) for layer, gate in found)
    loss_increase = gates_of((key_of(scene), other and key_of(other)), scene, task, at, other)
    levels = [t("as on the other text")] if other else [t("held at {level:g}", level=level) for level in (0, 1)]
    rows = sorted(
        (
            (
                t("layer {layer}", layer=layer) + f": {t(names[gate])} " + ("" if other else said),
                layer,
                gate,
                said,
                loss_increase[i, j],
            )
            for i, (layer, gate) in enumerate(found)
            for j, said in enumerate(levels)
        ),
        key=lambda row: -row[-1],
    )
    table = pd.DataFrame([row[1:] for row in rows], columns=["layer", "gate", "change", "harm"])
    caption = (
        nothing_missed()
        if abs(loss_increase).max() < UNCHANGED
        else t(
            "Each gate changed alone, with all its units. The most important is in layer {layer}: {gate}, {said}.",
            layer=rows[0][1],
            gate=t(names[rows[0][2]]),
            said=rows[0][3],
        )
    )
    bars(
        [row[0] for row in rows],
        [row[-1] for row in rows],
        f"{VIEW}.gates",
        caption,
        t("Gate (layer, name, change)"),
        {"harm": loss_increase},
        table,
        lying=True,
    )


@st.cache_data(max_entries=32, show_spinner=False)
def gates_of(key: tuple, _scene: Scene, _asked: Any, names: tuple, _other: Scene | None) -> Any:
    from playground.inspection.ablation import rank_gates

    return rank_gates(_scene.model(), _asked, names, other=asked_of(_other) if _other else None)


# What it did


def outcome(scene: Scene, task: Any, changes: dict[str, Any], said: str) -> None:
    import numpy as np
    import pandas as pd

    from playground.inspection.ablation import effect

    found = effect(scene.model(), task, changes)
    st.subheader(said, anchor=False)
    with st.container(horizontal=True, gap="large"):
        st.metric(
            t("Loss (nats per token)"),
            f"{found.after.mean():.3f}",
            f"{found.loss_increase:+.3f}",
            delta_color="inverse",
            width="content",
        )
        st.metric(t("Before"), f"{found.before.mean():.3f}", width="content")
        same = np.mean(
            found.rows_before.argmax(1)[task.target_positions] == found.rows_after.argmax(1)[task.target_positions]
        )
        st.metric(t("Same top-1 prediction"), share(same), width="content")
    tokens = scene.tokenizer().pieces(task.inputs.tolist())
    deltas = dict(zip(task.target_positions.tolist(), (found.after - found.before).tolist(), strict=True))
    shift = 0 if scene.objective == "mlm" else 1  # the answer about the next token is shown on that token
    boxes = []
    for place, token in enumerate(tokens):
        delta = deltas.get(place - shift)
        if delta is None:
            boxes.append({"text": token, "tip": t("not a target"), "muted": True})
        else:
            tip = t("its loss changes by {delta:+.3f} nats", delta=delta)
            boxes.append(
                {
                    "text": token,
                    "tip": tip,
                    "value": min(1.0, abs(delta) / 4) if abs(delta) >= UNCHANGED else None,
                    "colour": (ACCENT if delta > 0 else ABOVE) if abs(delta) >= UNCHANGED else None,
                }
            )
    place = min(
        place_of(scene, int(task.target_positions[np.abs(found.after - found.before).argmax()])), len(tokens) - 1
    )
    clicked = token_strip(boxes, key=f"{VIEW}.strip", selected=[place + shift], tools=True)
    st.caption(
        t(
            "Orange tokens are predicted worse than before, purple ones better; the stronger the colour, the more. Click a token for its predictions."
        )
    )
    if clicked is not None:
        url_state.remember("explore", place=max(0, clicked - shift))
        st.rerun(scope="fragment")
    table = pd.DataFrame({"place": task.target_positions, "before": found.before, "after": found.after})
    downloads("explore-intervene", {"before": found.before, "after": found.after}, table)
    differences(scene, found, tokens, place)


def differences(scene: Scene, found: Any, tokens: list[str], place: int) -> None:
    """The predictions at one place that changed most."""
    import numpy as np
    import plotly.graph_objects as go

    before, after = found.rows_before[place], found.rows_after[place]
    chosen = np.argsort(-np.maximum(before, after))[:10]
    names = [visible(text) + " " for text in scene.tokenizer().pieces(chosen.tolist())]
    fig = go.Figure(
        [
            go.Bar(
                y=names[::-1],
                x=before[chosen][::-1],
                name=t("before"),
                orientation="h",
                marker_color=SPARE[5],
            ),
            go.Bar(y=names[::-1], x=after[chosen][::-1], name=t("changed"), orientation="h", marker_color=ACCENT),
        ]
    )
    fig.update_traces(hovertemplate="<b>%{y}</b> %{x:.2%}<extra>%{fullData.name}</extra>")
    fig.update_layout(margin={"l": 90, "r": 20, "t": 40, "b": 50}, barmode="group", legend=LEGEND)
    fig.update_xaxes(title=t("Probability"), tickformat=".0%", rangemode="tozero")
    fig.update_yaxes(title=t("Token"), type="category")
    told = t(
        "Predictions at position {place}, “{token}”: the ten most likely tokens of both.",
        place=place,
        token=visible(tokens[place]),
    )
    figure(fig, f"{VIEW}.differences", told, {"before": before, "after": after}, height=430)
