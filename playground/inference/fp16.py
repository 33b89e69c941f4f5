"""Converting a graph to 16-bit floats: half the bytes to read, on GPUs and in browsers."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
HIGHEST = float(np.finfo(np.float16).max)
WHOLE, LENGTHS = (
    ("RNN", "LSTM", "GRU"),
    4,
)  # operators that ONNX Runtime has for 32-bit floats only; their input with the lengths of texts
CACHE = ("past_key_values", "present.")


def halve(graph: onnx.GraphProto) -> None:
    """Converts all floats inside a graph to 16 bits, in place.

    Inputs and outputs keep their types, except a key–value cache, which becomes 16-bit as well. Values beyond the range of
    16 bits are cut.
    """
    angles = _angles(graph)
    kept = {name for node in graph.node if node.name in angles for name in node.input}
    for tensor in graph.initializer:
        if tensor.data_type == FLOAT and tensor.name not in kept:
            values = np.clip(numpy_helper.to_array(tensor), -HIGHEST, HIGHEST).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    renamed = {}
    for value in [*graph.input, *graph.output]:
        if value.type.tensor_type.elem_type != FLOAT:
            continue
        if value.name.startswith(CACHE):
            value.type.tensor_type.elem_type = HALF
        else:
            renamed[value.name] = f"{value.name}.fp16"
    before = [cast(value.name, renamed[value.name], HALF) for value in graph.input if value.name in renamed]
    after = [cast(renamed[value.name], value.name, FLOAT) for value in graph.output if value.name in renamed]
    nodes = [made for node in graph.node for made in _halved(node, angles, renamed)]
    del graph.node[:]
    graph.node.extend([*before, *nodes, *after])


def cast(name: str, made: str, to: int) -> onnx.NodeProto:
    """A node that converts the tensor ``name`` to the type ``to``, as ``made``."""
    return helper.make_node("Cast", [name], [made], name=f"{made}.cast", to=to)


def _halved(node: onnx.NodeProto, angles: set[str], renamed: dict[str, str]) -> list[onnx.NodeProto]:
    """The nodes that replace a node."""
    if node.name in angles:
        if node.op_type not in ("Sin", "Cos"):
            return [node]
        made = node.output[0]
        node.output[0] = f"{made}.fp32"
        return [node, cast(node.output[0], made, HALF)]
    if node.op_type in WHOLE:
        return _in_full(node)
    for names in (node.input, node.output):
        names[:] = [renamed.get(name, name) for name in names]
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
            attribute.i = HALF
    return [node]


def _in_full(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A recurrent layer that computes in 32 bits, between 16-bit neighbours; its weights are stored in 16."""
    full = lambda name: f"{name}.{node.name}.fp32"
    taken = [(i, name) for i, name in enumerate(node.input) if name and i != LENGTHS]
    given = [(i, name) for i, name in enumerate(node.output) if name]
    for i, name in taken:
        node.input[i] = full(name)
    for i, name in given:
        node.output[i] = full(name)
    return [
        *(cast(name, full(name), FLOAT) for _, name in taken),
        node,
        *(cast(full(name), name, HALF) for _, name in given),
    ]


def _angles(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that compute the angles of positions, which 16 bits would round to other positions."""
    makers = {output: node for node in graph.node for output in node.output}
    todo, found = [node for node in graph.node if node.op_type in ("Sin", "Cos")], set()
    while todo:
        node = todo.pop()
        if node.name not in found:
            found.add(node.name)
            todo += [makers[name] for name in node.input if name in makers]
    return found
