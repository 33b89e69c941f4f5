"""BERT and its kin, which compute the same under other names: DistilBERT, RoBERTa, and ELECTRA's discriminator."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.spec import ModelSpec
from playground.huggingface.names import BERT_LAYER, BERT_QKV

Take = Callable[..., Tensor]
"""``take(name, *shape)``: one tensor in float32; refuses one that is missing or of another shape."""
TASKS = (
    "MaskedLM",
    "PreTraining",
    "SequenceClassification",
    "TokenClassification",
    "QuestionAnswering",
    "MultipleChoice",
    "NextSentencePrediction",
)


@dataclass(frozen=True)
class Kin:
    """What one kind of encoder calls its parts, without the prefix that some files have.

    Attributes:
        brand: what its classes are called by, such as "Bert" in BertForMaskedLM.
        prefix: before the names of the body.
        layers: before the number of a layer.
        qkv: the matrices for queries, keys and values of a layer.
        parts: of a layer, by our names.
        types: whether texts have a type, whose vector is added to every token.
        head: of what scores hidden tokens, by our names.
        head_bias: the names that its bias may have.
        sizes: what ``config.json`` calls its sizes.
        bent: whether the head bends as the rest does; else by GELU.
        with_head: classes that always have that head.
    """

    brand: str
    prefix: str
    layers: str = "encoder.layer."
    qkv: tuple[str, str, str] = BERT_QKV
    parts: dict[str, str] = field(default_factory=lambda: dict(BERT_LAYER))
    types: bool = True
    head: dict[str, str] = field(default_factory=dict)
    head_bias: tuple[str, ...] = ()
    sizes: dict[str, str] = field(
        default_factory=lambda: {
            "d_model": "hidden_size",
            "n_layers": "num_hidden_layers",
            "n_heads": "num_attention_heads",
            "d_mlp": "intermediate_size",
            "act": "hidden_act",
        }
    )
    bent: bool = False
    with_head: tuple[str, ...] = ("MaskedLM",)

    def classes(self) -> tuple[str, ...]:
        """The classes of transformers that have this body."""
        return (f"{self.brand}Model", *(f"{self.brand}For{task}" for task in TASKS))

    def must_have_head(self, kind: str) -> bool:
        return kind.removeprefix(f"{self.brand}For") in self.with_head


BERT = Kin(
    "Bert",
    "bert.",
    bent=True,
    with_head=("MaskedLM", "PreTraining"),
    head={
        "dense": "cls.predictions.transform.dense",
        "norm": "cls.predictions.transform.LayerNorm",
        "weight": "cls.predictions.decoder.weight",
    },
    head_bias=("cls.predictions.bias", "cls.predictions.decoder.bias"),
)
DISTILBERT = Kin(
    "DistilBert",
    "distilbert.",
    layers="transformer.layer.",
    bent=True,
    types=False,
    qkv=("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    parts={
        "attention.output": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "mlp.up": "ffn.lin1",
        "mlp.down": "ffn.lin2",
        "mlp_norm": "output_layer_norm",
    },
    head={"dense": "vocab_transform", "norm": "vocab_layer_norm", "weight": "vocab_projector.weight"},
    head_bias=("vocab_projector.bias",),
    sizes={"d_model": "dim", "n_layers": "n_layers", "n_heads": "n_heads", "d_mlp": "hidden_dim", "act": "activation"},
)
ROBERTA = Kin(
    "Roberta",
    "roberta.",
    head={"dense": "lm_head.dense", "norm": "lm_head.layer_norm", "weight": "lm_head.decoder.weight"},
    head_bias=("lm_head.bias", "lm_head.decoder.bias"),
)
ELECTRA = Kin(
    "Electra",
    "electra.",
    head={
        "dense": "generator_predictions.dense",
        "norm": "generator_predictions.LayerNorm",
        "weight": "generator_lm_head.weight",
    },
    head_bias=("generator_lm_head.bias",),
)
KIN = {"bert": BERT, "distilbert": DISTILBERT, "roberta": ROBERTA, "electra": ELECTRA}
NEEDLESS = (
    "embeddings.position_ids",
    "pooler.dense.weight",
    "pooler.dense.bias",
    "cls.seq_relationship.weight",
    "cls.seq_relationship.bias",
)
OTHER_HEADS = ("classifier.", "pre_classifier.", "qa_outputs.", "discriminator_predictions.")
"""Heads for a task of their own; ours learns a new one for each task."""


def other_heads(names: Iterable[str]) -> list[str]:
    """Which heads the file has for other tasks."""
    return sorted({name.split(".")[0] for name in names if name.startswith(OTHER_HEADS)})


def has_head(kin: Kin, names: Iterable[str]) -> bool:
    """Whether any of the file's tensors belongs to the head that scores hidden tokens."""
    ours = (f"{kin.head['dense']}.", f"{kin.head['norm']}.", *kin.head_bias)
    return any(name.startswith(ours) for name in names)


def weights(kin: Kin, spec: ModelSpec, take: Take, skipped: int, head: bool) -> dict[str, Tensor]:
    """The weights under our names.

    Texts are always of type 0 here: its vector, which is added to every token, is added to the positions.

    Args:
        skipped: rows of the position table before that of a text's first token.
        head: whether the file has a head that scores hidden tokens; a new one starts as BERT's did.
    """
    d, hidden, e = spec.d_model, spec.mlp_width, "embeddings."
    positions = take(f"{e}position_embeddings.weight", None, d)[skipped : skipped + spec.context_length]
    if kin.types:
        positions = positions + take(f"{e}token_type_embeddings.weight", None, d)[0]
    made = {
        "embedding.tokens.weight": take(f"{e}word_embeddings.weight", spec.vocab_size, d),
        "embedding.positions.weight": positions,
    }
    made |= pair(take, "embedding.norm", f"{e}LayerNorm", d)
    made |= _head(kin, spec, take) if head else _new_head(spec)
    for i in range(spec.n_layers):
        at, to = f"{kin.layers}{i}.", f"layers.{i}."
        for kind, shape in (("weight", (d, d)), ("bias", (d,))):
            made[f"{to}attention.qkv.{kind}"] = torch.cat([take(f"{at}{name}.{kind}", *shape) for name in kin.qkv])
        shapes = {"attention.output": (d, d), "mlp.up": (hidden, d), "mlp.down": (d, hidden)}
        for ours, theirs in kin.parts.items():
            made |= pair(take, f"{to}{ours}", f"{at}{theirs}", *shapes.get(ours, (d,)))
    return made


def _head(kin: Kin, spec: ModelSpec, take: Take) -> dict[str, Tensor]:
    d, v = spec.d_model, spec.vocab_size
    made = {"head.bias": take(kin.head_bias[0], v)}
    if not spec.tie_embeddings:
        made["head.weight"] = take(kin.head["weight"], v, d)
    return made | pair(take, "head.norm", kin.head["norm"], d) | pair(take, "head.dense", kin.head["dense"], d, d)


def _new_head(spec: ModelSpec) -> dict[str, Tensor]:
    """The same each time: a model that is brought twice is the same twice."""
    d, chance = spec.d_model, torch.Generator().manual_seed(0)
    return {
        "head.dense.weight": 0.02 * torch.randn(d, d, generator=chance),
        "head.dense.bias": torch.zeros(d),
        "head.norm.weight": torch.ones(d),
        "head.norm.bias": torch.zeros(d),
        "head.bias": torch.zeros(spec.vocab_size),
    }


def pair(take: Take, ours: str, theirs: str, *shape: int) -> dict[str, Tensor]:
    """A weight and its bias."""
    return {f"{ours}.weight": take(f"{theirs}.weight", *shape), f"{ours}.bias": take(f"{theirs}.bias", shape[0])}
