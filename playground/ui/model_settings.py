"""What a model can be made of, in words: a title, and a sentence for each choice of every setting."""

from models.presets import PRESETS
from models.spec import ModelSpec

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
    "norm_position": "Norm placement",
    "nonlinearity": "Non-linearity",
    "n_kv_heads": "Key-value heads",
    "d_mlp": "MLP width (channels)",
    "dropout": "Dropout",
    "tie_embeddings": "Tied embeddings",
    "bias": "Biases",
    "bidirectional": "Bidirectional",
    "qk_norm": "QK-norm",
    "zero_init": "Zero-initialised outputs",
    "embedding_norm": "Norm after the embeddings",
    "head_transform": "Dense layer before the output",
    "head_activation": "Activation before the output",
    "logit_softcap": "Logit softcap",
    "norm_eps": "Norm epsilon",
    "rope_theta": "Rotary base (theta)",
    "init_std": "Initial standard deviation",
    "chrono_max_span": "Chrono initialisation: memory span (tokens)",
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
FAMILY = {"decoder": "modern", "encoder": "bert", "encoder-decoder": "seq2seq"}


def nearest_preset(spec: ModelSpec, wanted: str | None = None) -> str:
    """The preset that a model is closest to: the wanted one while the architecture is the same."""
    if wanted in PRESETS and PRESETS[wanted].spec.architecture == spec.architecture:
        return wanted
    size = "small" if spec.d_model > 192 else "tiny"
    return f"{FAMILY.get(spec.architecture, spec.architecture)}-{size}"
