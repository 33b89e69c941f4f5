"""Switch parts off, or put in what they did on another text, and see at once what changes."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from playground.pages.explore.scene_task import asked_of, key_of, place_of
from playground.pages.explore.url_widgets import choose, one_of, pairs, several, slide, switch, typed
from playground.text.visible import visible
from playground.ui import url_state
from playground.ui.colours import ABOVE, ACCENT, SPARE
from playground.ui.components.before_after import before_after
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.heatmap import heatmap
from playground.ui.components.token_strip import token_strip
from playground.ui.figure import LEGEND, downloads, figure, graph_objects
from playground.ui.language import joined, t
from playground.ui.measuring import Measurement, measured
from playground.ui.number_format import share
from playground.ui.scene import Scene, answer_to, only_labels
from playground.ui.stage import Stage

VIEW = "explore.intervene"
PART_NAMES = {"cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}
LOOKS = {"heads": "Heads", "places": "Positions"}
N_WRITTEN = 12  # tokens that are written on
LONGEST_TEXT = 160  # tokens of a text that is written on: each token reads all of it again
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
    "lstm-attention": {"gates.input": "input gate", "gates.forget": "forget gate", "gates.output": "output gate"},
    "gru": {"gates.update": "update gate", "gates.reset": "reset gate"},
    "rnn": {"hidden": "hidden state"},
}


@dataclass(frozen=True)
class Intervention:
    """What a person changes, and what every single change would do.

    Attributes:
        changes: by the names of the activations.
        said: the same in words.
        invites: what to try, said while nothing is changed.
        keeps_length: the changes are those of one text: nothing can be written on with them.
    """

    changes: dict[str, Any]
    said: str
    invites: str
    keeps_length: bool


def show(scene: Scene, place: Stage) -> None:
    if scene.gives_labels:
        with place.picture:
            only_labels()
        return
    task = asked_of(scene)
    with place.picture:
        left, right = st.columns(2, gap="medium")
    made = (gates if scene.is_recurrent else parts)(scene, task, place, left)
    if made is None:  # it is being measured, and says so
        return
    with right:
        found = predicted(scene, task, made, place)
    place.say(sentence(made, found))
    with place.rest:
        if made.changes:
            outcome(scene, task, made.said, found)
        st.caption(scene.said())


def sentence(made: Intervention, found: Any) -> str:
    """What the changes do; as long as there is none, what to try."""
    if not made.changes:
        return made.invites
    return (
        made.said
        + ": "
        + t(
            "the loss is {after:.2f} nats per token instead of {before:.2f}.",
            after=found.after.mean(),
            before=found.before.mean(),
        )
    )


# What the model says with the changes


def predicted(scene: Scene, task: Any, made: Intervention, place: Stage) -> Any:
    """The likeliest tokens at one place, and what the model writes on, before and with the changes."""
    import numpy as np

    from playground.inspection.ablation import effect

    found = effect(scene.model(), task, made.changes)
    at = shown_place(scene, task, found)
    before, after = found.rows_before[at], found.rows_after[at]
    best = np.argsort(-np.maximum(before, after))[:10]
    pieces = scene.tokenizer().pieces
    with place.rest:  # its progress; the picture says that it is coming
        text = written(scene, made) if (is_writing := can_write(scene, made)) else None
    before_after(
        f"{VIEW}.predicted",
        place_title(scene, pieces(task.inputs.tolist()), at),
        pieces(best.tolist()),
        before[best].tolist(),
        after[best].tolist() if made.changes else None,
        text,
        t("Writing …") if is_writing and text is None else "",
    )
    return found


def shown_place(scene: Scene, task: Any, found: Any) -> int:
    """The place whose predictions are shown: that of the address, else where the loss changes most, else the last."""
    import numpy as np

    change = np.abs(found.after - found.before)
    first = int(task.target_positions[change.argmax() if change.max() >= UNCHANGED else -1])
    return min(place_of(scene, first), len(task.inputs) - 1)


def place_title(scene: Scene, pieces: list[str], at: int) -> str:
    before = "".join(pieces[max(0, at - 5) : at + 1])
    if scene.objective == "mlm":
        return t("Instead of “{token}”, token {place}", token=visible(pieces[at]), place=at)
    return t("Next token after “{words}”", words=before.replace("\n", "↵"))


def can_write(scene: Scene, made: Intervention) -> bool:
    """Whether the model writes on: not where it fills in, and not with what was computed on a text of one length."""
    return scene.objective != "mlm" and not made.keeps_length and len(scene.ids()) <= LONGEST_TEXT


def written(scene: Scene, made: Intervention) -> tuple[str, str] | None:
    """What the model writes after the text without and with the changes; None as long as it writes."""
    ids, model, tokenizer = scene.ids(), scene.model(), scene.tokenizer()
    if scene.is_pairs:
        ids = ids[: 1 if scene.has_source else ids.index(tokenizer.bos_id) + 1]
    source = scene.source_ids() if scene.has_source else None

    def write(job: Measurement) -> tuple[str, str]:
        from playground.inspection.ablation import writes_on

        return tuple(
            tokenizer.decode(writes_on(model, ids, changes, N_WRITTEN, tokenizer.eos_id, source, job.progress))
            for changes in ({}, made.changes)[: 2 if made.changes else 1]
        )

    found = measured(f"{VIEW}.written", (key_of(scene), tuple(ids), made.said), "Writing …", write)
    return None if found is None else (found[0], found[-1])


# Transformers: heads, MLPs, and places of the residual stream


def parts(scene: Scene, task: Any, place: Stage, picture: Any) -> Intervention | None:
    """What the person changes, as named changes and in words; None while the heads are measured."""
    with place.drawer:
        part = choose(VIEW, "part", t("Heads of"), PART_NAMES, box=True) if scene.has_source else "self"
        how = choose(VIEW, "how", t("Replace their output by"), HOW)
        other = second_text(scene, task) if how == "patch" else None
        first = "places" if url_state.text("explore", "places") else "heads"
        look = choose(VIEW, "look", t("Show"), LOOKS, first) if other else "heads"
        mlps = several(
            VIEW,
            "mlps",
            t("MLPs switched off") if how != "patch" else t("MLPs patched"),
            range(scene.model().spec.n_layers),
            pills=True,
            format_func=lambda layer: t("layer {layer}", layer=layer),
        )
    with picture:
        loss_increase = loss_increase_of(scene, task, part, how, other)
        if loss_increase is None:
            return None
        places_table = places_of(scene, task, other) if other else None
    with picture if look == "heads" else place.rest:
        chosen = choose_heads(loss_increase, part)
    places = []
    if other and places_table is not None:
        with picture if look == "places" else place.rest:
            places = choose_places(scene, task, other, places_table)
    with place.rest:
        st.caption(heads_sentence(how))
        if places_table is not None:
            st.caption(places_sentence())
            downloads("explore-intervene-places", {"places": places_table})
        ranking(loss_increase, part, how)
    names = [f"{layer}.{head}" for layer, head in chosen] + [t("MLP {layer}", layer=layer) for layer in mlps]
    names += [t("position {place} after {depth}", place=at, depth=depth_name(scene, depth)) for depth, at in places]
    words = t("With {names} from the other text") if other else t("Without {names}")
    invites = places_invitation() if look == "places" else invitation(loss_increase, how)
    changes = changes_of(scene, part, how, other, chosen, mlps, places)
    return Intervention(changes, words.format(names=", ".join(names)), invites, other is not None)


def invitation(loss_increase: Any, how: str) -> str:
    """Which head to try first; or why none matters."""
    import numpy as np

    if np.abs(loss_increase).max() < UNCHANGED:
        return nothing_missed()
    layer, head = np.unravel_index(loss_increase.argmax(), loss_increase.shape)
    said = {"layer": layer, "head": head, "loss": loss_increase.max()}
    if how == "patch":
        return t(
            "Click a head to patch it: layer {layer}, head {head} changes most, by {loss:+.2f} nats per token.", **said
        )
    return t(
        "Click a head to switch it off. The model needs layer {layer}, head {head} most: without it the loss rises by {loss:.2f} nats per token.",
        **said,
    )


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


def choose_heads(loss_increase: Any, part: str) -> list[tuple[int, int]]:
    """The heads that are changed, in the address; a click on a picture switches one."""
    import numpy as np

    n_layers, n_heads = loss_increase.shape
    off = pairs("off", n_layers, n_heads)
    told = np.where(np.abs(loss_increase) < UNCHANGED, 0.0, loss_increase)  # the rest is about nothing
    shares = np.clip(told / max(np.abs(told).max(), FLOOR), -1, 1)[:, :, None, None]
    labels = [[f"{x:+.2f}".replace("-", "−") if x else "≈ 0" for x in row] for row in told.tolist()]
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
    return off


def heads_sentence(how: str) -> str:
    return (
        t(
            "Click heads to switch them off and on again. Without an orange head the loss (nats per token) rises, without a purple one it falls; the stronger the colour, the more."
        )
        if how != "patch"
        else t(
            "Click heads to patch them. With the output of an orange head on the other text the loss (nats per token) rises, with that of a purple one it falls; the stronger the colour, the more."
        )
    )


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
    place: Stage | None = None,
) -> None:
    """Changes of the loss as bars: orange for harm, purple where the text is told better; lying for long names."""
    go = graph_objects()
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
    figure(fig, key, caption, data, table, height=330, place=place, say=False)


def loss_increase_of(scene: Scene, task: Any, part: str, how: str, other: Scene | None) -> Any:
    """What changing each head alone does; None while it is measured."""
    from playground.inspection.ablation import rank_heads

    model, there = scene.model(), asked_of(other) if other else None
    return measured(
        f"{VIEW}.heads",
        ("heads", key_of(scene), part, how, other and key_of(other)),
        "Switching off one head after another …",
        lambda job: rank_heads(model, task, part, how == "mean", there, progress=job.progress),
    )


# Another text


def second_text(scene: Scene, task: Any) -> Scene:
    """The text that is patched in: at first this one with two of its words or letters in each other's place."""
    from playground.inspection.ablation import same_length

    columns = st.columns(2) if scene.is_pairs else [st.container()]
    with columns[0]:
        text = typed(VIEW, "other", t("The other text (as many tokens as yours)"), exchanged(scene), scene.run.id)
    target = scene.target
    if scene.is_pairs:
        first = answer_to(str(scene.run.path), scene.run.checkpoints()[-1], text)
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


def choose_places(scene: Scene, task: Any, other: Scene, table: Any) -> list[tuple[int, int]]:
    """Where the difference between both texts travels: places of the residual stream, each patched alone."""
    import numpy as np

    width = patched_together(task)
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
    return [(i, place) for i, j in chosen for place in range(j * width, min((j + 1) * width, len(task.inputs)))]


def places_invitation() -> str:
    return t(
        "Each cell: the change of the loss when that position alone comes from the other text. Follow the coloured cells upwards to the answer; click cells to keep them patched."
    )


def places_sentence() -> str:
    return t(
        "Each cell: the change of this text's loss when the residual stream at that position and depth is replaced by that of the other text. Follow the coloured cells upwards: the difference travels this way to the answer. Click cells to keep them patched."
    )


def patched_together(task: Any) -> int:
    """How many neighbouring positions are patched at once: of a long text some."""
    return 1 if len(task.inputs) <= 64 else -(-len(task.inputs) // 32)


def depth_name(scene: Scene, depth: int) -> str:
    return t("embeddings") if depth == 0 else t("layer {layer}", layer=depth - 1)


def places_of(scene: Scene, task: Any, other: Scene) -> Any:
    """What patching each position alone does; None while it is measured."""
    from playground.inspection.ablation import causal_trace

    model, there, width = scene.model(), asked_of(other), patched_together(task)
    return measured(
        f"{VIEW}.places",
        ("places", key_of(scene), key_of(other), width),
        "Patching every position …",
        lambda job: causal_trace(model, task, there, width, progress=job.progress),
    )


# Recurrent models: gates


def gates(scene: Scene, task: Any, place: Stage, picture: Any) -> Intervention | None:
    """A gate held at a level or taken from another text, all its units or some; None while the gates are measured."""
    from playground.inspection import ablation

    spec, names = scene.model().spec, GATES[scene.architecture]
    with place.drawer:
        on = switch(VIEW, "on", t("Change it"))
        how = choose(VIEW, "how", t("A gate is"), HOW_GATES)
        other = second_text(scene, task) if how == "patch" else None
        layer = one_of(VIEW, "layer", t("Layer"), range(spec.n_layers), 0, width=110)
        gate = choose(VIEW, "gate", t("Gate"), names, box=True)
        least = -100 if scene.architecture == "rnn" else 0
        percent = 0 if other else slide(VIEW, "level", t("Level (percent)"), range(least, 101, 5), 0)
        width = spec.d_model // 2 if spec.bidirectional else spec.d_model
        units = several(VIEW, "units", t("Units (none chosen: all)"), range(width))
    sides = ("", "reverse.") if spec.bidirectional else ("",)
    stack = "decoder." if scene.has_source else ""  # what writes
    with picture:
        invites = rank_of_gates(scene, task, names, stack, sides, other, place)
    if invites is None:
        return None
    if not on:
        return Intervention({}, "", invites, False)
    at = [f"{stack}layers.{layer}.{side}{gate}" for side in sides]
    said = {"gate": t(names[gate]), "layer": layer}
    if other is None:
        changes = {name: ablation.held_at(percent / 100, units or None) for name in at}
        words = t("{gate} of layer {layer} held at {level:g}", **said, level=percent / 100)
        return Intervention(changes, words + (f" ({', '.join(map(str, units))})" if units else ""), invites, False)
    there = ablation.recorded(scene.model(), asked_of(other), *at)
    changes = {name: ablation.patched(there[name], units or None) for name in at}
    return Intervention(changes, t("{gate} of layer {layer} as on the other text", **said), invites, True)


def rank_of_gates(
    scene: Scene,
    task: Any,
    names: dict[str, str],
    stack: str,
    sides: tuple[str, ...],
    other: Scene | None,
    place: Stage,
) -> str | None:
    """Draws what changing each gate alone does, and gives it in a sentence; None while it is measured."""
    import pandas as pd

    found = [(layer, gate) for layer in range(scene.model().spec.n_layers) for gate in names]
    at = tuple(tuple(f"{stack}layers.{layer}.{side}{gate}" for side in sides) for layer, gate in found)
    loss_increase = gates_of(scene, task, at, other)
    if loss_increase is None:
        return None
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
        place=place,
    )
    return joined(caption, t("Change one in the options."))


def gates_of(scene: Scene, task: Any, names: tuple, other: Scene | None) -> Any:
    """What changing each gate alone does; None while it is measured."""
    from playground.inspection.ablation import rank_gates

    model, there = scene.model(), asked_of(other) if other else None
    return measured(
        f"{VIEW}.gates",
        ("gates", key_of(scene), names, other and key_of(other)),
        "Changing one gate after another …",
        lambda job: rank_gates(model, task, names, other=there, progress=job.progress),
    )


# What it did


def outcome(scene: Scene, task: Any, said: str, found: Any) -> None:
    import numpy as np
    import pandas as pd

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
    place = shown_place(scene, task, found)
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

    go = graph_objects()
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
