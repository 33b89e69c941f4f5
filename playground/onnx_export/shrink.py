"""Smaller weights: half precision, 8 bits, 4 bits; and what each costs."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from playground.onnx_export.graph import MICROSOFT

PRECISIONS = {
    "fp32": "32-bit floats, as trained",
    "fp16": "16-bit floats: half the size, for GPUs and browsers",
    "int8": "8-bit weights, blocks of 64 share a scale; products in 8 bits",
    "int4": "4-bit weights, blocks of 64 share a scale",
}
BITS = {"int8": 8, "int4": 4}
BLOCK = 64  # of 32, 64 and 128 the fastest on a CPU


def shrink(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """The model with its matrices in fewer bits; the rest stays as it is.

    Args:
        model: with constant matrices at its MatMul nodes.
        precision: a key of PRECISIONS.
    """
    if precision == "fp32":
        return model
    if precision == "fp16":
        from onnxruntime.transformers.float16 import convert_float_to_float16

        return convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    _with_few_bits(made, BITS[precision])
    return made


def _with_few_bits(model: onnx.ModelProto, bits: int) -> None:
    """Every MatMul with a constant matrix becomes ONNX Runtime's MatMulNBits."""
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    small: dict[str, list[onnx.TensorProto]] = {}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in held or len(held[node.input[1]].dims) != 2:
            continue
        x, name = node.input
        n_inputs, n_outputs = held[name].dims
        if name not in small:
            quantized, scales = blocks(numpy_helper.to_array(held[name]).T, bits)
            small[name] = [
                numpy_helper.from_array(quantized, f"{name}.{bits}bit"),
                numpy_helper.from_array(scales, f"{name}.scales"),
            ]
        node.CopyFrom(helper.make_node(
            "MatMulNBits", [x, *(tensor.name for tensor in small[name])], list(node.output), name=node.name,
            domain=MICROSOFT, K=n_inputs, N=n_outputs, bits=bits, block_size=BLOCK, accuracy_level=4,
        ))  # fmt: skip
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept + [tensor for pair in small.values() for tensor in pair])
    if MICROSOFT not in {domain.domain for domain in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))


def blocks(rows: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """A matrix in blocks along its rows, each a scale and small whole numbers around the middle of their range.

    The number of the largest magnitude gets the end of the range that has one value more.

    Args:
        rows: ``[outputs, inputs]``.

    Returns:
        uint8 ``[outputs, blocks, BLOCK·bits/8]``, two numbers a byte with 4 bits, the first in the lower half; and
        the scales, float32 ``[outputs·blocks]``.
    """
    n_outputs, n_inputs = rows.shape
    n_blocks = -(-n_inputs // BLOCK)
    padded = np.zeros((n_outputs, n_blocks * BLOCK), dtype=np.float32)
    padded[:, :n_inputs] = rows
    values, middle = padded.reshape(n_outputs, n_blocks, BLOCK), 2 ** (bits - 1)
    largest = np.take_along_axis(values, np.abs(values).argmax(-1, keepdims=True), -1)
    scales = largest / -middle
    numbers = np.divide(values, scales, out=np.zeros_like(values), where=scales != 0)
    numbers = np.clip(np.rint(numbers) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        numbers = numbers[..., 0::2] | (numbers[..., 1::2] << 4)
    return numbers, scales.reshape(-1).astype(np.float32)


def save(model: onnx.ModelProto, path: Path) -> int:
    """Writes it; its size in bytes."""
    path.write_bytes(model.SerializeToString())
    return path.stat().st_size
