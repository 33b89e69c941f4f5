"""A fine-tuned model to try: type and see the predicted labels, and the words that support them."""

import copy
import time
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.pages.finetune import data_picture
from playground.runs.folder import RunFolder
from playground.runs.samples import opening_text
from playground.ui import cached, links
from playground.ui.colours import ARCHITECTURE, BAD, GOOD, SPARE
from playground.ui.components.label_bars import label_bars
from playground.ui.components.live_text import live_text
from playground.ui.components.token_strip import token_strip
from playground.ui.frame import presenting
from playground.ui.labelled_text import data_of
from playground.ui.language import t
from playground.ui.messages import plain
from playground.ui.number_format import share
from playground.ui.stage import Stage, part
from playground.ui.stage_text import keep_text, linked_text

SHOWN = 8  # labels
LONGEST_LINK = 500
JUDGED = "margin:0; max-height:100cqh; overflow:hidden; font-size:clamp(1.3rem, 24cqh, 2rem); line-height:1.3"


@dataclass(frozen=True)
class Answer:
    """What the model says to a text.

    Attributes:
        likely: the probability of each label; of a tagger, each word with those of its labels.
        order: of a classifier, the labels that are shown, which stay in their rows.
        milliseconds: that it took.
    """

    labeller: Any
    text: str
    likely: Any
    order: list[int]
    milliseconds: float

    @property
    def tags(self) -> bool:
        return self.labeller.task == "tag"

    @property
    def is_cut(self) -> bool:
        return not self.tags and bool(self.labeller.cuts(self.text))

    @property
    def best(self) -> int:
        return int(self.likely.argmax())

    @property
    def chosen(self) -> int:
        """The label that is explained: the one that was clicked, else the most likely one."""
        asked = st.session_state.get(WHY)
        return asked if asked in self.order else self.best


WHY, WORD = "finetune.why", "finetune.word"


def show_try(run: RunFolder, report: dict[str, Any], place: Stage) -> None:
    """The labels of the text that is being typed, and beside them the words that support one of them."""
    with place.command:
        text = ask_text(run)
    answer = answer_to(run, text)
    st.html(data_picture.STYLE)
    with place.picture:
        left, right = st.columns([2, 3], gap="medium")
        with left:
            draw_answer(run, answer)
        with right:
            explain(run, answer, place.rest)
    if answer is None:
        place.say(t("Type something: the labels follow at every key."))
    elif answer.tags:
        name = answer.labeller.labels[0]
        place.say(
            t(
                "Words without colour are “{label}”. Point at a word to see its other likely labels; click it to see its attributions.",
                label=name,
            )
        )
    else:
        place.say(t("Click a label to see which words support it and which oppose it."))
    with place.rest:
        tell_how_fast(answer)


def ask_text(run: RunFolder) -> str:
    """The box to type in, bound to ``?text=``; what is typed is there on other pages too."""
    key = f"finetune.text.{run.id}"
    wanted, opening = linked_text(key, "finetune", "text"), f"{key}.opening"
    if opening not in st.session_state or wanted:
        st.session_state[opening] = wanted or a_test_text(run)
    text = live_text(key, st.session_state[opening], t("Type a text"), line=True)
    if text != st.session_state[opening]:
        st.session_state["stage.text"] = text
    keep_text(key, "finetune", "text", text if len(text) <= LONGEST_LINK else "")
    return text


def answer_to(run: RunFolder, text: str) -> Answer | None:
    """What the newest checkpoint says; None without a text."""
    if not text.strip():
        return None
    labeller = labeller_now(run)
    began = time.perf_counter()
    likely = labeller.tags(text) if labeller.task == "tag" else labeller.probabilities([text])[0]
    taken = 1000 * (time.perf_counter() - began)
    n = len(labeller.labels)
    order = list(range(n))
    if labeller.task != "tag" and n > SHOWN:  # the rows stay where they are as long as the same labels are likely
        order = sorted((-likely).argsort()[:SHOWN].tolist())
    return Answer(labeller, text, likely, order, taken)


def draw_answer(run: RunFolder, answer: Answer | None) -> None:
    """The labels as bars, or the words in the colours of their labels; it fills its place."""
    if answer is None:
        return
    if answer.tags:
        draw_tags(answer)
        return
    rows = [
        {
            "text": answer.labeller.labels[code],
            "p": float(answer.likely[code]),
            "best": code == answer.best,
            "mark": code == answer.chosen,
        }
        for code in answer.order
    ]
    colour = ARCHITECTURE[run.config().model.architecture]
    help = t("Click a label to see which words support it")
    if presenting():  # then the line to type in is away
        with part("judged", 25):
            st.html(f"<p class='judged' style='{JUDGED}'>{escape(answer.text)}</p>")
    with part("bars", 75) if presenting() else nullcontext():
        clicked = label_bars("finetune.bars", rows, colour, t("Prediction"), help)
    if clicked is not None and answer.order[clicked] != st.session_state.get(WHY):
        st.session_state[WHY] = answer.order[clicked]
        st.rerun(scope="fragment")


def tell_how_fast(answer: Answer | None) -> None:
    """How long it took, and what would make it faster."""
    if answer is None:
        return
    taken, engine = answer.milliseconds, answer.labeller.ran_by
    st.caption(t("Labelled in {ms:.1f} ms by {engine} on this machine.", ms=taken, engine=engine))
    if answer.labeller.engine is None and links.leads_to("export"):
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
    """A test text to begin with; where the test is on another machine, or cleaned away, what its samples begin with."""
    try:
        text = data_of(run).test.texts([0])[0]
    except PlaygroundError:
        return opening_text(run.samples())
    return text if isinstance(text, str) else "".join(text)


def explain(run: RunFolder, answer: Answer | None, rest: Any = None) -> None:
    """Which words support the label of the text, or of the word that was clicked.

    Args:
        rest: where the sentences go; here unless told.
    """
    if answer is None:
        return
    if not answer.tags:
        attribution(answer.labeller, answer.text, answer.chosen, rest=rest)
        return
    word = st.session_state.get(WORD)
    if word is not None and word < len(answer.likely):
        attribution(answer.labeller, answer.text, int(answer.likely[word][1].argmax()), word, rest)


def attribution(labeller: Any, text: str, label: int, word: int | None = None, rest: Any = None) -> None:
    """Which tokens support the label of the text or of a word: integrated gradients, and attention for comparison.

    Args:
        rest: where the sentences on them go; between the rows of tokens unless told.
    """
    cached.torch_ready()
    from playground.finetune.attribution import attribute

    found = attribute(labeller, text, label, word=word)
    name = plain(labeller.labels[label])
    largest = max(1e-9, float(abs(found.gradients).max()))
    staged, alone = rest is not None, found.attention is None
    with within("gradients-title", 10, staged):
        st.markdown("**" + t("Attribution to “{label}”", label=name) + "** " + t("(integrated gradients)"))
    supports = [
        {
            "text": piece,
            "value": abs(float(value)) / largest,
            "colour": GOOD if value > 0 else BAD,
            "tip": t("attribution {value:+.3f} (logit of the label)", value=float(value)),
        }
        for piece, value in zip(found.pieces, found.gradients)
    ]
    spoken = t("Tokens, coloured by their attribution to the label")
    with within("gradients", 90 if alone else 40, staged):
        token_strip(supports, "finetune.gradients", clickable=False, label=spoken, tools=True)
    told = t(
        "Green tokens support the label, orange ones oppose it. The attributions add up to {sum:+.2f}: the difference to an empty text.",
        sum=found.something - found.nothing,
    )
    with rest or nullcontext():
        st.caption(told)
    if not alone:
        attended(found, rest)


def attended(found: Any, rest: Any) -> None:
    """Where the head that gives the label looks, for comparison with what supports the label."""
    most, staged = max(1e-9, float(found.attention.max())), rest is not None
    with within("attention-title", 10, staged):
        st.markdown("**" + t("Attention of the classification head") + "** " + t("(attention rollout)"))
    looks = [
        {"text": piece, "value": float(value) / most, "tip": t("{share:.1%} of the attention", share=float(value))}
        for piece, value in zip(found.pieces, found.attention)
    ]
    with within("attention", 40, staged):
        token_strip(looks, "finetune.attention", clickable=False, label=t("Tokens, coloured by attention"), tools=True)
    with rest or nullcontext():
        st.caption(t("Attention shows where the model looks, not which label a word supports: compare the two rows."))


def within(name: str, share: int, staged: bool) -> Any:
    """A part of the picture, or the place where this stands anyway."""
    return part(name, share) if staged else nullcontext()


def draw_tags(answer: Answer) -> None:
    """Each word with its label; the commonest label stays without colour."""
    labels, found = answer.labeller.labels, answer.likely
    codes = [int(likely.argmax()) for _, likely in found]
    colour_of = lambda code: SPARE[(code - 1) % len(SPARE)]
    plain_code = 0  # the labels are in the order of how often they occur
    tokens = []
    for (piece, likely), code in zip(found, codes):
        best = sorted(range(len(likely)), key=lambda i: -likely[i])[:3]
        tokens.append(
            {
                "text": piece,
                "tip": ", ".join(f"{labels[i]} {share(likely[i])}" for i in best),
                "value": 0.0 if code == plain_code else float(likely[code]),
                "colour": colour_of(code),
            }
        )
    chosen = st.session_state.get(WORD)
    with part("tags", 85):
        clicked = token_strip(
            tokens,
            "finetune.tags",
            selected=[chosen] if chosen is not None and chosen < len(found) else [],
            label=t("Words, coloured by their label"),
            tools=True,
        )
    if clicked is not None and clicked != chosen:
        st.session_state[WORD] = clicked
        st.rerun(scope="fragment")
    legend = " ".join(
        f"<span style='border-bottom:3px solid {colour_of(code)}'>{escape(labels[code])}</span>"
        for code in dict.fromkeys(codes)
        if code != plain_code
    )
    with part("tags-legend", 15):
        size = "max(var(--label-size, 13px), 1rem)"
        st.html(f"<p style='display:flex;gap:1rem;flex-wrap:wrap;font-size:{size}'>{legend}</p>")
