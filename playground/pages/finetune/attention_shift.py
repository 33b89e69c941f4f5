"""How fine-tuning changed attention: the shift of every head, and one head before and after on a text."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import streamlit as st

from playground.finetune.plan import parent_of
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.ui import cached, links
from playground.ui.attention_weights import PART_NAMES, on_paper, sides, title_of, weights_on
from playground.ui.components.heatmap import heatmap
from playground.ui.figure import downloads
from playground.ui.labelled_text import data_folder_of
from playground.ui.language import joined, t
from playground.ui.scene import coming_out
from playground.ui.stage import Stage

TEXTS = 24
SHOWN = 48  # characters of a text in the list
STILL = 0.02  # share of attention: where no head moved by more, none is drawn bright


def shift_of_heads(run: RunFolder, config: RunConfig, place: Stage | None = None) -> None:
    """The attention shift of each head; a click shows the head on a text.

    Args:
        place: the stage that it fills, if it does.
    """
    with st.spinner(t("Comparing the attention before and after")):
        parent = parent_of(config).id
        found = measured_shifts(str(run.path), cached.latest_step(run), parent, config.parent.get("step"))
    part = next(iter(found["shifts"]))
    if len(found["shifts"]) > 1:
        with place.drawer if place else nullcontext():
            part = st.segmented_control(
                t("Attention of"),
                list(found["shifts"]),
                format_func=lambda name: t(PART_NAMES[name]),
                default=part,
                key="finetune.refocused.part",
                required=True,
            )
    shifts = found["shifts"][part]  # [texts, layers, heads]
    mean = shifts.mean(0)
    key = f"finetune.refocused.head.{run.id}.{part}"
    layer, head = st.session_state.get(key) or divmod(int(mean.argmax()), mean.shape[1])
    with place.picture if place else nullcontext():
        left, right = st.columns([2, 3], gap="medium")
    with left:
        clicked = heatmap(
            mean,
            "finetune.refocused.heads",
            *([str(i) for i in range(n)] for n in mean.shape),
            (t("layer"), t("head"), t("attention shift")),
            t("Attention shift of every head"),
            (0.0, max(float(mean.max()), STILL)),
            selected=(layer, head),
            clickable=True,
            written=True,
            tokens=False,
            hint=False,
        )
        if clicked and clicked != (layer, head):
            st.session_state[key] = clicked
            st.rerun(scope="fragment")
    said = t(
        "The fraction of each head's attention that goes to other tokens than before fine-tuning (total variation), over {n} held-out texts. 0: the same tokens, 1: entirely different ones. Click a coloured head.",
        n=len(shifts),
    )
    with place.rest if place else left:
        st.caption(said)
        downloads("finetune-refocused", {f"{name}_shift": values for name, values in found["shifts"].items()})
    with right:
        before_and_after(run, config, found, part, layer, head, place)
    if place:
        place.say(
            t(
                "Layer {layer}, head {head} moved {share:.0%} of its attention to other tokens. Click another head at the left.",
                layer=layer,
                head=head,
                share=float(mean[layer, head]),
            )
        )


def before_and_after(
    run: RunFolder,
    config: RunConfig,
    found: dict[str, Any],
    part: str,
    layer: int,
    head: int,
    place: Stage | None = None,
) -> None:
    """The head on one text, with the weights before and after fine-tuning."""
    shifts, pieces = found["shifts"][part][:, layer, head], cached.tokenizer(run).pieces
    order = (-shifts).argsort().tolist()
    said = lambda i: "".join(pieces(list(found["texts"][i].source or found["texts"][i].ids)))[:SHOWN].strip()
    with place.command if place else nullcontext():
        which = st.selectbox(
            t("Layer {layer}, head {head}, on the text", layer=layer, head=head),
            order,
            format_func=lambda i: f"{shifts[i]:.0%} · {said(i)}",
            key=f"finetune.refocused.text.{run.id}.{part}.{layer}.{head}",
            help=t("Texts with the largest attention shift of this head come first."),
            label_visibility="collapsed" if place else "visible",
        )
    text = found["texts"][which]
    steps = (RunStore().get(config.parent["run"]), config.parent.get("step")), (run, cached.latest_step(run))
    both = [weights_on(str(each.path), step, text.ids, text.source)[part][layer, head] for each, step in steps]
    largest = float(max(values.max() for values in both))
    written = part == "cross" and text.then is not None
    own = coming_out(pieces([*text.ids[1:], text.then])) if written else pieces(list(text.ids))
    queries, keys = sides(part, own, pieces(list(text.source or ())))
    for column, values, name in zip(st.columns(2), both, ("Before", "After"), strict=True):
        with column:
            if not place:
                st.markdown(f"**{t(name)}**")
            heatmap(
                on_paper(values, part, config.model.is_causal),
                f"finetune.refocused.{name}",
                queries,
                keys,
                (t("query"), t("key"), t("weight")),
                f"{title_of('head', (layer, head))}, {t(name)}",
                (0.0, largest),
                hint=False,
                empty=t("masked: it comes later"),
            )
    rows = (
        t("Rows: queries, named by the token written there. Columns: keys (the tokens attended to).")
        if part == "cross"
        else t("Rows: queries (the tokens that attend). Columns: keys (the tokens attended to).")
    )
    with place.rest if place else nullcontext():
        st.caption(
            joined(
                rows,
                t("Both pictures use the same colour scale. Columns that filled up are tokens that the task needs."),
            )
        )
        if text.source is None:
            links.link(
                "explore",
                t("Look inside both"),
                icon=":material/compare:",
                run=run.id,
                view="attention",
                layer=layer,
                head=head,
                text=cached.tokenizer(run).decode(list(text.ids))[:500],
                beside=config.parent["run"],
                **{"with": "run"},
            )


@st.cache_data(max_entries=32, show_spinner=False)
def measured_shifts(path: str, step: int, parent: str, parent_step: int | None) -> dict[str, Any]:
    """The texts, and the attention shift of every head on each of them."""
    from playground.finetune.attention_shift import attention_shift, examples

    run = RunFolder(Path(path))
    texts = examples(run.config(), data_folder_of(run), TEXTS)
    before = cached.model(RunStore().get(parent), parent_step)
    return {"texts": texts, "shifts": attention_shift(before, cached.model(run, step), texts)}
