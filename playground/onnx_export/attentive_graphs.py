"""The LSTM encoder–decoder with additive attention as ONNX graphs: an encoder, and one step of the decoder without a loop.

The encoder's layers are ONNX's own LSTM operators. The decoder is matrix products, so that it can be quantized; its state is
an input and an output, as that of the recurrent models. What the encoder gives out are inputs of the decoder, by name.
"""

import numpy as np
import onnx

from models.spec import ModelSpec
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Layers, Weights
from playground.onnx_export.rnn_graphs import whole


def attentive_encoder(spec: ModelSpec, weights: Weights, native: bool = True) -> onnx.ModelProto:
    """The encoder. Inputs: ``input_ids`` and ``attention_mask`` int64 ``[B, source]``; padding may be on any side.

    Outputs: ``cross.annotations`` h_j and ``cross.keys`` U h_j ``[B, source, d_model]``; ``past_hidden``, the decoder's first
    state ``[layers, B, d_model]``. See `models.bahdanau`.

    Args:
        weights: of `decoder_graphs.state_of`.
        native: with ONNX's own LSTM operators; else with matrix products in a loop, which can be quantized.
    """
    g = Graph("encoder")
    own = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    layers = spec.replace(architecture="lstm", bidirectional=True)
    ids, mask = (g.input(name, "int64", ["batch", "source"]) for name in ("input_ids", "attention_mask"))
    annotations = whole(Layers(g, layers, weights | own), ids, mask, native)
    net, d, n = Layers(g, spec, weights), spec.d_model, spec.n_layers
    first = g("ArgMax", mask, axis=1, keepdims=1)  # [B, 1]: the first real token
    backwards = g("GatherND", annotations, first, batch_dims=1)  # [B, d_model]
    backwards = g("Slice", backwards, g.const([d // 2]), g.const([d]), g.const([1]))
    start = g("Reshape", g("Tanh", net.linear(backwards, "decoder.start")), g.const([0, n, d]))
    g.output("cross.annotations", "float", ["batch", "source", d], annotations)
    g.output("cross.keys", "float", ["batch", "source", d], net.linear(annotations, "decoder.attention.key"))
    g.output("past_hidden", "float", [n, "batch", d], g("Transpose", start, perm=[1, 0, 2]))
    return g.model()


def attentive_decoder(spec: ModelSpec, weights: Weights, attentions: bool = False) -> onnx.ModelProto:
    """One step of the decoder.

    Inputs: ``input_ids`` int64 ``[B, 1]``; ``encoder_attention_mask`` int64 ``[B, source]``, 1 for real tokens;
    ``cross.annotations`` and ``cross.keys`` of :func:`attentive_encoder`; ``past_hidden`` and ``past_cell``
    ``[layers, B, d_model]``: at first what the encoder gave, and zeros. Outputs: ``logits`` ``[B, 1, vocabulary]``;
    ``present_hidden`` and ``present_cell``.

    Args:
        weights: of `decoder_graphs.state_of`.
        attentions: also output the alignment, ``attentions.decoder.layers.0.cross`` ``[B, 1, 1, source]``.
    """
    g = Graph("decoder")
    net, d, n = Layers(g, spec, weights), spec.d_model, spec.n_layers
    ids = g.input("input_ids", "int64", ["batch", 1])
    mask = g.input("encoder_attention_mask", "int64", ["batch", "source"])
    annotations, keys = (g.input(f"cross.{name}", "float", ["batch", "source", d]) for name in ("annotations", "keys"))
    hidden, cells = (_split(g, g.input(f"past_{name}", "float", [n, "batch", d]), n) for name in ("hidden", "cell"))
    context = _context(net, hidden[0], annotations, keys, mask, attentions)
    x = g("Concat", g("Squeeze", net.embed_tokens(ids), g.const([1])), context, axis=-1)
    for i in range(n):
        at, layer = ("decoder.recurrent.", f"_l{i - 1}") if i else ("decoder.cell.", "")
        hidden[i], cells[i] = _lstm(net, x, hidden[i], cells[i], at, layer)
        x = hidden[i]
    joined = g("Tanh", net.linear(g("Concat", x, context, axis=-1), "decoder.output"))
    logits = net.head(g("Unsqueeze", joined, g.const([1])))
    g.output("logits", "float", ["batch", 1, spec.vocab_size], logits)
    for name, states in (("hidden", hidden), ("cell", cells)):
        stacked = g("Concat", *[g("Unsqueeze", state, g.const([0])) for state in states], axis=0)
        g.output(f"present_{name}", "float", [n, "batch", d], stacked)
    return g.model()


def _split(g: Graph, states: str, n: int) -> list[str]:
    """``[layers, B, d]`` to each layer's ``[B, d]``."""
    parts = g("Split", states, n=n, axis=0, num_outputs=n) if n > 1 else [states]
    return [g("Squeeze", part, g.const([0])) for part in parts]


def _context(net: Layers, state: str, annotations: str, keys: str, mask: str, attentions: bool) -> str:
    """c_i ``[B, d_model]`` that a state s_{i-1} ``[B, d_model]`` asks for (Bahdanau et al. 2015, eq. 5 and 6)."""
    g = net.g
    query = g("Unsqueeze", net.linear(state, "decoder.attention.query"), g.const([1]))
    units = g("Tanh", g("Add", query, keys))  # [B, source, d_model]
    scores = g("ReduceSum", g("Mul", units, net.param("decoder.attention.score")), g.const([-1]), keepdims=0)
    scores = g("Add", scores, net.hide(g("Cast", mask, to=9)))
    weights = g("Unsqueeze", g("Softmax", scores, axis=-1), g.const([1]))  # [B, 1, source]
    if attentions:
        aligned = g("Unsqueeze", weights, g.const([1]))
        g.output("attentions.decoder.layers.0.cross", "float", ["batch", 1, 1, "source"], aligned)
    return g("Squeeze", g("MatMul", weights, annotations), g.const([1]))


def _lstm(net: Layers, x: str, hidden: str, cell: str, at: str, layer: str) -> tuple[str, str]:
    """One step of a layer ``[B, …]``: the hidden state and the cell after it; gates in torch's order."""
    g = net.g
    matrix = lambda name: g.weight(f"{at}{name}{layer}.T", net.weights[f"{at}{name}{layer}"].T)
    gates = g("Add", g("MatMul", x, matrix("weight_ih")), g("MatMul", hidden, matrix("weight_hh")))
    if net.spec.bias:
        both = net.weights[f"{at}bias_ih{layer}"] + net.weights[f"{at}bias_hh{layer}"]
        gates = g("Add", gates, g.weight(f"{at}bias{layer}", both.astype(np.float32)))
    into, forget, new, out = g("Split", gates, n=4, axis=-1, num_outputs=4)
    cell = g("Add", g("Mul", g("Sigmoid", forget), cell), g("Mul", g("Sigmoid", into), g("Tanh", new)))
    return g("Mul", g("Sigmoid", out), g("Tanh", cell)), cell
