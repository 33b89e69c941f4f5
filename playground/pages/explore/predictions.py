"""What the model expects at every place: surprise, the logit lens, the map of its tokens, its weights."""

import re
from typing import Any

import streamlit as st

from playground.pages.explore.scene_task import asked_of, key_of, likely, place_of
from playground.pages.explore.url_widgets import choose, one_of, slide
from playground.runs.folder import RunFolder
from playground.text.visible import visible
from playground.ui import cached, url_state
from playground.ui.colours import ACCENT, ARCHITECTURE, SPARE
from playground.ui.components.heatmap import heatmap
from playground.ui.components.token_strip import token_strip
from playground.ui.figure import LEGEND, downloads, figure
from playground.ui.language import joined, t
from playground.ui.messages import plain
from playground.ui.number_format import share
from playground.ui.scene import Scene, only_labels
from playground.ui.stage import Stage

VIEW = "explore.predictions"
ASPECTS = {
    "surprise": "Surprise",
    "lens": "Layer by layer",
    "map": "Map of tokens",
    "weights": "Weights and gradients",
}
COLOURS = {"p": "probability of the correct token", "rank": "its rank", "entropy": "entropy"}
SURE, LOST = 0.5, 8.0  # nats: a box is pale below, full from there on


def show(scene: Scene, place: Stage) -> None:
    if scene.gives_labels:
        with place.picture:
            only_labels()
        return
    with place.drawer:
        look = choose(VIEW, "look", t("What to look at"), aspects_of(scene), box=False)
    {"surprise": surprise, "lens": through_layers, "map": token_map, "weights": weights}[look](scene, place)
    with place.rest:
        st.caption(scene.said())


def aspects_of(scene: Scene) -> dict[str, str]:
    """What there is to look at: a lens needs layers that the output matrix can read."""
    from playground.inspection.capture import residual_streams

    layers = len(residual_streams(scene.model().spec)) > 1 or not scene.has_source
    return {name: title for name, title in ASPECTS.items() if layers or name != "lens"}


# Surprise


def surprise(scene: Scene, place: Stage) -> None:
    found = told_of(key_of(scene), scene)
    tokens = scene.tokens()
    with place.picture:
        left, right = st.columns([3, 2], gap="medium")
        with left:
            clicked = token_strip(
                boxes(scene, found, tokens), f"{VIEW}.strip", colour=ACCENT, selected=[place_of(scene)], tools=True
            )
        if clicked is not None:
            url_state.remember("explore", place=clicked)
            st.rerun(scope="fragment")
        with right:
            expected_at(scene, found, place)
    place.say(most_surprising(scene, found, tokens))
    with place.rest:
        in_numbers(scene, found, tokens)


def boxes(scene: Scene, found: Any, tokens: list[str]) -> list[dict[str, Any]]:
    """The tokens, each the fuller of colour the less it was expected."""
    import numpy as np

    nats = -np.log(found.p)
    asked = np.flatnonzero(~np.isnan(found.p))
    pieces = iter(scene.tokenizer().pieces(found.top[asked].ravel().tolist()))
    made = []
    for place, token in enumerate(tokens):
        if np.isnan(found.p[place]):
            why = t("not a target") if place else t("nothing comes before it")
            made.append({"text": token, "tip": why, "muted": True})
            continue
        tip = t(
            "probability {p:.1%}: {nats:.2f} nats, {bits:.2f} bits; rank {rank:,}. Expected: {likely}",
            p=found.p[place],
            nats=nats[place],
            bits=nats[place] / np.log(2),
            rank=found.rank[place] + 1,
            likely=", ".join(f"{visible(next(pieces))} {share(p)}" for p in found.top_p[place]),
        )
        made.append({"text": token, "tip": tip, "value": float(np.clip((nats[place] - SURE) / (LOST - SURE), 0, 1))})
    return made


def most_surprising(scene: Scene, found: Any, tokens: list[str]) -> str:
    """The token that was expected least, and what was expected instead."""
    import numpy as np

    if np.isnan(found.p).all():
        return t("Type some more words: the first token has nothing before it that could foretell it.")
    place = int(np.nanargmin(found.p))
    token, p, loss = visible(tokens[place]), share(float(found.p[place])), found.loss()
    if found.rank[place] == 0:
        return t(
            "Every token is the one that was expected most; the least sure is “{token}” ({p}). Loss {loss:.2f} nats per token.",
            token=token,
            p=p,
            loss=loss,
        )
    return t(
        "Most surprising: “{token}” ({p} probable); “{expected}” was expected there. Loss {loss:.2f} nats per token.",
        token=token,
        p=p,
        expected=visible(scene.tokenizer().pieces([int(found.top[place][0])])[0]),
        loss=loss,
    )


def in_numbers(scene: Scene, found: Any, tokens: list[str]) -> None:
    import numpy as np
    import pandas as pd

    st.caption(surprise_sentence(scene))
    loss = found.loss()
    with st.container(horizontal=True, gap="large"):
        st.metric(t("Loss of this text"), f"{loss:.3f} " + t("nats per token"), width="content")
        st.metric(t("Perplexity"), f"{np.exp(loss):,.2f}", width="content")
        right = np.mean(found.rank[found.rank >= 0] == 0)
        st.metric(t("Top-1 accuracy"), share(right), width="content")
    table = pd.DataFrame(
        {"place": range(len(tokens)), "token": tokens, "p": found.p, "nats": -np.log(found.p), "rank": found.rank + 1}
    )
    downloads("explore-surprise", {"p": found.p, "top": found.top, "top_p": found.top_p}, table)


def surprise_sentence(scene: Scene) -> str:
    if scene.objective == "mlm":
        said = t(
            "Each word was masked alone and predicted from both sides. The stronger the colour, the higher the surprise. Click a word to see what the model would put there."
        )
        length = scene.model().spec.context_length
        if len(scene.ids()) > length:
            said = joined(said, t("The text is read in parts of {n:,} tokens, as in training.", n=length))
        return said
    if scene.has_source:
        return t(
            "The stronger the colour, the higher the surprise: the token was less likely given the source and the tokens before it. Click a token to see what the model expected instead."
        )
    return t(
        "The stronger the colour, the higher the surprise: the token was less likely given the tokens before it. Click a token to see what the model expected instead."
    )


def expected_at(scene: Scene, found: Any, stage: Stage) -> None:
    """What the model expected at the place that is looked at."""
    import numpy as np
    import plotly.graph_objects as go

    place = place_of(scene)
    if np.isnan(found.p[place]):
        return
    shown, p, rank = expected_tokens(found, place, scene.ids()[place])
    names = [f"{visible(text)} " for text in scene.tokenizer().pieces(shown)]
    if rank > len(found.top[place]):
        names[-1] = f"{rank:,}. {names[-1]}"
    right = [token == scene.ids()[place] for token in shown]
    fig = go.Figure(
        go.Bar(
            x=p[::-1],
            y=names[::-1],
            orientation="h",
            marker_color=[ACCENT if hit else ARCHITECTURE[scene.architecture] for hit in right[::-1]],
            hovertemplate="<b>%{y}</b> %{x:.2%}<extra></extra>",
        )
    )
    fig.update_layout(
        margin={"l": 20, "r": 20, "t": 40, "b": 20}, title=t("Predicted at position {place}", place=place)
    )
    fig.update_xaxes(title=t("Probability"), tickformat=".0%", rangemode="tozero")
    fig.update_yaxes(title=t("Token"), type="category")
    caption = t(
        "The actual token is “{token}”, rank {rank:,} of the model's predictions; its bar has the colour of the boxes.",
        token=visible(scene.tokens()[place]),
        rank=rank,
    )
    figure(fig, f"{VIEW}.expected", caption, place=stage, say=False)
    with stage.rest:
        st.caption(plain(caption))


def expected_tokens(found: Any, place: int, truth: int) -> tuple[list[int], list[float], int]:
    """The likeliest tokens at a place and, should it be none of them, the one that stands there; the probabilities, and its
    rank, 1 the likeliest."""
    shown, p = found.top[place].tolist(), found.top_p[place].tolist()
    if truth not in shown:
        shown, p = [*shown, truth], [*p, float(found.p[place])]
    return shown, p, int(found.rank[place]) + 1


@st.cache_resource(max_entries=32, show_spinner=False)
def told_of(key: tuple, _scene: Scene) -> Any:
    from playground.inspection.predictions import predict_causal, predict_masked

    if _scene.objective == "mlm":
        return predict_masked(_scene.model(), _scene.ids(), _scene.tokenizer().mask_id)
    return predict_causal(_scene.model(), asked_of(_scene, whole=True))


# Layer by layer


def through_layers(scene: Scene, place: Stage) -> None:
    found = lens_of(key_of(scene), scene)
    with place.drawer:
        what = choose(VIEW, "colour", t("Colour"), COLOURS)
    names = [t(name) if name == "embeddings" else name.replace("layer", t("layer")) for name in found.names]
    with place.picture:
        clicked = lens_map(scene, found, what, names)
    if clicked:
        url_state.remember("explore", place=clicked[1])
        st.rerun(scope="fragment")
    place.say(lens_sentence(scene, found, names))
    with place.rest:
        st.caption(
            t(
                "Logit lens: each row is the prediction if the model ended after that layer. Point at a cell for the {k} most likely tokens. Look for the row from which the correct token is clear; before it, the layers still collect information.",
                k=found.top.shape[2],
            )
        )
        table_at(scene, found, names)
        downloads(
            "explore-lens",
            {"p": found.p, "rank": found.rank, "entropy": found.entropy, "top": found.top, "top_p": found.top_p},
        )


def lens_map(scene: Scene, found: Any, what: str, names: list[str]) -> tuple[int, int] | None:
    import numpy as np

    values = {
        "p": found.p,
        "rank": np.log10(np.where(found.rank < 0, np.nan, found.rank + 1.0)),
        "entropy": found.entropy,
    }[what]
    unit = {
        "p": t("probability of the correct token"),
        "rank": t("log₁₀ of its rank"),
        "entropy": t("entropy (nats)"),
    }[what]
    notes = [
        [likely(scene, found.top[i, j], found.top_p[i, j]) for j in range(found.top.shape[1])]
        for i in range(found.top.shape[0])
    ]
    shown_tokens = scene.tokenizer().pieces(asked_of(scene, whole=True).inputs.tolist())
    order = slice(None, None, -1)  # the last layer above, as the stream flows up
    return heatmap(
        values[order],
        f"{VIEW}.lens",
        names[order],
        [visible(token) for token in shown_tokens],
        (t("after"), t("at token"), unit),
        t("Logit lens"),
        notes=notes[order],
        empty=t("not a target"),
        clickable=True,
        selected=(-1, lens_place(scene, found)),
        cell=38,
        tokens=False,
    )


def lens_sentence(scene: Scene, found: Any, names: list[str]) -> str:
    """From which layer on the correct token is the likeliest, at the place that is looked at."""
    place = lens_place(scene, found)
    token = visible(scene.tokens()[place])
    ranks = found.rank[:, place]
    if ranks[-1] < 0:
        asked = found.rank[-1] >= 0
        return t(
            "The correct token is the likeliest at {n:,} of {of:,} places after the last layer, at {first:,} straight from the embeddings.",
            n=int((found.rank[-1][asked] == 0).sum()),
            of=int(asked.sum()),
            first=int((found.rank[0][asked] == 0).sum()),
        )
    right = next((i for i in range(len(ranks)) if (ranks[i:] == 0).all()), None)
    if scene.objective == "mlm":
        return (
            t("Where “{token}” is hidden, it is the likeliest token from {layer} on.", token=token, layer=names[right])
            if right is not None
            else t("Where “{token}” is hidden, it comes out at rank {rank:,}.", token=token, rank=int(ranks[-1]) + 1)
        )
    return (
        t("After “{token}”, the correct token is the likeliest from {layer} on.", token=token, layer=names[right])
        if right is not None
        else t("After “{token}”, the correct token comes out at rank {rank:,}.", token=token, rank=int(ranks[-1]) + 1)
    )


def lens_place(scene: Scene, found: Any) -> int:
    """The place that is looked at; of hidden tokens the last one unless told."""
    import numpy as np

    hidden = np.flatnonzero(~np.isnan(found.p[0])) if scene.objective == "mlm" else ()
    return min(place_of(scene, int(hidden[-1]) if len(hidden) else None), found.p.shape[1] - 1)


def table_at(scene: Scene, found: Any, names: list[str]) -> None:
    """The likeliest tokens of every layer at one place."""
    import pandas as pd

    place = lens_place(scene, found)
    pieces = scene.tokenizer().pieces
    rows = [
        {t("After"): names[i]}
        | {
            str(rank + 1): f"{visible(text)} {share(p)}"
            for rank, (text, p) in enumerate(
                zip(pieces(found.top[i, place].tolist()), found.top_p[i, place], strict=True)
            )
        }
        for i in range(len(names))
    ]
    token = plain(visible(scene.tokens()[place]))
    said = (
        t("The most likely tokens instead of “{token}” (position {place})", token=token, place=place)
        if scene.objective == "mlm"
        else t("The most likely tokens after “{token}” (position {place})", token=token, place=place)
    )
    st.markdown(f"**{said}**")
    st.dataframe(pd.DataFrame(rows[::-1]), hide_index=True, key=f"{VIEW}.lens.table")


@st.cache_resource(max_entries=16, show_spinner=False)
def lens_of(key: tuple, _scene: Scene) -> Any:
    from playground.inspection.predictions import logit_lens

    return logit_lens(_scene.model(), asked_of(_scene, whole=True))


# The map of tokens


def token_map(scene: Scene, place: Stage) -> None:
    import pandas as pd
    import plotly.graph_objects as go

    with place.drawer:
        way = choose(VIEW, "way", t("Laid out by"), {"pca": "PCA", "tsne": "t-SNE"})
        n = slide(VIEW, "n", t("Number of tokens shown, in the order of the vocabulary"), [100, 200, 400, 800], 200)
    among = shown_tokens(scene, n)
    with place.notice, st.spinner(t("Laying out the map …")):
        points = map_of(str(scene.run.path), scene.step, tuple(among), way)
    names = [visible(text) for text in scene.tokenizer().pieces(among)]
    mine = set(scene.ids())
    colours = [ACCENT if token in mine else ARCHITECTURE[scene.architecture] for token in among]
    fig = go.Figure(
        go.Scatter(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers+text",
            text=names,
            textposition="top center",
            textfont={"size": 13},
            marker={"size": 6, "color": colours},
            hovertemplate="<b>%{text}</b><extra></extra>",
        )
    )
    axis = {
        "pca": (t("First principal component"), t("Second principal component")),
        "tsne": ("t-SNE 1", "t-SNE 2"),
    }[way]
    fig.update_layout(margin={"l": 20, "r": 10, "t": 20, "b": 20}, dragmode="pan")
    fig.update_xaxes(title=axis[0])
    fig.update_yaxes(title=axis[1])
    caption = t(
        "Tokens with similar embeddings lie together; those of your text are coloured. PCA preserves directions; t-SNE preserves neighbours, and distances between its groups mean nothing."
    )
    table = pd.DataFrame({"token": names, "x": points[:, 0], "y": points[:, 1]})
    with place.picture:
        figure(fig, f"{VIEW}.map", caption, {"points": points}, table, place=place)
    with place.rest:
        nearest(scene, among, names)


def shown_tokens(scene: Scene, n: int) -> list[int]:
    """The text's own tokens, then the first ones that the tokenizer learnt (the most frequent of a BPE)."""
    from playground.text.spec import BASE_SIZE

    size, special = scene.tokenizer().size, scene.tokenizer().special_ids
    own = list(dict.fromkeys(token for token in scene.ids() if token not in special))
    learnt = range(BASE_SIZE, size) if size > BASE_SIZE + 50 else range(4 + 32, min(size, 4 + 127))
    return list(dict.fromkeys([*own, *learnt]))[: max(n, len(own))]


@st.cache_data(max_entries=16, show_spinner=False)
def map_of(path: str, step: int, among: tuple[int, ...], way: str) -> Any:
    from playground.inspection.embeddings import project, token_table

    return project(token_table(cached.model(RunFolder(path), step))[list(among)], way)


def nearest(scene: Scene, among: list[int], names: list[str]) -> None:
    """The neighbours of one token."""
    import pandas as pd

    from playground.inspection.embeddings import neighbours, token_table

    named = dict(zip(among, names, strict=True))
    first = max(
        (token for token in scene.ids() if token in named), key=lambda token: len(named[token]), default=among[0]
    )
    token = one_of(VIEW, "near", t("Nearest to the token"), among, first, format_func=named.get, width=420)
    found = neighbours(token_table(scene.model()), token, range(4, scene.tokenizer().size))
    pieces = [visible(text) for text in scene.tokenizer().pieces([other for other, _ in found])]
    alike = [round(value, 3) for _, value in found]
    st.dataframe(
        pd.DataFrame({t("Token"): pieces, t("Cosine similarity"): alike}),
        hide_index=True,
        key=f"{VIEW}.near.table",
        width=420,
    )
    st.caption(t("Among all tokens of the vocabulary; 1 is the same direction, 0 unrelated."))


# Weights and gradients


def weights(scene: Scene, place: Stage) -> None:
    import pandas as pd

    found = spreads_of(key_of(scene), scene)
    matrices = sorted((spread for spread in found if spread.n > 1), key=lambda spread: "embedding" not in spread.name)
    table = pd.DataFrame(
        {
            t("Parameter"): [spread.name for spread in matrices],
            t("Numbers"): [spread.n for spread in matrices],
            t("Standard deviation"): [spread.std for spread in matrices],
            t("Norm"): [spread.norm for spread in matrices],
            t("Gradient norm"): [spread.gradient_norm for spread in matrices],
        }
    )
    with place.picture:
        by_layer(matrices, table, place)
    kinds: dict[str, list[Any]] = {}
    for spread in matrices:
        kinds.setdefault(re.sub(r"layers\.\d+\.", "layers.*.", spread.name), []).append(spread)
    largest = max(kinds, key=lambda kind: (len(kinds[kind]), sum(spread.n for spread in kinds[kind])))
    with place.drawer:
        kind = choose(VIEW, "kind", t("Histograms of"), {kind: kind for kind in kinds}, first=largest, box=True)
    with place.rest:
        left, right = st.columns(2, gap="medium")
    with left:
        histograms(
            kinds[kind],
            "weights",
            t("Distribution of the weights, layer by layer: in a tall narrow curve, most of them are near 0."),
        )
    with right:
        histograms(
            kinds[kind],
            "gradients",
            t("Distribution of the gradients on this text: the narrower around 0, the less this layer learns from it."),
        )


def by_layer(matrices: list[Any], table: Any, place: Stage) -> None:
    import plotly.graph_objects as go

    names = [re.sub(r"(\..*)\.weight$", r"\1", spread.name) for spread in matrices]  # a name, not a word: "head.weight"
    fig = go.Figure(
        [
            go.Bar(x=names, y=[s.norm for s in matrices], name=t("Norm"), marker_color=ARCHITECTURE["decoder"]),
            go.Bar(x=names, y=[s.gradient_norm for s in matrices], name=t("Gradient norm"), marker_color=ACCENT),
        ]
    )
    fig.update_layout(margin={"l": 20, "r": 10, "t": 30, "b": 20}, legend=LEGEND)
    fig.update_yaxes(title=t("Euclidean norm (log)"), type="log")
    fig.update_xaxes(title=t("Parameter, from the input to the output"), tickangle=-60)
    caption = t("Layers with a much smaller gradient than the others learn little from this text.")
    figure(fig, f"{VIEW}.weights.norms", caption, table=table, place=place)


def histograms(spreads: list[Any], what: str, caption: str) -> None:
    """One parameter of every layer, a curve each: how much of it lies where."""
    import numpy as np
    import plotly.graph_objects as go

    fig, data = go.Figure(), {}
    for i, spread in enumerate(spreads):
        edges, counts = (
            (spread.edges, spread.counts) if what == "weights" else (spread.gradient_edges, spread.gradient_counts)
        )
        density = counts / max(1, counts.sum()) / np.maximum(np.diff(edges), 1e-30)
        data |= {f"{spread.name}.edges": edges, f"{spread.name}.counts": counts}
        name = re.search(r"layers\.(\d+)\.", spread.name)
        fig.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2,
            y=np.where(density > 0, density, np.nan),
            mode="lines",
            name=t("layer {layer}", layer=name[1]) if name else spread.name,
            line={"color": SPARE[i % len(SPARE)], "width": 2},
            customdata=counts,
            hovertemplate="%{x:.3g}: %{customdata:,}<extra>%{fullData.name}</extra>",
        )
    fig.update_layout(margin={"l": 70, "r": 10, "t": 30, "b": 50}, legend=LEGEND, showlegend=len(spreads) > 1)
    fig.update_xaxes(title=t("Weight") if what == "weights" else t("Gradient"))
    fig.update_yaxes(title=t("Density (log)"), type="log", exponentformat="power")
    figure(fig, f"{VIEW}.histograms.{what}", caption, data, height=340)


@st.cache_resource(max_entries=8, show_spinner=False)
def spreads_of(key: tuple, _scene: Scene) -> Any:
    from playground.inspection.weights import parameter_stats

    return parameter_stats(_scene.model(), asked_of(_scene))
