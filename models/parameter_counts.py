"""How many parameters a model has, by component, from its hyperparameters alone."""

from models.hyperparameters import Hyperparameters


def parameter_counts(spec: Hyperparameters) -> dict[str, int]:
    """Parameters by component; components without any are left out.

    The sum is exactly the number of parameters of the built model; a tied output matrix counts once.
    """
    d, bias = spec.d_model, int(spec.bias)
    norm = d * (1 + (bias if spec.norm == "layernorm" else 0))
    counts = {
        "token embedding": spec.vocab_size * d,
        "embedding norm": norm * spec.embedding_norm,
    }
    if spec.architecture == "lstm-attention":
        counts |= _attentive_counts(spec, bias)
    else:
        counts |= _recurrent_counts(spec, bias) if spec.is_recurrent else _transformer_counts(spec, bias, norm)
    counts["head transform"] = spec.head_transform * (d * d + d * bias + norm + spec.vocab_size)
    counts["output matrix"] = 0 if spec.tie_embeddings else spec.vocab_size * d
    return {name: count for name, count in counts.items() if count}


def _recurrent_counts(spec: Hyperparameters, bias: int) -> dict[str, int]:
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[spec.architecture]
    directions = 2 if spec.bidirectional else 1
    width = spec.d_model // directions
    each = gates * width * (spec.d_model + width + 2 * bias)  # torch keeps two biases for each gate
    return {"recurrent": spec.n_layers * directions * each}


def _attentive_counts(spec: Hyperparameters, bias: int) -> dict[str, int]:
    """Of `models.bahdanau`: encoder, first state and decoder; the alignment, and what joins state and context."""
    d, layers = spec.d_model, spec.n_layers
    encoder = layers * 2 * 4 * (d // 2) * (d + d // 2 + 2 * bias)
    start = layers * d * (d // 2 + bias)
    decoder = 4 * d * (3 * d + 2 * bias) + (layers - 1) * 4 * d * (2 * d + 2 * bias)
    return {"recurrent": encoder + start + decoder, "cross attention": 2 * d * d + d + d * (2 * d + bias)}


def _transformer_counts(spec: Hyperparameters, bias: int, norm: int) -> dict[str, int]:
    d, layers = spec.d_model, spec.n_layers
    kv = 2 * spec.kv_heads * spec.head_dim
    two_sided = spec.architecture == "encoder-decoder"
    stacks = 2 if two_sided else 1
    attention = d * (d + kv) + bias * (d + kv) + d * d + bias * d  # q, k, v; output
    into = (2 if spec.mlp == "swiglu" else 1) * spec.mlp_width
    mlp = d * into + bias * into + spec.mlp_width * d + bias * d
    return {
        "position embedding": spec.context_length * d if spec.position == "learned" else 0,
        "attention": stacks * layers * attention,
        "cross attention": layers * attention if two_sided else 0,
        "mlp": stacks * layers * mlp,
        "norms": (2 * stacks + two_sided) * layers * norm + (stacks * norm if spec.norm_position == "pre" else 0),
    }


def block_matrices(spec: Hyperparameters) -> int:
    """Parameters in the weight matrices of the layers: no biases, norms or embeddings.

    These are the matrices that the optimizer Muon orthogonalises, and most of a model's arithmetic.
    """
    if spec.architecture == "lstm-attention":
        return sum(_attentive_counts(spec, bias=0).values()) - spec.d_model  # the vector v of the scores
    if spec.is_recurrent:
        return _recurrent_counts(spec, bias=0)["recurrent"]
    counts = _transformer_counts(spec, bias=0, norm=0)
    return counts["attention"] + counts["cross attention"] + counts["mlp"]
