"""Transformer language models: decoder, encoder, and both with cross attention between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from models.block import Block
from models.embedding import Embedding
from models.heads import LanguageModelHead
from models.hooks import Hook, Output, scoped
from models.kv_cache import INITIAL_CAPACITY, DecoderState, LayerCache
from models.language_model import LanguageModel
from models.masks import AttentionContext, SourceContext, attention_mask_of, padding_mask_of, resolve_positions
from models.norms import norm
from models.positions import Positions, Rotary, alibi_slopes
from models.spec import ModelSpec, SpecError


class Source(NamedTuple):
    """The text that an encoder–decoder answers: its ids, or what the encoder made of it before.

    Attributes:
        ids: ``[batch, n_source]``; not needed with `memory`.
        padding_mask: ``[batch, n_source]``, True for real tokens, False for padding; None: no padding.
        memory: the result of `EncoderDecoder.encode`, ``[batch, n_source, d_model]``; None: computed from the ids.
    """

    ids: Tensor | None = None
    padding_mask: Tensor | None = None
    memory: Tensor | None = None


@dataclass(frozen=True, slots=True)
class EncodedSource:
    """The source text as a decoder sees it.

    Attributes:
        cross_kv: per layer its keys and values, ``[batch, kv_heads, n_source, d]``.
        padding_mask: ``[batch, n_source]``, False for padding; None: no padding.
    """

    cross_kv: list[tuple[Tensor, Tensor]]
    padding_mask: Tensor | None


class Stack(nn.Module):
    """The layers, a last norm in a pre-norm model, and the positions that act inside attention (rotary, ALiBi).

    Args:
        spec: the model.
        causal: whether a token sees only itself and what came before.
        cross: whether each layer also looks at a source.
    """

    def __init__(self, spec: ModelSpec, causal: bool, cross: bool = False):
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(Block(spec, cross) for _ in range(spec.n_layers))
        self.norm = norm(spec) if spec.norm_position == "pre" else None
        rotary, alibi = spec.position == "rotary", spec.position == "alibi"
        self.rotary = Rotary(spec.head_dim, spec.rope_theta, spec.context_length) if rotary else None
        slopes = torch.tensor(alibi_slopes(spec.n_heads)) if alibi else None
        self.slopes: Tensor | None
        self.register_buffer("slopes", slopes, persistent=False)

    def run(
        self,
        x: Tensor,
        positions: Positions,
        state: DecoderState | None = None,
        source: EncodedSource | None = None,
        hook: Hook | None = None,
    ) -> Tensor:
        """All layers on embeddings ``[batch, length, d_model]``; the result has the same shape.

        Args:
            x: the embeddings.
            positions: from `models.masks.resolve_positions`.
            state: the cache, or None.
            source: what cross attention looks at, or None.
            hook: sees the names of each layer with "layers.{i}." before them, and "final".
        """
        mask = attention_mask_of(positions, causal=self.causal, slopes=self.slopes, device=x.device)
        rope = None if self.rotary is None else self.rotary(positions)
        context = AttentionContext(mask, rope, positions.start)
        source_mask = None if source is None else padding_mask_of(source.padding_mask)
        for i, layer in enumerate(self.layers):
            cache = None if state is None else state.layers[i]
            cross = None if source is None or source_mask is None else SourceContext(*source.cross_kv[i], source_mask)
            x = layer(x, context, cache, cross, scoped(hook, f"layers.{i}."))
        if self.norm is not None:
            x = self.norm(x)
        return x if hook is None else hook("final", x)

    def keys_values(self, memory: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's keys and values ``[batch, kv_heads, n_source, d]`` of a source ``[batch, n_source, d_model]``."""
        blocks = cast("Iterable[Block]", self.layers)
        return [block.cross.keys_values(memory) for block in blocks if block.cross is not None]


class Transformer(Stack, LanguageModel):
    """A decoder, which continues text, or an encoder, which reads it in both directions: they differ by the mask."""

    def __init__(self, spec: ModelSpec):
        super().__init__(spec, causal=spec.architecture == "decoder")
        self.spec = spec
        self.embedding = Embedding(spec)
        self.head = LanguageModelHead(spec)

    def forward(
        self,
        input_ids: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        state: DecoderState | None = None,
        hook: Hook | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token.

        Args:
            input_ids: ``[batch, length]``.
            attention_mask: ``[batch, length]``, True for real tokens, padding on either side; with a state it
                may also cover everything so far.
            position_ids: ``[batch, length]`` or ``[length]``; by default the real tokens are counted.
            state: a cache from `initial_state` or an earlier output; the text goes on from there.
            hook: see `models.hooks.Hook`.
            rows: flat indices into batch·length: only these get logits.

        Raises:
            SpecError: when the text is longer than the learned positions.
        """
        positions = resolve_positions(input_ids, attention_mask, position_ids, state, self.spec.context_length)
        x = self.embedding(input_ids, positions)
        if hook is not None:
            x = hook("embeddings", x)
        hidden = self.run(x, positions, state, hook=hook)
        if state is not None:
            state.length += positions.length
        return Output(self.unembed(hidden, rows), state, hidden)

    def logit_lens(self, residual: Tensor) -> Tensor:
        """The logits ``[..., vocabulary]`` as if the residual stream ``[..., d_model]`` were the last (nostalgebraist 2020)."""
        return self.unembed(residual if self.norm is None else self.norm(residual))

    def initial_state(self, batch: int, max_length: int | None = None) -> DecoderState:
        """An empty cache for `batch` texts of `max_length` tokens; it grows when needed. None: see `empty_state`.

        Raises:
            SpecError: for an encoder.
        """
        if not self.causal:
            raise SpecError(
                "An encoder reads its whole text at once and has no state to continue from.",
                "Choose a decoder or a recurrent model to continue text.",
            )
        return empty_state(self.spec, batch, max_length, self.embedding.tokens.weight)


class EncoderDecoder(LanguageModel):
    """An encoder reads the source; a decoder writes the target and looks at the source (Vaswani et al. 2017, fig. 1).

    Both sides share one embedding: there is one tokenizer.
    """

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec = spec
        self.embedding = Embedding(spec)
        self.encoder = Stack(spec, causal=False)
        self.decoder = Stack(spec, causal=True, cross=True)
        self.head = LanguageModelHead(spec)

    def encode(self, source_ids: Tensor, source_mask: Tensor | None = None, hook: Hook | None = None) -> Tensor:
        """The encoder's output ``[batch, n_source, d_model]``; ids and mask (True for real tokens) ``[batch, n_source]``."""
        hook = scoped(hook, "encoder.")
        positions = resolve_positions(source_ids, source_mask, None, None, self.spec.context_length)
        x = self.embedding(source_ids, positions)
        if hook is not None:
            x = hook("embeddings", x)
        return self.encoder.run(x, positions, hook=hook)

    def forward(
        self,
        input_ids: Tensor,
        *,
        source: Source | None = None,
        attention_mask: Tensor | None = None,
        state: DecoderState | None = None,
        hook: Hook | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token of the target; arguments as in `Transformer.forward`, and

        Args:
            input_ids: the decoder's input ``[batch, length]``.
            source: the source text; not needed once the state has it.

        Raises:
            SpecError: without a source, or when a text is longer than the learned positions.
        """
        encoded = self._encoded(source, state, hook)
        hook = scoped(hook, "decoder.")
        positions = resolve_positions(input_ids, attention_mask, None, state, self.spec.context_length)
        x = self.embedding(input_ids, positions)
        if hook is not None:
            x = hook("embeddings", x)
        hidden = self.decoder.run(x, positions, state, encoded, hook)
        if state is not None:
            state.length += positions.length
        return Output(self.unembed(hidden, rows), state, hidden)

    def _encoded(self, source: Source | None, state: DecoderState | None, hook: Hook | None) -> EncodedSource:
        """What the decoder's cross attention looks at: from the state if it has it, else computed.

        Raises:
            SpecError: without a source.
        """
        if state is not None and state.cross_kv:
            return EncodedSource(state.cross_kv, state.source_padding_mask)
        ids, padding_mask, memory = source or Source()
        if memory is None:
            if ids is None:
                raise SpecError("This model answers a source text; give it one.", "Pass source=Source(ids).")
            memory = self.encode(ids, padding_mask, hook)
        cross_kv = self.decoder.keys_values(memory)
        if state is not None:
            state.cross_kv, state.source_padding_mask = cross_kv, padding_mask
        return EncodedSource(cross_kv, padding_mask)

    def logit_lens(self, residual: Tensor) -> Tensor:
        """The logits ``[..., vocabulary]`` as if the decoder's residual stream ``[..., d_model]`` were the last."""
        return self.unembed(residual if self.decoder.norm is None else self.decoder.norm(residual))

    def initial_state(self, batch: int, max_length: int | None = None) -> DecoderState:
        """An empty cache for the target; the source is encoded in the first pass made with it."""
        return empty_state(self.spec, batch, max_length, self.embedding.tokens.weight)


def empty_state(spec: ModelSpec, batch: int, max_length: int | None, like: Tensor) -> DecoderState:
    """Empty caches for `batch` texts of `max_length` tokens, of the type and on the device of `like`.

    Without a length they have room for the context, but for no more than `INITIAL_CAPACITY` tokens.
    """
    shape = (batch, spec.kv_heads, max_length or min(spec.context_length, INITIAL_CAPACITY), spec.head_dim)
    return DecoderState([LayerCache(shape, like) for _ in range(spec.n_layers)])
