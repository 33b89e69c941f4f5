"""Specs that a property test may draw, and models with parameters worth comparing."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from models import build
from models.hyperparameters import HEAD_ACTIVATIONS, MLPS, NORM_POSITIONS, NORMS, POSITIONS, RECURRENT, TRANSFORMERS
from models.spec import ModelSpec
from models.transformer import Source

_SHARED = {
    "vocab_size": st.integers(5, 40),
    "n_layers": st.integers(1, 3),
    "context_length": st.integers(6, 20),
    "tie_embeddings": st.booleans(),
    "bias": st.booleans(),
    "embedding_norm": st.booleans(),
    "head_transform": st.booleans(),
    "head_activation": st.sampled_from(HEAD_ACTIVATIONS),
    "norm": st.sampled_from(NORMS),
    "logit_softcap": st.sampled_from([None, 15.0]),
}


@st.composite
def transformer_specs(draw, architectures=TRANSFORMERS, positions=POSITIONS) -> ModelSpec:
    heads = draw(st.integers(1, 6))
    kv_heads = draw(st.sampled_from([n for n in range(1, heads + 1) if heads % n == 0]))
    return ModelSpec(
        draw(st.sampled_from(architectures)),
        n_heads=heads,
        n_kv_heads=draw(st.sampled_from([None, kv_heads])),
        d_model=heads * 2 * draw(st.integers(1, 4)),
        mlp=draw(st.sampled_from(MLPS)),
        d_mlp=draw(st.sampled_from([None, 24])),
        norm_position=draw(st.sampled_from(NORM_POSITIONS)),
        position=draw(st.sampled_from(positions)),
        qk_norm=draw(st.booleans()),
        **draw(st.fixed_dictionaries(_SHARED)),
    )


@st.composite
def recurrent_specs(draw, bidirectional=None) -> ModelSpec:
    both_ways = st.booleans() if bidirectional is None else st.just(bidirectional)
    return ModelSpec(
        draw(st.sampled_from(RECURRENT)),
        d_model=2 * draw(st.integers(1, 12)),
        nonlinearity=draw(st.sampled_from(["tanh", "relu"])),
        bidirectional=draw(both_ways),
        **draw(st.fixed_dictionaries(_SHARED)),
    )


def lively(spec: ModelSpec, seed: int = 0) -> nn.Module:
    """A model in double precision, in evaluation mode, with parameters so large that every choice shows."""
    torch.manual_seed(seed)
    model = build(spec).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.4).add_(1.0 if parameter.dim() == 1 else 0.0)
    return model


def tokens(spec: ModelSpec, batch: int, length: int) -> Tensor:
    return torch.randint(0, spec.vocab_size, (batch, length))


def source(model: nn.Module, batch: int, length: int = 5) -> dict[str, Source]:
    """What a forward pass needs besides the tokens: nothing, or a source text."""
    if not model.spec.reads_pairs:
        return {}
    return {"source": Source(tokens(model.spec, batch, length))}


@st.composite
def attentive_specs(draw) -> ModelSpec:
    return ModelSpec(
        "lstm-attention",
        d_model=2 * draw(st.integers(1, 12)),
        chrono_max_span=draw(st.sampled_from([None, 8]))
        if (shared := draw(st.fixed_dictionaries(_SHARED)))["bias"]
        else None,
        **shared,
    )


def specs() -> st.SearchStrategy[ModelSpec]:
    return transformer_specs() | recurrent_specs() | attentive_specs()
