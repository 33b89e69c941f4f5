"""Transformer language models: decoder, encoder, and both with cross attention between them."""

import torch
from torch import Tensor, nn

from models.block import Block
from models.embedding import Embedding
from models.heads import LanguageModelHead
from models.hooks import Output, Tap, scoped
from models.kv_cache import FIRST_ROOM, DecoderState, LayerCache
from models.masks import AttentionMask, attention_mask_of, resolve_positions
from models.norms import norm
from models.positions import Positions, Rotary, alibi_slopes
from models.spec import ModelSpec, SpecError


class Stack(nn.Module):
    """Layers on top of each other and, pre-norm, a last norm; and the positions that act in attention."""

    def __init__(self, spec: ModelSpec, causal: bool, cross: bool = False):
        super().__init__()
        self.causal = causal
        self.layers = nn.ModuleList(Block(spec, cross) for _ in range(spec.n_layers))
        self.norm = norm(spec) if spec.norm_position == "pre" else None
        rotary, alibi = spec.position == "rotary", spec.position == "alibi"
        self.rotary = Rotary(spec.head_dim, spec.rope_theta, spec.context_length) if rotary else None
        slopes = torch.tensor(alibi_slopes(spec.n_heads)) if alibi else None
        self.register_buffer("slopes", slopes, persistent=False)

    def run(
        self,
        x: Tensor,
        places: Positions,
        real: Tensor | None = None,
        key_places: Tensor | None = None,
        state: DecoderState | None = None,
        crossed: list[tuple[Tensor, Tensor]] | None = None,
        source_real: Tensor | None = None,
        tap: Tap | None = None,
    ) -> Tensor:
        """All layers on embeddings ``[batch, length, d_model]``.

        Args:
            x: the embeddings.
            places, real, key_places: from `models.masks.situate`.
            state: the cache, or None.
            crossed: each layer's keys and values of the source, if there is one.
            source_real: ``[batch, n_source]``, False for padding.
            tap: sees "layers.{i}." and what each layer names, and "final".
        """
        view = attention_mask_of(
            places, causal=self.causal, real=real, slopes=self.slopes, key_places=key_places, device=x.device
        )
        source_view = None
        if crossed is not None:
            source_mask = None if source_real is None else source_real[:, None, None, :]
            source_view = AttentionMask(source_mask, fused=source_mask)
        turns = None if self.rotary is None else self.rotary(places)
        for i, layer in enumerate(self.layers):
            cache = None if state is None else state.layers[i]
            source = None if crossed is None else crossed[i]
            x = layer(x, view, turns, cache, places.start, source, source_view, scoped(tap, f"layers.{i}."))
        if self.norm is not None:
            x = self.norm(x)
        return x if tap is None else tap("final", x)


class Transformer(Stack):
    """A decoder, which continues text, or an encoder, which reads it both ways: they differ by the mask."""

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
        tap: Tap | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token.

        Args:
            input_ids: ``[batch, length]``.
            attention_mask: ``[batch, length]``, True for real tokens, padding on either side; with a state it
                may also cover everything so far.
            position_ids: ``[batch, length]``, where the tokens stand; by default counted over the real ones.
            state: a cache from `initial_state` or an earlier output; the text goes on from there.
            tap: see `models.hooks.Tap`.
            rows: flat indices into batch·length: only these get logits.
        """
        places, real, key_places = resolve_positions(
            input_ids, attention_mask, position_ids, state, self.spec.context_length
        )
        x = self.embedding(input_ids, places)
        if tap is not None:
            x = tap("embeddings", x)
        hidden = self.run(x, places, real, key_places, state, tap=tap)
        if state is not None:
            state.length += places.length
        return Output(self.read(hidden, rows), state, hidden)

    def read(self, hidden: Tensor, rows: Tensor | None = None) -> Tensor:
        """The head on final vectors."""
        chosen = hidden if rows is None else hidden.flatten(0, 1)[rows]
        return self.head(chosen, self.embedding.tokens.weight)

    def lens(self, residual: Tensor) -> Tensor:
        """What the model would say if the residual stream ``[..., d_model]`` were its last (logit lens)."""
        return self.read(residual if self.norm is None else self.norm(residual))

    def initial_state(self, batch: int, max_length: int | None = None) -> DecoderState:
        """An empty cache with room for `max_length` tokens (by default the context, or its beginning; it grows when needed)."""
        if not self.causal:
            raise SpecError(
                "An encoder reads its whole text at once and has no state to continue from.",
                "Choose a decoder or a recurrent model to continue text.",
            )
        return empty_state(self.spec, batch, max_length, self.embedding.tokens.weight)


class EncoderDecoder(nn.Module):
    """An encoder reads the source, a decoder writes the target and looks at it (Vaswani et al. 2017, figure
    1).

    Both sides share one embedding: there is one tokenizer.
    """

    def __init__(self, spec: ModelSpec):
        super().__init__()
        self.spec = spec
        self.embedding = Embedding(spec)
        self.encoder = Stack(spec, causal=False)
        self.decoder = Stack(spec, causal=True, cross=True)
        self.head = LanguageModelHead(spec)

    def encode(self, source_ids: Tensor, source_mask: Tensor | None = None, tap: Tap | None = None) -> Tensor:
        """The memory ``[batch, n_source, d_model]`` of a source; ids and mask are ``[batch, n_source]``."""
        tap = scoped(tap, "encoder.")
        places, real, key_places = resolve_positions(source_ids, source_mask, None, None, self.spec.context_length)
        x = self.embedding(source_ids, places)
        if tap is not None:
            x = tap("embeddings", x)
        return self.encoder.run(x, places, real, key_places, tap=tap)

    def forward(
        self,
        input_ids: Tensor,
        *,
        source_ids: Tensor | None = None,
        source_mask: Tensor | None = None,
        memory: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        state: DecoderState | None = None,
        tap: Tap | None = None,
        rows: Tensor | None = None,
    ) -> Output:
        """Logits for every token of the target; arguments as in `Transformer.forward`, and

        Args:
            input_ids: the decoder's input ``[batch, length]``.
            source_ids: the source ``[batch, n_source]``; not needed with `memory`, or once the state has seen
                it.
            source_mask: ``[batch, n_source]``, True for real tokens.
            memory: what `encode` gave for the source.
        """
        crossed, source_mask = self._source(source_ids, source_mask, memory, state, tap)
        tap = scoped(tap, "decoder.")
        places, real, key_places = resolve_positions(
            input_ids, attention_mask, position_ids, state, self.spec.context_length
        )
        x = self.embedding(input_ids, places)
        if tap is not None:
            x = tap("embeddings", x)
        hidden = self.decoder.run(x, places, real, key_places, state, crossed, source_mask, tap)
        if state is not None:
            state.length += places.length
        return Output(self.read(hidden, rows), state, hidden)

    def _source(
        self,
        source_ids: Tensor | None,
        source_mask: Tensor | None,
        memory: Tensor | None,
        state: DecoderState | None,
        tap: Tap | None,
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor | None]:
        """Each decoder layer's keys and values of the source, from the state if it has them, and its mask."""
        if state is not None and state.crossed:
            return state.crossed, state.source_real
        if memory is None:
            if source_ids is None:
                raise SpecError("This model answers a source text; give it one.", "Pass source_ids or memory.")
            memory = self.encode(source_ids, source_mask, tap)
        crossed = [layer.cross.keys_values(memory) for layer in self.decoder.layers]
        if state is not None:
            state.crossed, state.source_real = crossed, source_mask
        return crossed, source_mask

    def read(self, hidden: Tensor, rows: Tensor | None = None) -> Tensor:
        """The head on final vectors."""
        chosen = hidden if rows is None else hidden.flatten(0, 1)[rows]
        return self.head(chosen, self.embedding.tokens.weight)

    def lens(self, residual: Tensor) -> Tensor:
        """What the model would say if the decoder's residual stream ``[..., d_model]`` were its last."""
        return self.read(residual if self.decoder.norm is None else self.decoder.norm(residual))

    def initial_state(self, batch: int, max_length: int | None = None) -> DecoderState:
        """An empty cache for the target; the source is encoded in the first pass made with it."""
        return empty_state(self.spec, batch, max_length, self.embedding.tokens.weight)


def empty_state(spec: ModelSpec, batch: int, max_length: int | None, like: Tensor) -> DecoderState:
    """Caches for `batch` texts of `max_length` tokens, of the type and on the device of `like`; without a length, for the
    context, or the first `FIRST_ROOM` tokens of a longer one.
    """
    shape = (batch, spec.kv_heads, max_length or min(spec.context_length, FIRST_ROOM), spec.head_dim)
    return DecoderState([LayerCache(shape, like) for _ in range(spec.n_layers)])
