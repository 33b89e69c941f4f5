"""Building an ONNX graph node by node: seconds faster than tracing a model, and every name has a meaning."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's fused operators."""
ORT_ONLY = ("SimplifiedLayerNormalization",)  # in the standard domain, but not in the standard
TYPES = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "int8": TensorProto.INT8}
Shape = Sequence[int | str]


class Graph:
    """A graph under construction. Calling it adds a node and returns the name of its output: ``g("MatMul", x, w)``.

    Args:
        name: of the graph.
        prefix: before the names of all its nodes; "" for the main graph.

    Attributes:
        is_fused: whether it uses operators that only ONNX Runtime has.
    """

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name, self.prefix = name, prefix
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, np.ndarray] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.count = 0
        self.is_fused = False

    def __call__(self, op: str, *inputs: str, out: str = "", n: int = 1, domain: str = "", **attributes: Any) -> Any:
        """Adds a node.

        Args:
            op, domain: the operator; ``domain`` for one of ONNX Runtime's own.
            inputs: names; "" for one left out.
            out: the name of the output; "": one is made.
            n: number of outputs.

        Returns:
            The name of the output; with ``n`` > 1 a list of names.
        """
        self.count += 1
        names = (
            [out or f"{self.prefix}{op.lower()}_{self.count}"]
            if n == 1
            else [f"{self.prefix}{op.lower()}_{self.count}_{i}" for i in range(n)]
        )
        self.nodes.append(helper.make_node(op, list(inputs), names, name=names[0], domain=domain, **attributes))
        self.is_fused = self.is_fused or domain == MICROSOFT or op in ORT_ONLY
        return names[0] if n == 1 else names

    def weight(self, name: str, values: np.ndarray) -> str:
        """Adds a named tensor of the model, unless one of that name is there; returns the name."""
        self.weights.setdefault(name, np.ascontiguousarray(values))
        return name

    def const(self, value: Any, dtype: type = np.int64) -> str:
        """Adds a small constant and returns its name; equal constants are stored once."""
        array = np.asarray(value, dtype=dtype)
        name = f"const_{array.dtype}_{'x'.join(map(str, array.shape))}_{'_'.join(map(str, array.ravel().tolist()))}"
        return self.weight(name if len(name) < 80 else f"const_{abs(hash(name))}", array)

    def input(self, name: str, kind: str, shape: Shape) -> str:
        """Declares an input.

        Args:
            kind: of its numbers, a key of TYPES.
            shape: its axes: sizes, or names of sizes that vary.
        """
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[kind], list(shape)))
        return name

    def output(self, name: str, kind: str, shape: Shape, value: str = "") -> str:
        """Declares an output, see :meth:`input`; ``value``: the name of the tensor that it is, if that is another."""
        if value and value != name:
            self("Identity", value, out=name)
        self.outputs.append(helper.make_tensor_value_info(name, TYPES[kind], list(shape)))
        return name

    def body(self, name: str) -> "Graph":
        """A graph inside this one, which a Scan operator repeats; it shares the weights."""
        made = Graph(name, f"{name}.")
        made.weights = self.weights
        return made

    def proto(self) -> onnx.GraphProto:
        """A finished body."""
        return helper.make_graph(self.nodes, self.name, self.inputs, self.outputs)

    def model(self) -> onnx.ModelProto:
        """The finished model.

        Raises:
            onnx.checker.ValidationError: when it breaks ONNX's rules; this is checked only for standard operators.
        """
        graph = helper.make_graph(
            self.nodes,
            self.name,
            self.inputs,
            self.outputs,
            [numpy_helper.from_array(values, name) for name, values in self.weights.items()],
        )
        domains = [helper.make_opsetid("", OPSET)] + ([helper.make_opsetid(MICROSOFT, 1)] if self.is_fused else [])
        model = helper.make_model(graph, opset_imports=domains, producer_name="lm-playground", ir_version=10)
        if not self.is_fused:  # the checker knows no operators but ONNX's own
            onnx.checker.check_model(model, full_check=True)
        return model
