"""Hyperparameters: every choice that decides a model's shape, as plain data, and what follows from them."""

import math
from dataclasses import dataclass

RECURRENT = ("rnn", "lstm", "gru")
WITH_ATTENTION = ("lstm-attention",)  # recurrent models that look at a source
TRANSFORMERS = ("decoder", "encoder", "encoder-decoder")
ARCHITECTURES = RECURRENT + WITH_ATTENTION + TRANSFORMERS
PAIRED = ("lstm-attention", "encoder-decoder")  # they read a source and write a target
NONLINEARITIES = ("tanh", "relu")
MLPS = ("gelu", "gelu_tanh", "relu", "relu2", "swiglu")
HEAD_ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
NORMS = ("layernorm", "rmsnorm")
NORM_POSITIONS = ("pre", "post")
POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", "none")


@dataclass(frozen=True)
class Hyperparameters:
    """The choices. `models.spec.ModelSpec` is this, checked.

    Recurrent models ignore the choices that only transformers have (heads, MLP, norms, positions).
    """

    architecture: str  #                 rnn | lstm | gru | lstm-attention | decoder | encoder | encoder-decoder
    vocab_size: int = 0  #               0: taken from the tokenizer when training starts
    d_model: int = 128  #                channels of the residual stream, or of the recurrent state
    n_layers: int = 4  #                 lstm-attention, encoder-decoder: layers of each side
    context_length: int = 64  #          longest sequence trained on
    dropout: float = 0.0
    tie_embeddings: bool = True  #       the output matrix is the token table
    nonlinearity: str = "tanh"  #        rnn only: tanh | relu
    bidirectional: bool = False  #       recurrent only: half of the channels read from right to left
    chrono_max_span: int | None = None  #    LSTMs and GRU: gates start so that memories last about so many tokens
    n_heads: int = 4
    n_kv_heads: int | None = None  #     None: as many as n_heads; fewer: grouped-query attention
    mlp: str = "gelu"  #                 gelu | gelu_tanh | relu | relu2 | swiglu
    d_mlp: int | None = None  #          None: 4 * d_model; swiglu: 8/3 * d_model, rounded up to 16
    norm: str = "layernorm"  #           layernorm | rmsnorm
    norm_position: str = "pre"  #        pre | post
    norm_eps: float = 1e-5
    bias: bool = True
    position: str = "learned"  #         sinusoidal | learned | rotary | alibi | none
    rope_theta: float = 10000.0
    qk_norm: bool = False  #             queries and keys divided by their RMS, no learned scale
    logit_softcap: float | None = None  # cap * tanh(logits / cap)
    init_std: float | None = None  #     of the first weights; None: sized by each matrix's inputs
    zero_init: bool = False  #           residual output projections and an untied head start at zero
    embedding_norm: bool = False  #      BERT: a norm after the embeddings
    head_transform: bool = False  #      BERT: dense, GELU, norm before the output matrix, which gets a bias
    head_activation: str = "gelu"  #     gelu | gelu_tanh | relu: its activation (hidden_act of BERT)

    @property
    def is_recurrent(self) -> bool:
        """Whether a state carries it from token to token: an RNN, an LSTM, a GRU, or an LSTM with attention."""
        return self.architecture in RECURRENT + WITH_ATTENTION

    @property
    def reads_pairs(self) -> bool:
        """Whether an encoder reads a source and a decoder writes a target."""
        return self.architecture in PAIRED

    @property
    def has_attention(self) -> bool:
        """Whether there are attention weights: in a transformer, or in a recurrent decoder that looks at its source."""
        return self.architecture in WITH_ATTENTION + TRANSFORMERS

    @property
    def is_causal(self) -> bool:
        """Whether a position sees only what came before it, so that the model can continue text."""
        return self.architecture == "decoder" or self.reads_pairs or (self.is_recurrent and not self.bidirectional)

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.d_model // self.n_heads

    @property
    def kv_heads(self) -> int:
        """Key-value heads; where none are chosen, as many as heads."""
        return self.n_kv_heads or self.n_heads

    @property
    def mlp_width(self) -> int:
        """Hidden channels; SwiGLU has three matrices, so 8/3 keeps the parameters of 4 (Shazeer 2020)."""
        if self.d_mlp:
            return self.d_mlp
        return math.ceil(8 * self.d_model / 48) * 16 if self.mlp == "swiglu" else 4 * self.d_model

    def objectives(self) -> tuple[str, ...]:
        """What this model can be trained to do: next token (clm), masked tokens (mlm) or pairs (seq2seq)."""
        if self.reads_pairs:
            return ("seq2seq",)
        return ("clm",) if self.is_causal else ("mlm",)
