"""The strongest decoder in plain torch: a cache of fixed size, so that a whole step has fixed shapes, can be compiled without
a break and replayed as one CUDA graph. It takes the weights of `models.transformer` and nothing leaves the card in between."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.positions import rotate
from models.transformer import Transformer


class StaticDecoder(nn.Module):
    """Greedy decoding of several texts, all as long; a call of it writes one token of each.

    Args:
        model: a pre-norm decoder with learned or rotary positions, in evaluation mode.
        batch: texts at once.
        room: tokens of each that the cache holds.
    """

    def __init__(self, model: Transformer, batch: int, room: int) -> None:
        super().__init__()
        spec, like = model.spec, model.embedding.tokens.weight
        if spec.norm_position != "pre" or spec.position not in ("learned", "rotary"):
            raise ValueError("only pre-norm decoders with learned or rotary positions")
        self.model, self.room = model, room
        shape = (batch, spec.kv_heads, room, spec.head_dim)
        for i in range(spec.n_layers):
            self.register_buffer(f"keys{i}", torch.zeros(shape, dtype=like.dtype, device=like.device))
            self.register_buffer(f"values{i}", torch.zeros(shape, dtype=like.dtype, device=like.device))
        self.register_buffer("token", torch.zeros(batch, 1, dtype=torch.long, device=like.device))
        self.register_buffer("said", torch.zeros(batch, room, dtype=torch.long, device=like.device))
        self.register_buffer("place", torch.zeros(1, dtype=torch.long, device=like.device))  # of `token`
        self.register_buffer("places", torch.arange(room, device=like.device))

    @torch.no_grad()
    def begin(self, prompts: Tensor) -> None:
        """Reads prompts ``[batch, n]`` and chooses the first token after each."""
        state = self.model.initial_state(len(prompts), self.room)
        logits = self.model(prompts, state=state).logits[:, -1:]
        for i, layer in enumerate(state.layers):
            getattr(self, f"keys{i}").copy_(layer.keys)
            getattr(self, f"values{i}").copy_(layer.values)
        self.token.copy_(logits.argmax(-1))
        self.place.fill_(prompts.shape[1])

    @torch.no_grad()
    def forward(self) -> None:
        """One step: the token at `place` is read, the next one chosen and kept in `said` at the same place."""
        model = self.model
        x = model.embedding.tokens(self.token)  # [batch, 1, d_model]
        turns = None
        if model.embedding.positions is not None:
            x = x + model.embedding.positions.weight[self.place]
        else:
            turns = model.rotary.cos[self.place], model.rotary.sin[self.place]
        seen = self.places <= self.place  # [room]
        for i, layer in enumerate(model.layers):
            x = x + self._attention(layer.attention, layer.attention_norm(x), i, turns, seen)
            x = x + layer.mlp(layer.mlp_norm(x))
        token = model.unembed(model.norm(x)).argmax(-1)
        self.said.index_copy_(1, self.place, token)
        self.token.copy_(token)
        self.place.add_(1)

    def _attention(
        self, attention: nn.Module, x: Tensor, i: int, turns: tuple[Tensor, Tensor] | None, seen: Tensor
    ) -> Tensor:
        batch, heads, kv_heads = len(x), attention.heads, attention.kv_heads
        qkv = attention.qkv(x).view(batch, 1, -1, attention.head_dim).transpose(1, 2)
        qk, v = qkv.split([heads + kv_heads, kv_heads], dim=1)
        if attention.qk_norm:
            qk = F.rms_norm(qk, (attention.head_dim,))
        if turns is not None:
            qk = rotate(qk, *turns)
        q, k = qk.split([heads, kv_heads], dim=1)
        keys, values = getattr(self, f"keys{i}"), getattr(self, f"values{i}")
        keys.index_copy_(2, self.place, k)
        values.index_copy_(2, self.place, v)
        mixed = F.scaled_dot_product_attention(
            q, keys, values, attn_mask=seen[None, None, None], enable_gqa=heads > kv_heads
        )
        return attention.output(mixed.transpose(1, 2).reshape(batch, 1, -1))
