"""Switch parts off, or put in what they did on another text, and see at once what changes."""

from typing import Any

import streamlit as st

from playground.ui import links
from playground.ui.colours import ACCENT, ARCHITECTURE, GOOD
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.live_text import live_text
from playground.ui.components.token_strip import token_strip
from playground.ui.explore.figure import downloads, figure
from playground.ui.explore.predictions import asked_of, key_of, piece
from playground.ui.explore.scene import Scene
from playground.ui.language import t

VIEW = "explore.intervene"
PART_NAMES = {"self": "Self", "cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}
GATES = {
    "lstm": {"gates.input": "input gate", "gates.forget": "forget gate", "gates.output": "output gate"},
    "gru": {"gates.update": "update gate", "gates.reset": "reset gate"},
    "rnn": {"hidden": "hidden state"},
}


def show(scene: Scene) -> None:
    asked = asked_of(scene)
    changes, said = gates(scene) if scene.is_recurrent else parts(scene, asked)
    if changes:
        outcome(scene, asked, changes, said)
    else:
        st.info(
            t("Nothing is changed yet. Choose what to switch off, and see below what it did."),
            icon=":material/touch_app:",
        )
    st.caption(scene.said())


# Transformers: heads and MLPs


def parts(scene: Scene, asked: Any) -> tuple[dict[str, Any], str]:
    from playground.inspection import ablation

    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = "self"
        if scene.has_source:
            part = st.selectbox(
                t("Heads of"),
                ["cross", "decoder", "encoder"],
                key=f"{VIEW}.part",
                format_func=lambda x: t(PART_NAMES[x]),
            )
        how = st.segmented_control(
            t("What they give instead"), ["zero", "mean", "patch"], default="zero", required=True, key=f"{VIEW}.how",
            format_func={
                "zero": t("nothing"), "mean": t("their mean over the text"), "patch": t("what they gave on another text"),
            }.get,
        )  # fmt: skip
    harm = harm_of((key_of(scene), part, how == "mean"), scene, asked, part, how == "mean")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        chosen = choose_heads(scene, harm, part)
        mlps = st.pills(
            t("MLPs switched off"), range(scene.model().spec.n_layers), selection_mode="multi", key=f"{VIEW}.mlps.{part}",
            format_func=lambda layer: t("layer {layer}", layer=layer), disabled=how == "patch",
        )  # fmt: skip
    with right:
        ranking(harm, part)
    by_layer: dict[int, list[int]] = {}
    for layer, head in chosen:
        by_layer.setdefault(layer, []).append(head)
    if how == "patch":
        return patches(scene, asked, part, by_layer)
    mean = how == "mean"
    changes = {
        ablation.heads_name(part, layer): ablation.without_heads(heads, mean)
        for layer, heads in by_layer.items()
    }
    side = "encoder." if part == "encoder" else "decoder." if scene.has_source else ""
    changes |= {f"{side}layers.{layer}.mlp.output": ablation.without(mean) for layer in mlps or ()}
    names = [f"{layer}.{head}" for layer, head in chosen] + [
        t("MLP {layer}", layer=layer) for layer in mlps or ()
    ]
    return changes, t("Without {names}", names=", ".join(names))


def choose_heads(scene: Scene, harm: Any, part: str) -> list[tuple[int, int]]:
    """The heads switched off, in the address; a click on a picture switches one."""
    import numpy as np

    n_layers, n_heads = harm.shape
    wanted = [pair.split(".") for pair in links.param("off").split(",") if pair.count(".") == 1]
    off = [
        (int(a), int(b))
        for a, b in wanted
        if a.isdigit() and b.isdigit() and int(a) < n_layers and int(b) < n_heads
    ]
    shares = np.clip(harm / max(harm.max(), 1e-9), 0, 1)[:, :, None, None]
    labels = [[f"{harm[i, j]:+.2f}" for j in range(n_heads)] for i in range(n_layers)]
    tips = [[t("Alone, removing it changes the loss by {harm:+.3f} nats a token. Click to switch it.", harm=harm[i, j])
             for j in range(n_heads)] for i in range(n_layers)]  # fmt: skip
    clicked = heads_grid(shares, f"{VIEW}.grid.{part}", labels, tips, None, off)
    if clicked:
        off = [pair for pair in off if pair != clicked] if clicked in off else sorted([*off, clicked])
        links.remember(off=",".join(f"{i}.{j}" for i, j in off))
        st.rerun(scope="fragment")
    st.caption(
        t(
            "Click heads to switch them off and on again. The brighter, the more the loss (nats a token) grows without it."
        )
    )
    return off


def ranking(harm: Any, part: str) -> None:
    """All heads by what removing each alone does."""
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

    pairs = [(i, j) for i in range(harm.shape[0]) for j in range(harm.shape[1])]
    order = sorted(pairs, key=lambda pair: -harm[pair])[:24]
    fig = go.Figure(
        go.Bar(
            x=[f"{i}.{j}" for i, j in order], y=[harm[pair] for pair in order],
            marker_color=[ACCENT if harm[pair] > 0 else GOOD for pair in order],
            hovertemplate=t("layer.head") + " %{x}: %{y:+.4f} " + t("nats a token") + "<extra></extra>",
        )
    )  # fmt: skip
    fig.update_layout(margin={"l": 60, "r": 10, "t": 20, "b": 50})
    fig.update_xaxes(title=t("Head (layer.head), the most needed first"), type="category")
    fig.update_yaxes(title=t("Loss without it − loss (nats a token)"))
    table = pd.DataFrame(
        [(i, j, harm[i, j]) for i, j in sorted(pairs, key=lambda pair: -harm[pair])],
        columns=["layer", "head", "harm"],
    )
    best = order[0]
    caption = t("Each head removed alone from this text. The most needed is layer {layer}, head {head}; below 0 the text is "
                "told better without it.", layer=best[0], head=best[1])  # fmt: skip
    figure(fig, f"{VIEW}.ranking.{part}", caption, {"harm": np.asarray(harm)}, table, height=330)


@st.cache_data(max_entries=64, show_spinner=False)
def harm_of(key: tuple, _scene: Scene, _asked: Any, part: str, mean: bool) -> Any:
    from playground.inspection.ablation import rank_heads

    return rank_heads(_scene.model(), _asked, part, mean)


def patches(
    scene: Scene, asked: Any, part: str, by_layer: dict[int, list[int]]
) -> tuple[dict[str, Any], str]:
    """The chosen heads give what they gave on another text of as many tokens."""
    from playground.inspection import ablation

    text = live_text(
        f"{VIEW}.other.{scene.run.id}", scene.text, t("The other text (as many tokens as yours)")
    )
    target = scene.target
    if scene.is_pairs:
        target = live_text(f"{VIEW}.other.target.{scene.run.id}", scene.target, t("What is written there"))
    other = asked_of(Scene(scene.run, scene.step, text, target))
    ablation.same_length(asked, other)
    if not by_layer:
        st.caption(t("Choose the heads to patch above."))
        return {}, ""
    there = ablation.heads_of(scene.model(), other)
    names = {layer: ablation.heads_name(part, layer) for layer in by_layer}
    changes = {
        names[layer]: ablation.patched_heads(there[names[layer]], heads) for layer, heads in by_layer.items()
    }
    return changes, t(
        "With {names} from the other text",
        names=", ".join(f"{i}.{j}" for i, heads in by_layer.items() for j in heads),
    )


# Recurrent models: gates


def gates(scene: Scene) -> tuple[dict[str, Any], str]:
    """A gate held at a level, all its units or some."""
    from playground.inspection.ablation import held_at

    spec = scene.model().spec
    names = GATES[scene.architecture]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = st.selectbox(t("Layer"), range(spec.n_layers), key=f"{VIEW}.layer.{spec.n_layers}", width=110)
        gate = st.selectbox(
            t("Hold"),
            list(names),
            key=f"{VIEW}.gate.{scene.architecture}",
            format_func=lambda x: t(names[x]),
            width=220,
        )
        level = st.slider(t("at"), 0.0, 1.0, 0.0, 0.05, key=f"{VIEW}.level", width=220)
    width = spec.d_model // 2 if spec.bidirectional else spec.d_model
    units = st.multiselect(t("Units (none chosen: all)"), range(width), key=f"{VIEW}.units.{width}")
    on = st.toggle(t("Hold it"), key=f"{VIEW}.on")
    if not on:
        return {}, ""
    change = held_at(level, units or None)
    sides = ("", "reverse.") if spec.bidirectional else ("",)
    said = t("{gate} of layer {layer} held at {level:g}", gate=t(names[gate]), layer=layer, level=level)
    return {f"layers.{layer}.{side}{gate}": change for side in sides}, said


# What it did


def outcome(scene: Scene, asked: Any, changes: dict[str, Any], said: str) -> None:
    import numpy as np
    import pandas as pd

    from playground.inspection.ablation import effect

    found = effect(scene.model(), asked, changes)
    st.subheader(said, anchor=False)
    with st.container(horizontal=True, gap="large"):
        st.metric(
            t("Loss (nats a token)"),
            f"{found.after.mean():.3f}",
            f"{found.harm:+.3f}",
            delta_color="inverse",
            width="content",
        )
        st.metric(t("Before"), f"{found.before.mean():.3f}", width="content")
        same = np.mean(found.rows_before.argmax(1)[asked.asked] == found.rows_after.argmax(1)[asked.asked])
        st.metric(t("First guess the same"), f"{same:.0%}", width="content")
    tokens = scene.tokenizer().pieces(asked.inputs.tolist())
    deltas = dict(zip(asked.asked.tolist(), (found.after - found.before).tolist(), strict=True))
    shift = 0 if scene.objective == "mlm" else 1  # the answer about the next token is shown on that token
    boxes = []
    for place, token in enumerate(tokens):
        delta = deltas.get(place - shift)
        if delta is None:
            boxes.append({"text": token, "tip": t("not asked about"), "muted": True})
        else:
            tip = t("its loss changes by {delta:+.3f} nats", delta=delta)
            boxes.append(
                {
                    "text": token,
                    "tip": tip,
                    "value": min(1.0, abs(delta) / 4),
                    "colour": ACCENT if delta > 0 else GOOD,
                }
            )
    clicked = token_strip(boxes, key=f"{VIEW}.strip")
    st.caption(
        t(
            "Orange tokens are told worse than before, green ones better; the fuller, the more. Click one for its predictions."
        )
    )
    if clicked is not None:
        links.remember(place=max(0, clicked - shift))
    differences(scene, asked, found, tokens)
    table = pd.DataFrame({"place": asked.asked, "before": found.before, "after": found.after})
    downloads("explore-intervene", {"before": found.before, "after": found.after}, table)


def differences(scene: Scene, asked: Any, found: Any, tokens: list[str]) -> None:
    """The predictions at one place that changed most."""
    import numpy as np
    import plotly.graph_objects as go

    wanted = links.param("place")
    place = int(wanted) if wanted.isdigit() and int(wanted) < len(tokens) else int(asked.asked[-1])
    before, after = found.rows_before[place], found.rows_after[place]
    chosen = np.argsort(-np.maximum(before, after))[:10]
    names = [piece(text) + " " for text in scene.tokenizer().pieces(chosen.tolist())]
    fig = go.Figure(
        [
            go.Bar(
                y=names[::-1],
                x=before[chosen][::-1],
                name=t("before"),
                orientation="h",
                marker_color=ARCHITECTURE[scene.architecture],
            ),
            go.Bar(
                y=names[::-1], x=after[chosen][::-1], name=t("changed"), orientation="h", marker_color=ACCENT
            ),
        ]
    )
    fig.update_traces(hovertemplate="<b>%{y}</b> %{x:.2%}<extra>%{fullData.name}</extra>")
    fig.update_layout(
        margin={"l": 90, "r": 20, "t": 40, "b": 50}, barmode="group", legend={"orientation": "h", "y": 1.12}
    )
    fig.update_xaxes(title=t("Probability"), tickformat=".0%", rangemode="tozero")
    fig.update_yaxes(title=t("Token"), type="category")
    told = t(
        "Predictions at place {place}, “{token}”: the ten likeliest of both.",
        place=place,
        token=piece(tokens[place]),
    )
    figure(fig, f"{VIEW}.differences", told, {"before": before, "after": after}, height=430)
