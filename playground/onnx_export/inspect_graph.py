"""Reading an ONNX file: its inputs, operators and nodes, as a viewer shows them."""

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from playground.core.errors import PlaygroundError


def describe(path: Path) -> dict[str, Any]:
    """What a viewer shows of an ONNX file.

    Returns:
        ``ends``: inputs and outputs as (name, "input" or "output", type, shape); ``operators``: (name, count), the most
        frequent first; ``nodes``: (name, operator, inputs, outputs, weights, attributes), the nodes that a Scan repeats after
        it; ``bytes``: size of the weights.

    Raises:
        PlaygroundError: when it is no ONNX model, or damaged.
    """
    try:
        graph = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    except Exception as error:  # protobuf raises its own kinds
        raise PlaygroundError(
            "{name} is no ONNX model, or it is damaged.", "Export the run again.", name=path.name
        ) from error
    weights = {held.name: held for held in graph.initializer}
    ends = [
        _end(value, kind) for kind, values in (("input", graph.input), ("output", graph.output)) for value in values
    ]
    parts = [graph, *(body for node in graph.node for body in _bodies(node))]
    shapes = {value.name: _shape(value) for part in parts for value in [*part.value_info, *part.output]}
    every = [one for node in graph.node for one in (node, *(inner for body in _bodies(node) for inner in body.node))]
    return {
        "ends": ends,
        "nodes": [_node(node, weights, shapes) for node in every],
        "operators": Counter(node.op_type for node in every).most_common(),
        "bytes": sum(len(held.raw_data) for held in weights.values()),
    }


def _node(node: onnx.NodeProto, weights: dict[str, TensorProto], shapes: dict[str, str]) -> tuple[str, ...]:
    return (
        node.name,
        node.op_type,
        ", ".join(name for name in node.input if name and name not in weights),
        ", ".join(f"{name} {shapes.get(name, '')}".strip() for name in node.output if name),
        ", ".join(_weight(weights[name]) for name in node.input if name in weights),
        ", ".join(f"{held.name}={_short(helper.get_attribute_value(held))}" for held in node.attribute),
    )


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [held.g for held in node.attribute if held.HasField("g")]


def _end(value: onnx.ValueInfoProto, kind: str) -> tuple[str, str, str, str]:
    return value.name, kind, _type(value.type.tensor_type.elem_type), _shape(value)


def _shape(value: onnx.ValueInfoProto) -> str:
    """As far as it is known before the model runs; a size without a name is "?"."""
    sizes = value.type.tensor_type.shape.dim
    known = lambda dim: str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param
    return f"[{', '.join('?' if known(dim).startswith('unk__') else known(dim) or '?' for dim in sizes)}]"


def _weight(tensor: TensorProto) -> str:
    """Name, shape, type and size."""
    return f"{tensor.name} {list(tensor.dims)} {_type(tensor.data_type)}, {len(tensor.raw_data):,} bytes"


def _type(kind: int) -> str:
    return TensorProto.DataType.Name(kind).lower()


def _short(value: Any) -> str:
    if isinstance(value, onnx.GraphProto):
        return f"{len(value.node)} nodes, which follow"
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text if len(text) < 60 else text[:57] + "…"
