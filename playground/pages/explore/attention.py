"""Who looks at whom: all heads as small pictures, one of them large, its lines, and how it came to be."""

from typing import Any

import streamlit as st

from playground.pages.explore.url_widgets import choose, number, seeded, slide, typed, whole
from playground.runs.folder import RunFolder
from playground.ui import cached, links, url_state
from playground.ui.attention_weights import PART_NAMES, on_paper, sides, title_of, weights_on
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.attention_lines import attention_lines
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.heatmap import heatmap
from playground.ui.figure import downloads
from playground.ui.language import t
from playground.ui.messages import plain
from playground.ui.run_picker import describe, known_runs, name_of, speaks
from playground.ui.scene import Scene, answer_to
from playground.ui.select import keep, select
from playground.ui.stage import Stage

VIEW = "explore.attention"
THUMBNAIL = 48
MOST_LINES = 128  # tokens: more lines are a haze
WAYS = {"head": "One head", "mean": "Mean of the heads", "max": "Largest of the heads", "rollout": "Rollout"}
WITH = {"none": "alone", "text": "on other texts", "run": "of another run", "step": "at another step"}
MOST_TEXTS = 4
DRAWINGS = {"cells": "Cells", "lines": "Lines"}
KIND_NAMES = {
    "previous": "previous token",
    "next": "next token",
    "first": "first token",
    "last": "last token",
    "itself": "itself",
    "same": "same token",
    "induction": "induction",
}


TELLING = ("induction", "previous", "next")
"""What a head that is shown first does: it moves along the text."""


def show(scene: Scene, place: Stage) -> None:
    with place.drawer:
        part = choose(VIEW, "part", t("Attention of"), {name: PART_NAMES[name] for name in parts(scene)})
        way = choose(VIEW, "way", t("Show"), WAYS)
        drawing = choose(VIEW, "draw", t("As"), DRAWINGS)
        longer = continuation(scene)
        scene, n_new = grown(scene, longer)
        step = past(scene)
    weights = weights_of(scene, step)[part]
    with place.picture:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            head = choose_head(scene, part, weights, scores_of(scene, step, part), drawing == "lines", place)
        with right:
            large(scene, step, part, way, head, drawing, n_new, place)
    with place.rest:
        head_table(scene, step, part, weights)


# What is asked for


def parts(scene: Scene) -> list[str]:
    return ["cross", "decoder", "encoder"] if scene.has_source else ["self"]


def continuation(scene: Scene) -> int:
    """How many tokens the model writes on, to be looked at as they are generated."""
    if scene.objective != "clm" or scene.is_pairs or scene.gives_labels:
        return 0
    key = seeded("explore.attention.more", "more", whole(range(65)), 0)
    more = st.number_input(
        t("Continue the text (tokens)"),
        0,
        64,
        key=key,
        width=190,
        help=t("Greedy decoding. Rows of tokens that it wrote are marked at their left."),
    )
    url_state.remember("explore", more=more or None)
    return more


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
    from models.generate import decode

    scene = Scene(RunFolder(path), step, "")
    model = cached.model(scene.run, step)
    room = min(n, scene.longest() - len(ids))
    stop = (cached.tokenizer(scene.run).eos_id,)
    more = decode(model, list(ids), room, stop_ids=stop) if room > 0 else ()
    return (*ids, *(int(token) for token in more))


def past(scene: Scene) -> int:
    """A slider over the checkpoints that the run has kept: watch a head form."""
    steps = scene.run.checkpoints()
    if len(steps) < 2:
        return scene.step
    return slide(
        f"{VIEW}.{scene.run.id}",
        "at",
        t("Training step (move it and watch the heads form)"),
        steps,
        scene.step,
        format_func="{:,}".format,
    )


# What is computed, kept for everybody


def weights_of(scene: Scene, step: int) -> dict[str, Any]:
    source = tuple(scene.source_ids()) if scene.has_source else None
    return weights_on(str(scene.run.path), step, tuple(scene.ids()), source)


def scores_of(scene: Scene, step: int, part: str) -> Any:
    """The heads' scores on this text; None for cross-attention, whose tokens are of two texts."""
    from playground.inspection.heads import score_heads

    if part == "cross":
        return None
    ids = scene.source_ids() if part == "encoder" else scene.ids()
    return score_heads(weights_of(scene, step)[part], ids, is_causal(scene, part))


def is_causal(scene: Scene, part: str) -> bool:
    """Whether a token may look only at itself and at what came before."""
    return part == "decoder" or (part == "self" and scene.model().spec.is_causal)


def tokens_of(scene: Scene, part: str, step: int | None = None) -> tuple[list[str], list[str]]:
    """What looks, and what is looked at: tokens; to the source looks what is being written."""
    text = scene.writes(step) if part == "cross" else scene.tokens()
    return sides(part, text, scene.source_tokens() if part != "self" else [])


# What is drawn


def choose_head(scene: Scene, part: str, weights: Any, scores: Any, lines: bool, place: Stage) -> tuple[int, int]:
    """All heads; the one chosen is in the address."""
    from playground.inspection.attention import distance, entropy, pooled

    n_layers, n_heads = weights.shape[:2]
    layer, head = number("layer", n_layers - 1, -1), number("head", n_heads - 1, -1)
    if layer < 0 or head < 0:
        layer, head = most_telling(scores, weights)
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
    small = pooled(on_paper(weights, part, is_causal(scene, part)), 20 if lines else THUMBNAIL)
    clicked = heads_grid(
        small,
        "explore.attention.grid",
        labels,
        tips,
        (layer, head),
        lines=lines,
        colour=ARCHITECTURE["decoder"],
        of=f"{weights.shape[2]} × {weights.shape[3]}",
    )
    if clicked and clicked != (layer, head):
        url_state.remember("explore", layer=clicked[0], head=clicked[1])
        st.rerun(scope="fragment")
    with place.rest:
        st.caption(heads_sentence(scores, lines))
    return layer, head


def heads_sentence(scores: Any, lines: bool) -> str:
    """How to read the small pictures, and when a head gets a name."""
    from playground.inspection.heads import LEAST_TOKENS, RECOGNISED

    how = (
        t(
            "Each picture is one head; layers 0, 1, … from top to bottom. Left: queries (the tokens that attend). Right: keys (the tokens attended to)."
        )
        if lines
        else t(
            "Each picture is one head; layers 0, 1, … from top to bottom. Rows: queries (the tokens that attend). Columns: keys (the tokens attended to). Brighter is more attention."
        )
    )
    if scores is None:
        return how
    if not scores.is_long_enough:
        return (
            how
            + " "
            + t(
                "Heads have no names here: the text is too short to tell a pattern from chance. Type at least {least} tokens.",
                least=LEAST_TOKENS,
            )
        )
    return (
        how
        + " "
        + t(
            "A head gets a name where at least {share:.0%} of its attention follows that pattern, far more than by chance.",
            share=RECOGNISED,
        )
    )


def most_telling(scores: Any, weights: Any) -> tuple[int, int]:
    """Where to begin: the head that does a named thing most clearly; between two texts the one that looks most sharply."""
    import numpy as np

    from playground.inspection.attention import entropy

    if scores is None:
        layer, head = np.unravel_index(entropy(weights).argmin(), weights.shape[:2])
        return int(layer), int(head)
    kinds = [kind for kind in TELLING if kind in scores.scores]
    table = np.max([np.nan_to_num(scores.scores[kind]) for kind in kinds], axis=0)
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


def large(
    scene: Scene, step: int, part: str, way: str, head: tuple[int, int], drawing: str, n_new: int, place: Stage
) -> None:
    """The chosen head, and beside it what it is compared with."""
    with place.drawer:
        others = choose_others(scene, step)
        if way == "head":
            links.link(
                "explore",
                t("Compute it step by step"),
                icon=":material/calculate:",
                view="steps",
                example=0,
                run=scene.run.id,
                step=step,
                layer=head[0],
                head=head[1],
                text=scene.text[:500],
                part=part if part != "self" else None,
            )
    shown = [(scene, step), *others]
    for row in range(0, len(shown), 2):
        for column, index in zip(st.columns(min(2, len(shown)), gap="medium"), range(row, len(shown)), strict=False):
            what, at = shown[index]
            with column:
                if others:
                    st.caption(
                        f"{plain(name_of(what.run))}, " + t("step {step:,}", step=at) + f": {plain(what.text[:60])}"
                    )
                new = n_new if index == 0 else 0
                picture(what, at, part, way, head, drawing, str(index) if index else "own", new)
    place.say(f"{title_of(way, head)}: {way_sentence(way, part, is_causal(scene, part), drawing == 'lines')}")


def picture(
    scene: Scene, step: int, part: str, way: str, head: tuple[int, int], drawing: str, name: str, n_new: int
) -> None:
    import numpy as np

    weights = weights_of(scene, step)[part]
    head = min(head[0], len(weights) - 1), min(head[1], weights.shape[1] - 1)
    values = on_paper(matrix(scene, step, part, way, head), part, is_causal(scene, part))
    queries, keys = tokens_of(scene, part, step)
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
            st.caption(t("Only the last {n} tokens: more lines could not be told apart.", n=MOST_LINES))
    else:
        span = (0.0, float(np.nanmax(values)))
        heatmap(
            values,
            f"explore.attention.cells.{name}",
            queries,
            keys,
            (t("query"), t("key"), t("weight")),
            alt,
            span,
            new_rows=n_new if part == "self" else 0,
            empty=t("masked: it comes later"),
        )


def way_sentence(way: str, part: str, causal: bool, lines: bool) -> str:
    """What is drawn, and what to look for in it; only of things that this drawing of this part can have."""
    said = [drawn_sentence(way, part, lines)]
    if way != "rollout" or part == "cross":
        said.append(cross_sentence(lines) if part == "cross" else look_for(causal, lines))
    if causal and not lines:
        said.append(t("Hatched: the causal mask. A token cannot attend to later tokens."))
    return " ".join(said)


def drawn_sentence(way: str, part: str, lines: bool) -> str:
    if way == "rollout" and part != "cross":
        return t(
            "Attention rollout (Abnar & Zuidema 2020): how much of each input token has reached a position after this layer. Every layer counts half as the mean of its heads, half as the residual connection."
        )
    if way == "max":
        return t("The largest weight over all heads of the layer.")
    if lines:
        return t("The stronger a line, the more a token on the left attends to the token on the right.")
    return t("Each row sums to 1.")


def cross_sentence(lines: bool) -> str:
    if lines:
        return t(
            "Left: what the decoder writes. The lines show where in the source it attends to write it. Where the lines run in parallel, the two texts are aligned."
        )
    return t(
        "Each row is named by the token written there; its bright cells show where in the source the decoder attends to write it. Where they run diagonally, the two texts are aligned."
    )


def look_for(causal: bool, lines: bool) -> str:
    if lines and causal:
        return t(
            "Look for lines one step up (previous token), many lines that meet at the first token (attention sink), or lines to just after an earlier copy of the same token (induction)."
        )
    if lines:
        return t(
            "Look for lines one step up or down (previous or next token), many lines that meet at one token, or lines between two copies of a token."
        )
    if causal:
        return t(
            "Look for a diagonal one cell to the left (previous token), a bright first column (attention sink), or bright cells right after an earlier copy of the same token (induction)."
        )
    return t(
        "Look for a diagonal one cell to the left or right (previous or next token), a bright column (a token that many attend to), or bright cells where the same token occurs again."
    )


# With what it is compared


def choose_others(scene: Scene, step: int) -> list[tuple[Scene, int]]:
    """Other texts, another run or another checkpoint for the same head."""
    what = choose(VIEW, "with", t("The same head …"), WITH)
    if what == "text":
        key = seeded(f"{VIEW}.texts", "texts", whole(range(1, MOST_TEXTS)), 1)
        n = st.number_input(t("Other texts"), 1, MOST_TEXTS - 1, key=key, width=190)
        url_state.remember("explore", texts=n if n > 1 else None)
        return [(another(scene, i), step) for i in range(1, n + 1)]
    if what == "run":
        others = {
            run.id: run
            for run in known_runs()
            if speaks(run) and kind_of(run) == scene.architecture and run.id != scene.run.id
        }
        if not others:
            st.caption(t("There is no other run of this architecture."))
            return []
        key = seeded(f"{VIEW}.beside", "beside", lambda said: said if said in others else None, next(iter(others)))
        keep(key, others)
        if st.session_state.get(key) not in others:
            st.session_state[key] = next(iter(others))
        run = others[select(t("Run"), list(others), format_func=lambda id: describe(others[id]), key=key)]
        url_state.remember("explore", beside=run.id)
        return [(Scene(run, run.checkpoints()[-1], scene.text, scene.target), run.checkpoints()[-1])]
    if what == "step":
        steps = scene.run.checkpoints()
        if len(steps) < 2:
            st.caption(
                t("This run has kept one checkpoint. Ask for more when you train: “Checkpoints to keep along the way”.")
            )
            return []
        then = slide(f"{VIEW}.{scene.run.id}", "then", t("Step"), steps, steps[0], format_func="{:,}".format)
        return [(scene, then)]
    return []


def another(scene: Scene, i: int) -> Scene:
    """The same run on another text."""
    text = typed(VIEW, f"other{i}", t("Text {n}", n=i + 1), scene.text, scene.run.id)
    if not scene.is_pairs:
        return Scene(scene.run, scene.step, text)
    target = typed(
        VIEW, f"target{i}", t("What is written there"), answer_to(str(scene.run.path), scene.step, text), scene.run.id
    )
    return Scene(scene.run, scene.step, text, target)


def kind_of(run: RunFolder) -> str:
    return run.about()["model"]["architecture"]


# Numbers of every head


def head_table(scene: Scene, step: int, part: str, weights: Any) -> None:
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
                row |= {t(KIND_NAMES[kind]): float(table[i, j]) for kind, table in scores.scores.items()}
            if random_scores is not None:
                row[t("induction, random tokens")] = float(random_scores[i, j])
            rows.append(row)
    table = pd.DataFrame(rows)
    with st.expander(t("What each head does, in numbers")):
        st.dataframe(table.round(3), hide_index=True, key="explore.attention.table")
        st.caption(
            t(
                "Each score is a fraction of the head's attention on this text. The last column is measured on repeated random tokens, where only induction can help (Olsson et al. 2022)."
            )
            if random_scores is not None
            else t("Each score is a fraction of the head's attention on this text.")
        )
        data = dict(weights_of(scene, step))
        for name in parts(scene):
            data[f"{name}.rows"], data[f"{name}.columns"] = tokens_of(scene, name, step)
        downloads("explore-attention", data, table)
    st.caption(Scene(scene.run, step, scene.text, scene.target).said())
    if session := cached.attention_session(scene.run, step):
        where = "CUDA" if session.provider == "CUDA" else t("the CPU")
        st.caption(t("Attention computed by ONNX Runtime on {provider}.", provider=where))


def on_random(scene: Scene, step: int) -> Any:
    """Induction on random tokens; None where the run's text has too few different ones."""
    from playground.core.errors import PlaygroundError

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
        row.get("text", "")
        + row.get("prompt", "")
        + "".join(x.get("source", x.get("text", "")) for x in row.get("examples", ()))
        for row in run.samples()
    )
    middle = (tokenizer.bos_id,) if pairs else ()
    return induction_scores(cached.model(run, step), tokenizer.encode(said), middle=middle)
