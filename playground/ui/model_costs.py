"""A model's price in numbers: parameters, memory, arithmetic, and the time that runs like it took here."""

import streamlit as st

from models.costs import flops_per_token, memory
from models.parameter_counts import parameter_counts
from models.spec import ModelSpec
from playground.runs.config import TrainingSpec
from playground.runs.store import RunStore
from playground.runs.throughput import Throughput, expected, free_memory, measured
from playground.ui.language import t
from playground.ui.number_format import bytes_of, duration, large

OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon + AdamW", "sgd": "SGD"}
BLOCKS = {
    "token embedding": "embedding",
    "position embedding": "embedding",
    "embedding norm": "embedding",
    "recurrent": "cell",
    "attention": "attention encoderattention decoderattention",
    "cross attention": "cross",
    "mlp": "mlp",
    "norms": "norm",
    "head transform": "head",
    "output matrix": "head",
}
"""The blocks of the diagram that hold a component's parameters."""
PART_NAMES = {
    "token embedding": "Token embedding",
    "position embedding": "Position embedding",
    "embedding norm": "Embedding norm",
    "recurrent": "Recurrent layers",
    "attention": "Attention",
    "cross attention": "Cross-attention",
    "mlp": "MLP",
    "norms": "Norms",
    "head transform": "Dense before the output",
    "output matrix": "Output matrix",
}


def parts(spec: ModelSpec) -> list[tuple[str, str, int]]:
    """(name, block, parameters) of every component, the largest first."""
    counts = sorted(parameter_counts(spec).items(), key=lambda item: -item[1])
    return [(t(PART_NAMES[name]), BLOCKS[name], size) for name, size in counts]


def figures(spec: ModelSpec, training: TrainingSpec) -> list[tuple[str, str, str]]:
    """(name, value, note) of each large number."""
    need = memory(spec, training.batch_size, training.optimizer)
    flops = flops_per_token(spec)
    rows = [
        (
            t("Parameters"),
            large(sum(parameter_counts(spec).values())),
            t("{size} as float32", size=bytes_of(need.weights)),
        ),
        (
            t("Training memory"),
            bytes_of(need.training),
            t(
                "{batch} sequences of {length} tokens, {optimizer}",
                batch=training.batch_size,
                length=spec.context_length,
                optimizer=OPTIMIZERS[training.optimizer],
            ),
        ),
        (
            t("Compute per token"),
            f"{large(flops.training)}FLOP",
            t("training; inference: {forward}FLOP", forward=large(flops.forward)),
        ),
    ]
    told = expected(spec, training, paces())
    if told:
        seconds, pace = told
        note = t("{steps:,} steps, at the measured pace of {run}", steps=training.steps, run=pace.name)
        rows.append((t("Training time here"), "≈ " + duration(seconds), note))
    return rows


@st.cache_data(ttl=30, show_spinner=False)
def paces() -> list[Throughput]:
    """What the runs of this machine achieved; read again every half a minute."""
    return measured(RunStore().list())


def warning(spec: ModelSpec, training: TrainingSpec) -> str:
    """A sentence when training needs more memory than there is; "" when it fits."""
    at_once = -(-training.batch_size // training.gradient_accumulation_steps)
    need, free = memory(spec, at_once, training.optimizer).training, free_memory()
    if need <= free:
        return ""
    return t(
        "Training this needs about {need} of memory, and {free} are free on this machine. Make the model narrower, shorten the context, or use smaller batches.",
        need=bytes_of(need),
        free=bytes_of(free),
    )
