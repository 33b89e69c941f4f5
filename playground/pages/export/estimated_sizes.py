"""Before the first export: how large the files will be, by the number of weights and the bits of each."""

from typing import Any

import streamlit as st

from playground.pages.export.size_charts import draw_sizes
from playground.runs.folder import RunFolder
from playground.ui.language import t
from playground.ui.stage import Stage

BITS = {"fp32": 32.0, "fp16": 16.0, "int8": 8 + 32 / 128, "int4": 4 + 32 / 64}
"""Of a weight, with its part of the scale that a block of them shares (see `onnx_export.quantize`)."""


def show_estimate(run: RunFolder, step: int, place: Stage) -> None:
    """The sizes as bars, marked as an estimate."""
    with place.picture:
        draw_sizes(estimated(str(run.path), step), place, estimate=True)
    place.say(
        t("Not exported yet: these sizes are estimates.")
        + " "
        + t("An export takes a second or two: the graph is written, compared with PyTorch and packed.")
    )


@st.cache_data(max_entries=32, show_spinner=False)
def estimated(path: str, step: int) -> dict[str, float]:
    """Bytes of the graph by precision: matrices in few bits, what is left in 32 or 16."""
    from playground.runs.folder import RunFolder

    shapes = tensor_shapes(RunFolder(path), step)
    count = lambda chosen: sum(_size(shape) for shape in chosen)
    matrices = count(shape for shape in shapes if len(shape) >= 2)
    others = count(shape for shape in shapes if len(shape) < 2)
    return {name: (matrices * bits + others * (16 if name == "fp16" else 32)) / 8 for name, bits in BITS.items()}


def tensor_shapes(run: RunFolder, step: int) -> list[list[int]]:
    """The shapes of a checkpoint's weights, read from the head of its file."""
    from safetensors import safe_open

    with safe_open(str(run.checkpoint(step) / "model.safetensors"), "numpy") as file:
        names = list(file.keys())
        return [file.get_slice(name).get_shape() for name in names]


def _size(shape: Any) -> int:
    n = 1
    for side in shape:
        n *= side
    return n
