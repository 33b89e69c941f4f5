"""A fused decoder for CUDA: ONNX Runtime's attention operator takes 16-bit floats alone there, and would go to the CPU."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

ATTENTION = "GroupQueryAttention"
PACKED, PAST, ROTARY, BIAS = 0, (3, 4), (7, 8), 10  # its inputs
EIGHT_BITS = ("kv_cache_bit_width", "k_quant_type", "v_quant_type")  # its attributes for a cache in 8 bits
FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def with_half_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with attention and its cache in 16 bits, whatever they were in; everything else stays.

    Args:
        model: of `onnx_export.fused`; it is changed.
    """
    graph, nodes, tables = model.graph, [], set()
    for node in graph.node:
        if node.op_type != ATTENTION:
            nodes.append(node)
            continue
        del node.input[BIAS + 1 :]  # a sink, which we have not, and the scales of 8 bits
        kept = [attribute for attribute in node.attribute if attribute.name not in EIGHT_BITS]
        del node.attribute[:]
        node.attribute.extend(kept)
        for i in (PACKED, BIAS):
            if i < len(node.input) and node.input[i]:
                nodes.append(_cast(node.input[i], f"{node.name}.{i}.fp16", HALF))
                node.input[i] = f"{node.name}.{i}.fp16"
        tables |= {node.input[i] for i in ROTARY if i < len(node.input) and node.input[i]}
        mixed = node.output[0]
        node.output[0] = f"{mixed}.fp16"
        nodes += [node, _cast(node.output[0], mixed, FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    for tensor in graph.initializer:
        if tensor.name in tables:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in [*graph.input, *graph.output]:
        if value.name.startswith(("past_key_values.", "present.")):
            value.type.tensor_type.elem_type = HALF
    return model


def _cast(name: str, made: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [made], name=f"{made}.cast", to=to)
