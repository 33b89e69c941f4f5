"""Transformers as ONNX graphs of standard operators, which every runtime loads."""

import copy

import numpy as np
import onnx

from models.lora import is_adapter, merge_lora
from models.spec import ModelSpec
from playground.onnx_export.graph import Graph
from playground.onnx_export.layers import Layers, Weights


def decoder(spec: ModelSpec, weights: Weights, attentions: bool = False) -> onnx.ModelProto:
    """The graph of a decoder, whose key–value cache is an input and an output. B texts, S new tokens each, P tokens before.

    Inputs: ``input_ids`` int64 ``[B, S]``; ``attention_mask`` int64 ``[B, P + S]``, 1 for real tokens; ``position_ids``
    int64 ``[B, S]``, if the model has positions; ``past_key_values.{i}.key`` and ``.value`` ``[B, kv_heads, P, head_dim]``.
    Outputs: ``logits`` ``[B, S, vocabulary]``; ``present.{i}.key`` and ``.value`` ``[B, kv_heads, P + S, head_dim]``.

    Args:
        weights: of `state_of`.
        attentions: also output the attention weights of each layer, ``attentions.layers.{i}.attention``
            ``[B, heads, S, P + S]``.
    """
    g = Graph("decoder")
    net = Layers(g, spec, weights)
    ids = g.input("input_ids", "int64", ["batch", "sequence"])
    mask = g.input("attention_mask", "int64", ["batch", "past + sequence"])
    placed = spec.position != "none"
    positions = g.input("position_ids", "int64", ["batch", "sequence"]) if placed else ""
    past = past_inputs(g, spec, "past_key_values", "past")
    x = net.embed(ids, positions)
    bias = causal_bias(net, ids, mask, past[0][0], positions)
    rope = net.rope(positions) if placed else None
    for i in range(spec.n_layers):
        x = self_attention(net, x, f"layers.{i}.", rope, past[i], bias, f"present.{i}", attentions)
        x = net.residual(x, f"layers.{i}.mlp_norm", lambda h, i=i: net.mlp(h, f"layers.{i}.mlp"))
    if spec.norm_position == "pre":
        x = net.norm(x, "norm")
    g.output("logits", "float", ["batch", "sequence", spec.vocab_size], net.head(x))
    return g.model()


def past_inputs(g: Graph, spec: ModelSpec, name: str, length: str) -> list[tuple[str, str]]:
    """Inputs for keys and values of each layer, ``{name}.{i}.key`` and ``.value`` ``[batch, kv_heads, length, head_dim]``.

    Args:
        length: the name of that axis.
    """
    shape = ["batch", spec.kv_heads, length, spec.head_dim]
    return [
        (g.input(f"{name}.{i}.key", "float", shape), g.input(f"{name}.{i}.value", "float", shape))
        for i in range(spec.n_layers)
    ]


def self_attention(
    net: Layers, x: str, at: str, rope, past: tuple[str, str], bias: str, present: str, attentions: bool
) -> str:
    """Causal self-attention with its residual connection, ``[B, S, d_model]`` to the same.

    Args:
        at: prefix of the layer's weights, such as "layers.0.".
        rope: of `Layers.rope`.
        past: names of the inputs with the layer's keys and values so far.
        bias: of `causal_bias`.
        present: prefix of the two outputs with keys and values, those of the new tokens included.
        attentions: also output the attention weights.
    """
    g, spec = net.g, net.spec

    def sublayer(h: str) -> str:
        q, k, v = net.qkv(h, f"{at}attention", rope)
        k, v = (g("Concat", before, now, axis=2) for before, now in zip(past, (k, v), strict=True))
        shape = ["batch", spec.kv_heads, "past + sequence", spec.head_dim]
        g.output(f"{present}.key", "float", shape, k)
        g.output(f"{present}.value", "float", shape, v)
        return net.attend(q, k, v, bias, f"{at}attention", attentions)

    return net.residual(x, f"{at}attention_norm", sublayer)


def causal_bias(net: Layers, ids: str, mask: str, past_key: str, positions: str) -> str:
    """What is added to the scores before the softmax, ``[B, 1 or heads, S, P + S]``: causal mask, padding mask and ALiBi.

    ALiBi takes the positions of the queries from ``positions``: slicing them from the mask makes ONNX Runtime's optimizer
    fail.
    """
    g = net.g
    size = lambda name, axis: g("Gather", g("Shape", name), g.const(axis))
    n, total, before = size(ids, 1), size(mask, 1), size(past_key, 2)
    queries = g("Unsqueeze", g("Range", before, g("Add", before, n), g.const(1)), g.const([1]))
    keys = g("Unsqueeze", g("Range", g.const(0), total, g.const(1)), g.const([0]))
    seen = g("GreaterOrEqual", queries, keys)  # [S, P + S]
    padding_mask = g("Unsqueeze", g("Cast", mask, to=9), g.const([1, 2]))  # [B, 1, 1, P + S]
    bias = net.hide(g("And", seen, padding_mask))
    if net.spec.position == "alibi":
        bias = g("Add", bias, net.alibi(positions, net.positions_of(mask)))
    return bias


def encoder(spec: ModelSpec, weights: Weights, attentions: bool = False) -> onnx.ModelProto:
    """The graph of an encoder. Inputs: ``input_ids`` and ``attention_mask`` int64 ``[B, S]``. Output: ``logits``
    ``[B, S, vocabulary]``.

    Args:
        weights: of `state_of`.
        attentions: also output the attention weights of each layer.
    """
    g = Graph("encoder")
    net = Layers(g, spec, weights)
    ids, mask = (g.input(name, "int64", ["batch", "sequence"]) for name in ("input_ids", "attention_mask"))
    x = read(net, ids, mask, "", attentions)
    g.output("logits", "float", ["batch", "sequence", spec.vocab_size], net.head(x))
    return g.model()


def read(net: Layers, ids: str, mask: str, side: str, attentions: bool = False, causal: bool = False) -> str:
    """All layers on whole texts, without a cache ``[B, S, d_model]``.

    Args:
        ids, mask: int64 ``[B, S]``; padding may be on any side.
        side: prefix of the weights: "", or "encoder.".
        attentions: also output the attention weights of each layer.
        causal: each token attends only to itself and to the tokens before it.
    """
    g, spec = net.g, net.spec
    positions = net.positions_of(mask)
    x = net.embed(ids, positions)
    allowed = g("Unsqueeze", g("Cast", mask, to=9), g.const([1, 2]))
    if causal:
        order = g("Range", g.const(0), g("Gather", g("Shape", ids), g.const(1)), g.const(1))
        seen = g("GreaterOrEqual", g("Unsqueeze", order, g.const([1])), g("Unsqueeze", order, g.const([0])))
        allowed = g("And", seen, allowed)
    bias = net.hide(allowed)
    if spec.position == "alibi":
        bias = g("Add", bias, net.alibi(positions, positions))
    rope = net.rope(positions)
    for i in range(spec.n_layers):
        at = f"{side}layers.{i}."
        attend = lambda h, at=at: net.attend(*net.qkv(h, f"{at}attention", rope), bias, f"{at}attention", attentions)
        x = net.residual(x, f"{at}attention_norm", attend)
        x = net.residual(x, f"{at}mlp_norm", lambda h, at=at: net.mlp(h, f"{at}mlp"))
    return net.norm(x, f"{side}norm") if spec.norm_position == "pre" else x


def source_encoder(spec: ModelSpec, weights: Weights, attentions: bool = False) -> onnx.ModelProto:
    """The encoder of an encoder–decoder, with the keys and values of cross-attention, which are computed once per source.

    Inputs: ``input_ids`` and ``attention_mask`` int64 ``[B, S]``. Outputs, for each decoder layer: ``cross.{i}.key`` and
    ``cross.{i}.value`` ``[B, kv_heads, S, head_dim]``.
    """
    g = Graph("encoder")
    net = Layers(g, spec, weights)
    ids, mask = (g.input(name, "int64", ["batch", "source"]) for name in ("input_ids", "attention_mask"))
    memory = read(net, ids, mask, "encoder.", attentions)
    half = spec.kv_heads * spec.head_dim
    for i in range(spec.n_layers):
        k, v = g("Split", net.linear(memory, f"decoder.layers.{i}.cross.kv"), g.const([half, half]), n=2, axis=-1)
        k, v = net.heads(k, spec.kv_heads), net.heads(v, spec.kv_heads)
        shape = ["batch", spec.kv_heads, "source", spec.head_dim]
        g.output(f"cross.{i}.key", "float", shape, net.qk_norm(k) if spec.qk_norm else k)
        g.output(f"cross.{i}.value", "float", shape, v)
    return g.model()


def target_decoder(spec: ModelSpec, weights: Weights, attentions: bool = False) -> onnx.ModelProto:
    """The decoder of an encoder–decoder.

    Its inputs and outputs are those of :func:`decoder`, and the inputs ``encoder_attention_mask`` int64 ``[B, source]`` and
    ``cross.{i}.key`` and ``.value`` ``[B, kv_heads, source, head_dim]`` of :func:`source_encoder`.
    """
    g = Graph("decoder")
    net = Layers(g, spec, weights)
    ids = g.input("input_ids", "int64", ["batch", "sequence"])
    mask = g.input("attention_mask", "int64", ["batch", "past + sequence"])
    source_mask = g.input("encoder_attention_mask", "int64", ["batch", "source"])
    placed = spec.position != "none"
    positions = g.input("position_ids", "int64", ["batch", "sequence"]) if placed else ""
    past, cross = past_inputs(g, spec, "past_key_values", "past"), past_inputs(g, spec, "cross", "source")
    x = net.embed(ids, positions)
    bias = causal_bias(net, ids, mask, past[0][0], positions)
    source_bias = net.hide(g("Unsqueeze", g("Cast", source_mask, to=9), g.const([1, 2])))
    rope = net.rope(positions) if placed else None
    for i in range(spec.n_layers):
        at = f"decoder.layers.{i}."
        x = self_attention(net, x, at, rope, past[i], bias, f"present.{i}", attentions)

        def look(h: str, at: str = at, i: int = i) -> str:
            q = net.heads(net.linear(h, f"{at}cross.q"), spec.n_heads)
            q = net.qk_norm(q) if spec.qk_norm else q
            return net.attend(q, *cross[i], source_bias, f"{at}cross", attentions)

        x = net.residual(x, f"{at}cross_norm", look)
        x = net.residual(x, f"{at}mlp_norm", lambda h, at=at: net.mlp(h, f"{at}mlp"))
    if spec.norm_position == "pre":
        x = net.norm(x, "decoder.norm")
    g.output("logits", "float", ["batch", "sequence", spec.vocab_size], net.head(x))
    return g.model()


def state_of(model) -> Weights:
    """The state dict of a torch model as float32 arrays; low-rank adapters are merged into the matrices that they change."""
    if any(is_adapter(name) for name, _ in model.named_parameters()):
        model = merge_lora(copy.deepcopy(model))
    return {name: value.detach().float().cpu().numpy().astype(np.float32) for name, value in model.state_dict().items()}
