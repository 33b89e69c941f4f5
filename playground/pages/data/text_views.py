"""What a prepared text looks like: a piece of it, its numbers, its vocabulary, other ways to cut it."""

from html import escape
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
from playground.ui.figure import figure
from playground.ui.frame import presenting
from playground.ui.language import joined, t, translated
from playground.ui.messages import plain, show_notes
from playground.ui.number_format import bytes_of, large
from playground.ui.select import select_several
from playground.ui.stage import Stage
from playground.ui.titles import KIND_NAMES

PALETTE = (*SPARE[:5], ARCHITECTURE["encoder-decoder"])
MOST_BOXES = 400
ROOM = 100  # tokens that a room is shown
ROOM_STYLE = """<style>
.frequent { height: 100cqh; overflow: auto; font-size: max(var(--label-size, 13px), 1rem); }
.frequent table { width: 100%; border-collapse: collapse; margin: 0; }
.frequent :is(th, td) { text-align: right; padding: .35rem .8rem; border: 0; border-bottom: 1px solid rgb(128 128 128 / 25%); }
.frequent :is(th, td):nth-child(2) { text-align: left; width: 40%; }
.frequent th { position: sticky; top: 0; background: var(--page-ground); font-weight: 600; }
</style>"""
TRY = {
    "little-stories": "The cat sat on the mat. It meowed. Emma gave a lamp to Jack. He thanked her. Who has the lamp now?",
    "little-stories-zh": "猫坐在垫子上。它喵喵叫。小红把灯送给小明。他谢谢她。现在谁有灯？",
    "zh": "话说天下大势，分久必合，合久必分。",
    "code": "def attend(q, k, v): return softmax(q @ k.T) @ v",
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
    st.caption(joined(*words))
    show_notes(info.get("notes", []))


@st.cache_data(max_entries=8, show_spinner=False)
def numbers(folder: str, _prepared: Prepared) -> Statistics:
    """Counted once for each prepared text."""
    return statistics(_prepared)


# A piece of it


def show_sample(prepared: Prepared, options: Any, rest: Any) -> None:
    """Real text of the training part, cut; with what masked training would hide of it, if wanted.

    Args:
        options: where its two controls stand.
        rest: where it is told how to read it.
    """
    with options:
        place = st.slider(t("Where in the text"), 0, 100, 0, format="%d %%", key="data.place") / 100
        masks = st.toggle(t("Mask tokens, as in masked training"), key="data.masks", bind="query-params")
    ids = sample(prepared, place, MOST_BOXES)
    if masks:
        show_masked(prepared, ids[:MOST_BOXES], options, rest)
        return
    boxes(prepared.tokenizer, ids, "data.sample", rest, numbers(str(prepared.folder), prepared))


def sample_sentence(prepared: Prepared) -> str:
    """How to read the boxes, and what this tokenizer does to a text."""
    info = prepared.info
    return t(
        "Each box is a token, as the model sees it: · is a space, ↵ a new line. One token stands for {density:.1f} bytes "
        "on average; the vocabulary has {size:,} tokens.",
        density=info["bytes"] / max(1, info["tokens"]),
        size=info["vocab_size"],
    )


def show_masked(prepared: Prepared, ids: list[int], options: Any, rest: Any) -> None:
    """What an encoder would be shown of a text, drawn by the very function that training calls."""
    with options:
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
    rest.caption(
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


def boxes(tokenizer: Tokenizer, ids: list[int], key: str, rest: Any, counts: Statistics | None = None) -> None:
    """Tokens as boxes; neighbours differ in colour, special tokens are dashed. In ``rest`` it is told what is left out."""
    shown = ids[:MOST_BOXES]
    pieces = tokenizer.pieces(shown)
    token_strip(
        [_box(i, token, piece, counts) for i, (token, piece) in enumerate(zip(shown, pieces, strict=True))],
        key=key,
        clickable=False,
    )
    if len(ids) > MOST_BOXES:
        rest.caption(t("The first {n} of {all:,} tokens.", n=MOST_BOXES, all=len(ids)))


def _box(place: int, token: int, piece: str, counts: Statistics | None) -> dict[str, Any]:
    tip = t("token {id}", id=token)
    if counts is not None and counts.counted:
        tip += " · " + t("{n:,} of {all:,}", n=int(counts.counts[token]), all=counts.counted)
    box = {"text": piece, "tip": tip, "colour": PALETTE[place % len(PALETTE)], "value": 0.28}
    return {**box, "dashed": True} if token < len(SPECIALS) else box


# Its numbers


def show_numbers(prepared: Prepared, place: Stage) -> None:
    """How often tokens come, and how long they are."""
    counts = numbers(str(prepared.folder), prepared)
    with place.picture:
        left, right = st.columns(2, gap="medium")
        with left:
            figure(_zipf(counts), "data.zipf", t("Token frequency"), place=place, say=False)
        with right:
            figure(_lengths(counts), "data.lengths", t("Token length"), place=place, say=False)
    place.say(
        t(
            "Left: how often the tokens occur, the most frequent first; a straight falling line is Zipf's law. Right: long "
            "tokens make up much of the vocabulary, short ones much of the text."
        )
    )
    with place.rest:
        st.caption(
            t(
                "Both axes are logarithmic. A straight falling line is Zipf's law: the second token occurs half as often as the first, the tenth a tenth as often. Tokens at the far right have too few examples to learn from."
            )
        )
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
    drawn = go.Figure(
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
    return _styled(drawn, t("Rank of the token"), t("Count in the text"), t("Token frequency"), log=True)


def _lengths(counts: Statistics) -> Any:
    import plotly.graph_objects as go

    length, vocabulary, text = counts.by_length()
    keep = length <= 24
    hover = "%{x} " + t("bytes") + ": %{y:.1%}<extra>%{fullData.name}</extra>"
    drawn = go.Figure(
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
    drawn.update_yaxes(tickformat=".0%")
    return _styled(drawn, t("Length of a token (bytes)"), t("Fraction of tokens"), t("Token length"))


def _styled(drawn: Any, x: str, y: str, title: str, log: bool = False) -> Any:
    drawn.update_layout(
        title={"text": title, "x": 0},
        margin={"l": 60, "r": 10, "t": 60, "b": 50},
        bargap=0.15,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0.5},
        hoverlabel={"align": "left"},
    )
    axis = {"type": "log", "dtick": 1} if log else {}
    drawn.update_xaxes(title=x, **axis)
    drawn.update_yaxes(title=y, **axis)
    return drawn


# Its vocabulary


def show_vocabulary(prepared: Prepared, place: Stage) -> None:
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
    with place.command:
        wanted = st.text_input(
            t("Find tokens that contain"),
            key="data.find",
            placeholder=t("Find tokens: letters, or · for a space"),
            label_visibility="collapsed",
        )
    with place.drawer:
        longest = st.toggle(t("Longest first"), key="data.longest")
    table["token"] = [visible(piece) for piece in table["token"]]
    if wanted:
        table = table[table["token"].str.contains(wanted.replace(" ", "·"), regex=False)]
    table = table.sort_values(["bytes", "times"] if longest else ["times", "bytes"], ascending=False)
    with place.picture:
        (frequent if presenting() else searched)(table)
    never = counts.never()
    learnt = max(0, len(counts.pieces) - BASE_SIZE)
    shown = t("{shown:,} tokens shown." if len(table) != 1 else "1 token shown.", shown=len(table))
    bases = t("The first {base} are special tokens and bytes.", base=BASE_SIZE)
    steps = t(
        "Of the {learnt:,} learned tokens, {never:,} never occur in the text: they are intermediate merges of longer tokens.",
        never=never,
        learnt=learnt,
    )
    place.say(joined(shown, bases, *([steps] if never else [])))


def searched(table: Any) -> None:
    """All of the vocabulary, to be sorted by any column."""
    st.dataframe(
        table,
        key="data.vocabulary",
        hide_index=True,
        height="stretch",
        column_config={
            "id": st.column_config.NumberColumn(t("Number"), format="%d"),
            "token": st.column_config.TextColumn(t("Token"), width="large"),
            "bytes": st.column_config.NumberColumn(t("Bytes"), format="%d"),
            "times": st.column_config.NumberColumn(t("Count in the text"), format="localized"),
        },
    )


def frequent(table: Any) -> None:
    """The first rows, in letters for a room: those on the canvas of a table do not grow with the page's."""
    head = (t("Number"), t("Token"), t("Bytes"), t("Count in the text"))
    rows = [
        (f"{row.id}", f"<code>{escape(row.token)}</code>", f"{row.bytes}", f"{row.times:,}")
        for row in table.head(ROOM).itertuples()
    ]
    line = lambda cells, kind: "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in cells) + "</tr>"
    body = "".join(line(row, "td") for row in rows)
    st.html(
        f"{ROOM_STYLE}<div class='frequent' tabindex='0' role='region' aria-label='{escape(t('Vocabulary'), quote=True)}'>"
        f"<table><thead>{line(map(escape, head), 'th')}</thead><tbody data-own=''>{body}</tbody></table></div>"
    )


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


def show_comparison(prepared: Prepared, language: str, place: Stage) -> None:
    """The same words cut in several ways, each learnt from this text."""
    with place.command:
        text = st.text_input(
            t("Type any text"),
            st.session_state.get("stage.text") or TRY.get(prepared.spec.corpus, TRY.get(language, TRY_ENGLISH)),
            key="data.try",
            max_chars=4000,
            label_visibility="collapsed",
            on_change=lambda: st.session_state.update({"stage.text": st.session_state["data.try"]}),
        )
    with place.drawer:
        chosen = select_several(
            t("Compare with"),
            list(WAYS),
            ["bpe 4096", "char"],
            key="data.ways",
            format_func=_way_title,
        )
    own = prepared.spec.tokenizer
    title = t("As chosen: {kind}, {size:,} tokens", kind=t(KIND_NAMES[own.kind]), size=prepared.tokenizer.size)
    ways = [("own", title, prepared.tokenizer)]
    for name in chosen:
        with place.picture, st.spinner(t("Learning a vocabulary from this text …"), show_time=False):
            other = learnt(str(prepared.folder), WAYS[name].kind, WAYS[name].vocab_size, prepared)
        ways.append((name, f"{_way_title(name)} · " + t("{size:,} tokens", size=other.size), other))
    with place.picture:
        st.html(WAYS_STYLE.replace("SHARE", f"{100 / len(ways):.3f}cqh"))
        for name, title, tokenizer in ways:
            _way(prepared, tokenizer, title, text, name, place.rest)
    place.say(
        t(
            "Trained on the beginning of the training part; measured on held-out text. Larger vocabularies need fewer tokens for the same text, but more parameters for the embedding."
        )
    )


WAYS_STYLE = """<style>
[class*="st-key-data-way-"] { height: SHARE !important; flex: none; gap: 0.2rem; flex-wrap: nowrap; overflow: hidden; }
[class*="st-key-data-way-"] > :last-child { flex: 1 1 0; min-height: 0; container-type: size; }
[class*="st-key-data-way-"] .stHorizontalBlock { row-gap: 0; }
@media (max-width: 640px) { [class*="st-key-data-way-"] .stHorizontalBlock p { font-size: 0.8rem; line-height: 1.3; } }
</style>"""


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


def _way(prepared: Prepared, tokenizer: Tokenizer, title: str, text: str, key: str, rest: Any) -> None:
    ids = tokenizer.encode(text)
    held = packed(str(prepared.folder), tokenizer.fingerprint, prepared, tokenizer)
    with st.container(key=f"data-way-{key.replace(' ', '-')}"):
        with st.container(horizontal=True, gap="large"):
            st.markdown(f"**{title}**", width="content")
            st.markdown(
                t(
                    "**{n:,}** tokens here · **{held:.2f}** characters per token on held-out text",
                    n=len(ids),
                    held=held,
                ),
                width="content",
            )
        boxes(tokenizer, ids, f"data.try.{key}", rest)
