"""What architectures, ways to cut a text into tokens, and runs are called, the same on every page."""

import re
from collections.abc import Mapping
from typing import Any

from playground.ui.language import t

KIND_NAMES = {"bpe": "Byte pairs (BPE)", "char": "Characters", "byte": "Bytes", "word": "Words"}


TITLES = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "lstm-attention": "LSTM with attention",
    "decoder": "Decoder",
    "encoder": "Encoder",
    "encoder-decoder": "Encoder–decoder",
}
READS = {
    "python-docs": "the Python reference",
    "python-code": "Python programs",
    "little-stories": "little stories",
    "little-stories-zh": "little stories in Chinese",
    "little-stories-en-zh": "translations of little stories",
    "asv-bible": "the Bible",
    "three-kingdoms": "Three Kingdoms",
    "jupyterlab-zh": "JupyterLab's words",
    "chinese-reviews-text": "Chinese reviews",
    "chinese-news": "Chinese news",
    "dialogues-en": "short talk",
    "dialogues-zh": "Chinese short talk",
    "task-recall": "to remember one symbol",
    "task-brackets": "to close brackets",
    "task-addition": "to add",
    "task-reversal": "to reverse words",
    "task-dates": "to read dates",
    "task-repetition": "to say it again",
    "task-copy": "to copy after a pause",
    "task-parity": "to tell even from odd",
    "task-sorting": "to sort",
    "task-modular": "to add around a clock",
    "task-elman": "Elman's sentences",
}
"""What a model reads that learns from a text, or learns of a task."""
_AUTOMATIC = r"{preset} on \S+( \(\d+\))?|.*\S [÷×] \d+.*|.*\d → \d.*"
"""A name that nobody gave: the model and the text by their ids, or settings that differ from the run before."""


def readable(about: Mapping[str, Any]) -> str:
    """What a run is called: "GPT-2 tiny reads Three Kingdoms · 900 steps" where nobody gave it a name; else that name.

    Args:
        about: what its run.json says.
    """
    from models.presets import PRESETS

    name, preset, corpus = str(about.get("name") or ""), about.get("preset"), (about.get("data") or {}).get("corpus")
    if about.get("finetune"):  # "labels.csv ← An encoder that read the Bible, head only": the shipped one is translated
        text, arrow, parent = name.partition(" ← ")
        parent, comma, how = parent.partition(", ")
        return text + arrow + (t(parent) if parent else "") + comma + how
    if preset not in PRESETS or corpus not in READS:
        return name
    found = re.fullmatch(_AUTOMATIC.format(preset=re.escape(preset)), name)
    if not found:
        return name
    model = t(PRESETS[preset].title).replace(", ", " ").replace("，", " ")
    steps = about.get("training", {}).get("steps") or 0
    form = (
        t("{model} learns {what} · {steps:,} steps", model=model, what=t(READS[corpus]), steps=steps)
        if corpus.startswith("task-")
        else t("{model} reads {what} · {steps:,} steps", model=model, what=t(READS[corpus]), steps=steps)
    )
    return form + (found[1] or "")
