"""A transformer layer: self-attention, cross attention where there is a source, and an MLP, each added to the residual stream."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from models.attention import CrossAttention, SelfAttention
from models.hooks import Hook, scoped
from models.kv_cache import LayerCache
from models.masks import AttentionContext, SourceContext
from models.norms import norm
from models.spec import ModelSpec

ACTIVATIONS = {
    "gelu": F.gelu,  # exact, x·Φ(x) (Hendrycks & Gimpel 2016)
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # as OpenAI trained GPT-2
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),  # squared ReLU (So et al. 2021)
}


class MLP(nn.Module):
    """down(act(up(x))), or SwiGLU's down(silu(gate(x))·up(x)), gate and up in one matrix (Shazeer 2020)."""

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.activation = ACTIVATIONS.get(spec.mlp)  # None: SwiGLU
        rows = spec.mlp_width if self.activation else 2 * spec.mlp_width
        self.up = nn.Linear(spec.d_model, rows, bias=spec.bias)  # SwiGLU: the gate's rows first
        self.down = nn.Linear(spec.mlp_width, spec.d_model, bias=spec.bias)

    def forward(self, x: Tensor, hook: Hook | None = None) -> Tensor:
        """``[batch, length, d_model]`` in and out; the hook sees "hidden" ``[..., d_mlp]`` and "output"."""
        hidden = self.up(x)
        if self.activation:
            hidden = self.activation(hidden)
        else:
            gate, hidden = hidden.chunk(2, dim=-1)
            hidden = F.silu(gate) * hidden
        if hook is None:
            return self.down(hidden)
        return hook("output", self.down(hook("hidden", hidden)))


class Block(nn.Module):
    """x + f(norm(x)) for each sublayer f (pre-norm), or norm(x + f(x)) (post-norm, as first published)."""

    def __init__(self, spec: ModelSpec, cross: bool = False):
        super().__init__()
        self.post = spec.norm_position == "post"
        self.dropout = spec.dropout
        self.attention_norm, self.attention = norm(spec), SelfAttention(spec)
        self.cross_norm, self.cross = (norm(spec), CrossAttention(spec)) if cross else (None, None)
        self.mlp_norm, self.mlp = norm(spec), MLP(spec)

    def forward(
        self,
        x: Tensor,
        context: AttentionContext,
        cache: LayerCache | None = None,
        source: SourceContext | None = None,
        hook: Hook | None = None,
    ) -> Tensor:
        """One layer on the residual stream ``[batch, length, d_model]``.

        Args:
            x: the residual stream.
            context, cache: see `SelfAttention.forward`.
            source: what cross attention looks at; needed where the layer has it.
            hook: sees the names of the sublayers, with "attention.", "cross." or "mlp." before them, and "output",
                the residual stream after the layer.
        """
        norm = self.attention_norm
        update = self.attention(x if self.post else norm(x), context, cache, scoped(hook, "attention."))
        x = self._add(x, update, norm)
        if self.cross is not None and self.cross_norm is not None:
            assert source is not None
            norm = self.cross_norm
            update = self.cross(x if self.post else norm(x), source, scoped(hook, "cross."))
            x = self._add(x, update, norm)
        norm = self.mlp_norm
        update = self.mlp(x if self.post else norm(x), scoped(hook, "mlp."))
        x = self._add(x, update, norm)
        return x if hook is None else hook("output", x)

    def _add(self, x: Tensor, update: Tensor, norm: nn.Module) -> Tensor:
        if self.dropout:
            update = F.dropout(update, self.dropout, self.training)
        return norm(x + update) if self.post else x + update
