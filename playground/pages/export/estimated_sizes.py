"""Before the first export: how large the files will be, by the number of weights and the bits of each."""

from typing import Any

import streamlit as st

from playground.pages.export.size_charts import draw_sizes
from playground.runs.folder import RunFolder
from playground.ui.language import joined, t
from playground.ui.stage import Stage

BITS = {"fp32": 32, "fp16": 16, "int8": 8, "int4": 4}
"""Of a weight of a matrix; what has no rows keeps 32, or 16 in fp16."""
SCALE = 4
"""Bytes of the scale that a block of quantized weights shares."""


def show_estimate(run: RunFolder, step: int, place: Stage) -> None:
    """The sizes as bars, marked as an estimate."""
    with place.picture:
        draw_sizes(estimated(str(run.path), step), place, estimate=True)
    place.say(
        joined(
            t("Not exported yet: these sizes are estimates."),
            t("An export takes a second or two: the graph is written, compared with PyTorch and packed."),
        )
    )


@st.cache_data(max_entries=32, show_spinner=False)
def estimated(path: str, step: int) -> dict[str, float]:
    """Bytes of the graph by precision: matrices in few bits, what is left in 32 or 16."""
    shapes = tensor_shapes(RunFolder(path), step)
    matrices = [shape for shape in shapes if len(shape) >= 2]
    others = sum(_size(shape) for shape in shapes if len(shape) < 2)
    return {
        name: sum(_bytes(shape, bits) for shape in matrices) + others * (2 if name == "fp16" else 4)
        for name, bits in BITS.items()
    }


def _bytes(shape: list[int], bits: int) -> float:
    """Of a matrix; quantized, every row is filled up to whole blocks (see `onnx_export.quantize`)."""
    from playground.onnx_export.quantize import BLOCKS

    if bits not in BLOCKS:
        return _size(shape) * bits / 8
    n_blocks = _size(shape[:-1]) * -(-shape[-1] // BLOCKS[bits])
    return n_blocks * (BLOCKS[bits] * bits / 8 + SCALE)


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
