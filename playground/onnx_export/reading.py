"""Reading an ONNX file: its inputs, operators and nodes, as a viewer shows them."""

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from playground.errors import PlaygroundError


def describe(path: Path) -> dict[str, Any]:
    """``ends`` (name, kind, type, shape), ``operators`` (name, count), ``nodes`` (name, operator, inputs, outputs, weights,
    settings) and ``bytes`` of weights.

    Raises:
        PlaygroundError: when it is no ONNX model.
    """
    try:
        graph = onnx.load(str(path)).graph
    except Exception as error:  # protobuf raises its own kinds
        raise PlaygroundError(
            f"{path.name} is no ONNX model, or it is damaged.", "Export the run again."
        ) from error
    weights = {held.name: held for held in graph.initializer}
    ends = [
        _end(value, kind)
        for kind, values in (("input", graph.input), ("output", graph.output))
        for value in values
    ]
    nodes = [_node(node, weights) for node in graph.node]
    return {
        "ends": ends, "nodes": nodes, "operators": Counter(node.op_type for node in graph.node).most_common(),
        "bytes": sum(len(held.raw_data) for held in weights.values()),
    }  # fmt: skip


def _node(node: onnx.NodeProto, weights: dict[str, TensorProto]) -> tuple[str, ...]:
    return (
        node.name,
        node.op_type,
        ", ".join(name for name in node.input if name and name not in weights),
        ", ".join(filter(None, node.output)),
        ", ".join(f"{name} {list(weights[name].dims)}" for name in node.input if name in weights),
        ", ".join(f"{held.name}={_short(helper.get_attribute_value(held))}" for held in node.attribute),
    )


def _end(value: onnx.ValueInfoProto, kind: str) -> tuple[str, str, str, str]:
    tensor = value.type.tensor_type
    shape = [dim.dim_param or str(dim.dim_value) for dim in tensor.shape.dim]
    return value.name, kind, TensorProto.DataType.Name(tensor.elem_type).lower(), f"[{', '.join(shape)}]"


def _short(value: Any) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text if len(text) < 60 else text[:57] + "…"
