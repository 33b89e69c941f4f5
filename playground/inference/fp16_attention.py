"""A fused decoder for CUDA, where ONNX Runtime's attention operator takes 16-bit floats only; otherwise the CPU runs it."""

import numpy as np
import onnx
from onnx import numpy_helper

from playground.inference.fp16 import CACHE, FLOAT, HALF, cast

ATTENTION = "GroupQueryAttention"
PACKED, PAST, ROTARY, BIAS = 0, (3, 4), (7, 8), 10  # indices of its inputs
EIGHT_BITS = ("kv_cache_bit_width", "k_quant_type", "v_quant_type")  # its attributes for a cache in 8 bits


def whole_cache(graph: onnx.GraphProto) -> None:
    """Turns a key–value cache of 8-bit integers into 16-bit floats, in place; other caches stay as they are."""
    for node in graph.node:
        if node.op_type == ATTENTION:
            del node.input[BIAS + 1 :]  # the attention sink, which is not used here, and the scales of 8 bits
            kept = [attribute for attribute in node.attribute if attribute.name not in EIGHT_BITS]
            del node.attribute[:]
            node.attribute.extend(kept)
    for value in [*graph.input, *graph.output]:
        if value.name.startswith(CACHE) and value.type.tensor_type.elem_type == onnx.TensorProto.INT8:
            value.type.tensor_type.elem_type = HALF


def with_half_attention(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with attention and its cache in 16 bits, whatever their types were; everything else stays.

    Args:
        model: of `onnx_export.fused`; it is changed.
    """
    graph, nodes, tables = model.graph, [], set()
    whole_cache(graph)
    for node in graph.node:
        if node.op_type != ATTENTION:
            nodes.append(node)
            continue
        for i in (PACKED, BIAS):
            if i < len(node.input) and node.input[i]:
                nodes.append(cast(node.input[i], f"{node.name}.{i}.fp16", HALF))
                node.input[i] = f"{node.name}.{i}.fp16"
        tables |= {node.input[i] for i in ROTARY if i < len(node.input) and node.input[i]}
        mixed = node.output[0]
        node.output[0] = f"{mixed}.fp16"
        nodes += [node, cast(node.output[0], mixed, FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    for tensor in graph.initializer:
        if tensor.name in tables:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in [*graph.input, *graph.output]:
        if value.name.startswith(CACHE):
            value.type.tensor_type.elem_type = HALF
    return model
