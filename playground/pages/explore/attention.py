"""Who looks at whom: all heads as small pictures, one of them large, its lines, and how it came to be."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import streamlit as st

from playground.pages.explore.known_heads import NAMES as MEANINGS
from playground.pages.explore.known_heads import Known, begin_with, known_heads, said_of
from playground.pages.explore.url_widgets import choose, number, seeded, slide, switch, typed, whole
from playground.runs.folder import RunFolder
from playground.runs.snapshots import steps_of
from playground.text.visible import visible
from playground.ui import cached, links, url_state
from playground.ui.attention_weights import PART_NAMES, on_paper, sides, title_of, weights_on
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.attention_lines import attention_lines
from playground.ui.components.heads_grid import heads_grid
from playground.ui.components.heatmap import heatmap
from playground.ui.components.stage_keys import stage_keys
from playground.ui.figure import downloads
from playground.ui.language import joined, t
from playground.ui.messages import plain
from playground.ui.model_views import views_of
from playground.ui.run_picker import describe, known_runs, name_of, speaks
from playground.ui.scene import Scene, answer_to, coming_out
from playground.ui.select import keep, select
from playground.ui.stage import Stage
from playground.ui.stage import part as stage_part

VIEW = "explore.attention"
THUMBNAIL = 48
MOST_LINES = 128  # tokens: more lines are a haze
SENTENCE = 40  # tokens: up to here lines can be followed, above it cells say more
WAYS = {"head": "One head", "mean": "Mean of the heads", "max": "Largest of the heads", "rollout": "Rollout"}
WITH = {"none": "alone", "text": "on other texts", "run": "of another run", "step": "at another step"}
MOST_TEXTS = 4
DRAWINGS = {"lines": "Lines", "cells": "Cells"}
KIND_NAMES = {
    "previous": "previous token",
    "next": "next token",
    "first": "first token",
    "last": "last token",
    "itself": "itself",
    "same": "same token",
    "induction": "induction",
}


DOES = {
    "previous": "Head {head} mostly looks one token back ({share:.2f} of its attention).",
    "next": "Head {head} mostly looks one token ahead ({share:.2f} of its attention).",
    "first": "Head {head} mostly looks at the first token ({share:.2f} of its attention): an attention sink.",
    "last": "Head {head} mostly looks at the last token ({share:.2f} of its attention): an attention sink.",
    "itself": "Head {head} mostly looks at the token itself ({share:.2f} of its attention).",
    "same": "Head {head} mostly looks at other copies of the same token ({share:.2f} of its attention).",
    "induction": "Head {head} mostly looks at what followed an earlier copy of the token ({share:.2f} of its attention): induction.",
}
"""What a head does, in this very text, with most of its attention."""
PARTLY = {
    "previous": "Head {head} partly looks one token back ({share:.2f} of its attention).",
    "next": "Head {head} partly looks one token ahead ({share:.2f} of its attention).",
    "first": "Head {head} partly looks at the first token ({share:.2f} of its attention): an attention sink.",
    "last": "Head {head} partly looks at the last token ({share:.2f} of its attention): an attention sink.",
    "itself": "Head {head} partly looks at the token itself ({share:.2f} of its attention).",
    "same": "Head {head} partly looks at other copies of the same token ({share:.2f} of its attention).",
    "induction": "Head {head} partly looks at what followed an earlier copy of the token ({share:.2f} of its attention): induction.",
}
"""The same of a head that does it with less than half of its attention."""
LONGEST_NAME = 48  # characters over a compared picture
TELLING = ("induction", "previous", "next")
"""What a head that is shown first does: it moves along the text."""


@dataclass(frozen=True)
class Look:
    """How attention is looked at.

    Attributes:
        part: whose attention, a key of `PART_NAMES`.
        way: one head or several together, a key of `WAYS`.
        drawing: a key of `DRAWINGS`.
        joined: the pieces of a word are one row and one column.
    """

    part: str
    way: str
    drawing: str
    joined: bool

    @property
    def lines(self) -> bool:
        return self.drawing == "lines"


def show(scene: Scene, place: Stage) -> None:
    with place.drawer:
        drawing = choose_drawing(len(scene.ids()))
        part = choose(VIEW, "part", t("Attention of"), {name: PART_NAMES[name] for name in parts(scene)})
        one = is_one_head(scene, part)
        way = choose(VIEW, "way", t("Show"), {"head": WAYS["head"]} if one else WAYS)
        look = Look(part, way, drawing, joins(scene))
        longer = continuation(scene)
        scene, n_new = grown(scene, longer)
        step = scene.step
        others = choose_others(scene, step)
        st.caption(
            t("Key: L draws lines or cells.")
            if one
            else t("Keys: 1 to 9 choose a head of the layer, L draws lines or cells.")
        )
    scores = scores_of(scene, step, part)
    known = known_heads(scene, step, part)
    head = chosen_head(scene, weights_of(scene, step)[part], scores, known)
    with place.picture:
        left, right = (nullcontext(), None) if one else st.columns([3, 1 if others else 2], gap="medium")
        with left:
            maps([(scene, step), *others], look, head, n_new)
        if right:
            with right:
                choose_head(scene, step, look, scores, head, known)
    place.say(joined(*noticed(scene, step, look, head, others, known)))
    with place.rest:
        explained(scene, step, look, head, scores, known)
        numbers(scene, step, part)
        keys(look)


# What is asked for


def parts(scene: Scene) -> list[str]:
    from playground.inspection.attention import parts_of

    return list(parts_of(scene.model().spec))


def is_one_head(scene: Scene, part: str) -> bool:
    """Whether there is nothing to choose from: one layer of one head, such as the alignment of Bahdanau et al."""
    n_layers, n_heads = weights_of(scene, scene.step)[part].shape[:2]
    return n_layers * n_heads == 1


def choose_drawing(n: int) -> str:
    """Lines for a sentence, cells for a longer text, until a person or a link chooses.

    Args:
        n: tokens.
    """
    key, held = f"{VIEW}.draw", f"{VIEW}.drawing"
    said = url_state.text("explore", "draw")
    if said in DRAWINGS and said != st.session_state.get(f"{held}.link"):
        st.session_state[held] = said
    st.session_state[key] = st.session_state.setdefault(held, None) or ("lines" if n <= SENTENCE else "cells")
    chosen = st.segmented_control(
        t("As"),
        list(DRAWINGS),
        required=True,
        format_func=lambda drawing: t(DRAWINGS[drawing]),
        key=key,
        on_change=lambda: draw_as(st.session_state[key]),
    )
    url_state.remember("explore", draw=st.session_state[held])
    st.session_state[f"{held}.link"] = st.session_state[held]
    return chosen or "lines"


def draw_as(drawing: str) -> None:
    st.session_state[f"{VIEW}.drawing"] = drawing


def joins(scene: Scene) -> bool:
    """Whether words are joined from their pieces; where tokens are single signs, each of them is looked at by itself."""
    if scene.tokenizer().kind in ("char", "byte"):
        return False
    pieces = switch(
        VIEW,
        "pieces",
        t("Show pieces"),
        help=t(
            "The tokens as the model reads them. Otherwise the pieces of a word are joined: the sum over the pieces that are attended to, the mean over those that attend."
        ),
    )
    return not pieces


def keys(look: Look) -> None:
    """L chooses the other drawing; what a digit chooses, the small pictures know."""
    if stage_keys(f"{VIEW}.keys", ["l"]):
        draw_as("cells" if look.lines else "lines")
        st.rerun(scope="fragment")


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


# What is computed, kept for everybody


def weights_of(scene: Scene, step: int) -> dict[str, Any]:
    held = vars(scene).setdefault("weights", {})  # one picture asks a dozen times
    if step not in held:
        source = tuple(scene.source_ids()) if scene.has_source else None
        held[step] = weights_on(str(scene.run.path), step, tuple(scene.ids()), source)
    return held[step]


def scores_of(scene: Scene, step: int, part: str) -> Any:
    """The heads' scores on this text; None for cross-attention, whose tokens are of two texts."""
    from playground.inspection.heads import score_heads

    if part == "cross":
        return None
    held = vars(scene).setdefault("scores", {})
    if (step, part) not in held:
        ids = scene.source_ids() if part == "encoder" else scene.ids()
        held[step, part] = score_heads(weights_of(scene, step)[part], ids, is_causal(scene, part))
    return held[step, part]


def is_causal(scene: Scene, part: str) -> bool:
    """Whether a token may look only at itself and at what came before."""
    return part == "decoder" or (part == "self" and scene.model().spec.is_causal)


def tokens_of(scene: Scene, part: str, step: int | None = None) -> tuple[list[str], list[str]]:
    """What looks, and what is looked at: tokens; to the source looks what is being written."""
    text = scene.writes(step) if part == "cross" else scene.tokens()
    return sides(part, text, scene.source_tokens() if part != "self" else [])


def drawn_of(scene: Scene, step: int, look: Look) -> Any:
    """Every head's weights as they are drawn ``[layers, heads, queries, keys]``: of words where they are joined."""
    from playground.inspection.words import between_words

    weights = weights_of(scene, step)[look.part]
    return between_words(weights, *groups_of(scene, step, look.part)) if look.joined else weights


def groups_of(scene: Scene, step: int, part: str) -> tuple[list[range], list[range]]:
    """The words of both sides, as tokens."""
    from playground.inspection.words import words_of

    queries, keys = tokens_of(scene, part, step)
    start = len(coming_out([""])[0]) if part == "cross" else 0
    return words_of([piece[start:] for piece in queries]), words_of(keys)


def names_of(scene: Scene, step: int, look: Look) -> tuple[list[str], list[str]]:
    """What stands beside the rows and above the columns."""
    from playground.inspection.words import written as read

    queries, keys = tokens_of(scene, look.part, step)
    if not look.joined:
        return queries, keys
    rows, columns = groups_of(scene, step, look.part)
    start = len(coming_out([""])[0]) if look.part == "cross" else 0
    said = [read([piece[start:] for piece in queries], word) for word in rows]
    return coming_out(said) if start else said, [read(keys, word) for word in columns]


# What is drawn


def chosen_head(scene: Scene, weights: Any, scores: Any, known: Known | None) -> tuple[int, int]:
    """The head in the address, else one whose meaning is known, else the most telling one."""
    n_layers, n_heads = weights.shape[:2]
    layer, head = number("layer", n_layers - 1, -1), number("head", n_heads - 1, -1)
    if layer >= 0 and head >= 0:
        return layer, head
    return begin_with(known, scene.tokens()) or most_telling(scores, weights)


def choose_head(scene: Scene, step: int, look: Look, scores: Any, head: tuple[int, int], known: Known | None) -> None:
    """All heads; the one clicked stands in the address from now on."""
    from playground.inspection.attention import distance, entropy, pooled

    weights = weights_of(scene, step)[look.part]
    n_layers, n_heads = weights.shape[:2]
    widths, lengths = entropy(weights), distance(weights)
    best = known.best if known else {}
    names = [
        [best.get((i, j)) or (scores.label(i, j) if scores else None) for j in range(n_heads)] for i in range(n_layers)
    ]
    labels = [[t((KIND_NAMES | MEANINGS)[name[0]]) if name else "" for name in row] for row in names]
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
    drawn = on_paper(drawn_of(scene, step, look), look.part, is_causal(scene, look.part))
    clicked = heads_grid(
        pooled(drawn, 20 if look.lines else THUMBNAIL),
        f"{VIEW}.grid",
        labels,
        tips,
        head,
        lines=look.lines,
        colour=ARCHITECTURE["decoder"],
        of=f"{drawn.shape[2]} × {drawn.shape[3]}",
    )
    if clicked and clicked != head:
        url_state.remember("explore", layer=clicked[0], head=clicked[1])
        st.rerun(scope="fragment")


def heads_sentence(scores: Any, known: Known | None, lines: bool) -> str:
    """How to read the small pictures, and when a head gets a name."""
    from playground.inspection.heads import LEAST_TOKENS, RECOGNISED

    how = (
        t(
            "Each picture is one head; layers 0, 1, … from top to bottom. Left: queries (the tokens that attend). Right: keys (the tokens attended to)."
        )
        if lines
        else t(
            "Each picture is one head; layers 0, 1, … from top to bottom. Rows: queries (the tokens that attend). Columns: keys (the tokens attended to). The stronger the colour, the more attention."
        )
    )
    if scores is None:
        return how
    if not scores.is_long_enough and known and known.best:
        named = t("What a head is called was measured on {n} new stories, not on this text.", n=known.n_stories)
    elif not scores.is_long_enough:
        named = t(
            "Heads have no names here: the text is too short to tell a pattern from chance. Type at least {least} tokens.",
            least=LEAST_TOKENS,
        )
    else:
        named = t(
            "A head gets a name where at least {share:.0%} of its attention follows that pattern, far more than by chance.",
            share=RECOGNISED,
        )
    return joined(how, named)


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


def matrix(scene: Scene, step: int, look: Look, head: tuple[int, int]) -> Any:
    """The weights to draw large, ``[queries, keys]``; NaN where a query may not look."""
    from playground.inspection.attention import rollout
    from playground.inspection.words import between_words

    weights = drawn_of(scene, step, look)
    layer, number = min(head[0], len(weights) - 1), min(head[1], weights.shape[1] - 1)
    if look.way == "mean":
        values = weights[layer].mean(0)
    elif look.way == "max":
        values = weights[layer].max(0)
    elif look.way == "rollout" and look.part != "cross":
        values = rollout(weights_of(scene, step)[look.part])[layer]
        values = between_words(values, *groups_of(scene, step, look.part)) if look.joined else values
    else:
        values = weights[layer, number]
    return on_paper(values, look.part, is_causal(scene, look.part))


def maps(shown: list[tuple[Scene, int]], look: Look, head: tuple[int, int], n_new: int) -> None:
    """The chosen head, and beside it what it is compared with, each under its name."""
    if len(shown) == 1:
        picture(*shown[0], look, head, "own", n_new)
        return
    rows = [range(start, min(start + 2, len(shown))) for start in range(0, len(shown), 2)]
    drawn = st.container(gap=None)
    for row in rows:
        with drawn, stage_part(f"maps-{row.start}", 100 // len(rows)) if len(rows) > 1 else nullcontext():
            for column, index in zip(st.columns(2, gap="small"), row, strict=False):
                with column, st.container(gap=None):
                    with stage_part(f"name-{index}", 10):
                        st.markdown(difference(shown, index))
                    with stage_part(f"map-{index}", 90):
                        name, new = (str(index), 0) if index else ("own", n_new)
                        picture(*shown[index], look, head, name, new, small=len(rows) > 1)


def difference(shown: list[tuple[Scene, int]], index: int) -> str:
    """What sets one of the compared apart from the others, in a few words."""
    (scene, step), (own, own_step) = shown[index], shown[0]
    if any(other.run.id != own.run.id for other, _ in shown):
        return plain(name_of(scene.run))
    if any(other != own_step for _, other in shown):
        return t("step {step:,}", step=step)
    return plain(scene.text if len(scene.text) <= LONGEST_NAME else scene.text[: LONGEST_NAME - 1] + "…")


def picture(
    scene: Scene, step: int, look: Look, head: tuple[int, int], name: str, n_new: int, small: bool = False
) -> None:
    """One map, as lines or cells.

    Args:
        name: of the map among those that are shown.
        n_new: how many tokens at the end the model wrote.
        small: it has half of the height: cells alone, without what is said of all maps elsewhere.
    """
    import numpy as np

    values = matrix(scene, step, look, head)
    queries, keys = names_of(scene, step, look)
    alt = t("Who looks at whom") if is_one_head(scene, look.part) else title_of(look.way, head)
    if look.lines:
        attention_lines(
            values[-MOST_LINES:, -MOST_LINES:],
            f"explore.attention.lines.{name}",
            queries[-MOST_LINES:],
            keys[-MOST_LINES:],
            ARCHITECTURE["decoder"],
            alt,
        )
        return
    heatmap(
        values,
        f"explore.attention.cells.{name}",
        queries,
        keys,
        (t("query"), t("key"), t("weight")),
        alt,
        (0.0, float(np.nanmax(values))),
        new_rows=new_words(scene, step, look, n_new),
        empty="" if small else t("masked: it comes later"),
        titles=not small,
        hint=not small,
    )


def new_words(scene: Scene, step: int, look: Look, n_new: int) -> int:
    """How many rows at the end hold nothing but tokens that the model wrote."""
    if look.part != "self" or not look.joined:
        return n_new if look.part == "self" else 0
    begins = len(scene.ids()) - n_new
    return sum(word.start >= begins for word in groups_of(scene, step, look.part)[0])


# What is said of it


def noticed(
    scene: Scene,
    step: int,
    look: Look,
    head: tuple[int, int],
    others: list[tuple[Scene, int]],
    known: Known | None = None,
) -> list[str]:
    """What to see in this very picture, and in those beside it."""
    import numpy as np

    if weights_of(scene, step)[look.part].shape[-1] == 1:
        return [t("There is one token, and it can look only at itself. Type more words.")]
    if look.way == "head" and known and head in known.best and not others:
        weights = np.nan_to_num(weights_of(scene, step)[look.part][head])
        return said_of(known, head, weights, *tokens_of(scene, look.part, step))
    if (
        look.way == "head"
        and look.part != "cross"
        and (kind := strongest_kind(scores_of(scene, step, look.part), head))
    ):
        does = DOES if kind[1] >= 0.5 else PARTLY
        said = [t(does[kind[0]], head=f"{head[0]}.{head[1]}", share=kind[1])]
        beside = [share_of(other, at, look.part, kind[0], head) for other, at in others]
        if any(share is not None for share in beside):
            told = ", ".join("–" if share is None else f"{share:.2f}" for share in beside)
            said.append(t("Beside it: {shares}.", shares=told))
        return said
    values = np.nan_to_num(matrix(scene, step, look, head))
    queries, keys = ([visible(name) for name in side] for side in names_of(scene, step, look))
    i, j = (int(at) for at in np.unravel_index(values.argmax(), values.shape))
    title = title_of(look.way, head)
    if look.part == "cross":
        at = {
            "written": queries[i].removeprefix(visible(coming_out([""])[0])),
            "token": keys[j],
            "weight": values[i, j],
        }
        if is_one_head(scene, look.part):
            return [t("Where it writes “{written}”, it looks most at “{token}” ({weight:.2f} of that row).", **at)]
        return [
            t(
                "{title}: where it writes “{written}”, it looks most at “{token}” ({weight:.2f} of that row).",
                title=title,
                **at,
            )
        ]
    if look.way == "max":
        return [
            t(
                "{title}: the strongest link is from “{token}” to “{to}” ({weight:.2f}).",
                title=title,
                token=queries[i],
                to=keys[j],
                weight=values[i, j],
            )
        ]
    shares = values.mean(0)
    most = {"title": title, "token": keys[int(shares.argmax())], "share": float(shares.max())}
    if most["share"] >= 0.5:
        return [t("{title}: most of the attention goes to “{token}” ({share:.2f} of all).", **most)]
    return [t("{title}: the attention is spread; the largest share goes to “{token}” ({share:.2f} of all).", **most)]


def strongest_kind(scores: Any, head: tuple[int, int]) -> tuple[str, float] | None:
    """What this head does most on this text, where it is a good part of its attention."""
    import numpy as np

    from playground.inspection.heads import RECOGNISED

    found = {kind: float(np.nan_to_num(table[head])) for kind, table in scores.scores.items()}
    best = max(found, key=lambda kind: found[kind])
    return (best, found[best]) if found[best] >= RECOGNISED else None


def share_of(scene: Scene, step: int, part: str, kind: str, head: tuple[int, int]) -> float | None:
    """How much of the attention of the same head does that in another text, run or step; None where there is no such."""
    table = scores_of(scene, step, part).scores.get(kind)
    return float(table[head]) if table is not None and head[0] < len(table) and head[1] < table.shape[1] else None


def explained(scene: Scene, step: int, look: Look, head: tuple[int, int], scores: Any, known: Known | None) -> None:
    """How to read the pictures, and the way to the steps that make them."""
    causal = is_causal(scene, look.part)
    said = way_sentence(look.way, look.part, causal, look.lines)
    if is_one_head(scene, look.part):
        st.caption(said)
    else:
        st.caption(f"{title_of(look.way, head)}: {said}")
        st.caption(heads_sentence(scores, known, look.lines))
    if look.joined:
        st.caption(
            t(
                "Words are joined from their pieces: the sum over the pieces that are attended to, the mean over those that attend. Numbers of heads are of tokens."
            )
        )
    if look.lines and len(names_of(scene, step, look)[0]) > MOST_LINES:
        st.caption(t("Only the last {n} tokens: more lines could not be told apart.", n=MOST_LINES))
    if look.way == "head" and "steps" in views_of(scene.run):
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
            part=look.part if look.part != "self" else None,
        )


def way_sentence(way: str, part: str, causal: bool, lines: bool) -> str:
    """What is drawn, and what to look for in it; only of things that this drawing of this part can have."""
    said = [drawn_sentence(way, part, lines)]
    if way != "rollout" or part == "cross":
        said.append(cross_sentence(lines) if part == "cross" else look_for(causal, lines))
    if causal and not lines:
        said.append(t("Hatched: the causal mask. A token cannot attend to later tokens."))
    return joined(*said)


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
        "Each row is named by the token written there; its filled cells show where in the source the decoder attends to write it. Where they run diagonally, the two texts are aligned."
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
            "Look for a diagonal one cell to the left (previous token), a filled first column (attention sink), or filled cells right after an earlier copy of the same token (induction)."
        )
    return t(
        "Look for a diagonal one cell to the left or right (previous or next token), a filled column (a token that many attend to), or filled cells where the same token occurs again."
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
        steps = steps_of(scene.run)
        if len(steps) < 2:
            st.caption(
                t("This run has kept one step. Ask for more when you train: “Snapshots of the weights along the way”.")
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
    written = answer_to(str(scene.run.path), scene.run.checkpoints()[-1], text)
    target = typed(VIEW, f"target{i}", t("What is written there"), written, scene.run.id)
    return Scene(scene.run, scene.step, text, target)


def kind_of(run: RunFolder) -> str:
    return run.about()["model"]["architecture"]


# Numbers of every head


def numbers(scene: Scene, step: int, part: str) -> None:
    """The table of heads, made when somebody unfolds it: it would cost a third of every key; and whose numbers these are."""
    box = st.expander(t("What each head does, in numbers"), key=f"{VIEW}.numbers", on_change="rerun")
    if box.open:
        with box:
            head_table(scene, step, part, weights_of(scene, step)[part])
    st.caption(Scene(scene.run, step, scene.text, scene.target).said())
    if session := cached.attention_session(scene.run, step):
        where = "CUDA" if session.provider == "CUDA" else t("the CPU")
        st.caption(t("Attention computed by ONNX Runtime on {provider}.", provider=where))


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
