"""Decoders as graphs for ONNX Runtime alone: fused operators, few nodes, and a cache that is updated in place."""

from typing import Any

import numpy as np
import onnx

from models.parameter_counts import parameter_counts
from models.positions import alibi_slopes, sinusoidal
from models.spec import ModelSpec
from playground.onnx_export.graph import MICROSOFT, Graph
from playground.onnx_export.kv_cache_calibration import Scales
from playground.onnx_export.layers import Layers, Weights

MOST_POSITIONS = 8192  # rows of the tables of positions in the file: for rotary positions 2 × 8192 × head_dim/2 floats
MOST_KEPT = 2**26  # numbers in the cache of one text


def can_be_fused(spec: ModelSpec) -> bool:
    """Whether a model can use ONNX Runtime's attention operator.

    Its heads must be a multiple of 16 channels wide, its context must fit the tables of positions, and the cache, which is
    allocated for the whole context at once, must be small or no larger than the model.
    """
    writes = spec.architecture in ("decoder", "encoder-decoder")
    if not writes or spec.head_dim % 16 or spec.context_length > MOST_POSITIONS:
        return False
    kept = 2 * spec.n_layers * spec.kv_heads * spec.head_dim * spec.context_length
    return kept <= MOST_KEPT or kept <= sum(parameter_counts(spec).values())


def can_keep_8_bits(spec: ModelSpec) -> bool:
    """Whether the cache can be in 8 bits: of decoders only, as the operator has no 8-bit keys and values of a source."""
    return spec.architecture == "decoder" and can_be_fused(spec)


def fused_decoder(spec: ModelSpec, weights: Weights, scales: Scales | None = None) -> onnx.ModelProto:
    """The fused graph of a decoder, also of an encoder–decoder's. Its cache stays where it is: the outputs ``present`` may be
    bound to the memory of the inputs ``past_key_values``.

    Inputs: ``input_ids`` int64 ``[B, S]``; ``rows`` int64 ``[B]``, flat indices into B·S of the tokens whose prediction is
    wanted; ``seqlens_k`` int32 ``[B]``, the number of tokens before the last one of each text; ``total_sequence_length``
    int32 ``[1]``, the length of the longest text; ``position_ids`` int64 ``[B, S]``, if positions are added to the token
    vectors; ``past_key_values.{i}.key`` and ``.value`` ``[B, kv_heads, room, head_dim]``; for an encoder–decoder also
    ``encoder_attention_mask`` int64 ``[B, source]`` and ``cross.{i}.key`` and ``.value`` ``[B, kv_heads, source, head_dim]``
    of `decoder_graphs.source_encoder`. Outputs: ``logits`` ``[B, vocabulary]``; ``present.{i}.key`` and ``.value``.

    Args:
        weights: of `decoder_graphs.state_of`.
        scales: of a cache in 8 bits, see `kv_cache_calibration.cache_scales`; None: 32-bit floats. In a long text, reading
            the cache takes most of the time.
    """
    return _Fused(spec, weights, scales).build()


class _Fused(Layers):
    def __init__(self, spec: ModelSpec, weights: Weights, scales: Scales | None) -> None:
        super().__init__(Graph("decoder"), spec, weights)
        self.scales, self.kept = scales, "int8" if scales else "float"
        self.pairs = spec.architecture == "encoder-decoder"
        self.side = "decoder." if self.pairs else ""

    def build(self) -> onnx.ModelProto:
        g, spec = self.g, self.spec
        ids = g.input("input_ids", "int64", ["batch", "sequence"])
        rows = g.input("rows", "int64", ["batch"])
        self.lengths = g.input("seqlens_k", "int32", ["batch"])
        self.total = g.input("total_sequence_length", "int32", [1])
        added = spec.position in ("learned", "sinusoidal")
        positions = g.input("position_ids", "int64", ["batch", "sequence"]) if added else ""
        x = g("Reshape", self.embed(ids, positions), g.const([-1, spec.d_model]))  # [B·S, d]
        self.shape = g("Concat", g("Shape", ids), g.const([-1]), axis=0)  # [B, S, -1]
        self.bias = self.alibi_bias(ids) if spec.position == "alibi" else ""
        if self.pairs:
            mask = g.input("encoder_attention_mask", "int64", ["batch", "source"])
            self.source_bias = self.hide(g("Unsqueeze", g("Cast", mask, to=9), g.const([1, 2])))
        x = self.layers(x)
        x = g("Gather", x, rows, axis=0)
        if spec.norm_position == "pre":
            x = self.norm(x, f"{self.side}norm")
        g.output("logits", "float", ["batch", spec.vocab_size], self.head(x))
        return g.model()

    def layers(self, x: str) -> str:
        """All layers on ``[B·S, d]``."""
        spec, update = self.spec, None
        for i in range(spec.n_layers):
            at = f"{self.side}layers.{i}."
            sublayers = {
                "attention": lambda h, i=i: self.attention(h, i),
                "cross": lambda h, i=i: self.cross(h, i),
                "mlp": lambda h, at=at: self.mlp(h, f"{at}mlp"),
            }
            if not self.pairs:
                del sublayers["cross"]
            for name, sublayer in sublayers.items():
                if spec.norm_position == "post":
                    x, _ = self.add_norm(x, sublayer(x), f"{at}{name}_norm")
                    continue
                if update is None:
                    normed = self.norm(x, f"{at}{name}_norm")
                else:
                    normed, x = self.add_norm(x, update, f"{at}{name}_norm")
                update = sublayer(normed)
        return x if update is None else self.g("Add", x, update)

    def norm(self, x: str, name: str) -> str:
        if self.spec.norm == "rmsnorm":
            return self.g(
                "SimplifiedLayerNormalization",
                x,
                self.param(f"{name}.weight"),
                axis=-1,
                epsilon=self.spec.norm_eps,
            )
        return super().norm(x, name)

    def add_norm(self, x: str, update: str, name: str) -> tuple[str, str]:
        """norm(x + update), and the sum. Two nodes, as on a CPU they are faster than ONNX Runtime's SkipLayerNormalization."""
        total = self.g("Add", x, update)
        return self.norm(total, name), total

    def attention(self, x: str, i: int) -> str:
        """Causal self-attention of layer ``i`` as one operator, ``[B·S, d_model]`` to the same."""
        g, spec = self.g, self.spec
        packed = self.linear(x, f"{self.side}layers.{i}.attention.qkv")
        if spec.qk_norm:
            packed = self.normed_qk(packed)
        packed = g("Reshape", packed, self.shape)  # [B, S, (heads + 2·kv_heads)·d]
        shape = ["batch", spec.kv_heads, "room", spec.head_dim]
        past = [g.input(f"past_key_values.{i}.{kind}", self.kept, shape) for kind in ("key", "value")]
        rotary = list(self.tables()) if spec.position == "rotary" else ["", ""]
        more, small = self.last_inputs(i)
        mixed, key, value = g(
            "GroupQueryAttention",
            packed,
            "",
            "",
            *past,
            self.lengths,
            self.total,
            *rotary,
            *more,
            n=3,
            domain=MICROSOFT,
            num_heads=spec.n_heads,
            kv_num_heads=spec.kv_heads,
            do_rotary=int(spec.position == "rotary"),
            scale=spec.head_dim**-0.5,
            **small,
        )
        self.rename(key, f"present.{i}.key", shape)
        self.rename(value, f"present.{i}.value", shape)
        return self.linear(g("Reshape", mixed, g.const([-1, spec.d_model])), f"{self.side}layers.{i}.attention.output")

    def cross(self, x: str, i: int) -> str:
        """Cross-attention of layer ``i`` from the answer to the source, ``[B·S, d_model]`` to the same."""
        g, spec, at = self.g, self.spec, f"{self.side}layers.{i}.cross"
        shape = ["batch", spec.kv_heads, "source", spec.head_dim]
        k, v = (g.input(f"cross.{i}.{kind}", "float", shape) for kind in ("key", "value"))
        q = self.heads(g("Reshape", self.linear(x, f"{at}.q"), self.shape), spec.n_heads)
        q = self.qk_norm(q) if spec.qk_norm else q
        return g("Reshape", self.attend(q, k, v, self.source_bias, at), g.const([-1, spec.d_model]))

    def last_inputs(self, i: int) -> tuple[list[str], dict[str, Any]]:
        """The operator's inputs after the rotary tables (positions, bias, sink, scales), and its attributes for an 8-bit cache."""
        if not self.scales:
            return (["", self.bias] if self.bias else []), {}
        scales = [
            self.g.weight(f"layers.{i}.{kind}_scale", values)
            for kind, values in zip(("key", "value"), self.scales[i], strict=True)
        ]
        small = {"kv_cache_bit_width": 8, "k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL"}
        return ["", self.bias, "", *scales], small

    def alibi_bias(self, ids: str) -> str:
        """The bias of ALiBi (Press et al. 2022): −slope·(n − 1 − j) for key j of n ``[1, heads, S, n]``.

        It differs from −slope·(i − j) by slope·(n − 1 − i), which is the same for all keys of a query, so the softmax is
        the same.
        """
        g, spec, most = self.g, self.spec, self.spec.context_length
        slopes = np.array(alibi_slopes(spec.n_heads), dtype=np.float32)[:, None, None]
        table = g.weight("alibi", (slopes * np.arange(1 - most, 1, dtype=np.float32))[None])  # [1, heads, 1, places]
        total = g("Cast", self.total, to=7)
        part = g("Slice", table, g("Sub", g.const([most]), total), g.const([most]), g.const([3]))
        n = g("Gather", g("Shape", ids), g.const([1]), axis=0)
        return g("Expand", part, g("Concat", g.const([1, spec.n_heads]), n, total, axis=0))

    def rename(self, made: str, name: str, shape: list) -> None:
        """Makes an output of the last node an output of the graph, under another name; a copy would copy the whole cache."""
        node = self.g.nodes[-1]
        node.output[list(node.output).index(made)] = name
        self.g.output(name, self.kept, shape)

    def normed_qk(self, packed: str) -> str:
        """Queries and keys divided by their RMS, head by head."""
        g, spec = self.g, self.spec
        d, both, kv = (
            spec.head_dim,
            (spec.n_heads + spec.kv_heads) * spec.head_dim,
            spec.kv_heads * spec.head_dim,
        )
        qk, v = g("Split", packed, g.const([both, kv]), n=2, axis=-1)
        ones = g.weight("ones", np.ones(d, dtype=np.float32))
        eps = float(np.finfo(np.float32).eps)
        qk = g("SimplifiedLayerNormalization", g("Reshape", qk, g.const([-1, d])), ones, axis=-1, epsilon=eps)
        return g("Concat", g("Reshape", qk, g.const([-1, both])), v, axis=-1)

    def sinusoidal(self, positions: str) -> str:
        """The sinusoidal table's rows, looked up."""
        table = sinusoidal(self.spec.context_length, self.spec.d_model).numpy()
        return self.g("Gather", self.g.weight("waves", table), positions)

    def tables(self) -> tuple[str, str]:
        """Cosines and sines of rotary positions ``[positions, d/2]``."""
        spec, d = self.spec, self.spec.head_dim
        frequencies = (1.0 / np.float32(spec.rope_theta) ** (np.arange(0, d, 2, dtype=np.float32) / d)).astype(
            np.float32
        )
        angles = np.arange(spec.context_length, dtype=np.float32)[:, None] * frequencies
        return self.g.weight("rotary_cos", np.cos(angles)), self.g.weight("rotary_sin", np.sin(angles))

    def mlp(self, x: str, name: str) -> str:
        g, kind = self.g, self.spec.mlp
        if kind == "gelu" and f"{name}.up.bias" in self.weights:
            hidden = g("MatMul", x, g.weight(f"{name}.up.weight.T", self.weights[f"{name}.up.weight"].T))
            hidden = g("BiasGelu", hidden, self.param(f"{name}.up.bias"), domain=MICROSOFT)
        elif kind == "gelu":
            hidden = g("Gelu", self.linear(x, f"{name}.up"), domain=MICROSOFT)
        elif kind == "gelu_tanh":
            hidden = g("FastGelu", self.linear(x, f"{name}.up"), domain=MICROSOFT)
        elif kind == "swiglu":
            gate, up = g("Split", self.linear(x, f"{name}.up"), n=2, axis=-1, num_outputs=2)
            hidden = g("Mul", g("QuickGelu", gate, domain=MICROSOFT, alpha=1.0), up)
        else:
            hidden = g("Relu", self.linear(x, f"{name}.up"))
            hidden = g("Mul", hidden, hidden) if kind == "relu2" else hidden
        return self.linear(hidden, f"{name}.down")
