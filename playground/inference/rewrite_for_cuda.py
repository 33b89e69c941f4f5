"""Rewriting a graph for CUDA: attention in 16 bits, fewer kernels, and the next step's inputs among its outputs."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from playground.inference.fp16 import HALF, halve
from playground.inference.fp16_attention import ATTENTION, BIAS, whole_cache, with_half_attention
from playground.inference.step_names import (
    BLOCK,
    GREEDY_TOKEN,
    GREEDY_TOKENS,
    NEXT_COUNT,
    NEXT_LENGTHS,
    NEXT_POSITIONS,
)

MICROSOFT = "com.microsoft"
NORMS = {
    "LayerNormalization": "SkipLayerNormalization",
    "SimplifiedLayerNormalization": "SkipSimplifiedLayerNormalization",
}


def has_bias(model: onnx.ModelProto) -> bool:
    """Whether attention adds a bias, as ALiBi does.

    The bias is counted from the end of the longest text. A captured step must give the largest possible length there
    (`fused_decoder.FusedDecoder`), and the bias would then be too coarse in 16 bits.
    """
    return any(node.op_type == ATTENTION and len(node.input) > BIAS and node.input[BIAS] for node in model.graph.node)


def for_cuda(model: onnx.ModelProto, half: bool) -> onnx.ModelProto:
    """A fused decoder (`onnx_export.fused`) all of whose nodes run on CUDA, so that one CUDA graph can hold a whole step.

    It is :func:`lean`, then :func:`with_next_step`.

    Args:
        model: it is changed.
        half: all floats in 16 bits, not only attention.
    """
    return with_next_step(lean(model, half))


def lean(model: onnx.ModelProto, half: bool) -> onnx.ModelProto:
    """The same computation in the operators for which CUDA has kernels, and in few of them.

    Args:
        model: it is changed. Keys and values in 8 bits become 16-bit floats.
        half: all floats in 16 bits; else attention and its cache alone, for which CUDA has 16-bit kernels only.
    """
    is_half = any(value.type.tensor_type.elem_type == HALF for value in model.graph.input)
    if half and not is_half:
        whole_cache(model.graph)
        halve(model.graph)
    elif not is_half:
        model = with_half_attention(model)
    join_norms(model)
    return model


def with_next_step(model: onnx.ModelProto) -> onnx.ModelProto:
    """Adds the outputs that feed the next decoding step (names in `step_names`).

    These are GREEDY_TOKEN, the most likely next token of each text ``[batch, 1]``, and for a fused decoder NEXT_LENGTHS and,
    with positions that are added, NEXT_POSITIONS. They are written to other memory than they are read from: a step is run
    several times before its CUDA graph is ready, and the repeated runs must not change anything.

    Also GREEDY_TOKENS ``[batch, BLOCK]``, a ring buffer that is written in place: the tokens of the last steps, each at the
    index ``count`` ``[batch, 1]``, which starts again at 0 after BLOCK - 1.

    Args:
        model: it is changed, and returned.
    """
    graph = model.graph
    logits, scores = next(value for value in graph.output if value.name == "logits"), "logits"
    is_sequence = len(logits.type.tensor_type.shape.dim) == 3
    if is_sequence:
        scores = f"{GREEDY_TOKEN}.logits"
        graph.initializer.append(numpy_helper.from_array(np.array([-1]), f"{GREEDY_TOKEN}.last"))
        graph.node.append(helper.make_node("Gather", ["logits", f"{GREEDY_TOKEN}.last"], [scores], name=scores, axis=1))
    graph.node.append(
        helper.make_node("ArgMax", [scores], [GREEDY_TOKEN], name=GREEDY_TOKEN, axis=-1, keepdims=int(not is_sequence))
    )
    graph.output.append(helper.make_tensor_value_info(GREEDY_TOKEN, onnx.TensorProto.INT64, ["batch", 1]))
    given = {value.name: value for value in graph.input}
    for before, after in (("seqlens_k", NEXT_LENGTHS), ("position_ids", NEXT_POSITIONS)):
        if "seqlens_k" in given and before in given:
            _one_more(graph, given[before], after)
    wide = lambda name, n: helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", n])
    graph.input.extend([wide("count", 1), wide(GREEDY_TOKENS, BLOCK)])
    _one_more(graph, graph.input[-2], NEXT_COUNT, BLOCK)
    graph.node.append(
        helper.make_node(
            "ScatterElements",
            [GREEDY_TOKENS, "count", GREEDY_TOKEN],
            [f"{GREEDY_TOKENS}_after"],
            name=f"{GREEDY_TOKENS}_after",
            axis=1,
        )
    )
    graph.output.append(wide(f"{GREEDY_TOKENS}_after", BLOCK))
    return model


def _one_more(graph: onnx.GraphProto, given: onnx.ValueInfoProto, after: str, around: int = 0) -> None:
    """Adds an output that is an input plus one; with ``around``, modulo that number."""
    dtype = helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    number = lambda name, value: graph.initializer.append(numpy_helper.from_array(np.array([value], dtype=dtype), name))
    number(f"{after}.one", 1)
    added = f"{after}.sum" if around else after
    graph.node.append(helper.make_node("Add", [given.name, f"{after}.one"], [added], name=added))
    if around:
        number(f"{after}.around", around)
        graph.node.append(helper.make_node("Mod", [added, f"{after}.around"], [after], name=after))
    value = graph.output.add()
    value.CopyFrom(given)
    value.name = after


def join_norms(model: onnx.ModelProto) -> None:
    """Fuses x + update and the following norm into one kernel, with the bias of the linear layer before, if there is one.

    On a GPU, the time of a small step is proportional to its number of kernels. (On a CPU the separate nodes are faster.)
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    weights = {tensor.name for tensor in graph.initializer}
    uses = [name for node in graph.node for name in node.input] + [value.name for value in graph.output]
    gone = set()
    for node in graph.node:
        added = makers.get(node.input[0]) if node.op_type in NORMS else None
        if added is None or added.op_type != "Add" or weights & set(added.input):
            continue
        x, update = added.input
        bias, biased = "", makers.get(update)
        if biased is not None and biased.op_type == "Add" and biased.input[1] in weights and uses.count(update) == 1:
            update, bias = biased.input
            gone.add(biased.name)
        gone.add(added.name)
        _join(node, x, update, bias, added.output[0])
    kept = [node for node in graph.node if node.name not in gone]
    del graph.node[:]
    graph.node.extend(_in_order(kept, {value.name for value in graph.input} | weights))
    if MICROSOFT not in {domain.domain for domain in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))


def _join(norm: onnx.NodeProto, x: str, update: str, bias: str, total: str) -> None:
    """Turns the norm's node into the fused one, which also outputs the sum; trailing empty inputs are dropped."""
    scale, *shift = norm.input[1:]
    epsilon = next((attribute.f for attribute in norm.attribute if attribute.name == "epsilon"), 1e-5)
    inputs = [x, update, scale, *([(shift or [""])[0]] if norm.op_type == "LayerNormalization" else []), bias]
    while not inputs[-1]:
        inputs.pop()
    made, outputs = NORMS[norm.op_type], [norm.output[0], "", "", total]
    norm.CopyFrom(helper.make_node(made, inputs, outputs, name=norm.name, domain=MICROSOFT, epsilon=epsilon))


def _in_order(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    """Sorts nodes topologically: a sum is now computed later, by the norm that follows it."""
    ordered, waiting = [], list(nodes)
    while waiting:
        ready = [node for node in waiting if all(not name or name in known for name in node.input)]
        known |= {name for node in ready for name in node.output}
        ordered += ready
        names = {node.name for node in ready}
        waiting = [node for node in waiting if node.name not in names]
        if not ready:
            raise ValueError(f"The graph has a circle at {waiting[0].name}.")
    return ordered
