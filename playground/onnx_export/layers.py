"""The layers of transformers in ONNX: the same equations as in ``models/``, under the same names."""

from typing import Any

import numpy as np

from models.positions import alibi_slopes
from models.spec import ModelSpec
from playground.huggingface.names import Weights
from playground.onnx_export.graph import Graph

LOWEST = float(np.finfo(np.float32).min)  # instead of -inf: a query that may attend to nothing must not become NaN


class Layers:
    """Adds the layers of one model to one graph. Tensors are passed by name.

    Args:
        graph: to which nodes are added.
        spec, weights: of the model; weights as of `decoder_graphs.state_of`.
    """

    def __init__(self, graph: Graph, spec: ModelSpec, weights: Weights) -> None:
        self.g, self.spec, self.weights = graph, spec, weights

    def param(self, name: str) -> str:
        """Adds a weight of the model to the graph."""
        return self.g.weight(name, self.weights[name])

    def linear(self, x: str, name: str) -> str:
        """x·Wᵀ + b, ``[…, n_inputs]`` to ``[…, n_outputs]``; without a bias where the model has none."""
        x = self.g("MatMul", x, self.g.weight(f"{name}.weight.T", self.weights[f"{name}.weight"].T))
        return self.g("Add", x, self.param(f"{name}.bias")) if f"{name}.bias" in self.weights else x

    def norm(self, x: str, name: str) -> str:
        """LayerNorm (Ba et al. 2016) or RMSNorm (Zhang and Sennrich 2019) over the last axis."""
        if self.spec.norm == "rmsnorm":
            return self.g("Mul", self.rms(x, self.spec.norm_eps), self.param(f"{name}.weight"))
        bias = [self.param(f"{name}.bias")] if f"{name}.bias" in self.weights else []
        return self.g("LayerNormalization", x, self.param(f"{name}.weight"), *bias, axis=-1, epsilon=self.spec.norm_eps)

    def rms(self, x: str, eps: float) -> str:
        """x / √(mean(x²) + eps), the mean over the last axis."""
        mean = self.g("ReduceMean", self.g("Mul", x, x), self.g.const([-1]), keepdims=1)
        return self.g("Div", x, self.g("Sqrt", self.g("Add", mean, self.g.const(eps, np.float32))))

    def mlp(self, x: str, name: str) -> str:
        """The feed-forward layer, ``[…, d_model]`` to the same; SwiGLU is silu(gate)·up (Shazeer 2020)."""
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
            how: dict[str, Any] = {"approximate": "tanh"} if kind == "gelu_tanh" else {}
            return self.g("Gelu", x, **how)
        x = self.g("Relu", x)
        return self.g("Mul", x, x) if kind == "relu2" else x

    def embed(self, ids: str, positions: str) -> str:
        """Token vectors and positions that are added to them ``[B, S, d_model]``; ``positions`` are int64 ``[B, S]``."""
        g, spec = self.g, self.spec
        x = self.tokens(ids)
        if spec.position == "learned":
            x = g("Add", x, g("Gather", self.param("embedding.positions.weight"), positions))
        elif spec.position == "sinusoidal":
            x = g("Mul", x, g.const(spec.d_model**0.5, np.float32))
            x = g("Add", x, self.sinusoidal(positions))
        return self.norm(x, "embedding.norm") if spec.embedding_norm else x

    def tokens(self, ids: str) -> str:
        """Token vectors ``[…, d_model]`` of ids ``[…]``."""
        return self.g("Gather", self.param("embedding.tokens.weight"), ids)

    def embed_tokens(self, ids: str) -> str:
        """Token vectors of a model without positions, normed where it has a norm there ``[…, d_model]``."""
        x = self.tokens(ids)
        return self.norm(x, "embedding.norm") if self.spec.embedding_norm else x

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
        """Rotary positions (Su et al. 2021): rotates the pairs of channels (i, i + d/2) of ``[B, heads, S, d]``."""
        if rope is None:
            return x
        first, second = self.g("Split", x, n=2, axis=-1, num_outputs=2)
        swapped = self.g("Concat", second, first, axis=-1)
        return self.g("Add", self.g("Mul", x, rope[0]), self.g("Mul", swapped, rope[1]))

    def heads(self, x: str, n: int) -> str:
        """``[B, S, n·d]`` to ``[B, n, S, d]``."""
        return self.g("Transpose", self.g("Reshape", x, self.g.const([0, 0, n, -1])), perm=[0, 2, 1, 3])

    def qkv(self, x: str, name: str, rope: tuple[str, str] | None) -> tuple[str, str, str]:
        """Queries ``[B, heads, S, d]``, keys and values ``[B, kv_heads, S, d]`` of ``[B, S, d_model]``, normed and rotated."""
        h, kv, d = self.spec.n_heads, self.spec.kv_heads, self.spec.head_dim
        q, k, v = self.g("Split", self.linear(x, f"{name}.qkv"), self.g.const([h * d, kv * d, kv * d]), n=3, axis=-1)
        q, k, v = self.heads(q, h), self.heads(k, kv), self.heads(v, kv)
        if self.spec.qk_norm:
            q, k = self.qk_norm(q), self.qk_norm(k)
        return self.rotate(q, rope), self.rotate(k, rope), v

    def qk_norm(self, x: str) -> str:
        """Queries or keys divided by their RMS over each head's channels."""
        return self.rms(x, float(np.finfo(np.float32).eps))

    def attend(self, q: str, k: str, v: str, bias: str | None, name: str, attentions: bool = False) -> str:
        """softmax(q·kᵀ/√d + bias)·v (Vaswani et al. 2017, eq. 1), heads concatenated, through the output matrix.

        Args:
            q: ``[B, heads, S, d]``.
            k, v: ``[B, kv_heads, keys, d]``.
            bias: added to the scores, broadcastable to ``[B, heads, S, keys]``; None: nothing.
            name: prefix of the weights.
            attentions: also output the weights of the softmax, as ``attentions.{name}``.

        Returns:
            ``[B, S, d_model]``.
        """
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
        """Repeats each key–value head for ``times`` neighbouring query heads (Ainslie et al. 2023)."""
        g = self.g
        wide = g("Concat", *[g("Unsqueeze", x, g.const([2]))] * times, axis=2)
        return g("Reshape", wide, g.const([0, self.spec.n_heads, -1, self.spec.head_dim]))

    def slopes(self) -> str:
        """The slopes of ALiBi ``[1, heads, 1, 1]``."""
        values = np.array(alibi_slopes(self.spec.n_heads), dtype=np.float32)
        return self.g.weight("alibi_slopes", values.reshape(1, -1, 1, 1))

    def alibi(self, query_positions: str, key_positions: str) -> str:
        """ALiBi (Press et al. 2022): −slope·|i − j| ``[B, heads, S, keys]`` for positions int64 ``[B, S]`` and ``[B, keys]``."""
        g = self.g
        there = lambda positions, axis: g("Unsqueeze", g("Cast", positions, to=1), g.const([1, axis]))
        apart = g("Abs", g("Sub", there(query_positions, 3), there(key_positions, 2)))
        return g("Neg", g("Mul", apart, self.slopes()))

    def hide(self, allowed: str) -> str:
        """A mask to add to scores: 0 where ``allowed`` is True, the lowest float where it is False."""
        return self.g("Where", allowed, self.g.const(0.0, np.float32), self.g.const(LOWEST, np.float32))

    def residual(self, x: str, name: str, sublayer) -> str:
        """x + f(norm(x)), or norm(x + f(x)) in a post-norm model."""
        if self.spec.norm_position == "post":
            return self.norm(self.g("Add", x, sublayer(x)), name)
        return self.g("Add", x, sublayer(self.norm(x, name)))

    def head(self, x: str) -> str:
        """Logits ``[…, vocabulary]`` of final vectors ``[…, d_model]``."""
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
        """Positions int64 ``[B, n]`` by the padding mask: real tokens are counted from 0; padding gets any valid position."""
        g = self.g
        counted = g("Sub", g("CumSum", mask, g.const(1)), g.const(1))
        return g("Max", counted, g.const(0))
