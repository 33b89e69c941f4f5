"""Named starting points; the weights of gpt2, llama and bert presets are those of known architectures."""

from dataclasses import dataclass, fields
from math import log

from models.hyperparameters import RECURRENT, WITH_ATTENTION
from models.spec import ModelSpec


@dataclass(frozen=True)
class Preset:
    """A spec with a name to choose it by.

    Attributes:
        name: what the command line calls it, such as "gpt2-tiny".
        title: what a page calls it.
        summary: one sentence on what is special about it.
        spec: the model; its vocabulary comes from the tokenizer.
    """

    name: str
    title: str
    summary: str
    spec: ModelSpec


_SIZES = {
    "tiny": {"d_model": 128, "n_layers": 4, "n_heads": 4, "context_length": 64},
    "small": {"d_model": 384, "n_layers": 6, "n_heads": 6, "context_length": 256},
}
_RECURRENT_LAYERS = {"tiny": 2, "small": 3}  # deeper plain stacks of recurrent layers train badly

_FAMILIES = {
    "rnn": ("RNN", "One state, overwritten at every step (Elman 1990).", {"architecture": "rnn"}),
    "lstm": (
        "LSTM",
        "Gates decide what the cell keeps, takes in and shows (Hochreiter & Schmidhuber 1997).",
        {"architecture": "lstm"},
    ),
    "gru": ("GRU", "Two gates and no separate cell (Cho et al. 2014).", {"architecture": "gru"}),
    "lstm-attention": (
        "LSTM with attention",
        "For pairs of texts: before each word, the decoder looks back at the whole source (Bahdanau et al. 2015).",
        {"architecture": "lstm-attention"},
    ),
    "gpt2": (
        "GPT-2",
        "Pre-norm decoder with learned positions and GELU; loads as GPT2LMHeadModel (Radford et al. 2019).",
        {"architecture": "decoder", "init_std": 0.02},
    ),
    "llama": (
        "Llama",
        "RMSNorm, rotary positions, SwiGLU, no biases; loads as LlamaForCausalLM (Touvron et al. 2023).",
        {
            "architecture": "decoder",
            "norm": "rmsnorm",
            "position": "rotary",
            "mlp": "swiglu",
            "bias": False,
            "tie_embeddings": False,
        },
    ),
    "bert": (
        "BERT",
        "Post-norm encoder that fills in masked words; loads as BertForMaskedLM (Devlin et al. 2019).",
        {
            "architecture": "encoder",
            "norm_position": "post",
            "norm_eps": 1e-12,
            "embedding_norm": True,
            "head_transform": True,
        },
    ),
    "seq2seq": (
        "Encoder–decoder",
        "The first transformer, for pairs of texts: post-norm, sinusoidal, ReLU (Vaswani et al. 2017).",
        {
            "architecture": "encoder-decoder",
            "norm_position": "post",
            "position": "sinusoidal",
            "mlp": "relu",
        },
    ),
    "modern": (
        "Modern decoder",
        "What trains fastest at this size: RMSNorm, rotary, QK-norm, squared ReLU, zero-initialised outputs, "
        "softcapped logits.",
        {
            "architecture": "decoder",
            "norm": "rmsnorm",
            "position": "rotary",
            "qk_norm": True,
            "mlp": "relu2",
            "zero_init": True,
            "logit_softcap": 15.0,
            "tie_embeddings": False,
            "bias": False,
        },
    ),
}


def _preset(family: str, size: str) -> Preset:
    title, summary, choices = _FAMILIES[family]
    shape = dict(_SIZES[size])
    if choices["architecture"] in RECURRENT + WITH_ATTENTION:
        shape["n_layers"] = _RECURRENT_LAYERS[size]
    return Preset(f"{family}-{size}", f"{title}, {size}", summary, ModelSpec(**shape, **choices))


PRESETS: dict[str, Preset] = {f"{family}-{size}": _preset(family, size) for family in _FAMILIES for size in _SIZES}


def nearest_preset(spec: ModelSpec, wanted: str | None = None) -> str:
    """The preset that describes a model best: `wanted` if it has the same architecture, else the one that differs least.

    Of presets that differ in equally many hyperparameters, the one whose width is nearest.
    """
    if wanted in PRESETS and PRESETS[wanted].spec.architecture == spec.architecture:
        return wanted

    def distance(name: str) -> tuple[int, float]:
        preset = PRESETS[name].spec
        differences = sum(getattr(preset, f.name) != getattr(spec, f.name) for f in fields(ModelSpec))
        return differences, abs(log(preset.d_model / spec.d_model))

    return min((name for name, p in PRESETS.items() if p.spec.architecture == spec.architecture), key=distance)
