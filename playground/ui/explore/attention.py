"""Who looks at whom: all heads as small pictures, one of them large, its lines, and how it came to be."""

from typing import Any

import streamlit as st

from playground.runs.folder import RunFolder
from playground.ui import cached, links
from playground.ui.choose import describe, known_runs, speaks
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.attention_lines import attention_lines
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.heatmap import heatmap
from playground.ui.components.live_text import live_text
from playground.ui.explore.choice import choose
from playground.ui.explore.figure import downloads
from playground.ui.explore.scene import Scene
from playground.ui.language import t
from playground.ui.messages import empty, plain

VIEW = "explore.attention"
THUMBNAIL = 48
MOST_LINES = 128  # tokens: more lines are a haze
WAYS = {"head": "One head", "mean": "Mean of the heads", "max": "Largest of the heads", "rollout": "Rollout"}
PART_NAMES = {"self": "Self", "cross": "Decoder to encoder", "decoder": "Decoder", "encoder": "Encoder"}
KIND_NAMES = {
    "previous": "previous token",
    "first": "first token",
    "same": "same token",
    "induction": "induction",
}


def show(scene: Scene) -> None:
    if scene.is_recurrent:
        empty(
            t("A recurrent model has no attention"),
            t("It carries everything in its state: look at Gates and states, or choose a transformer above."),
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        part = choose(VIEW, "part", t("Attention of"), {name: PART_NAMES[name] for name in parts(scene)})
        way = choose(VIEW, "way", t("Show"), WAYS)
        drawing = choose(VIEW, "draw", t("As"), {"cells": "Cells", "lines": "Lines"})
        longer = continuation(scene)
    scene, n_new = grown(scene, longer)
    step = past(scene)
    weights = weights_of(scene, step)[part]
    left, right = st.columns([2, 3], gap="medium")
    with left:
        head = choose_head(weights, scores_of(scene, step, part), drawing == "lines")
    with right:
        large(scene, step, part, way, head, drawing, n_new)
    told(scene, step, part, weights)


# What is asked for


def parts(scene: Scene) -> list[str]:
    return ["cross", "decoder", "encoder"] if scene.has_source else ["self"]


def continuation(scene: Scene) -> int:
    """How many tokens the model writes on, to be looked at as they are generated."""
    if scene.objective != "clm" or scene.is_pairs:
        return 0
    return st.number_input(
        t("Let it write on (tokens)"), 0, 64, 0, key="explore.attention.more", width=190,
        help=t("The likeliest token each time. Rows of tokens it wrote are marked at their left."),
    )  # fmt: skip


def grown(scene: Scene, n: int) -> tuple[Scene, int]:
    """The scene with what the model writes next, and how many tokens that are."""
    if not n:
        return scene, 0
    ids = written(str(scene.run.path), scene.step, tuple(scene.ids()), n)
    return Fed(scene.run, scene.step, scene.text, scene.target, fed=ids), len(ids) - len(scene.ids())


class Fed(Scene):
    """A scene whose tokens are given, not read from the text."""

    def __init__(self, run: RunFolder, step: int, text: str, target: str, fed: tuple[int, ...]) -> None:
        super().__init__(run, step, text, target)
        object.__setattr__(self, "fed", fed)

    def ids(self) -> list[int]:
        return list(self.fed)


@st.cache_data(max_entries=64, show_spinner=False)
def written(path: str, step: int, ids: tuple[int, ...], n: int) -> tuple[int, ...]:
    """A text and its greedy continuation, as far as the model reaches."""
    from models.decode import decode

    scene = Scene(RunFolder(path), step, "")
    model = cached.model(scene.run, step)
    room = min(n, scene.longest() - len(ids))
    stop = (cached.tokenizer(scene.run).eos_id,)
    more = (
        decode(model, list(ids), room, lambda logits: int(logits.argmax()), stop_ids=stop) if room > 0 else ()
    )
    return (*ids, *(int(token) for token in more))


def past(scene: Scene) -> int:
    """A slider over the checkpoints that the run has kept: watch a head form."""
    steps = scene.run.checkpoints()
    if len(steps) < 2:
        return scene.step
    key = f"explore.attention.at.{scene.run.id}"
    wanted = links.param("at")
    default = int(wanted) if wanted.isdigit() and int(wanted) in steps else scene.step
    step = st.select_slider(
        t("Training step (move it and watch the heads form)"),
        steps,
        value=default,
        key=key,
        format_func="{:,}".format,
    )
    links.remember(at=step if step != scene.step else None)
    return step


# What is computed, kept for everybody


def weights_of(scene: Scene, step: int) -> dict[str, Any]:
    source = tuple(scene.source_ids()) if scene.has_source else None
    return _weights(str(scene.run.path), step, tuple(scene.ids()), source)


@st.cache_resource(max_entries=12, show_spinner=False)
def _weights(path: str, step: int, ids: tuple[int, ...], source: tuple[int, ...] | None) -> dict[str, Any]:
    from playground.inspection.attention import attention_weights

    return attention_weights(cached.model(RunFolder(path), step), ids, source)


def scores_of(scene: Scene, step: int, part: str) -> Any:
    """The heads' scores on this text; None for cross-attention, whose tokens are of two texts."""
    from playground.inspection.heads import score_heads

    if part == "cross":
        return None
    ids = scene.source_ids() if part == "encoder" else scene.ids()
    return score_heads(weights_of(scene, step)[part], ids)


def tokens_of(scene: Scene, part: str) -> tuple[list[str], list[str]]:
    """The tokens that look, and those looked at."""
    if part == "self":
        return scene.tokens(), scene.tokens()
    source = scene.source_tokens()
    target = scene.tokens() if part != "encoder" else source
    return target, (source if part != "decoder" else target)


# What is drawn


def choose_head(weights: Any, scores: Any, lines: bool) -> tuple[int, int]:
    """All heads; the one chosen is in the address."""
    from playground.inspection.attention import distance, entropy, pooled

    n_layers, n_heads = weights.shape[:2]
    layer, head = (
        int(links.param(name, "-1")) if links.param(name).isdigit() else -1 for name in ("layer", "head")
    )
    if not (0 <= layer < n_layers and 0 <= head < n_heads):
        layer, head = most_telling(scores, weights.shape)
    widths, lengths = entropy(weights), distance(weights)
    names = [[scores.label(i, j) if scores else None for j in range(n_heads)] for i in range(n_layers)]
    labels = [[t(KIND_NAMES[name[0]]) if name else "" for name in row] for row in names]
    tips = [
        [
            t(
                "entropy {entropy:.2f} nats, mean distance {distance:.1f} tokens",
                entropy=widths[i, j],
                distance=lengths[i, j],
            )
            + (f", {labels[i][j]} {names[i][j][1]:.2f}" if names[i][j] else "")
            for j in range(n_heads)
        ]
        for i in range(n_layers)
    ]
    small = pooled(weights, 20 if lines else THUMBNAIL)
    clicked = heads_grid(
        small, "explore.attention.grid", labels, tips, (layer, head), lines=lines, colour=ARCHITECTURE["decoder"]
    )
    if clicked and clicked != (layer, head):
        links.remember(layer=clicked[0], head=clicked[1])
        st.rerun(scope="fragment")
    st.caption(
        t("Each picture is a head of layer 0, 1, … from above: rows are the tokens that look, columns those looked at, the "
          "brighter the more. A head is named where at least {share:.0%} of its attention does just that.", share=0.3)
    )  # fmt: skip
    return layer, head


def most_telling(scores: Any, shape: tuple[int, ...]) -> tuple[int, int]:
    """Where to begin: the head that does a named thing most clearly."""
    if scores is None:
        return shape[0] - 1, 0
    import numpy as np

    table = np.nan_to_num(
        np.max([np.nan_to_num(scores.scores[kind]) for kind in ("induction", "previous")], axis=0)
    )
    layer, head = np.unravel_index(table.argmax(), table.shape)
    return int(layer), int(head)


def matrix(scene: Scene, step: int, part: str, way: str, head: tuple[int, int]) -> Any:
    """The weights to draw large, ``[queries, keys]``."""
    from playground.inspection.attention import rollout

    weights = weights_of(scene, step)[part]
    layer, number = head
    if way == "mean":
        return weights[layer].mean(0)
    if way == "max":
        return weights[layer].max(0)
    if way == "rollout" and part != "cross":
        return rollout(weights)[layer]
    return weights[layer, number]


def title_of(way: str, head: tuple[int, int]) -> str:
    layer, number = head
    return {
        "head": t("Layer {layer}, head {head}", layer=layer, head=number),
        "mean": t("Layer {layer}, mean of its heads", layer=layer),
        "max": t("Layer {layer}, largest of its heads", layer=layer),
        "rollout": t("Rollout from the input to layer {layer}", layer=layer),
    }[way]


def large(
    scene: Scene, step: int, part: str, way: str, head: tuple[int, int], drawing: str, n_new: int
) -> None:
    """The chosen head, and beside it what it is compared with."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(title_of(way, head), anchor=False, width="content")
        with st.popover(t("Compare"), icon=":material/compare:", key="explore-compare"):
            other = choose_other(scene, step)
        if way == "head" and part != "cross":
            links.link(
                "explore", t("Compute it step by step"), icon=":material/calculate:", view="steps", example=0,
                run=scene.run.id, layer=head[0], head=head[1], text=scene.text[:500], part=part if part != "self" else None,
            )  # fmt: skip
    if other is None:
        picture(scene, step, part, way, head, drawing, "own", n_new)
    else:
        for column, (what, at), name in zip(
            st.columns(2, gap="medium"), ((scene, step), other), ("own", "other"), strict=True
        ):
            with column:
                st.caption(f"{plain(what.run.name)}, " + t("step {step:,}", step=at))
                picture(what, at, part, way, head, drawing, name, n_new if what is scene else 0)
    st.caption(way_sentence(way, part))


def picture(
    scene: Scene, step: int, part: str, way: str, head: tuple[int, int], drawing: str, name: str, n_new: int
) -> None:
    weights = weights_of(scene, step)[part]
    head = min(head[0], len(weights) - 1), min(head[1], weights.shape[1] - 1)
    values = matrix(scene, step, part, way, head)
    queries, keys = tokens_of(scene, part)
    alt = title_of(way, head)
    if drawing == "lines":
        shown = values[-MOST_LINES:, -MOST_LINES:] if max(values.shape) > MOST_LINES else values
        attention_lines(
            shown,
            f"explore.attention.lines.{name}",
            queries[-MOST_LINES:],
            keys[-MOST_LINES:],
            ARCHITECTURE["decoder"],
            alt,
        )
        if max(values.shape) > MOST_LINES:
            st.caption(t("The last {n} tokens: more lines would be a haze.", n=MOST_LINES))
    else:
        span = (0.0, float(values.max()))
        heatmap(
            values, f"explore.attention.cells.{name}", queries, keys, (t("query"), t("key"), t("weight")), alt, span,
            new_rows=n_new if part == "self" else 0,
        )  # fmt: skip


def way_sentence(way: str, part: str) -> str:
    if way == "rollout" and part != "cross":
        return t("How much of each input token has reached a place after this layer (Abnar & Zuidema 2020): half of every "
                 "layer is its heads' mean, half the residual connection.")  # fmt: skip
    if part == "cross":
        return t("Each row is a token being written, and where in the source the decoder looks for it; rows sum to 1. "
                 "Where the bright cells run diagonally, the two texts are aligned.")  # fmt: skip
    return t("Each row sums to 1. Look for a diagonal one to the left (the token before), a bright first column (a place to "
             "rest), or bright cells right after an earlier copy of the same token (induction).")  # fmt: skip


# With what it is compared


def choose_other(scene: Scene, step: int) -> tuple[Scene, int] | None:
    """Another text, another run or another checkpoint for the same head; None: nothing."""
    with_what = st.segmented_control(
        t("The same head …"), ["text", "run", "step"], key="explore.attention.with",
        format_func={"text": t("on another text"), "run": t("of another run"), "step": t("at another step")}.get,
    )  # fmt: skip
    if with_what == "text":
        text = live_text("explore.attention.second", scene.text, t("The other text"))
        return Scene(scene.run, step, text, scene.target), step
    if with_what == "run":
        others = [
            run
            for run in known_runs()
            if speaks(run) and kind_of(run) == scene.architecture and run.id != scene.run.id
        ]
        if not others:
            st.caption(t("There is no other run of this architecture."))
            return None
        run = st.selectbox(t("Run"), others, format_func=describe, key="explore.attention.run")
        return Scene(run, run.checkpoints()[-1], scene.text, scene.target), run.checkpoints()[-1]
    if with_what == "step":
        steps = scene.run.checkpoints()
        if len(steps) < 2:
            st.caption(
                t(
                    "This run has kept one checkpoint. Ask for more when you train: “Weights kept along the way”."
                )
            )
            return None
        return scene, st.select_slider(
            t("Step"), steps, key=f"explore.attention.then.{scene.run.id}", format_func="{:,}".format
        )
    return None


def kind_of(run: RunFolder) -> str:
    return run.about()["model"]["architecture"]


# What can be told of the heads


def told(scene: Scene, step: int, part: str, weights: Any) -> None:
    """Every head's numbers, in a table that can be sorted and taken away."""
    import pandas as pd

    from playground.inspection.attention import distance, entropy

    scores = scores_of(scene, step, part)
    random_scores = on_random(scene, step) if part == "self" and scene.objective == "clm" else None
    n_layers, n_heads = weights.shape[:2]
    widths, lengths = entropy(weights), distance(weights)
    rows = []
    for i in range(n_layers):
        for j in range(n_heads):
            row = {
                t("Layer"): i,
                t("Head"): j,
                t("Entropy (nats)"): widths[i, j],
                t("Distance (tokens)"): lengths[i, j],
            }
            if scores:
                row |= {t(name): float(scores.scores[kind][i, j]) for kind, name in KIND_NAMES.items()}
            if random_scores is not None:
                row[t("induction, random tokens")] = float(random_scores[i, j])
            rows.append(row)
    table = pd.DataFrame(rows)
    with st.expander(t("What each head does, in numbers")):
        st.dataframe(table.round(3), hide_index=True, key="explore.attention.table")
        st.caption(
            t("Scores are shares of a head's attention on this text. The last column repeats random tokens, where only "
              "induction can help (Olsson et al. 2022).")
            if random_scores is not None
            else t("Scores are shares of a head's attention on this text.")
        )  # fmt: skip
        data = {name: values for name, values in weights_of(scene, step).items()}
        downloads("explore-attention", data, table)
    st.caption(Scene(scene.run, step, scene.text, scene.target).said())


def on_random(scene: Scene, step: int) -> Any:
    """Induction on random tokens; None where the run's text has too few different ones."""
    from playground.errors import PlaygroundError

    try:
        return _on_random(str(scene.run.path), step, scene.is_pairs)
    except PlaygroundError:
        return None


@st.cache_data(max_entries=64, show_spinner=False)
def _on_random(path: str, step: int, pairs: bool) -> Any:
    from playground.inspection.heads import induction_scores

    run = RunFolder(path)
    tokenizer = cached.tokenizer(run)
    said = "".join(
        row.get("text", "") + row.get("prompt", "") + "".join(x["source"] for x in row.get("examples", ()))
        for row in run.samples()
    )
    middle = (tokenizer.bos_id,) if pairs else ()
    return induction_scores(cached.model(run, step), tokenizer.encode(said), middle=middle)
