"""RNN, LSTM and GRU as ONNX graphs: one operator per layer; the state is an input and an output."""

import numpy as np
import onnx

from models.spec import ModelSpec
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Layers, Weights
from playground.onnx_export.rnn_scan import cells

OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
# torch lays gates out as input, forget, cell, output (LSTM) and reset, update, candidate (GRU); ONNX as input,
# output, forget, cell and update, reset, hidden.
GATES = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}


def recurrent(spec: ModelSpec, weights: Weights, native: bool = True) -> onnx.ModelProto:
    """The graph of a recurrent model.

    Inputs: ``input_ids`` int64 ``[B, S]``; ``past_hidden``, and ``past_cell`` for an LSTM, ``[layers, B, d_model]``.
    Outputs: ``logits`` ``[B, S, vocabulary]``; ``present_hidden`` and ``present_cell``. A bidirectional model has
    ``attention_mask`` int64 ``[B, S]`` instead of a state; padding may be on any side.

    Args:
        weights: of `decoder_graphs.state_of`.
        native: with ONNX's own recurrent operators; else with matrix products in a loop, which can be quantized.
    """
    g = Graph(spec.architecture)
    net = Layers(g, spec, weights)
    ids = g.input("input_ids", "int64", ["batch", "sequence"])
    names = ["hidden", "cell"] if spec.architecture == "lstm" else ["hidden"]
    shape = [spec.n_layers, "batch", spec.d_model]
    if spec.bidirectional:
        x = whole(net, ids, g.input("attention_mask", "int64", ["batch", "sequence"]), native)
        g.output("logits", "float", ["batch", "sequence", spec.vocab_size], net.head(x))
        return g.model()
    past = [
        g("Split", g.input(f"past_{name}", "float", shape), n=spec.n_layers, axis=0, num_outputs=spec.n_layers)
        for name in names
    ]
    past = [[states] if isinstance(states, str) else states for states in past]
    x, ends = layers(net, ids, "", past, native)
    g.output("logits", "float", ["batch", "sequence", spec.vocab_size], net.head(x))
    for name, states in zip(names, ends, strict=False):
        joined = g("Concat", *states, axis=0) if len(states) > 1 else states[0]
        g.output(f"present_{name}", "float", shape, joined)
    return g.model()


def whole(net: Layers, ids: str, mask: str, native: bool = True) -> str:
    """All layers on whole texts ``[B, S, d_model]``; padding may be on any side.

    ONNX's operators allow padding on the right only, so real tokens are moved to the front, and their vectors back.
    """
    g = net.g
    lengths = g("ReduceSum", mask, g.const([1]), keepdims=1)  # [B, 1]
    counted = lambda marks: g("Sub", g("CumSum", marks, g.const(1)), g.const(1))
    gap = g("Sub", g.const(1), mask)
    padding_mask = g("Cast", mask, to=9)
    positions = g(
        "Where", padding_mask, counted(mask), g("Add", lengths, counted(gap))
    )  # [B, S]: where each token goes
    ids = g("ScatterElements", ids, positions, ids, axis=1)
    x, _ = layers(net, ids, g("Cast", g("Squeeze", lengths, g.const([1])), to=6), [], native)
    return g("GatherND", x, g("Unsqueeze", positions, g.const([2])), batch_dims=1)


def layers(
    net: Layers, ids: str, lengths: str, past: list[list[str]], native: bool = True
) -> tuple[str, list[list[str]]]:
    """All layers.

    Args:
        ids: int64 ``[B, S]``.
        lengths: int32 ``[B]``, the number of tokens of each text; "": all are of length S.
        past: by kind of state (hidden, cell), the state ``[1, B, d_model]`` of each layer; none: zeros.
        native: see :func:`recurrent`.

    Returns:
        The vectors ``[B, S, d_model]``, and by kind of state the last states of the layers.
    """
    g, spec = net.g, net.spec
    x = net.embed_tokens(g("Transpose", ids, perm=[1, 0]))  # [S, B, d]
    ends: list[list[str]] = [[], []]
    for i in range(spec.n_layers):
        y, after = (layer if native else cells)(g, spec, net.weights, x, i, lengths, [states[i] for states in past])
        # [S, directions, B, h]: on to the next layer with the directions side by side, or out with the texts first
        order = [0, 2, 1, 3] if i + 1 < spec.n_layers else [2, 0, 1, 3]
        x = g("Reshape", g("Transpose", y, perm=order), g.const([0, 0, -1]))
        for kept, state in zip(ends, after, strict=False):
            kept.append(state)
    return x, ends


def layer(
    g: Graph, spec: ModelSpec, weights: Weights, x: str, i: int, lengths: str, past: list[str]
) -> tuple[str, list[str]]:
    """One layer on ``[S, B, d]``: its outputs ``[S, directions, B, h]``, and its last states ``[directions, B, h]``."""
    kind = spec.architecture
    sides = ("", "_reverse") if spec.bidirectional else ("",)
    part = lambda name: np.stack([ordered(kind, weights[f"recurrent.{name}_l{i}{side}"]) for side in sides])
    inputs = [x, g.weight(f"W{i}", part("weight_ih")), g.weight(f"R{i}", part("weight_hh"))]
    if spec.bias:
        inputs.append(g.weight(f"B{i}", np.concatenate([part("bias_ih"), part("bias_hh")], axis=1)))
    else:
        inputs.append("")
    inputs += [lengths, *past]
    attributes = {
        "hidden_size": spec.d_model // len(sides),
        "direction": "bidirectional" if len(sides) == 2 else "forward",
    }
    if kind == "gru":
        attributes["linear_before_reset"] = 1
    if kind == "rnn":
        attributes["activations"] = ["Relu" if spec.nonlinearity == "relu" else "Tanh"] * len(sides)
    while inputs[-1] == "":
        inputs.pop()
    y, *after = g(OPERATORS[kind], *inputs, n=3 if kind == "lstm" else 2, **attributes)
    return y, after


def ordered(kind: str, values: np.ndarray) -> np.ndarray:
    """A matrix or bias with its gates in ONNX's order."""
    gates = np.split(values, len(GATES[kind]))
    return np.concatenate([gates[gate] for gate in GATES[kind]])
