"""The pieces that all transformers are made of, in ONNX: the same equations as in ``models/``, and the same names."""

import numpy as np

from models.positions import alibi_slopes
from models.spec import ModelSpec
from playground.huggingface.names import Weights
from playground.onnx_export.graph import Graph

LOWEST = float(np.finfo(np.float32).min)  # instead of -inf: a row that may look nowhere must not become NaN


class Layers:
    """Adds the layers of one model to one graph.

    Args:
        graph: where to.
        spec, weights: of the model.
    """

    def __init__(self, graph: Graph, spec: ModelSpec, weights: Weights) -> None:
        self.g, self.spec, self.weights = graph, spec, weights

    def param(self, name: str) -> str:
        return self.g.weight(name, self.weights[name])

    def linear(self, x: str, name: str) -> str:
        """x·Wᵀ + b."""
        x = self.g("MatMul", x, self.g.weight(f"{name}.weight.T", self.weights[f"{name}.weight"].T))
        return self.g("Add", x, self.param(f"{name}.bias")) if f"{name}.bias" in self.weights else x

    def norm(self, x: str, name: str) -> str:
        """LayerNorm or RMSNorm over the channels."""
        if self.spec.norm == "rmsnorm":
            return self.g("Mul", self.rms(x, self.spec.norm_eps), self.param(f"{name}.weight"))
        bias = [self.param(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        return self.g("LayerNormalization", x, self.param(f"{name}.weight"), *bias, axis=-1, epsilon=self.spec.norm_eps)

    def rms(self, x: str, eps: float) -> str:
        """x / √(mean(x²) + eps)."""
        mean = self.g("ReduceMean", self.g("Mul", x, x), self.g.const([-1]), keepdims=1)
        return self.g("Div", x, self.g("Sqrt", self.g("Add", mean, self.g.const(eps, np.float32))))

    def mlp(self, x: str, name: str) -> str:
        g, kind = self.g, self.spec.mlp
        hidden = self.linear(x, f"{name}.up")
        if kind == "swiglu":
            gate, up = g("Split", hidden, n=2, axis=-1, num_outputs=2)
            hidden = g("Mul", g("Mul", gate, g("Sigmoid", gate)), up)
        else:
            hidden = self.activation(hidden, kind)
        return self.linear(hidden, f"{name}.down")

    def activation(self, x: str, kind: str) -> str:
        """An activation by the name that it has in a `ModelSpec`."""
        if kind in ("gelu", "gelu_tanh"):
            return self.g("Gelu", x, **({"approximate": "tanh"} if kind == "gelu_tanh" else {}))
        x = self.g("Relu", x)
        return self.g("Mul", x, x) if kind == "relu2" else x

    def embed(self, ids: str, positions: str) -> str:
        """Token vectors and positions that are added to them ``[B, S, d_model]``; ``positions`` are int64 ``[B, S]``."""
        g, spec = self.g, self.spec
        x = g("Gather", self.param("embedding.tokens.weight"), ids)
        if spec.position == "learned":
            x = g("Add", x, g("Gather", self.param("embedding.positions.weight"), positions))
        elif spec.position == "sinusoidal":
            x = g("Mul", x, g.const(spec.d_model**0.5, np.float32))
            x = g("Add", x, self.sinusoidal(positions))
        return self.norm(x, "embedding.norm") if spec.embedding_norm else x

    def sinusoidal(self, positions: str) -> str:
        """The sinusoidal table's rows ``[B, S, d_model]``."""
        g, d = self.g, self.spec.d_model
        frequencies = 10000.0 ** (-np.arange(0, d, 2, dtype=np.float64) / d)
        angles = g("Mul", self.as_float(positions), g.weight("wave_frequencies", frequencies.astype(np.float32)))
        both = g(
            "Concat",
            g("Unsqueeze", g("Sin", angles), g.const([-1])),
            g("Unsqueeze", g("Cos", angles), g.const([-1])),
            axis=-1,
        )
        table = g("Reshape", both, g.const([0, 0, -1]))
        return table if d % 2 == 0 else g("Slice", table, g.const([0]), g.const([d]), g.const([2]))

    def as_float(self, positions: str) -> str:
        """``[B, S]`` int64 to ``[B, S, 1]`` float."""
        return self.g("Unsqueeze", self.g("Cast", positions, to=1), self.g.const([-1]))

    def rope(self, positions: str) -> tuple[str, str] | None:
        """Cosines and signed sines ``[B, 1, S, head_dim]`` of rotary positions; None without."""
        if self.spec.position != "rotary":
            return None
        g, d = self.g, self.spec.head_dim
        frequencies = (1.0 / np.float32(self.spec.rope_theta) ** (np.arange(0, d, 2, dtype=np.float32) / d)).astype(
            np.float32
        )
        angles = g(
            "Unsqueeze",
            g("Mul", self.as_float(positions), g.weight("rotary_frequencies", frequencies)),
            g.const([1]),
        )
        cos, sin = g("Cos", angles), g("Sin", angles)
        return g("Concat", cos, cos, axis=-1), g("Concat", g("Neg", sin), sin, axis=-1)

    def rotate(self, x: str, rope: tuple[str, str] | None) -> str:
        """Turns each pair (x₁, x₂) of ``[B, heads, S, d]``."""
        if rope is None:
            return x
        first, second = self.g("Split", x, n=2, axis=-1, num_outputs=2)
        swapped = self.g("Concat", second, first, axis=-1)
        return self.g("Add", self.g("Mul", x, rope[0]), self.g("Mul", swapped, rope[1]))

    def heads(self, x: str, n: int) -> str:
        """``[B, S, n·d]`` to ``[B, n, S, d]``."""
        return self.g("Transpose", self.g("Reshape", x, self.g.const([0, 0, n, -1])), perm=[0, 2, 1, 3])

    def qkv(self, x: str, name: str, rope: tuple[str, str] | None) -> tuple[str, str, str]:
        """Queries, keys and values ``[B, heads, S, d]``, normed and rotated."""
        h, kv, d = self.spec.n_heads, self.spec.kv_heads, self.spec.head_dim
        q, k, v = self.g("Split", self.linear(x, f"{name}.qkv"), self.g.const([h * d, kv * d, kv * d]), n=3, axis=-1)
        q, k, v = self.heads(q, h), self.heads(k, kv), self.heads(v, kv)
        if self.spec.qk_norm:
            q, k = self.qk_norm(q), self.qk_norm(k)
        return self.rotate(q, rope), self.rotate(k, rope), v

    def qk_norm(self, x: str) -> str:
        return self.rms(x, float(np.finfo(np.float32).eps))

    def attend(self, q: str, k: str, v: str, bias: str | None, name: str, attentions: bool = False) -> str:
        """softmax(q·kᵀ/√d + bias)·v, the heads side by side, through the output matrix ``[B, S, d_model]``."""
        g, spec = self.g, self.spec
        groups = spec.n_heads // spec.kv_heads
        if groups > 1:
            k, v = self.repeat(k, groups), self.repeat(v, groups)
        q = g("Mul", q, g.const(spec.head_dim**-0.5, np.float32))
        scores = g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2]))
        weights = g("Softmax", scores if bias is None else g("Add", scores, bias), axis=-1)
        if attentions:
            g.output(f"attentions.{name}", "float", ["batch", spec.n_heads, "queries", "keys"], weights)
        mixed = g("Transpose", g("MatMul", weights, v), perm=[0, 2, 1, 3])
        return self.linear(g("Reshape", mixed, g.const([0, 0, -1])), f"{name}.output")

    def repeat(self, x: str, times: int) -> str:
        """Each key-value head serves ``times`` neighbouring query heads."""
        g = self.g
        wide = g("Concat", *[g("Unsqueeze", x, g.const([2]))] * times, axis=2)
        return g("Reshape", wide, g.const([0, self.spec.n_heads, -1, self.spec.head_dim]))

    def slopes(self) -> str:
        values = np.array(alibi_slopes(self.spec.n_heads), dtype=np.float32)
        return self.g.weight("alibi_slopes", values.reshape(1, -1, 1, 1))

    def alibi(self, query_positions: str, key_positions: str) -> str:
        """−slope·|i − j| ``[B, heads, S, keys]``."""
        g = self.g
        there = lambda positions, axis: g("Unsqueeze", g("Cast", positions, to=1), g.const([1, axis]))
        apart = g("Abs", g("Sub", there(query_positions, 3), there(key_positions, 2)))
        return g("Neg", g("Mul", apart, self.slopes()))

    def hide(self, allowed: str) -> str:
        """0 where a boolean is True, the lowest number where it is False."""
        return self.g("Where", allowed, self.g.const(0.0, np.float32), self.g.const(LOWEST, np.float32))

    def residual(self, x: str, name: str, sublayer) -> str:
        """x + f(norm(x)), or norm(x + f(x)) in a post-norm model."""
        if self.spec.norm_position == "post":
            return self.norm(self.g("Add", x, sublayer(x)), name)
        return self.g("Add", x, sublayer(self.norm(x, name)))

    def head(self, x: str) -> str:
        """Logits over the vocabulary."""
        g, spec = self.g, self.spec
        if spec.head_transform:
            x = self.norm(self.activation(self.linear(x, "head.dense"), spec.head_activation), "head.norm")
        if spec.tie_embeddings:
            logits = g("MatMul", x, g("Transpose", self.param("embedding.tokens.weight"), perm=[1, 0]))
        else:
            logits = g("MatMul", x, g.weight("head.weight.T", self.weights["head.weight"].T))
        if "head.bias" in self.weights:
            logits = g("Add", logits, self.param("head.bias"))
        if spec.logit_softcap is not None:
            cap = g.const(spec.logit_softcap, np.float32)
            logits = g("Mul", g("Tanh", g("Div", logits, cap)), cap)
        return logits

    def positions_of(self, mask: str) -> str:
        """Positions of tokens by their mask int64 ``[B, n]``: counted over the real ones."""
        g = self.g
        counted = g("Sub", g("CumSum", mask, g.const(1)), g.const(1))
        return g("Max", counted, g.const(0))
