"""What a model can be made of, in words: a title, and a sentence for each choice of every setting."""

from models.presets import PRESETS
from models.spec import ModelSpec

SENTENCES = {
    "architecture": {
        "rnn": "One state, overwritten at every step: the simplest model that reads in order.",
        "lstm": "Gates and a cell: remembers over longer stretches than an RNN.",
        "gru": "Two gates and no cell: much of the LSTM with fewer parameters.",
        "decoder": "Each token looks at those before it: continues text, like GPT and Llama.",
        "encoder": "Each token looks at all others: fills in hidden words, like BERT.",
        "encoder-decoder": "Reads one text, writes another, like the first transformer.",
    },
    "position": {
        "learned": "One learned vector a place: simple, and at an end where training ended.",
        "sinusoidal": "Fixed waves of many lengths: no parameters, as in the first transformer.",
        "rotary": "Turns queries and keys by their place, so that attention feels distance: today's habit.",
        "alibi": "Attention fades with distance: no parameters, and longer texts than in training still work.",
        "none": "No positions at all: a decoder can still tell order from what it may not see.",
    },
    "mlp": {
        "gelu": "A smooth bend, as in GPT-2 and BERT.",
        "gelu_tanh": "GELU by a formula with tanh, as in the weights that OpenAI published of GPT-2.",
        "relu": "Cuts off what is below zero, as in the first transformer.",
        "relu2": "ReLU, squared: learns fast at small sizes.",
        "swiglu": "One half of the hidden channels gates the other, as in Llama.",
    },
    "norm": {
        "layernorm": "Centres each vector and brings it to one size.",
        "rmsnorm": "Brings each vector to one size without centring it: cheaper, and as good.",
    },
    "norm_position": {
        "pre": "Norm before each sublayer: the residual stream stays free, deep models train calmly.",
        "post": "Norm after each addition, as first published: needs a gentle start.",
    },
    "head_activation": {
        "gelu": "A smooth bend, as BERT has it.",
        "gelu_tanh": "GELU by a formula with tanh, as some BERTs have it.",
        "relu": "Cuts off what is below zero.",
    },
    "nonlinearity": {
        "tanh": "Keeps the state between −1 and 1.",
        "relu": "Cuts off below zero; the state can grow without bound.",
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
NAMES = {
    "architecture": "Architecture",
    "d_model": "Width (channels)",
    "n_layers": "Layers",
    "n_heads": "Attention heads",
    "context_length": "Context (tokens)",
    "vocab_size": "Vocabulary (tokens)",
    "position": "Positions",
    "mlp": "MLP",
    "norm": "Norm",
    "norm_position": "Where the norm stands",
    "nonlinearity": "Non-linearity",
    "n_kv_heads": "Key-value heads",
    "d_mlp": "MLP width (channels)",
    "dropout": "Dropout",
    "tie_embeddings": "Tied embeddings",
    "bias": "Biases",
    "bidirectional": "Bidirectional",
    "qk_norm": "QK-norm",
    "zero_init": "Outputs start at zero",
    "embedding_norm": "Norm after the embeddings",
    "head_transform": "Dense layer before the output",
    "head_activation": "Activation before the output",
    "logit_softcap": "Cap on logits",
    "norm_eps": "Norm epsilon",
    "rope_theta": "Rotary base (theta)",
    "init_std": "Spread of the first weights",
    "chrono_max_span": "Memory span (tokens)",
}
HELP = {
    "d_model": "How many numbers describe a token inside the model. Twice the width is about four times the parameters.",
    "n_layers": "How many times the text is worked over. Deeper models build on what earlier layers found.",
    "n_heads": "How many places a token can look at for different reasons at once. They share the width.",
    "context_length": "The longest text seen at once in training. Attention's cost grows with its square.",
    "vocab_size": "How many tokens the tokenizer may learn. More of them make texts shorter and the embedding larger.",
    "n_kv_heads": "Fewer than the heads: groups of heads share keys and values, and the cache shrinks. Empty: as many as heads.",
    "d_mlp": "Hidden channels of the MLP. Empty: four times the width, for SwiGLU 8/3 of it.",
    "dropout": "Share of channels put to zero at random while training; helps when the text is small.",
    "tie_embeddings": "The output matrix is the token table: fewer parameters.",
    "bias": "Constants added after each matrix; most new models do without.",
    "bidirectional": "Half of the channels read from the right. Such a model fills in words; it cannot continue text.",
    "qk_norm": "Queries and keys are divided by their size: keeps attention calm at high learning rates.",
    "zero_init": "Each layer begins by changing nothing, and learns from there.",
    "embedding_norm": "A norm right after the embeddings, as in BERT.",
    "head_transform": "A dense layer, an activation and a norm before the output matrix, as in BERT.",
    "logit_softcap": "No logit goes beyond this, smoothly. Empty: no cap.",
    "norm_eps": "Keeps the norm from dividing by zero.",
    "rope_theta": "Larger turns more slowly and reaches further back.",
    "init_std": "Standard deviation of the weights before training. Empty: sized by what each matrix adds up.",
    "chrono_max_span": "Gates start so that memories last about so many tokens. Empty: the usual start.",
}
MAIN = (
    "architecture",
    "d_model",
    "n_layers",
    "n_heads",
    "context_length",
    "vocab_size",
    "position",
    "mlp",
    "norm",
)
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
FAMILY = {"decoder": "modern", "encoder": "bert", "encoder-decoder": "seq2seq"}


def applies(name: str, values: dict) -> bool:
    """Whether a setting means something beside the others."""
    kind = values["architecture"]
    recurrent = kind in ("rnn", "lstm", "gru")
    if name == "nonlinearity":
        return kind == "rnn"
    if name == "bidirectional":
        return recurrent
    if name == "chrono_max_span":
        return kind in ("lstm", "gru")
    if name == "head_activation":
        return values["head_transform"]
    if name == "rope_theta":
        return not recurrent and values["position"] == "rotary"
    if name in ("norm", "norm_eps"):
        return not recurrent or values["embedding_norm"] or values["head_transform"]
    return not (recurrent and name in TRANSFORMER_ONLY)


def nearest_preset(spec: ModelSpec, wanted: str | None = None) -> str:
    """The preset that a model is closest to: the wanted one while the architecture is the same."""
    if wanted in PRESETS and PRESETS[wanted].spec.architecture == spec.architecture:
        return wanted
    size = "small" if spec.d_model > 192 else "tiny"
    return f"{FAMILY.get(spec.architecture, spec.architecture)}-{size}"
