"""Where a token stands: the four ways of telling it, side by side, and what is lost without."""

from typing import Any

import streamlit as st

from models.hyperparameters import RECURRENT
from playground.pages.explore.scene_task import likely
from playground.pages.explore.url_widgets import choose, number, pairs, seeded, several, slide
from playground.runs.folder import RunFolder
from playground.ui import cached, url_state
from playground.ui.colours import ACCENT, ARCHITECTURE, SPARE
from playground.ui.components.heatmap import heatmap
from playground.ui.figure import LEGEND, downloads, figure
from playground.ui.held_out import windows_of
from playground.ui.language import t
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


def show(scene: Scene, place: Stage) -> None:
    with place.rest:
        show_all(scene)


def show_all(scene: Scene) -> None:
    own = own_kind(scene)
    first = own if own in ASPECTS else "sinusoidal"
    look = choose(VIEW, "look", t("What to look at"), ASPECTS, first, box=False, hidden=True)
    if own in ASPECTS:
        st.caption(t("This run's positions are: {kind}.", kind=t(ASPECTS[own]).lower()))
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
        only_labels()
    else:
        views[look](scene)


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
    **axis: Any,
) -> None:
    """Curves over whole numbers from 0: name → (values, colour)."""
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
    figure(fig, key, caption, {name: values for name, (values, _) in curves.items()}, height=height)


# The four ways


def sinusoidal(scene: Scene) -> None:
    from playground.inspection.positions import by_distance, sinusoidal_formula, sinusoidal_table

    n, d = sizes(scene, "waves")
    table = sinusoidal_table(n, d)
    st.latex(r"PE_{p,2i} = \sin\frac{p}{10000^{2i/d}} \qquad PE_{p,2i+1} = \cos\frac{p}{10000^{2i/d}}")
    notes = [
        [f"{name}({i} / 10000^({j - j % 2}/{d}))" for j in range(d) for name in [("sin", "cos")[j % 2]]]
        for i in range(n)
    ]
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
    st.latex(rf"PE_{{{min(p, n - 1)},{min(c, d - 1)}}} = " + sinusoidal_formula(min(p, n - 1), min(c, d - 1), d)[0])
    st.caption(
        t(
            "Left channels oscillate fast, right ones slowly, like the hands of a clock. Point at a cell for its formula; click to write it out."
        )
    )
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


def learned(scene: Scene) -> None:
    from playground.inspection.positions import by_distance, cosines

    run = learned_run(scene)
    if run is None:
        st.info(t("No run here has learned positions. Train one, such as from the preset GPT-2, to see its table."))
        return
    after, before = tables(str(run.path), scene.step if run.id == scene.run.id else run.checkpoints()[-1])
    when = choose(VIEW, "when", t("Table"), WHEN)
    table = after if when == "after" else before
    n, d = table.shape
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
    st.caption(t("The table of the run; before training it holds random numbers drawn from the run's seed."))
    left, right = st.columns(2, gap="medium")
    for place, values, title in (
        (left, before, t("before the first step")),
        (right, after, t("after training")),
    ):
        with place:
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
    """This run where its positions are learned, else another one that has learned some."""
    if own_kind(scene) == "learned":
        return scene.run
    others = {run.id: run for run in known_runs() if speaks(run) and has_table(run)}
    if not others:
        return None
    key = seeded(f"{VIEW}.table", "table", lambda said: said if said in others else None, next(iter(others)))
    keep(key, others)
    if st.session_state.get(key) not in others:
        st.session_state[key] = next(iter(others))
    chosen = select(
        t("This run has no learned table. Here is that of"),
        list(others),
        format_func=lambda id: name_of(others[id]),
        key=key,
    )
    url_state.remember("explore", table=chosen if chosen != next(iter(others)) else None)
    return others[chosen]


def has_table(run: RunFolder) -> bool:
    model = run.about()["model"]
    return model.get("position") == "learned" and model["architecture"] not in RECURRENT


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


def rotary(scene: Scene) -> None:
    import numpy as np
    import plotly.graph_objects as go

    from playground.inspection.positions import angles, rotary_match

    spec = None if scene.is_recurrent else scene.model().spec
    head_dim, theta = (spec.head_dim, spec.rope_theta) if spec else (32, 10_000.0)
    st.latex(
        r"\begin{pmatrix} x_1' \\ x_2' \end{pmatrix} = \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ "
        r"\sin m\theta_i & \cos m\theta_i \end{pmatrix} \begin{pmatrix} x_1 \\ x_2 \end{pmatrix} \qquad \theta_i = "
        + f"{theta:g}"
        + r"^{-2i/d}"
    )
    n = 64
    place = slide(VIEW, "m", t("Position m"), range(n), 5)
    turned = angles(n, head_dim, theta)
    pairs = [i for i in (0, 1, 2, 4, 8) if i < head_dim // 2]
    fig = go.Figure()
    for index, i in enumerate(pairs):
        fig.add_scatterpolar(
            r=[0, 1],
            theta=[0, float(np.degrees(turned[place, i]) % 360)],
            mode="lines+markers",
            name=t("pair {i}", i=i),
            line={"color": SPARE[index], "width": 3},
            hovertemplate=t("rotated by {deg:.1f}°", deg=float(np.degrees(turned[place, i])))
            + "<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(
        margin={"l": 30, "r": 30, "t": 30, "b": 30},
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": {"visible": False, "range": [0, 1.1]}},
    )
    left, right = st.columns(2, gap="medium")
    with left:
        caption = t(
            "Each pair of channels is the hand of a clock; at position {m}, pair 0 has rotated by {deg:.0f}°.",
            m=place,
            deg=float(np.degrees(turned[place, 0])),
        )
        figure(fig, f"{VIEW}.rotary.clock", caption, height=360)
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
            360,
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


def alibi(scene: Scene) -> None:
    from playground.inspection.positions import alibi_table

    heads = 4 if scene.is_recurrent else scene.model().spec.n_heads
    table = alibi_table(64, heads)
    st.latex(r"s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d_k}} - m_h\,|i-j|")
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
    curves = {t("head {head}", head=i): (row, SPARE[i % len(SPARE)]) for i, row in enumerate(table)}
    caption = t("Each head has its own slope over distance; nothing is learned, and no text is too long.")
    lines(
        curves,
        t("Distance (tokens)"),
        t("Added to the score"),
        t("distance"),
        f"{VIEW}.alibi.curves",
        caption,
    )


def side_by_side(scene: Scene) -> None:
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
    for column, (name, values, names, said) in zip(st.columns(len(pictures), gap="medium"), pictures, strict=True):
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
    lines(
        curves,
        t("Distance (tokens)"),
        t("Similarity (1 = the same position)"),
        t("distance"),
        f"{VIEW}.all",
        caption,
        440,
    )


# Without


def shuffle(scene: Scene) -> None:
    import pandas as pd

    if scene.is_recurrent or scene.has_source:
        st.info(t("Choose a decoder or an encoder: a recurrent model reads in order by construction."))
        return
    ids = scene.ids()
    if len(ids) < 4:
        st.info(t("Type at least four tokens."))
        return
    seed = number("seed", 9999, 0)
    if st.button(t("Shuffle again"), icon=":material/shuffle:", key=f"{VIEW}.again"):
        seed += 1
        url_state.remember("explore", seed=seed)
    found = shuffled(str(scene.run.path), scene.step, tuple(ids), seed)
    st.markdown(t("The same words, shuffled (the last one stays):"))
    st.code("".join(scene.tokenizer().pieces(found["mixed"])), language=None)
    rows = []
    for name, (straight, other, distance) in found["models"].items():
        rows.append(
            {
                t("Model"): {"with": t("with its positions"), "without": t("without positions")}[name],
                t("Expects next"): top(scene, straight),
                t("… after shuffling"): top(scene, other),
                t("Predictions changed by"): f"{distance:.1%}",
            }
        )
    table = pd.DataFrame(rows)
    st.dataframe(table, hide_index=True, key=f"{VIEW}.shuffled")
    blind = found["models"]["without"][2]
    if scene.model().spec.is_causal:
        st.caption(
            t(
                "Without positions, a decoder still gets some order from its causal mask: each token attends only to those before it, so from the second layer on, positions differ."
            )
        )
    else:
        st.caption(
            t(
                "Without positions, an encoder sees a bag of words: shuffling changes its prediction by {blind:.2%}, which is rounding error.",
                blind=blind,
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
def shuffled(path: str, step: int, ids: tuple[int, ...], seed: int) -> dict[str, Any]:
    from playground.inspection.positions import last_of_shuffled, total_variation

    found: dict[str, Any] = {"models": {}}
    for name, model in (("with", cached.model(RunFolder(path), step)), ("without", blind_model(path, step))):
        straight, other, found["mixed"] = last_of_shuffled(model, ids, seed)
        found["models"][name] = straight, other, total_variation(straight, other)
    return found


@st.cache_resource(max_entries=2, show_spinner=False)
def blind_model(path: str, step: int) -> Any:
    from playground.inspection.positions import without_positions

    return without_positions(cached.model(RunFolder(path), step))


# Beyond


def beyond(scene: Scene) -> None:
    import numpy as np

    if scene.objective != "clm":
        st.info(t("This view needs a model that continues text."))
        return
    spec = scene.model().spec
    fixed = not scene.is_recurrent and spec.position == "learned"
    length = spec.context_length if fixed else 2 * spec.context_length
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
    figure(fig, f"{VIEW}.beyond", caption, {"loss": losses}, height=420)


@st.cache_data(max_entries=8, show_spinner=False)
def beyond_losses(path: str, step: int, windows: Any) -> Any:
    from playground.inspection.positions import loss_by_position

    return loss_by_position(cached.model(RunFolder(path), step), windows)
