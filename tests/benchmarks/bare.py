"""Each preset once more, as short as bare torch modules allow: what a person would write to be as fast as possible.

Same arithmetic, same sizes; no options, no inspection, no run folder.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.spec import ModelSpec


class Recurrent(nn.Module):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.embedding = nn.Embedding(spec.vocab_size, spec.d_model)
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[spec.architecture]
        self.layers = kind(spec.d_model, spec.d_model, spec.n_layers, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return F.linear(self.layers(self.embedding(ids))[0], self.embedding.weight)


class Block(nn.Module):
    """A pre-norm decoder layer in GPT-2's, Llama's or the modern manner."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        d, bias, width = spec.d_model, spec.bias, spec.mlp_width
        make = nn.LayerNorm if spec.norm == "layernorm" else nn.RMSNorm
        self.norm1, self.norm2 = make(d, eps=spec.norm_eps), make(d, eps=spec.norm_eps)
        self.qkv, self.out = nn.Linear(d, 3 * d, bias), nn.Linear(d, d, bias)
        self.up, self.down = (
            nn.Linear(d, width * (2 if spec.mlp == "swiglu" else 1), bias),
            nn.Linear(width, d, bias),
        )
        self.heads, self.mlp, self.qk_norm = spec.n_heads, spec.mlp, spec.qk_norm

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None) -> Tensor:
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if self.qk_norm:
            q, k = F.rms_norm(q, (q.shape[-1],)), F.rms_norm(k, (k.shape[-1],))
        if rope is not None:
            q, k = turn(q, *rope), turn(k, *rope)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, d))
        h = self.up(self.norm2(x))
        if self.mlp == "swiglu":
            gate, h = h.chunk(2, -1)
            h = F.silu(gate) * h
        else:
            h = F.gelu(h) if self.mlp == "gelu" else F.relu(h).square()
        return x + self.down(h)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Decoder(nn.Module):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        d = spec.d_model
        self.embedding = nn.Embedding(spec.vocab_size, d)
        self.positions = nn.Embedding(spec.context_length, d) if spec.position == "learned" else None
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.n_layers))
        self.norm = (nn.LayerNorm if spec.norm == "layernorm" else nn.RMSNorm)(d, eps=spec.norm_eps)
        self.head = nn.Linear(d, spec.vocab_size, bias=False)
        if spec.tie_embeddings:
            self.head.weight = self.embedding.weight
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.cap, width = spec.logit_softcap, d // spec.n_heads
        angles = torch.outer(torch.arange(spec.context_length), spec.rope_theta ** (-torch.arange(0, width, 2) / width))
        self.rope = None if self.positions else (torch.cat([angles.cos()] * 2, -1), torch.cat([angles.sin()] * 2, -1))
        self.register_buffer("places", torch.arange(spec.context_length), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        if self.positions is not None:
            x = x + self.positions(self.places)
        for block in self.blocks:
            x = block(x, self.rope)
        logits = self.head(self.norm(x))
        return self.cap * torch.tanh(logits / self.cap) if self.cap else logits


class Encoder(nn.Module):
    """torch's own post-norm encoder, with BERT's head at the masked places."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        d = spec.d_model
        self.embedding, self.positions = (
            nn.Embedding(spec.vocab_size, d),
            nn.Embedding(spec.context_length, d),
        )
        self.norm = nn.LayerNorm(d)
        layer = nn.TransformerEncoderLayer(d, spec.n_heads, spec.mlp_width, 0.0, F.gelu, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, spec.n_layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.LayerNorm(d))
        self.output = nn.Linear(d, spec.vocab_size)
        self.output.weight = self.embedding.weight
        self.register_buffer("places", torch.arange(spec.context_length), persistent=False)

    def forward(self, ids: Tensor, rows: Tensor) -> Tensor:
        x = self.layers(self.norm(self.embedding(ids) + self.positions(self.places)))
        return self.output(self.head(x.flatten(0, 1)[rows]))


class EncoderDecoder(nn.Module):
    """torch's own nn.Transformer."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        d, n = spec.d_model, spec.n_layers
        self.embedding = nn.Embedding(spec.vocab_size, d)
        self.transformer = nn.Transformer(d, spec.n_heads, n, n, spec.mlp_width, 0.0, batch_first=True)
        angles = torch.outer(torch.arange(512), 10000 ** (-torch.arange(0, d, 2) / d))
        self.waves = torch.stack((angles.sin(), angles.cos()), -1).flatten(1)
        self.scale = d**0.5

    def forward(self, source: Tensor, padding: Tensor | None, ids: Tensor) -> Tensor:
        place = lambda x: self.embedding(x) * self.scale + self.waves[: x.shape[1]]
        future = nn.Transformer.generate_square_subsequent_mask(ids.shape[1], dtype=torch.bool, device=ids.device)
        x = self.transformer(
            place(source),
            place(ids),
            tgt_mask=future,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return F.linear(x, self.embedding.weight)


class LstmAttention(nn.Module):
    """A bidirectional LSTM, and LSTM cells that look back at it by additive attention; padding is read, but not looked at."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        d, self.n = spec.d_model, spec.n_layers
        self.embedding = nn.Embedding(spec.vocab_size, d)
        self.reader = nn.LSTM(d, d // 2, self.n, batch_first=True, bidirectional=True)
        self.start = nn.Linear(d // 2, self.n * d)
        self.query, self.key, self.score = nn.Linear(d, d, False), nn.Linear(d, d, False), nn.Linear(d, 1, False)
        self.cell = nn.LSTMCell(2 * d, d)
        self.above = nn.LSTM(d, d, self.n - 1, batch_first=True) if self.n > 1 else None
        self.joined = nn.Linear(2 * d, d)

    def forward(self, source: Tensor, padding: Tensor | None, ids: Tensor) -> Tensor:
        read = self.reader(self.embedding(source))[0]
        keys, d = self.key(read), read.shape[-1]
        first = torch.tanh(self.start(read[:, 0, d // 2 :])).view(len(ids), self.n, d).transpose(0, 1).contiguous()
        hidden, cell, states, contexts = first[0], torch.zeros_like(first[0]), [], []
        for token in self.embedding(ids).unbind(1):
            scores = self.score(torch.tanh(self.query(hidden)[:, None] + keys))[..., 0]
            if padding is not None:
                scores = scores.masked_fill(padding, float("-inf"))
            context = (scores.softmax(-1)[:, None] @ read)[:, 0]
            hidden, cell = self.cell(torch.cat((token, context.to(token.dtype)), -1), (hidden, cell))
            states.append(hidden)
            contexts.append(context)
        x = torch.stack(states, 1)
        if self.above is not None:
            x = self.above(x, (first[1:], torch.zeros_like(first[1:])))[0]
        return F.linear(torch.tanh(self.joined(torch.cat((x, torch.stack(contexts, 1)), -1))), self.embedding.weight)


def build(spec: ModelSpec) -> nn.Module:
    bare = {
        "decoder": Decoder,
        "encoder": Encoder,
        "encoder-decoder": EncoderDecoder,
        "lstm-attention": LstmAttention,
    }
    return bare.get(spec.architecture, Recurrent)(spec)
