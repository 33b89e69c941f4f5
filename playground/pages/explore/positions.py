"""Where a token stands: the four ways of telling it, side by side, and what is lost without."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from models.hyperparameters import TRANSFORMERS
from playground.pages.explore.scene_task import answer_starts, likely
from playground.pages.explore.url_widgets import choose, number, pairs, seeded, several, slide
from playground.runs.folder import RunFolder
from playground.text.visible import visible
from playground.ui import cached, url_state
from playground.ui.colours import ACCENT, ARCHITECTURE, SPARE
from playground.ui.components.heatmap import heatmap
from playground.ui.components.word_shuffle import word_shuffle
from playground.ui.figure import LEGEND, downloads, figure
from playground.ui.held_out import windows_of
from playground.ui.language import joined, t
from playground.ui.number_format import share
from playground.ui.run_picker import known_runs, name_of, speaks
from playground.ui.scene import Scene, only_labels
from playground.ui.select import keep, select
from playground.ui.stage import Stage

VIEW = "explore.positions"
WHEN = {"after": "after training", "before": "before the first step"}
ASPECTS = {
    "sinusoidal": "Sinusoidal",
    "learned": "Learned",
    "rotary": "Rotary",
    "alibi": "ALiBi",
    "all": "Side by side",
    "shuffle": "Shuffle the words",
    "beyond": "Beyond the trained length",
}


TOLD_BY = {"m": "rotary", "when": "learned", "table": "learned", "cell": "sinusoidal", "channels": "sinusoidal"}
"""Parameters of a link that says no aspect, and the one that has them."""
MOST_WORDS, MOST_LETTERS = 12, 60
"""What is shuffled at once: a row of words has to fit the window in large letters."""
LIKELIEST = 6


def show(scene: Scene, place: Stage) -> None:
    with place.command, st.container(width="content"):
        look = choose_aspect(scene)
    views = {
        "sinusoidal": sinusoidal,
        "learned": learned,
        "rotary": rotary,
        "alibi": alibi,
        "all": side_by_side,
        "shuffle": shuffle,
        "beyond": beyond,
    }
    if scene.gives_labels and look in ("shuffle", "beyond"):
        with place.picture:
            only_labels()
        return
    views[look](scene, place)
    if (own := own_kind(scene)) in ASPECTS:
        with place.rest:
            st.caption(t("This run's positions are: {kind}.", kind=t(ASPECTS[own]).lower()))


def choose_aspect(scene: Scene) -> str:
    """Which aspect, always in the address: what opens without being told has not always been the same."""
    aspects = [name for name in ASPECTS if name != "shuffle" or not scene.has_source]
    first = first_aspect(scene)
    key = seeded(f"{VIEW}.look", "look", lambda said: said if said in aspects else None, first)
    keep(key, aspects)
    if st.session_state.get(key) not in aspects:
        st.session_state[key] = first
    look = select(
        t("What to look at"),
        aspects,
        key=key,
        format_func=lambda name: t(ASPECTS[name]),
        label_visibility="collapsed",
        width=240,
    )
    url_state.remember("explore", look=look)
    return look


def first_aspect(scene: Scene) -> str:
    """What opens: why positions are needed, where a model can be asked that; else how this one has them."""
    told = [aspect for name, aspect in TOLD_BY.items() if url_state.text("explore", name)]
    own = own_kind(scene)
    if told:
        return told[0]
    if not (scene.is_recurrent or scene.has_source or scene.gives_labels):
        return "shuffle"
    return own if own in ASPECTS else "sinusoidal"


def own_kind(scene: Scene) -> str:
    """The run's way; "" for recurrent models, which need none."""
    return "" if scene.is_recurrent else scene.model().spec.position


def numbers(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def sizes(scene: Scene, name: str) -> tuple[int, int]:
    """How many positions and channels to draw."""
    with st.container(horizontal=True):
        n = slide(f"{VIEW}.{name}", "n", t("Positions"), [16, 32, 64, 128, 256], 64)
        d = slide(f"{VIEW}.{name}", "d", t("Channels"), [8, 16, 32, 64, 128], 32)
    return n, d


def lines(
    curves: dict[str, tuple[Any, str]],
    x: str,
    y: str,
    hover: str,
    key: str,
    caption: str,
    height: int = 340,
    place: Stage | None = None,
    say: bool = True,
    **axis: Any,
) -> None:
    """Curves over whole numbers from 0: name → (values, colour); in a stage where there is a ``place``."""
    import plotly.graph_objects as go

    fig = go.Figure()
    for name, (values, colour) in curves.items():
        fig.add_scatter(
            x=list(range(len(values))),
            y=values,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2.5},
            hovertemplate=hover + " %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(
        margin={"l": 60, "r": 10, "t": 30, "b": 50},
        legend=LEGEND,
        showlegend=len(curves) > 1,
    )
    fig.update_xaxes(title=x)
    fig.update_yaxes(title=y, **axis)
    data = {name: values for name, (values, _) in curves.items()}
    figure(fig, key, caption, data, height=height, place=place, say=say)


# The four ways


def sinusoidal(scene: Scene, place: Stage) -> None:
    from playground.inspection.positions import sinusoidal_formula, sinusoidal_table

    with place.drawer:
        n, d = sizes(scene, "waves")
    table = sinusoidal_table(n, d)
    notes = [
        [f"{name}({i} / 10000^({j - j % 2}/{d}))" for j in range(d) for name in [("sin", "cos")[j % 2]]]
        for i in range(n)
    ]
    with place.picture:
        clicked = heatmap(
            table,
            f"{VIEW}.waves",
            numbers(n),
            numbers(d),
            (t("position"), t("channel"), t("value")),
            t("Sinusoidal positions"),
            notes=notes,
            diverging=True,
            clickable=True,
            tokens=False,
        )
    if clicked:
        url_state.remember("explore", cell=f"{clicked[0]}.{clicked[1]}")
    p, c = next(iter(pairs("cell", n, d)), (5, 4))
    place.say(
        t(
            "Left channels oscillate fast, right ones slowly, like the hands of a clock. Point at a cell for its formula; click to write it out."
        )
    )
    with place.rest:
        st.latex(r"PE_{p,2i} = \sin\frac{p}{10000^{2i/d}} \qquad PE_{p,2i+1} = \cos\frac{p}{10000^{2i/d}}")
        st.latex(rf"PE_{{{min(p, n - 1)},{min(c, d - 1)}}} = " + sinusoidal_formula(min(p, n - 1), min(c, d - 1), d)[0])
        channel_curves(table)


def channel_curves(table: Any) -> None:
    """Channels of the sinusoidal table over the positions, and how alike positions are."""
    from playground.inspection.positions import by_distance

    d = table.shape[1]
    chosen = several(VIEW, "channels", t("Channels as curves"), range(d), [c for c in (0, 4, 8, 16) if c < d])
    if chosen:
        curves = {t("channel {c}", c=c): (table[:, c], SPARE[i % len(SPARE)]) for i, c in enumerate(chosen)}
        caption = t("Every channel is a sine wave; together, their values differ at every position.")
        lines(curves, t("Position"), t("Value"), t("position"), f"{VIEW}.waves.curves", caption)
    match = by_distance(table @ table.T) / (d / 2)
    caption = t("The dot product of two positions depends on their distance alone: near ones are similar.")
    lines(
        {t("dot product"): (match, ARCHITECTURE["decoder"])},
        t("Distance (tokens)"),
        t("Dot product (1 = the same position)"),
        t("distance"),
        f"{VIEW}.waves.match",
        caption,
    )


def learned(scene: Scene, place: Stage) -> None:
    with place.drawer:
        run = learned_run(scene)
        when = choose(VIEW, "when", t("Table"), WHEN) if run else ""
    if run is None:
        with place.picture:
            st.info(t("No run here has learned positions. Train one, such as from the preset GPT-2, to see its table."))
        return
    after, before = tables(str(run.path), scene.step if run.id == scene.run.id else run.checkpoints()[-1])
    table = after if when == "after" else before
    n, d = table.shape
    with place.picture:
        heatmap(
            table,
            f"{VIEW}.learned",
            numbers(n),
            numbers(d),
            (t("position"), t("channel"), t("value")),
            t("Learned positions"),
            diverging=True,
            tokens=False,
        )
    place.say(t("The table of the run; before training it holds random numbers drawn from the run's seed."))
    with place.rest:
        similarities(before, after)


def similarities(before: Any, after: Any) -> None:
    """How alike the positions of a learned table are, before and after training."""
    from playground.inspection.positions import by_distance, cosines

    n = len(after)
    left, right = st.columns(2, gap="medium")
    for column, values, title in (
        (left, before, t("before the first step")),
        (right, after, t("after training")),
    ):
        with column:
            st.markdown(f"**{title}**")
            names = (t("position"), t("position"), t("cosine"))
            heatmap(
                cosines(values),
                f"{VIEW}.learned.{title}",
                numbers(n),
                numbers(n),
                names,
                title,
                span=(-1.0, 1.0),
                diverging=True,
                tokens=False,
            )
    st.caption(
        t(
            "Similarity of positions. Before training, each is similar only to itself; a strong band along the diagonal means that neighbours have become similar."
        )
    )
    downloads("explore-learned", {"after": after, "before": before})
    curves = {
        t("before the first step"): (by_distance(cosines(before)), SPARE[5]),
        t("after training"): (by_distance(cosines(after)), ARCHITECTURE["decoder"]),
    }
    caption = t("Mean similarity over distance, as training has shaped it.")
    lines(
        curves,
        t("Distance (tokens)"),
        t("Cosine similarity"),
        t("distance"),
        f"{VIEW}.learned.match",
        caption,
    )


def learned_run(scene: Scene) -> RunFolder | None:
    """This run where its positions are learned, else another one that has learned some; at first the longest table, since
    one of few positions shows no pattern.
    """
    if own_kind(scene) == "learned":
        return scene.run
    others = {run.id: run for run in known_runs() if speaks(run) and has_table(run)}
    if not others:
        return None
    first = max(others, key=lambda id: others[id].about()["model"]["context_length"])
    key = seeded(f"{VIEW}.table", "table", lambda said: said if said in others else None, first)
    keep(key, others)
    if st.session_state.get(key) not in others:
        st.session_state[key] = first
    chosen = select(
        t("This run has no learned table. Here is that of"),
        list(others),
        format_func=lambda id: name_of(others[id]),
        key=key,
    )
    url_state.remember("explore", table=chosen if chosen != first else None)
    return others[chosen]


def has_table(run: RunFolder) -> bool:
    model = run.about()["model"]
    return model.get("position") == "learned" and model["architecture"] in TRANSFORMERS


@st.cache_data(max_entries=8, show_spinner=False)
def tables(path: str, step: int) -> tuple[Any, Any]:
    """The learned table now, and as the seed drew it."""
    from playground.inspection.positions import untrained

    run = RunFolder(path)
    config = run.config()
    weights = [
        model.embedding.positions.weight.detach().float().numpy()
        for model in (cached.model(run, step), untrained(config.model, config.training.seed))
    ]
    return weights[0], weights[1]


def rotary(scene: Scene, place: Stage) -> None:
    import numpy as np

    from playground.inspection.positions import angles, rotary_match

    spec = None if scene.is_recurrent else scene.model().spec
    head_dim, theta = (spec.head_dim, spec.rope_theta) if spec else (32, 10_000.0)
    n = 64
    with place.drawer:
        m = slide(VIEW, "m", t("Position m"), range(n), 5)
    turned = angles(n, head_dim, theta)
    with place.picture:
        left, right = st.columns(2, gap="medium")
        with left:
            clock(turned, m, place)
        with right:
            caption = t(
                "How similar two equal vectors still are at this distance: the dot product itself depends on distance."
            )
            lines(
                {t("q·k"): (rotary_match(n, head_dim, theta), ARCHITECTURE["decoder"])},
                t("Distance (tokens)"),
                t("q·k of equal vectors (1 = same position)"),
                t("distance"),
                f"{VIEW}.rotary.match",
                caption,
                place=place,
                say=False,
            )
    with place.rest:
        st.caption(caption)
        st.latex(
            r"\begin{pmatrix} x_1' \\ x_2' \end{pmatrix} = \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ "
            r"\sin m\theta_i & \cos m\theta_i \end{pmatrix} \begin{pmatrix} x_1 \\ x_2 \end{pmatrix} \qquad \theta_i = "
            + f"{theta:g}"
            + r"^{-2i/d}"
        )
        heatmap(
            np.cos(turned),
            f"{VIEW}.rotary.phase",
            numbers(n),
            numbers(head_dim // 2),
            (t("position"), t("pair"), "cos(mθ)"),
            t("Phase by position"),
            diverging=True,
            span=(-1.0, 1.0),
            tokens=False,
        )
        st.caption(
            t(
                "The phase of each pair by position, for heads of {d} channels and base {theta:g}.",
                d=head_dim,
                theta=theta,
            )
        )
        downloads("explore-rotary", {"angles": turned})


def clock(turned: Any, m: int, place: Stage) -> None:
    """Some pairs of channels as hands, rotated as at position m."""
    import numpy as np
    import plotly.graph_objects as go

    fig = go.Figure()
    for index, i in enumerate(i for i in (0, 1, 2, 4, 8) if i < turned.shape[1]):
        degrees = float(np.degrees(turned[m, i]))
        fig.add_scatterpolar(
            r=[0, 1],
            theta=[0, degrees % 360],
            mode="lines+markers",
            name=t("pair {i}", i=i),
            line={"color": SPARE[index], "width": 4},
            hovertemplate=t("rotated by {deg:.1f}°", deg=degrees) + "<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(
        margin={"l": 40, "r": 40, "t": 30, "b": 30},
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": {"visible": False, "range": [0, 1.1]}},
    )
    caption = t(
        "Each pair of channels is the hand of a clock; at position {m}, pair 0 has rotated by {deg:.0f}°.",
        m=m,
        deg=float(np.degrees(turned[m, 0])),
    )
    figure(fig, f"{VIEW}.rotary.clock", caption, place=place)


def alibi(scene: Scene, place: Stage) -> None:
    from playground.inspection.positions import alibi_table

    heads = 4 if scene.is_recurrent else scene.model().spec.n_heads
    table = alibi_table(64, heads)
    with place.picture:
        heatmap(
            table,
            f"{VIEW}.alibi",
            [t("head {head}", head=i) for i in range(heads)],
            numbers(64),
            (t("head"), t("distance"), t("added")),
            t("ALiBi's bias"),
            diverging=True,
            tokens=False,
            cell=34,
        )
    caption = t("Each head has its own slope over distance; nothing is learned, and no text is too long.")
    place.say(caption)
    with place.rest:
        st.latex(r"s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d_k}} - m_h\,|i-j|")
        curves = {t("head {head}", head=i): (row, SPARE[i % len(SPARE)]) for i, row in enumerate(table)}
        lines(
            curves,
            t("Distance (tokens)"),
            t("Added to the score"),
            t("distance"),
            f"{VIEW}.alibi.curves",
            caption,
        )


def side_by_side(scene: Scene, place: Stage) -> None:
    import numpy as np

    from playground.inspection.positions import (
        alibi_table,
        angles,
        by_distance,
        cosines,
        rotary_match,
        sinusoidal_table,
    )

    n, table = 64, sinusoidal_table(64, 64)
    with place.drawer:
        run = learned_run(scene)
    curves = {
        t("Sinusoidal") + ": " + t("cosine"): (by_distance(cosines(sinusoidal_table(n, 128))), SPARE[0]),
        t("Rotary") + ": q·k": (rotary_match(n, 32, 10_000.0), SPARE[1]),
        "ALiBi: " + t("attention weight, head 0 of 4"): (np.exp(alibi_table(n, 4)[0]), SPARE[2]),
    }
    position, channel = t("position"), t("channel")
    pictures = [
        (
            t("Sinusoidal"),
            table,
            (position, channel, t("value")),
            t("added to the embedding: sine waves, from fast to slow"),
        ),
        (
            t("Rotary"),
            np.cos(angles(n, 64, 10_000.0)),
            (position, t("pair"), "cos(mθ)"),
            t("rotates queries and keys: the same frequencies, inside the dot product"),
        ),
        (
            "ALiBi",
            alibi_table(n, 8).T,
            (t("distance"), t("head"), t("added")),
            t("subtracted from the score: a penalty that grows with distance, with its own slope per head"),
        ),
    ]
    if run is not None:
        after, _ = tables(str(run.path), scene.step if run.id == scene.run.id else run.checkpoints()[-1])
        curves[t("Learned") + ": " + t("cosine")] = (by_distance(cosines(after)), SPARE[3])
        pictures.insert(
            1,
            (
                t("Learned"),
                after[:n, :64],
                (position, channel, t("value")),
                t("added to the embedding: learned vectors"),
            ),
        )
    with place.rest:
        columns = st.columns(len(pictures), gap="medium")
    for column, (name, values, names, said) in zip(columns, pictures, strict=True):
        with column:
            st.markdown(f"**{name}**")
            heatmap(
                values,
                f"{VIEW}.all.{names[1]}.{name}",
                numbers(len(values)),
                numbers(values.shape[1]),
                names,
                name,
                diverging=True,
                cell=5,
                tokens=False,
            )
            st.caption(said)
    caption = t(
        "Each position encoding makes near tokens more similar than far ones. A learned table has to learn that; sinusoidal and rotary encodings have it built in, and ALiBi enforces it."
    )
    with place.picture:
        lines(
            curves,
            t("Distance (tokens)"),
            t("Similarity (1 = the same position)"),
            t("distance"),
            f"{VIEW}.all",
            caption,
            place=place,
        )


# Without


@dataclass(frozen=True)
class Sentence:
    """What is shuffled of a text: its last words, each of one or more tokens.

    Attributes:
        ids: the tokens that the model reads.
        words: the tokens of each word.
        said: each word as it is read.
        fixed: the words that stay at their places.
        asked: the token at whose place the model is asked: for the next one, or for itself, which is hidden.
    """

    ids: tuple[int, ...]
    words: tuple[range, ...]
    said: tuple[str, ...]
    fixed: frozenset[int]
    asked: int

    def mixed(self, order: list[int]) -> tuple[int, ...]:
        return tuple(self.ids[token] for word in order for token in self.words[word])


def sentence_of(scene: Scene) -> Sentence:
    """The last words of the scene's text. The last one stays; so does a first one that no space sets apart, and what only
    frames the text.
    """
    from playground.inspection.words import words_of, written

    tokenizer, ids, pieces = scene.tokenizer(), scene.ids(), scene.tokens()
    words = with_their_signs(words_of(pieces), pieces)
    if len(words) < 4:
        words = [range(i, i + 1) for i in range(len(ids))]
    framing = {i for i, word in enumerate(words) if ids[word.start] in tokenizer.special_ids}
    if starts := answer_starts(scene):
        framing |= {i for i, word in enumerate(words) if word.stop > starts}
    first, letters = len(words), 0
    while first and len(words) - first < MOST_WORDS and letters <= MOST_LETTERS:
        first -= 1
        letters += len(written(pieces, words[first]))
    movable = [i for i in range(first, len(words)) if i not in framing]
    fixed = framing | set(movable[-1:])
    spaced = [pieces[words[i].start][:1].isspace() for i in movable]
    if len(spaced) > 1 and spaced[1] and not spaced[0]:
        fixed |= {movable[0]}
    last = max(movable, default=len(words) - 1) if scene.objective == "mlm" else len(words) - 1
    start = words[first].start
    return Sentence(
        tuple(ids[start:]),
        tuple(range(word.start - start, word.stop - start) for word in words[first:]),
        tuple(written(pieces, word).strip() or visible(pieces[word.start]) for word in words[first:]),
        frozenset(i - first for i in fixed if i >= first),
        words[last].stop - 1 - start,
    )


def with_their_signs(words: list[range], pieces: list[str]) -> list[range]:
    """Words with the signs right after them, such as a comma."""
    found: list[range] = []
    for word in words:
        sign = pieces[word.start][:1]
        if found and sign and sign in ".,;:!?)”’'\"、。，；：！？）》":
            found[-1] = range(found[-1].start, word.stop)
        else:
            found.append(word)
    return found


def shuffle(scene: Scene, place: Stage) -> None:
    seed = number("seed", 9999, 0)
    with place.command, st.container(width="content"):
        if st.button(t("Shuffle again"), icon=":material/shuffle:", key=f"{VIEW}.again"):
            seed += 1
            url_state.remember("explore", seed=seed)
    sentence = sentence_of(scene)
    found = shuffled(str(scene.run.path), scene.step, sentence, scene.objective == "mlm", seed)
    hidden = next((i for i, word in enumerate(sentence.words) if sentence.asked in word), None)
    said = shuffle_sentence(scene, found)
    with place.picture:
        again = word_shuffle(
            f"{VIEW}.words",
            sentence.said,
            found["order"],
            [panel_of(scene, name, both) for name, both in found["models"].items()],
            SPARE[5] if ARCHITECTURE[scene.architecture] == ACCENT else ARCHITECTURE[scene.architecture],
            said,
            hidden if scene.objective == "mlm" else None,
        )
    if again:
        url_state.remember("explore", seed=seed + 1)
        st.rerun(scope="fragment")
    cut = len(sentence.ids) < len(scene.ids())
    place.say(joined(said, t("(The last {n} words of the text.)", n=len(sentence.words)) if cut else ""))
    with place.rest:
        shuffle_table(scene, sentence, found)


def names_of(scene: Scene) -> dict[str, str]:
    """What the panels are called: a model, and the same weights without its positions."""
    if scene.is_recurrent:
        return {"with": t("reads in order, token by token")}
    if own_kind(scene) == "none":
        return {"with": t("has no positions")}
    return {"with": t("with its positions"), "without": t("the same weights, positions switched off")}


def panel_of(scene: Scene, name: str, both: tuple[Any, Any, float]) -> dict[str, Any]:
    """The likeliest tokens of either order, as the drawing wants them."""
    import numpy as np

    before, after, changed = both
    best = np.maximum(before, after).argsort()[::-1][:LIKELIEST]
    pieces = scene.tokenizer().pieces(best.tolist())
    asked = t("The hidden token") if scene.objective == "mlm" else t("The next token")
    rows = [
        {"token": piece, "before": float(before[i]), "after": float(after[i])}
        for piece, i in zip(pieces, best, strict=True)
    ]
    return {"title": t("{asked}: {model}", asked=asked, model=names_of(scene)[name]), "changed": changed, "rows": rows}


def shuffle_sentence(scene: Scene, found: dict[str, Any]) -> str:
    """How much another order changes what the model expects."""
    changed = share(found["models"]["with"][2])
    if sorted(found["order"]) == found["order"]:
        return t("Type at least four words: there is nothing here to shuffle.")
    if "without" not in found["models"]:
        return t("The same words in another order change {share} of the prediction.", share=changed)
    blind = share(found["models"]["without"][2])
    if scene.model().spec.is_causal:
        return t(
            "The same words in another order change {share} of the prediction. Without positions {blind}: the causal mask alone still tells a decoder some of the order.",
            share=changed,
            blind=blind,
        )
    return t(
        "The same words in another order change {share} of the prediction. Without positions {blind}: an encoder then sees a bag of words.",
        share=changed,
        blind=blind,
    )


def shuffle_table(scene: Scene, sentence: Sentence, found: dict[str, Any]) -> None:
    """The same in numbers, to be taken away."""
    import pandas as pd

    st.markdown(t("The same words, shuffled (the last one stays):"))
    st.code("".join(scene.tokenizer().pieces(found["mixed"])), language=None)
    rows = [
        {
            t("Model"): names_of(scene)[name],
            t("Expects next"): top(scene, straight),
            t("… after shuffling"): top(scene, other),
            t("Predictions changed by"): f"{distance:.1%}",
        }
        for name, (straight, other, distance) in found["models"].items()
    ]
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True, key=f"{VIEW}.shuffled")
    if "without" in found["models"]:
        st.caption(
            t(
                "Without positions, a decoder still gets some order from its causal mask: each token attends only to those before it, so from the second layer on, positions differ."
            )
            if scene.model().spec.is_causal
            else t(
                "Without positions, an encoder sees a bag of words: shuffling changes its prediction by {blind:.2%}, which is rounding error.",
                blind=found["models"]["without"][2],
            )
        )
    st.caption(
        t(
            "“Changed by” is the total variation distance between the two predictions: 0 % is the same, 100 % is nothing in common."
        )
    )
    data = {f"{name}.straight": both[0] for name, both in found["models"].items()}
    data |= {f"{name}.shuffled": both[1] for name, both in found["models"].items()}
    downloads("explore-shuffled", data, table)


def top(scene: Scene, p: Any) -> str:
    best = p.argsort()[::-1][:3]
    return likely(scene, best, p[best])


@st.cache_data(max_entries=32, show_spinner=False)
def shuffled(path: str, step: int, sentence: Sentence, hides: bool, seed: int) -> dict[str, Any]:
    """Another order of the words, and what the model makes of it with and without its positions.

    Args:
        hides: the token that is asked about is hidden from the model.
    """
    from playground.inspection.positions import other_order, prediction_at, total_variation

    run = RunFolder(path)
    order = other_order(len(sentence.words), sentence.fixed, seed)
    texts = [list(sentence.ids), list(sentence.mixed(order))]
    found: dict[str, Any] = {"models": {}, "order": order, "mixed": texts[1]}
    if hides:
        for text in texts:
            text[sentence.asked] = cached.tokenizer(run).mask_id
    model = cached.model(run, step)
    models = {"with": model}
    if not model.spec.is_recurrent and model.spec.position != "none":
        models["without"] = blind_model(path, step)
    for name, each in models.items():
        straight, other = (prediction_at(each, text, sentence.asked) for text in texts)
        found["models"][name] = straight, other, total_variation(straight, other)
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def blind_model(path: str, step: int) -> Any:
    from playground.inspection.positions import without_positions

    return without_positions(cached.model(RunFolder(path), step))


# Beyond


def beyond(scene: Scene, place: Stage) -> None:
    import numpy as np

    if scene.objective != "clm":
        with place.picture:
            st.info(t("This view needs a model that continues text."))
        return
    spec = scene.model().spec
    fixed = not scene.is_recurrent and spec.position == "learned"
    length = spec.context_length if fixed else 2 * spec.context_length
    with place.picture:
        windows = windows_of(scene, 48, f"{VIEW}.beyond", length + 1)
    if windows is None:
        return
    losses = beyond_losses(str(scene.run.path), scene.step, windows)
    size = max(1, len(losses) // 32)
    smooth = np.convolve(losses, np.ones(size) / size, mode="valid")
    import plotly.graph_objects as go

    fig = go.Figure()
    fig.add_scatter(
        x=list(range(len(losses))),
        y=losses,
        mode="lines",
        name=t("each position"),
        opacity=0.35,
        line_color=ARCHITECTURE[scene.architecture],
        hovertemplate="%{x}: %{y:.3f}<extra></extra>",
    )
    fig.add_scatter(
        x=np.arange(len(smooth)) + (size - 1) / 2,
        y=smooth,
        mode="lines",
        name=t("mean of {n} positions" if size != 1 else "each position", n=size),
        line={"color": ARCHITECTURE[scene.architecture], "width": 3},
        hovertemplate="%{y:.3f}<extra></extra>",
    )
    fig.add_vline(
        x=spec.context_length, line={"color": ACCENT, "dash": "dash"}, annotation_text=t("end of the training context")
    )
    fig.update_layout(margin={"l": 60, "r": 10, "t": 30, "b": 50}, legend=LEGEND)
    fig.update_xaxes(title=t("Position in the text (tokens)"))
    fig.update_yaxes(title=t("Loss (nats per token)"))
    inside, outside = losses[: spec.context_length], losses[spec.context_length :]
    if not fixed and not len(outside):
        caption = t("The model reads the first {n:,} tokens of this text.", n=len(losses))
    elif fixed:
        caption = t(
            "This run has learned {n} positions and none beyond: a longer text has to be truncated.",
            n=spec.context_length,
        )
    else:
        caption = t(
            "The mean loss is {inside:.3f} within the trained length and {outside:.3f} beyond it, over {n} passages of "
            "held-out text.",
            inside=inside.mean(),
            outside=outside.mean(),
            n=len(windows),
        )
    with place.picture:
        figure(fig, f"{VIEW}.beyond", caption, {"loss": losses}, place=place)


@st.cache_data(max_entries=8, show_spinner=False)
def beyond_losses(path: str, step: int, windows: Any) -> Any:
    from playground.inspection.positions import loss_by_position

    return loss_by_position(cached.model(RunFolder(path), step), windows)
