"""What the settings of a model do, in words: titles and sentences of the choices, help of the numbers."""

from models.hyperparameters import RECURRENT, WITH_ATTENTION

SENTENCES = {
    "architecture": {
        "rnn": "One state, overwritten at every step: the simplest model that reads in order.",
        "lstm": "Gates and a cell: remembers over longer stretches than an RNN.",
        "gru": "Two gates and no cell: much of the LSTM with fewer parameters.",
        "lstm-attention": "Reads one text and writes another; before each word it looks back at the whole source.",
        "decoder": "Each token attends to the tokens before it. Continues text, like GPT and Llama.",
        "encoder": "Each token attends to all others. Fills in masked words, like BERT.",
        "encoder-decoder": "Reads one text and writes another, like the original transformer.",
    },
    "position": {
        "learned": "One learned vector per position. Simple, but cannot handle texts longer than the training context.",
        "sinusoidal": "Fixed sine waves of many wavelengths. No parameters; used by the original transformer.",
        "rotary": "Rotates queries and keys by their position, so that scores depend on distance. Today's standard.",
        "alibi": "Attention decreases linearly with distance. No parameters; also works on texts longer than in training.",
        "none": "No positions. A decoder can still infer order from its causal mask.",
    },
    "mlp": {
        "gelu": "A smooth version of ReLU, as in GPT-2 and BERT.",
        "gelu_tanh": "GELU approximated with tanh, as in OpenAI's GPT-2 weights.",
        "relu": "Negative values become 0, as in the original transformer.",
        "relu2": "ReLU, squared. Trains fast in small models.",
        "swiglu": "One half of the hidden channels gates the other, as in Llama.",
    },
    "norm": {
        "layernorm": "Normalises each vector to mean 0 and variance 1.",
        "rmsnorm": "Divides each vector by its root mean square, without centring. Cheaper, and as good.",
    },
    "norm_position": {
        "pre": "Norm before each sublayer. The residual stream stays unnormalised, and deep models train stably.",
        "post": "Norm after each residual addition, as first published. Needs a longer warm-up.",
    },
    "head_activation": {
        "gelu": "A smooth version of ReLU, as in BERT.",
        "gelu_tanh": "GELU approximated with tanh, as in some BERT models.",
        "relu": "Negative values become 0.",
    },
    "nonlinearity": {
        "tanh": "Keeps the state between −1 and 1.",
        "relu": "Negative values become 0; the state can grow without bound.",
    },
}


TITLES = {
    "tanh": "tanh",
    "relu": "ReLU",
    "gelu": "GELU",
    "gelu_tanh": "GELU (tanh)",
    "relu2": "ReLU²",
    "swiglu": "SwiGLU",
    "layernorm": "LayerNorm",
    "rmsnorm": "RMSNorm",
    "pre": "Pre-norm",
    "post": "Post-norm",
    "learned": "Learned",
    "sinusoidal": "Sinusoidal",
    "rotary": "Rotary (RoPE)",
    "alibi": "ALiBi",
    "none": "None",
}


HELP = {
    "d_model": "How many numbers describe a token inside the model. Twice the width is about four times the parameters.",
    "n_layers": "How many blocks process the text, one after another. Later layers build on what earlier ones found.",
    "n_heads": "How many attention patterns run side by side. The heads share the width.",
    "context_length": "The longest text seen at once in training. Attention's cost grows with its square.",
    "vocab_size": "How many tokens the tokenizer may learn. More of them make texts shorter and the embedding larger.",
    "n_kv_heads": "Fewer than the heads: groups of heads share keys and values, and the cache shrinks. Empty: as many as heads.",
    "d_mlp": "Hidden channels of the MLP. Empty: four times the width, for SwiGLU 8/3 of it.",
    "dropout": "Fraction of channels set to zero at random during training. Reduces overfitting when the text is small.",
    "tie_embeddings": "The output matrix is the token table: fewer parameters.",
    "bias": "Constants added after each matrix. Most new models have none.",
    "bidirectional": "Half of the channels read from the right. Such a model fills in words; it cannot continue text.",
    "qk_norm": "Queries and keys are divided by their norm. Keeps attention stable at high learning rates.",
    "zero_init": "Each sublayer starts by adding nothing to the residual stream.",
    "embedding_norm": "A norm right after the embeddings, as in BERT.",
    "head_transform": "A dense layer, an activation and a norm before the output matrix, as in BERT.",
    "logit_softcap": "Limits the logits smoothly to ± this value. Empty: no cap.",
    "norm_eps": "Keeps the norm from dividing by zero.",
    "rope_theta": "A larger base rotates more slowly and reaches further back.",
    "init_std": "Standard deviation of the weights before training. Empty: scaled by the number of inputs of each matrix.",
    "chrono_max_span": "Gate biases start so that memories last about this many tokens. Empty: the usual initialisation.",
}


UNUSUAL = (
    "nonlinearity",
    "bidirectional",
    "norm_position",
    "n_kv_heads",
    "d_mlp",
    "dropout",
    "tie_embeddings",
    "bias",
    "qk_norm",
    "zero_init",
    "logit_softcap",
    "embedding_norm",
    "head_transform",
    "head_activation",
    "norm_eps",
    "rope_theta",
    "init_std",
    "chrono_max_span",
)


TRANSFORMER_ONLY = (
    "n_heads",
    "position",
    "mlp",
    "norm_position",
    "n_kv_heads",
    "d_mlp",
    "qk_norm",
    "rope_theta",
)


def applies(name: str, values: dict) -> bool:
    """Whether a setting means something beside the others."""
    kind = values["architecture"]
    recurrent = kind in RECURRENT + WITH_ATTENTION
    if name == "nonlinearity":
        return kind == "rnn"
    if name == "bidirectional":
        return kind in RECURRENT
    if name == "chrono_max_span":
        return kind in ("lstm", "gru", "lstm-attention")
    if name == "head_activation":
        return values["head_transform"]
    if name == "rope_theta":
        return not recurrent and values["position"] == "rotary"
    if name in ("norm", "norm_eps"):
        return not recurrent or values["embedding_norm"] or values["head_transform"]
    return not (recurrent and name in TRANSFORMER_ONLY)
