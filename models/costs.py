"""What a model costs, from its spec alone: parameters exactly, memory and arithmetic by plain formulas."""

from dataclasses import dataclass

from models.parameter_counts import block_matrices, parameter_counts
from models.spec import ModelSpec, SpecError


@dataclass(frozen=True)
class Memory:
    """Bytes.

    Attributes:
        weights, gradients, optimizer, activations: what training holds.
        training: their sum.
        inference: weights and KV cache (or recurrent state).
        kv_cache: keys and values of a full context, for the whole batch.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    training: int
    inference: int
    kv_cache: int


def memory(spec: ModelSpec, batch_size: int, optimizer: str = "adamw", dtype_bytes: int = 4) -> Memory:
    """The memory that training and inference need, in bytes, for batches of full contexts.

    Weights and gradients: parameters × `dtype_bytes`. Optimizer, in float32: AdamW two moments (8 bytes per
    parameter), SGD one momentum (4), Muon one for the block matrices and AdamW's two for the rest.
    Activations: the values kept for the backward pass, see `activation_values`. Fragmentation, temporary
    buffers and the program itself come on top.
    """
    counts = parameter_counts(spec)
    total = sum(counts.values())
    weights = total * dtype_bytes
    slots = {"adamw": 2 * total, "sgd": total, "muon": 2 * total - block_matrices(spec)}
    if optimizer not in slots:
        raise SpecError(
            "{optimizer!r} is not an optimizer here.",
            "Choose one of {known}.",
            optimizer=optimizer,
            known=", ".join(slots),
        )
    state = 4 * slots[optimizer]
    activations = batch_size * spec.context_length * activation_values(spec) * dtype_bytes
    cache = _state_values(spec) * batch_size * dtype_bytes
    return Memory(weights, weights, state, activations, 2 * weights + state + activations, weights + cache, cache)


def activation_values(spec: ModelSpec) -> int:
    """Values kept for the backward pass, per token (per source and target token, for a model of pairs).

    Per layer, with d channels: two norms keep their inputs and outputs (4d; 6d with cross attention),
    attention its queries, keys, values and result, the MLP its hidden values before, between and after the
    activation. On top: the embeddings, the last norm, and the logits twice (as they are and as
    probabilities). Dropout keeps its masks, and makes attention keep three length × length matrices a head.
    What torch's recurrent kernels keep is measured.
    """
    d, v, dropping = spec.d_model, spec.vocab_size, spec.dropout > 0
    ends = (2 + dropping) * d + 2 * v + (v if spec.logit_softcap else 0) + (4 * d if spec.head_transform else 0)
    if (
        spec.architecture == "lstm-attention"
    ):  # measured too; the alignment keeps tanh(W s + U h) of every pair of tokens
        return 2 * ends - 2 * v + (spec.context_length + (40 + 2 * dropping) * spec.n_layers - 6) * d
    if spec.is_recurrent:
        return ends + spec.n_layers * ({"rnn": 1, "lstm": 16, "gru": 7}[spec.architecture] + dropping) * d
    kv = spec.kv_heads * spec.head_dim
    turned = (d + kv) * ((spec.position == "rotary") + spec.qk_norm)
    dropped = dropping * 3 * spec.n_heads * spec.context_length
    attention = 2 * d + 2 * kv + turned + dropped
    mlp = spec.mlp_width * {"gelu": 2, "gelu_tanh": 2, "relu": 1, "relu2": 2, "swiglu": 4}[spec.mlp]
    layer = (4 + 2 * dropping) * d + attention + mlp
    if spec.architecture == "encoder-decoder":
        cross = (4 + dropping) * d + 2 * kv + dropped
        return 2 * ends - 2 * v + spec.n_layers * (2 * layer + cross)
    return ends + spec.n_layers * layer


def _state_values(spec: ModelSpec) -> int:
    """Numbers in the state (the KV cache, or the recurrent state) of one text of full context."""
    if spec.architecture == "lstm-attention":  # hidden states and cells; annotations and keys of the source
        return 2 * spec.d_model * (spec.n_layers + spec.context_length)
    if spec.is_recurrent:
        return 0 if spec.bidirectional else spec.n_layers * spec.d_model * (2 if spec.architecture == "lstm" else 1)
    if spec.architecture == "encoder":
        return 0
    sides = 2 if spec.architecture == "encoder-decoder" else 1  # its own keys and values, and the source's
    return sides * 2 * spec.n_layers * spec.kv_heads * spec.head_dim * spec.context_length


@dataclass(frozen=True)
class Flops:
    """Floating-point operations for one token; a multiplication and the addition after it are two.

    Attributes:
        forward: for the forward pass.
        training: for learning from it: forward, and twice as much backward.
    """

    forward: int
    training: int


def flops_per_token(spec: ModelSpec, length: int | None = None) -> Flops:
    """Floating-point operations per token in a text of `length` tokens (by default a full context).

    Each matrix parameter costs 2; attention costs 4·length·d_model per layer, 2 for the scores and 2 for the
    mix, counting all keys as is the custom (Chowdhery et al. 2022, appendix B), though causal kernels skip
    half; additive attention 2 for its scores and 2 for the mix, in one layer. Norms, activations and the softmax are left out. For a model of pairs: one target token and one
    source token.
    """
    length = length or spec.context_length
    d = spec.d_model
    matrices = spec.vocab_size * d + (d * d if spec.head_transform else 0) + block_matrices(spec)
    looks = 0
    if spec.architecture == "lstm-attention":
        start = spec.n_layers * d * (d // 2)  # once a text
        looks = 4 * length * d - 2 * start + 2 * start // length
    elif not spec.is_recurrent:
        looks = (3 if spec.architecture == "encoder-decoder" else 1) * spec.n_layers * 4 * length * d
    forward = 2 * matrices + looks
    return Flops(forward, 3 * forward)
