"""Fine-tuned models as ONNX graphs: text classifiers and taggers."""

from typing import cast

import numpy as np
import onnx

from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from playground.onnx_export.decoder_graphs import read
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Layers, Weights
from playground.onnx_export.rnn_graphs import whole


def reader(model: ModelWithHead, weights: Weights, attentions: bool = False, native: bool = True) -> onnx.ModelProto:
    """The graph of a text classifier or tagger.

    Inputs: ``input_ids`` and ``attention_mask`` int64 ``[B, S]``; padding may be on any side. Output: ``logits``
    ``[B, classes]``, or ``[B, S, tags]``.

    Args:
        model: what is exported: its spec, its kind of head and how it pools.
        weights: of ``state_of(model)``.
        attentions: also output the attention weights of each layer.
        native: recurrent layers as ONNX's own operators, see `rnn_graphs.recurrent`.
    """
    spec = model.spec
    g = Graph("reader")
    body = {name.removeprefix("body."): value for name, value in weights.items() if name.startswith("body.")}
    net = Layers(g, spec, body | {name: value for name, value in weights.items() if name.startswith("head.")})
    ids, mask = (g.input(name, "int64", ["batch", "sequence"]) for name in ("input_ids", "attention_mask"))
    if spec.is_recurrent:
        hidden = whole(net, ids, mask, native)
    else:
        hidden = read(net, ids, mask, "", attentions, causal=spec.architecture == "decoder")
    if isinstance(model.head, TaggingHead):
        n, name, shape = len(weights["head.tags.weight"]), "head.tags", ["batch", "sequence"]
    else:
        hidden = pooled(g, hidden, mask, cast(ClassificationHead, model.head).pooling)
        n, name, shape = len(weights["head.classes.weight"]), "head.classes", ["batch"]
    g.output("logits", "float", [*shape, n], net.linear(hidden, name))
    return g.model()


def pooled(g: Graph, hidden: str, mask: str, pooling: str) -> str:
    """One vector per text ``[B, d_model]``, as `models.heads.ClassificationHead` pools.

    Args:
        hidden: ``[B, S, d_model]``.
        mask: int64 ``[B, S]``, 1 for real tokens.
        pooling: "mean" of the real tokens, or the "first" or "last" of them.
    """
    if pooling == "mean":
        padding_mask = g("Unsqueeze", g("Cast", mask, to=1), g.const([-1]))  # [B, S, 1]
        total = g("ReduceSum", g("Mul", hidden, padding_mask), g.const([1]), keepdims=0)
        return g(
            "Div", total, g("Max", g("ReduceSum", padding_mask, g.const([1]), keepdims=0), g.const(1.0, np.float32))
        )
    order = mask
    if pooling == "last":
        n = g("Gather", g("Shape", mask), g.const(1))
        order = g("Mul", mask, g("Range", g.const(1), g("Add", n, g.const(1)), g.const(1)))
    place = g("ArgMax", order, axis=1, keepdims=1)  # [B, 1]
    return g("GatherND", hidden, place, batch_dims=1)
