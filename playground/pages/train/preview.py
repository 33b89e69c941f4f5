"""What stands on the stage before a run begins: the model that will learn, and the text that it will read."""

import json
from itertools import islice

import streamlit as st

from playground.core.errors import UserError
from playground.pages.train.names import text_name
from playground.runs.config import RunConfig
from playground.text import prepare_job
from playground.text.catalogue import CORPORA
from playground.text.corpora import open_source
from playground.text.prepare import find
from playground.text.spec import DataSpec
from playground.ui import model_costs, url_state
from playground.ui.colours import ACCENT, ARCHITECTURE
from playground.ui.components.architecture import architecture
from playground.ui.components.written import written
from playground.ui.diagram import draw
from playground.ui.language import t
from playground.ui.run_picker import name_of, named

LONGEST = 900
"""Characters of a text that are shown of it."""


def preview(config: RunConfig) -> None:
    """Draws both, side by side, into the picture."""
    model = config.model.replace(vocab_size=config.data.tokenizer.vocab_size)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        architecture(draw(model), ARCHITECTURE[model.architecture], [], [], key="train.model.picture")
    with right:
        beginning = opening_of(json.dumps(config.data.to_dict()))
        title = t("What it will read: {what}", what=text_name(config.data))
        written("train.text.picture", beginning, ACCENT, title)


@st.cache_data(max_entries=64, show_spinner=False)
def opening_of(spec: str) -> list[dict]:
    """The beginning of a text as the samples of a run have it; nothing where it is not at hand."""
    data = DataSpec.from_dict(json.loads(spec))
    if data.corpus.startswith("hf:"):
        return []
    try:
        parts = list(islice(open_source(data).documents(), 4))
    except UserError:
        return []
    pairs = [part for part in parts if isinstance(part, tuple)]
    if pairs:
        examples = [{"source": source, "target": target, "answer": target} for source, target in pairs]
        return [{"kind": "answers", "step": 0, "examples": examples}]
    text = next((part for part in parts if isinstance(part, str) and part.strip()), "").strip()[:LONGEST]
    return [{"kind": "text", "step": 0, "prompt": "", "text": text}] if text else []


def make_ready(data: DataSpec) -> None:
    """Prepares a text that comes with the app while its reader still looks: training then begins at once."""
    known = json.dumps(data.to_dict())
    if data.corpus not in CORPORA or st.session_state.get("train.readied") == known:
        return
    st.session_state["train.readied"] = known
    if not find(data):
        prepare_job.start(data, "the page of training")


def costs(config: RunConfig) -> str:
    """What the plan costs, in a line."""
    model = config.model.replace(vocab_size=config.data.tokenizer.vocab_size)
    return " · ".join(f"{name}: {value}" for name, value, _ in model_costs.figures(model, config.training))


def branch_sentence() -> str:
    """Where a branch begins; "" where the plan is none."""
    wanted = url_state.text("train", "parent")
    if not wanted:
        return ""
    name, _, step = wanted.partition("@")
    run = named(name)
    return t(
        "A branch: it starts from the weights of “{name}” at step {step}. Change what you like in the drawer; the model's "
        "shape stays.",
        name=name_of(run),
        step=step or run.status().step,
    )
