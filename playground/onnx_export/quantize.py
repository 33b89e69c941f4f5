"""Quantization: weights in 16, 8 or 4 bits."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from playground.inference.fp16 import halve
from playground.onnx_export.graph import MICROSOFT

PRECISIONS = {
    "fp32": "32-bit floats, as trained",
    "kv8": "32-bit weights; keys and values are kept in 8 bits, so that late tokens are nearly as fast as early ones",
    "fp16": "16-bit floats: half the size, for GPUs and browsers",
    "int8": "8-bit weights, blocks of 128 share a scale; products in 8 bits; a decoder keeps keys and values in 8 bits",
    "int4": "4-bit weights, blocks of 64 share a scale; a decoder keeps keys and values in 8 bits",
}
BITS = {"int8": 8, "int4": 4}
SMALL_CACHE = ("kv8", *BITS)
"""The precisions whose fused decoder keeps keys and values in 8 bits."""
TOKENS = "embedding.tokens.weight"
BLOCKS = {8: 128, 4: 64}  # of 32, 64, 128 and 256 the fastest on a CPU; small ones keep 4 bits closer


def quantize_weights(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """A copy of the model with its matrices in fewer bits; the rest stays as it is.

    Args:
        model: its matrices are constants at MatMul nodes.
        precision: a key of PRECISIONS; "fp32" and "kv8" return the model itself, as their weights have 32 bits.
    """
    if precision in ("fp32", "kv8"):
        return model
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if precision == "fp16":
        halve(made.graph)
    else:
        _with_few_bits(made, BITS[precision])
    return made


def bodies(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """The graphs inside the nodes of this one, such as the body of a Scan."""
    return [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]


def _with_few_bits(model: onnx.ModelProto, bits: int) -> None:
    """Replaces every MatMul with a constant matrix by ONNX Runtime's MatMulNBits, and the lookup of token vectors by its
    GatherBlockQuantized. A table that is also the output matrix is stored once.
    """
    graph, small = model.graph, _FewBits(bits)
    rows = _constant_matrices(graph)
    tables = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == TOKENS}
    for node in [node for part in (graph, *bodies(graph)) for node in part.node]:
        if node.op_type == "MatMul" and node.input[1] in rows:
            node.CopyFrom(small.product(node, *rows[node.input[1]]))
        elif node.op_type == "Gather" and node.input[0] in tables and tables[TOKENS].shape[1] % BLOCKS[bits] == 0:
            node.CopyFrom(small.lookup(node, tables[TOKENS]))
    nodes = [*small.nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)
    graph.initializer.extend(small.tensors)
    if MICROSOFT not in {domain.domain for domain in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))


class _FewBits:
    """Makes the nodes that replace others, and the quantized matrices that they need, each once."""

    def __init__(self, bits: int) -> None:
        self.bits, self.size = bits, BLOCKS[bits]
        self.names: dict[str, list[str]] = {}
        self.tensors: list[onnx.TensorProto] = []
        self.nodes: list[onnx.NodeProto] = []  # to come before all others

    def kept(self, name: str, matrix: np.ndarray) -> list[str]:
        """Quantizes a matrix, once; returns the names of its integers and of its scales."""
        if name not in self.names:
            self.names[name] = [f"{name}.{self.bits}bit", f"{name}.scales"]
            for made, array in zip(self.names[name], blocks(matrix, self.bits, self.size), strict=True):
                self.tensors.append(numpy_helper.from_array(array, made))
        return self.names[name]

    def product(self, node: onnx.NodeProto, name: str, matrix: np.ndarray) -> onnx.NodeProto:
        n_outputs, n_inputs = matrix.shape
        return helper.make_node(
            "MatMulNBits",
            [node.input[0], *self.kept(name, matrix)],
            list(node.output),
            name=node.name,
            domain=MICROSOFT,
            K=n_inputs,
            N=n_outputs,
            bits=self.bits,
            block_size=self.size,
            accuracy_level=4,
        )

    def lookup(self, node: onnx.NodeProto, table: np.ndarray) -> onnx.NodeProto:
        quantized, scales = self.kept(TOKENS, table)
        flat = f"{quantized}.flat"  # the operator wants the blocks of a row side by side
        self.tensors.append(numpy_helper.from_array(np.array([0, -1]), f"{flat}.shape"))
        self.nodes.append(helper.make_node("Reshape", [quantized, f"{flat}.shape"], [flat], name=flat))
        return helper.make_node(
            "GatherBlockQuantized",
            [flat, node.input[1], scales],
            list(node.output),
            name=node.name,
            domain=MICROSOFT,
            bits=self.bits,
            block_size=self.size,
            gather_axis=0,
            quantize_axis=1,
        )


def _constant_matrices(graph: onnx.GraphProto) -> dict[str, tuple[str, np.ndarray]]:
    """The matrices that are weights or transposed weights: by tensor, a name for the quantized one, and ``[outputs, inputs]``."""
    held = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    plain = lambda name: name.removesuffix(".T") if name.endswith(".T") else f"{name}.turned"
    found = {name: (plain(name), numpy_helper.to_array(tensor).T) for name, tensor in held.items()}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in held:
            found[node.output[0]] = node.input[0], numpy_helper.to_array(held[node.input[0]])
    return found


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Removes the matrices that no node uses any more, and the Transpose nodes of them."""
    names = lambda: {name for part in (graph, *bodies(graph)) for node in part.node for name in node.input}
    used = names()
    nodes = [node for node in graph.node if node.op_type != "Transpose" or node.output[0] in used]
    del graph.node[:]
    graph.node.extend(nodes)
    used = names()
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def blocks(rows: np.ndarray, bits: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantizes a matrix in blocks along its rows: weight ≈ scale · (integer − 2^(bits − 1)).

    The weight of the largest magnitude gets the end of the range that is one step longer, so it is exact.

    Args:
        rows: ``[outputs, inputs]``.
        bits: 8 or 4.
        size: number of weights that share a scale.

    Returns:
        The integers, uint8 ``[outputs, blocks, size·bits/8]``, with 4 bits two per byte, the first in the lower half; and
        the scales, float32 ``[outputs, blocks]``.
    """
    n_outputs, n_inputs = rows.shape
    n_blocks = -(-n_inputs // size)
    padded = np.zeros((n_outputs, n_blocks * size), dtype=np.float32)
    padded[:, :n_inputs] = rows
    values, middle = padded.reshape(n_outputs, n_blocks, size), 2 ** (bits - 1)
    largest = np.take_along_axis(values, np.abs(values).argmax(-1, keepdims=True), -1)
    scales = largest / -middle
    numbers = np.divide(values, scales, out=np.zeros_like(values), where=scales != 0)
    numbers = np.clip(np.rint(numbers) + middle, 0, 2 * middle - 1).astype(np.uint8)
    if bits == 4:
        numbers = numbers[..., 0::2] | (numbers[..., 1::2] << 4)
    return numbers, scales[..., 0].astype(np.float32)


def save(model: onnx.ModelProto, path: Path) -> int:
    """Writes a model to a file; returns its size in bytes."""
    path.write_bytes(model.SerializeToString())
    return path.stat().st_size
