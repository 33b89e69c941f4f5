"""What a prepared text looks like: a piece of it, its numbers, its vocabulary, other ways to cut it."""

from typing import Any

import numpy as np
import streamlit as st

from playground.text.masking import apply_mlm_mask
from playground.text.prepare import Prepared
from playground.text.provenance import provenance_of
from playground.text.spec import BASE_SIZE, SPECIALS, TokenizerSpec
from playground.text.statistics import Statistics, learn_from, packing, sample, statistics, text_of
from playground.text.tokenizers import Tokenizer
from playground.text.visible import visible
from playground.ui.colours import ACCENT, ARCHITECTURE, SPARE
from playground.ui.components.token_strip import token_strip
from playground.ui.figure import literal
from playground.ui.language import t, translated
from playground.ui.messages import fragment, plain, show_notes
from playground.ui.number_format import bytes_of, large
from playground.ui.select import select_several
from playground.ui.titles import KIND_NAMES

PALETTE = (*SPARE[:5], ARCHITECTURE["encoder-decoder"])
MOST_BOXES = 400
TRY = {
    "zh": "话说天下大势，分久必合，合久必分。",
    "code": "def attend(q, k, v):\n    return softmax(q @ k.T) @ v",
    "symbols": "27+5=32",
}
TRY_ENGLISH = "The unbelievable lowercase naïveté of tokenizers: 3.14159 in Python 3.14!"


def headline(prepared: Prepared) -> None:
    """How much there is."""
    info = prepared.info
    pairs = prepared.shape == "pairs"
    sides = {"train": info["train"]["tokens"], "held": info["validation"]["tokens"]}
    density = info["bytes"] / max(1, info["tokens"])
    rows = [
        (t("Text"), bytes_of(info["bytes"]), None),
        (t("Pairs") if pairs else t("Documents"), f"{info['documents']:,}", None),
        (t("Tokens"), large(info["tokens"]), t("{train:,} for training, {held:,} for validation", **sides)),
        (t("Vocabulary"), f"{info['vocab_size']:,}", t("bytes and special tokens included")),
        (t("Bytes per token"), f"{density:.2f}", t("the higher, the fewer tokens the model reads")),
    ]
    with st.container(horizontal=True, gap="large", key="data-headline"):
        for name, value, note in rows:
            st.metric(name, value, help=note, width="content")
    licence = plain(info["licence"] or "")
    words = [
        t("Licence: {licence}.", licence=licence) if licence else "",
        plain(translated(provenance_of(info["provenance"]))),
    ]
    st.caption(" ".join(filter(None, words)))
    show_notes(info.get("notes", []))


@st.cache_data(max_entries=8, show_spinner=False)
def numbers(folder: str, _prepared: Prepared) -> Statistics:
    """Counted once for each prepared text."""
    return statistics(_prepared)


# A piece of it


@fragment
def show_sample(prepared: Prepared) -> None:
    """Real text of the training part, cut; with what masked training would hide of it, if wanted."""
    place = st.slider(t("Where in the text"), 0, 100, 0, format="%d %%", key="data.place") / 100
    ids = sample(prepared, place)
    counts = numbers(str(prepared.folder), prepared)
    if st.toggle(t("Mask tokens, as in masked training"), key="data.masks", bind="query-params"):
        show_masked(prepared, ids[:MOST_BOXES])
        return
    boxes(prepared.tokenizer, ids, "data.sample", counts)
    st.caption(
        t(
            "Each box is a token, as the model sees it: · is a space, ↵ a new line, \\x.. a part of a "
            "character. Point at one for its number."
        )
    )


def show_masked(prepared: Prepared, ids: list[int]) -> None:
    """What an encoder would be shown of a text, drawn by the very function that training calls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rate = st.slider(t("Fraction of tokens masked"), 1, 80, 15, format="%d %%", key="data.mask_rate") / 100
        if st.button(t("Draw again"), icon=":material/casino:", key="data.draw"):
            st.session_state["data.masks.seed"] = st.session_state.get("data.masks.seed", 0) + 1
    tokenizer, whole = prepared.tokenizer, np.array([ids], dtype=np.int64)
    generator = np.random.default_rng(st.session_state.get("data.masks.seed", 0))
    shown, hidden = apply_mlm_mask(whole, generator, rate, tokenizer.mask_id, tokenizer.size, tokenizer.special_ids)
    said, truth = tokenizer.pieces(shown[0].tolist()), tokenizer.pieces(ids)
    token_strip(
        [masked_box(piece, true, bool(asked)) for piece, true, asked in zip(said, truth, hidden[0], strict=True)],
        key="data.masked",
        clickable=False,
    )
    st.caption(
        t(
            "{n} of {all:,} tokens are prediction targets (dashed). Eight of ten are replaced by <mask>, one by another token, and one stays, so that the model has to encode every position (BERT). Every training step draws new targets.",
            n=int(hidden.sum()),
            all=len(ids),
        )
    )


def masked_box(piece: str, true: str, asked: bool) -> dict[str, Any]:
    """A box of the masked text; pointing at a dashed one tells what was there."""
    if not asked:
        return {"text": piece, "tip": t("shown as it is"), "value": 0.12}
    tip = t("unchanged, but a target") if piece == true else t("was {token}", token=visible(true))
    return {"text": piece, "tip": tip, "colour": ACCENT, "value": 0.3, "dashed": True}


def boxes(tokenizer: Tokenizer, ids: list[int], key: str, counts: Statistics | None = None) -> None:
    """Tokens as boxes; neighbours differ in colour, special tokens are dashed."""
    shown = ids[:MOST_BOXES]
    pieces = tokenizer.pieces(shown)
    token_strip(
        [_box(i, token, piece, counts) for i, (token, piece) in enumerate(zip(shown, pieces, strict=True))],
        key=key,
        clickable=False,
    )
    if len(ids) > MOST_BOXES:
        st.caption(t("The first {n} of {all:,} tokens.", n=MOST_BOXES, all=len(ids)))


def _box(place: int, token: int, piece: str, counts: Statistics | None) -> dict[str, Any]:
    tip = t("token {id}", id=token)
    if counts is not None and counts.counted:
        tip += " · " + t("{n:,} of {all:,}", n=int(counts.counts[token]), all=counts.counted)
    box = {"text": piece, "tip": tip, "colour": PALETTE[place % len(PALETTE)], "value": 0.28}
    return {**box, "dashed": True} if token < len(SPECIALS) else box


# Its numbers


def show_numbers(prepared: Prepared) -> None:
    """How often tokens come, and how long they are."""
    counts = numbers(str(prepared.folder), prepared)
    left, right = st.columns(2, gap="large")
    with left:
        st.plotly_chart(literal(_zipf(counts)), key="data.zipf", config={"displaylogo": False})
        st.caption(
            t(
                "Both axes are logarithmic. A straight falling line is Zipf's law: the second token occurs half as often as the first, the tenth a tenth as often. Tokens at the far right have too few examples to learn from."
            )
        )
    with right:
        st.plotly_chart(_lengths(counts), key="data.lengths", config={"displaylogo": False})
        st.caption(
            t(
                "Long tokens make up much of the vocabulary, short ones much of the text. Where the two curves differ, the vocabulary contains rare strings."
            )
        )
    if counts.counted < prepared.info["train"]["tokens"]:
        st.caption(t("Counted on the first {n:,} tokens of the training part.", n=counts.counted))


def _zipf(counts: Statistics) -> Any:
    import plotly.graph_objects as go

    ranks, often, pieces = counts.by_rank()
    figure = go.Figure(
        go.Scatter(
            x=ranks,
            y=often,
            customdata=[visible(piece).replace("<", "&lt;") for piece in pieces],
            mode="lines+markers",
            line={"color": ARCHITECTURE["decoder"], "width": 2},
            marker={"size": 5},
            hovertemplate="<b>%{customdata}</b><br>" + t("rank") + " %{x:,}<br>%{y:,} ×<extra></extra>",
        )
    )
    return _styled(figure, t("Rank of the token"), t("Count in the text"), t("Token frequency"), log=True)


def _lengths(counts: Statistics) -> Any:
    import plotly.graph_objects as go

    length, vocabulary, text = counts.by_length()
    keep = length <= 24
    hover = "%{x} " + t("bytes") + ": %{y:.1%}<extra>%{fullData.name}</extra>"
    figure = go.Figure(
        [
            go.Bar(
                x=length[keep],
                y=text[keep],
                name=t("of the text"),
                marker_color=ARCHITECTURE["decoder"],
                hovertemplate=hover,
            ),
            go.Bar(
                x=length[keep],
                y=vocabulary[keep],
                name=t("of the vocabulary"),
                marker_color=ACCENT,
                hovertemplate=hover,
            ),
        ]
    )
    figure.update_yaxes(tickformat=".0%")
    return _styled(figure, t("Length of a token (bytes)"), t("Fraction of tokens"), t("Token length"))


def _styled(figure: Any, x: str, y: str, title: str, log: bool = False) -> Any:
    figure.update_layout(
        title={"text": title, "x": 0},
        height=360,
        margin={"l": 60, "r": 10, "t": 60, "b": 50},
        bargap=0.15,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0.5},
        hoverlabel={"align": "left"},
    )
    axis = {"type": "log", "dtick": 1} if log else {}
    figure.update_xaxes(title=x, **axis)
    figure.update_yaxes(title=y, **axis)
    return figure


# Its vocabulary


def show_vocabulary(prepared: Prepared) -> None:
    """Every token, to be searched and sorted."""
    import pandas as pd

    counts = numbers(str(prepared.folder), prepared)
    table = pd.DataFrame(
        {
            "id": range(len(counts.pieces)),
            "token": counts.pieces,
            "bytes": counts.lengths,
            "times": counts.counts,
        }
    )
    wanted = st.text_input(t("Find tokens that contain"), key="data.find", placeholder=t("letters, or · for a space"))
    table["token"] = [visible(piece) for piece in table["token"]]
    if wanted:
        table = table[table["token"].str.contains(wanted.replace(" ", "·"), regex=False)]
    longest = st.toggle(t("Longest first"), key="data.longest")
    table = table.sort_values(["bytes", "times"] if longest else ["times", "bytes"], ascending=False)
    st.dataframe(
        table,
        key="data.vocabulary",
        hide_index=True,
        height=420,
        column_config={
            "id": st.column_config.NumberColumn(t("Number"), format="%d"),
            "token": st.column_config.TextColumn(t("Token"), width="large"),
            "bytes": st.column_config.NumberColumn(t("Bytes"), format="%d"),
            "times": st.column_config.NumberColumn(t("Count in the text"), format="localized"),
        },
    )
    never = counts.never()
    learnt = max(0, len(counts.pieces) - BASE_SIZE)
    shown = t("{shown:,} tokens shown." if len(table) != 1 else "1 token shown.", shown=len(table))
    bases = t("The first {base} are special tokens and bytes.", base=BASE_SIZE)
    steps = t(
        "Of the {learnt:,} learned tokens, {never:,} never occur in the text: they are intermediate merges of longer tokens.",
        never=never,
        learnt=learnt,
    )
    st.caption(" ".join((shown, bases, *([steps] if never else []))))


# Other ways to cut it

WAYS = {
    "bpe 512": TokenizerSpec("bpe", 512),
    "bpe 1024": TokenizerSpec("bpe", 1024),
    "bpe 4096": TokenizerSpec("bpe", 4096),
    "bpe 16384": TokenizerSpec("bpe", 16_384),
    "word 4096": TokenizerSpec("word", 4096),
    "char": TokenizerSpec("char", 4096),
    "byte": TokenizerSpec("byte"),
}


def show_comparison(prepared: Prepared, language: str) -> None:
    """The same words cut in several ways, each learnt from this text."""
    text = st.text_area(t("Type any text"), TRY.get(language, TRY_ENGLISH), key="data.try", height=90, max_chars=4000)
    own = prepared.spec.tokenizer
    _way(
        prepared,
        prepared.tokenizer,
        t("As chosen: {kind}, {size:,} tokens", kind=t(KIND_NAMES[own.kind]), size=prepared.tokenizer.size),
        text,
        "own",
    )
    chosen = select_several(
        t("Compare with"),
        list(WAYS),
        ["bpe 4096", "char"],
        key="data.ways",
        format_func=_way_title,
    )
    for name in chosen:
        with st.spinner(t("Learning a vocabulary from this text …"), show_time=False):
            other = learnt(str(prepared.folder), WAYS[name].kind, WAYS[name].vocab_size, prepared)
        _way(prepared, other, f"{_way_title(name)} · " + t("{size:,} tokens", size=other.size), text, name)
    st.caption(
        t(
            "Trained on the beginning of the training part; measured on held-out text. Larger vocabularies need fewer tokens for the same text, but more parameters for the embedding."
        )
    )


def _way_title(name: str) -> str:
    spec = WAYS[name]
    return t(KIND_NAMES[spec.kind]) + (f", {spec.vocab_size:,}" if spec.kind in ("bpe", "word") else "")


@st.cache_resource(max_entries=24, show_spinner=False)
def learnt(folder: str, kind: str, size: int, _prepared: Prepared) -> Tokenizer:
    """A tokenizer learnt from the beginning of a text, once."""
    return learn_from(_prepared, TokenizerSpec(kind, size))


@st.cache_data(max_entries=64, show_spinner=False)
def packed(folder: str, fingerprint: str, _prepared: Prepared, _tokenizer: Tokenizer) -> float:
    """Characters a token on text that was held back."""
    return packing(_tokenizer, text_of(_prepared, "validation", 60_000))


def _way(prepared: Prepared, tokenizer: Tokenizer, title: str, text: str, key: str) -> None:
    ids = tokenizer.encode(text)
    held = packed(str(prepared.folder), tokenizer.fingerprint, prepared, tokenizer)
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.markdown(f"**{title}**", width="content")
            st.markdown(
                t(
                    "**{n:,}** tokens here · **{held:.2f}** characters per token on held-out text",
                    n=len(ids),
                    held=held,
                ),
                width="content",
            )
        boxes(tokenizer, ids, f"data.try.{key}")
