"""A fine-tuned model to try: type and see the predicted labels, their attributions, and label a whole file."""

import copy
import time
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.ui import cached, links, url_state
from playground.ui.colours import ARCHITECTURE, BAD, GOOD, SPARE
from playground.ui.components.bars import bars
from playground.ui.components.live_text import live_text
from playground.ui.components.token_strip import token_strip
from playground.ui.labelled_text import data_of
from playground.ui.language import t
from playground.ui.messages import fragment, plain, shown_errors
from playground.ui.number_format import share

SHOWN = 8  # labels
LONGEST_LINK = 500


def try_text(run: RunFolder, report: dict[str, Any]) -> None:
    """A box to type in; runs again at every key, and nothing else of the page does."""
    fragment(typing, key="finetune.try")(run)


def typing(run: RunFolder) -> None:
    key = f"finetune.text.{run.id}"
    wanted, opening = url_state.text("finetune", "text"), f"{key}.opening"
    if opening not in st.session_state or (wanted and wanted != st.session_state.get(f"{key}.link")):
        st.session_state[opening] = wanted or a_test_text(run)
    text = live_text(key, st.session_state[opening], t("Type a text"), rows=3)
    url_state.remember("finetune", text=text if len(text) <= LONGEST_LINK else None)
    st.session_state[f"{key}.link"] = url_state.text("finetune", "text")
    if not text.strip():
        st.caption(t("Type something: the labels follow at every key."))
        return
    with shown_errors():
        labeller = labeller_now(run)
        began = time.perf_counter()
        if labeller.task == "tag":
            found = labeller.tags(text)
        else:
            found = labeller.probabilities([text])[0]
            if labeller.cuts(text):
                st.caption(
                    t(
                        "The text is longer than the model's context: only its first {n:,} tokens are read.",
                        n=labeller.length,
                    )
                )
        taken = 1000 * (time.perf_counter() - began)
        (word_labels if labeller.task == "tag" else label_probabilities)(run, labeller, text, found)
        st.caption(t("Labelled in {ms:.1f} ms by {engine} on this machine.", ms=taken, engine=labeller.ran_by))
        if labeller.engine is None and links.leads_to("export"):
            st.caption(t("Exported as ONNX, it runs without PyTorch, and usually faster."))


def labeller_now(run: RunFolder) -> Any:
    """The labeller of the newest checkpoint, on ONNX Runtime where that is exported."""
    step = cached.latest_step(run)
    engine = cached.engine(run, step)
    labeller = copy.copy(load(str(run.path), step, engine is not None))
    labeller.engine = engine
    return labeller


@st.cache_resource(max_entries=6, show_spinner=False)
def load(path: str, step: int, is_exported: bool) -> Any:
    """The labeller of a run's checkpoint; shared, not to be changed."""
    from playground.finetune.labeller import labeller_of

    run = RunFolder(Path(path))
    engine = cached.engine(run, step) if is_exported else None
    if engine is None:
        cached.torch_ready()
    return labeller_of(run, step, engine)


def a_test_text(run: RunFolder) -> str:
    """A test text to begin with; some words where the test is on another machine, or cleaned away."""
    try:
        text = data_of(run).test.texts([0])[0]
    except PlaygroundError:
        return "The "
    return text if isinstance(text, str) else "".join(text)


def label_probabilities(run: RunFolder, labeller: Any, text: str, likely: Any) -> None:
    """The probability of each label, and the attribution of each token to one of them."""
    order = (-likely).argsort()[:SHOWN].tolist()
    colour = ARCHITECTURE[run.config().model.architecture]
    chosen = st.session_state.get("finetune.why", order[0])
    chosen = chosen if chosen in order else order[0]
    rows = [{"text": labeller.labels[code], "p": float(likely[code]), "mark": code == chosen} for code in order]
    clicked = bars(
        "finetune.bars",
        [{"title": t("Prediction"), "note": "", "rows": rows}],
        colour,
        t("Click a label to see which words support it"),
        tokens=False,
    )
    if clicked is not None:
        chosen = order[clicked[1]]
        st.session_state["finetune.why"] = chosen
    attribution(labeller, text, chosen)


def attribution(labeller: Any, text: str, label: int, word: int | None = None) -> None:
    """Which tokens support the label of the text or of a word: integrated gradients, and attention for comparison."""
    cached.torch_ready()
    from playground.finetune.attribution import attribute

    found = attribute(labeller, text, label, word=word)
    name = plain(labeller.labels[label])
    largest = max(1e-9, float(abs(found.gradients).max()))
    st.markdown("**" + t("Attribution to “{label}”", label=name) + "** " + t("(integrated gradients)"))
    token_strip(
        [
            {
                "text": piece,
                "value": abs(float(value)) / largest,
                "colour": GOOD if value > 0 else BAD,
                "tip": t("attribution {value:+.3f} (logit of the label)", value=float(value)),
            }
            for piece, value in zip(found.pieces, found.gradients)
        ],
        "finetune.gradients",
        clickable=False,
        label=t("Tokens, coloured by their attribution to the label"),
        tools=True,
    )
    st.caption(
        t(
            "Green tokens support the label, orange ones oppose it. The attributions add up to {sum:+.2f}: the difference to an empty text.",
            sum=found.something - found.nothing,
        )
    )
    if found.attention is None:
        return
    most = max(1e-9, float(found.attention.max()))
    st.markdown("**" + t("Attention of the classification head") + "** " + t("(attention rollout)"))
    token_strip(
        [
            {"text": piece, "value": float(value) / most, "tip": t("{share:.1%} of the attention", share=float(value))}
            for piece, value in zip(found.pieces, found.attention)
        ],
        "finetune.attention",
        clickable=False,
        label=t("Tokens, coloured by attention"),
        tools=True,
    )
    st.caption(t("Attention shows where the model looks, not which label a word supports: compare the two rows."))


def word_labels(run: RunFolder, labeller: Any, text: str, found: Any) -> None:
    """Each word with its label; the commonest label stays without colour."""
    codes = [int(likely.argmax()) for _, likely in found]
    palette = SPARE
    plain_code = 0  # the labels are in the order of how often they occur
    tokens = []
    for (piece, likely), code in zip(found, codes):
        best = sorted(range(len(likely)), key=lambda i: -likely[i])[:3]
        tip = ", ".join(f"{labeller.labels[i]} {share(likely[i])}" for i in best)
        tokens.append(
            {
                "text": piece,
                "tip": tip,
                "value": 0.0 if code == plain_code else float(likely[code]),
                "colour": palette[(code - 1) % len(palette)],
            }
        )
    chosen = st.session_state.get("finetune.word")
    clicked = token_strip(
        tokens,
        "finetune.tags",
        selected=[chosen] if chosen is not None and chosen < len(found) else [],
        label=t("Words, coloured by their label"),
        tools=True,
    )
    if clicked is not None and clicked != chosen:
        st.session_state["finetune.word"] = clicked
        st.rerun(scope="fragment")
    there = [code for code in dict.fromkeys(codes) if code != plain_code]
    legend = " ".join(
        f"<span style='border-bottom:3px solid {palette[(code - 1) % len(palette)]}'>{_safe(labeller.labels[code])}</span>"
        for code in there
    )
    if legend:
        st.html(f"<p style='display:flex;gap:1rem;flex-wrap:wrap'>{legend}</p>")
    st.caption(
        t(
            "Words without colour are “{label}”. Point at a word to see its other likely labels; click it to see its attributions.",
            label=plain(labeller.labels[plain_code]),
        )
    )
    if chosen is not None and chosen < len(found):
        attribution(labeller, text, codes[chosen], chosen)


def _safe(text: str) -> str:
    from html import escape

    return escape(text)


# A whole file
