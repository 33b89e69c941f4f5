"""RNN, LSTM and GRU as loops of matrix products, which can be quantized: ONNX's own operators take 32-bit weights only."""

import numpy as np

from models.spec import ModelSpec
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Weights

STATES = {"rnn": 1, "lstm": 2, "gru": 1}


def cells(
    g: Graph, spec: ModelSpec, weights: Weights, x: str, i: int, lengths: str, past: list[str]
) -> tuple[str, list[str]]:
    """One layer on ``[S, B, d]``, with the results of `rnn_graphs.layer`.

    The matrix of the inputs is applied to all tokens at once, that of the state token by token.
    """
    sides = ("", "_reverse") if spec.bidirectional else ("",)
    width = spec.d_model // len(sides)
    n = g("Cast", lengths, to=7) if lengths else ""
    read, after = [], []
    for side in sides:
        turn = lambda h, side=side: g("ReverseSequence", h, n, batch_axis=1, time_axis=0) if side else h
        before = [g("Squeeze", state, g.const([0])) for state in past] or [_zeros(g, x, width)] * STATES[
            spec.architecture
        ]
        y, after = _scan(g, spec, weights, turn(x), f"l{i}{side}", before)
        read.append(g("Unsqueeze", turn(y), g.const([1])))
    y = g("Concat", *read, axis=1) if len(read) > 1 else read[0]
    return y, [g("Unsqueeze", state, g.const([0])) for state in after]


def _zeros(g: Graph, x: str, width: int) -> str:
    batch = g("Gather", g("Shape", x), g.const([1]), axis=0)
    return g("Expand", g.const(0.0, np.float32), g("Concat", batch, g.const([width]), axis=0))


def _scan(g: Graph, spec: ModelSpec, weights: Weights, x: str, at: str, before: list[str]) -> tuple[str, list[str]]:
    """The hidden states after every token ``[S, B, h]``, and the last states ``[B, h]``."""
    matrix = lambda name: g.weight(f"{name}_{at}.T", weights[f"recurrent.{name}_{at}"].T)
    bias = lambda name: weights[f"recurrent.{name}_{at}"]
    gates = g("MatMul", x, matrix("weight_ih"))
    apart = ""  # the GRU's reset gate is multiplied after the bias of the state's matrix
    if spec.bias:
        if spec.architecture == "gru":
            gates = g("Add", gates, g.weight(f"bias_ih_{at}", bias("bias_ih")))
            apart = g.weight(f"bias_hh_{at}", bias("bias_hh"))
        else:
            gates = g("Add", gates, g.weight(f"bias_{at}", bias("bias_ih") + bias("bias_hh")))
    body = g.body(f"cell_{at}")
    names = ["hidden", "cell"][: len(before)]
    width = spec.d_model // (2 if spec.bidirectional else 1)
    states = [body.input(f"{at}.{name}.before", "float", ["batch", width]) for name in names]
    now = body.input(f"{at}.gates", "float", ["batch", weights[f"recurrent.weight_ih_{at}"].shape[0]])
    turned = body("MatMul", states[0], matrix("weight_hh"))
    turned = body("Add", turned, apart) if apart else turned
    made = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[spec.architecture](body, spec, now, turned, states)
    for name, state in zip(names, made, strict=True):
        body.output(f"{at}.{name}.after", "float", ["batch", width], state)
    body.output(f"{at}.told", "float", ["batch", width], made[0])
    *ends, told = g("Scan", *before, gates, n=len(before) + 1, num_scan_inputs=1, body=body.proto())
    return told, ends


def _rnn(g: Graph, spec: ModelSpec, now: str, turned: str, states: list[str]) -> list[str]:
    return [g("Relu" if spec.nonlinearity == "relu" else "Tanh", g("Add", now, turned))]


def _lstm(g: Graph, spec: ModelSpec, now: str, turned: str, states: list[str]) -> list[str]:
    into, forget, new, out = g("Split", g("Add", now, turned), n=4, axis=-1, num_outputs=4)
    kept = g("Mul", g("Sigmoid", forget), states[1])
    cell = g("Add", kept, g("Mul", g("Sigmoid", into), g("Tanh", new)))
    return [g("Mul", g("Sigmoid", out), g("Tanh", cell)), cell]


def _gru(g: Graph, spec: ModelSpec, now: str, turned: str, states: list[str]) -> list[str]:
    parts = lambda gates: g("Split", gates, n=3, axis=-1, num_outputs=3)
    (reset, update, new), (turned_reset, turned_update, turned_new) = parts(now), parts(turned)
    reset = g("Sigmoid", g("Add", reset, turned_reset))
    update = g("Sigmoid", g("Add", update, turned_update))
    new = g("Tanh", g("Add", new, g("Mul", reset, turned_new)))
    return [g("Add", new, g("Mul", update, g("Sub", states[0], new)))]
