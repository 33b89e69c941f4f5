"""Models of transformers in our words: ``config.json`` as a `ModelSpec`, and weights under our names.

The inverse of `playground.huggingface.export_run`. What our models do not compute exactly is refused by name.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from models.spec import ModelSpec
from playground.core.errors import Message, PlaygroundError
from playground.huggingface import encoders
from playground.huggingface.encoders import Take, pair
from playground.huggingface.names import GPT2_MATRICES, GPT2_NORMS, LLAMA_MATRICES, LLAMA_NORMS, LLAMA_TOP
from playground.runs.old_keys import with_present_names

Config = Mapping[str, Any]

CLASSES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "llama",
    "GPT2LMHeadModel": "gpt2",
    **{kind: family for family, kin in encoders.KIN.items() for kind in kin.classes()},
}
TYPES = {
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "gpt2": "GPT2LMHeadModel",
    **{family: f"{kin.brand}Model" for family, kin in encoders.KIN.items()},
}
TOKENIZERS = {
    "gpt2": "GPT2Tokenizer",
    "bert": "BertTokenizer",
    "distilbert": "DistilBertTokenizer",
    "electra": "ElectraTokenizer",
    "roberta": "RobertaTokenizer",
}
"""Whose tokenizer a family had before there was tokenizer.json."""
READ = "Llama, Mistral, Qwen2, GPT-2, BERT, DistilBERT, RoBERTa, ELECTRA"
OWN = "lm-playground"
LONGEST = 2048  # tokens; rotary positions need no table, so a model for 128k tokens is exact at fewer
_GELU = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True)
class Found:
    """What a ``config.json`` describes.

    Attributes:
        kind: the class of transformers, or OWN.
        family: "llama", "gpt2", one of `encoders.KIN`, or OWN.
        biases: which matrices of a Llama have one: of "qkv", "output", "mlp".
        notes: sentences on what differs from the original.
        skipped: rows of the position table before that of a text's first token.
        has_head: whether the weights have a head that scores tokens.
    """

    kind: str
    family: str
    spec: ModelSpec
    biases: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: int = 0
    has_head: bool = True


def found_in(config: Config, context: int | None = None) -> Found:
    """What the config describes.

    Args:
        context: tokens to read at once, at most as many as the model can; None: all, or LONGEST where its positions are
            rotary.

    Raises:
        PlaygroundError, SpecError: when it is no such model, or computes what ours do not.
    """
    if config.get("model_type") == OWN:
        return _own(config)
    kind = _kind(config)
    family = CLASSES.get(kind) if isinstance(kind, str) else None
    if family is None:
        raise PlaygroundError(
            "Models of the kind {kind} cannot be read here.", "These can: {read}.", kind=kind, read=READ
        )
    if config.get("quantization_config"):
        raise PlaygroundError("The weights are quantized.", "Bring the original ones, in float32, bfloat16 or float16.")
    if family in encoders.KIN:
        return _encoder(config, kind, context, family)
    return {"llama": _llama, "gpt2": _gpt2}[family](config, kind, context)


def _kind(config: Config) -> Any:
    """The class of transformers; where none is named, that of its ``model_type``, which the oldest BERTs lack too."""
    named, told = config.get("architectures"), config.get("model_type")
    if isinstance(named, list) and named:
        return named[0]
    if (
        told is None
        and config.get("type_vocab_size") == 2
        and config.get("pad_token_id", 0) == 0
        and "hidden_size" in config
    ):
        return TYPES["bert"]
    return TYPES.get(told, told) if isinstance(told, str) else told or "?"


def _own(config: Config) -> Found:
    if "id2label" in config:
        raise PlaygroundError(
            "This export gives labels; it is not a language model to start from.",
            "Pack the run instead (python -m playground runs pack) and unpack it here.",
        )
    config, known = with_present_names("model", config), {f.name for f in fields(ModelSpec)}
    return Found(OWN, OWN, ModelSpec.from_dict({name: value for name, value in config.items() if name in known}))


def _whole(config: Config, name: str, default: int | None = None) -> int:
    value = config.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PlaygroundError(
            "config.json says {value!r} for {name}.", "It must be a whole number above 0.", value=value, name=name
        )
    return value


def _number(config: Config, name: str, default: float) -> float:
    value = config.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise PlaygroundError(
            "config.json says {value!r} for {name}.", "It must be a number above 0.", value=value, name=name
        )
    return float(value)


def _exactly(config: Config, kind: str, **wanted: Any) -> None:
    """Refuses a setting that our models cannot follow."""
    for name, value in wanted.items():
        said = config.get(name, value)
        if said not in (value, None):
            raise PlaygroundError(
                "This {kind} has {name} = {value!r}, which models here do not compute.",
                "Only {value_2!r} can be read.",
                kind=kind,
                name=name,
                value=said,
                value_2=value,
            )


def _activation(config: Config, name: str, default: str, known: Mapping[str, str]) -> str:
    said = config.get(name) or default
    if not isinstance(said, str) or said not in known:
        raise PlaygroundError(
            "The activation {said!r} of this model is not known here.",
            "Known for it: {known}.",
            said=said,
            known=", ".join(known),
        )
    return known[said]


def _shorter(longest: int, exact: int, context: int | None, usual: int) -> tuple[int, tuple[str, ...]]:
    """The context, and a sentence about it where it is not the longest one.

    Args:
        exact: how many tokens are read here as there.
    """
    if context is not None and not 1 <= context <= exact:
        raise PlaygroundError(
            "This model cannot read {context} tokens at once.", "Choose 1 to {exact}.", context=context, exact=exact
        )
    length = context or min(exact, usual)
    return length, () if length == longest else (
        Message(
            "Tokens that it reads at once here: {length:,} (it could read {longest:,}).", length=length, longest=longest
        ),
    )


def _llama(config: Config, kind: str, context: int | None) -> Found:
    """Also Mistral, whose attention is the same within its window, and Qwen2, with biases for q, k and v alone."""
    d, heads = _whole(config, "hidden_size"), _whole(config, "num_attention_heads")
    if config.get("head_dim") not in (None, d // heads):
        raise PlaygroundError(
            "The heads of this model have {head_dim} channels, and models here have {heads}.",
            "Choose one whose heads share the channels of the model (hidden_size / num_attention_heads).",
            head_dim=config["head_dim"],
            heads=d // heads,
        )
    _exactly(config, kind, pretraining_tp=1, partial_rotary_factor=1.0)
    _activation(config, "hidden_act", "silu", {"silu": "swiglu", "swish": "swiglu"})
    length = _whole(config, "max_position_embeddings", 2048)
    mistral = kind == "MistralForCausalLM"
    window = config.get("sliding_window", 4096) if mistral else config.get("sliding_window")
    exact = length
    if window and (mistral or config.get("use_sliding_window")):  # within the window, attention is the usual one
        exact = min(length, _whole({"sliding_window": window}, "sliding_window"))
    length, notes = _shorter(length, exact, context, LONGEST)
    qkv = kind == "Qwen2ForCausalLM" or bool(config.get("attention_bias"))
    biases = {"qkv": qkv, "output": bool(config.get("attention_bias")), "mlp": bool(config.get("mlp_bias"))}
    spec = ModelSpec(
        "decoder",
        vocab_size=_whole(config, "vocab_size"),
        d_model=d,
        n_layers=_whole(config, "num_hidden_layers"),
        context_length=length,
        tie_embeddings=bool(config.get("tie_word_embeddings", False)),
        n_heads=heads,
        n_kv_heads=_whole(config, "num_key_value_heads", 8 if mistral else heads),
        mlp="swiglu",
        d_mlp=_whole(config, "intermediate_size"),
        norm="rmsnorm",
        norm_eps=_number(config, "rms_norm_eps", 1e-6),
        bias=any(biases.values()),
        position="rotary",
        rope_theta=_theta(config),
    )
    return Found(kind, "llama", spec, tuple(name for name, there in biases.items() if there), notes)


def _theta(config: Config) -> float:
    """The base of the rotary positions; refuses all that stretch them."""
    said = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(said, Mapping):
        raise PlaygroundError("config.json does not say how the positions turn.", "Its rope_scaling is damaged.")
    how = said.get("rope_type") or said.get("type") or "default"
    if how != "default":
        raise PlaygroundError(
            "The rotary positions of this model are stretched ({how}), which models here do not compute.",
            "Choose one without rope_scaling, such as an earlier version of it.",
            how=how,
        )
    _exactly(said, "model", partial_rotary_factor=1.0)
    return _number({**config, **said}, "rope_theta", 10000.0)


def _gpt2(config: Config, kind: str, context: int | None) -> Found:
    _exactly(config, kind, scale_attn_weights=True, scale_attn_by_inverse_layer_idx=False, add_cross_attention=False)
    d = _whole(config, "n_embd", 768)
    longest = _whole(config, "n_positions", config.get("n_ctx") or 1024)
    length, notes = _shorter(longest, longest, context, longest)
    spec = ModelSpec(
        "decoder",
        vocab_size=_whole(config, "vocab_size"),
        d_model=d,
        n_layers=_whole(config, "n_layer", 12),
        n_heads=_whole(config, "n_head", 12),
        context_length=length,
        d_mlp=_whole(config, "n_inner", 4 * d),
        mlp=_activation(config, "activation_function", "gelu_new", _GELU),
        norm_eps=_number(config, "layer_norm_epsilon", 1e-5),
        tie_embeddings=bool(config.get("tie_word_embeddings", True)),
    )
    return Found(kind, "gpt2", spec, notes=notes)


def _encoder(config: Config, kind: str, context: int | None, family: str) -> Found:
    _exactly(config, kind, position_embedding_type="absolute", is_decoder=False, add_cross_attention=False)
    kin = encoders.KIN[family]
    size = lambda ours, usual: _whole(config, kin.sizes[ours], usual)
    d = size("d_model", 256 if family == "electra" else 768)
    narrow = _whole(config, "embedding_size", 128) if family == "electra" else d
    if narrow != d:
        raise PlaygroundError(
            "The tokens of this {kind} have {narrow} channels and its layers {wide}; models here have no matrix between the two.",
            "Bring one whose embedding_size is its hidden_size, such as an ELECTRA of the size base.",
            kind=kind,
            narrow=narrow,
            wide=d,
        )
    table = _whole(config, "max_position_embeddings", 512)
    skipped = _skipped(config) if family == "roberta" else 0
    if table <= skipped:
        raise PlaygroundError(
            "A table of {size} positions has none for a text: the first {skipped} are not used by such a model.",
            "config.json may be of another model.",
            size=table,
            skipped=skipped,
        )
    length, notes = _shorter(table - skipped, table - skipped, context, table)
    mlp = _activation(config, kin.sizes["act"], "gelu", _GELU | {"gelu_python": "gelu"})
    spec = ModelSpec(
        "encoder",
        vocab_size=_whole(config, "vocab_size"),
        d_model=d,
        n_layers=size("n_layers", 6 if family == "distilbert" else 12),
        n_heads=size("n_heads", 4 if family == "electra" else 12),
        context_length=length,
        d_mlp=size("d_mlp", 1024 if family == "electra" else 3072),
        norm_position="post",
        mlp=mlp,
        norm_eps=1e-12 if family == "distilbert" else _number(config, "layer_norm_eps", 1e-12),
        tie_embeddings=bool(config.get("tie_word_embeddings", True)),
        embedding_norm=True,
        head_transform=True,
        head_activation=mlp if kin.bent else "gelu",
    )
    return Found(kind, family, spec, notes=notes, skipped=skipped)


def _skipped(config: Config) -> int:
    """A RoBERTa counts positions from the one after its padding's, which has a row of its own."""
    name = "pad_token_id"
    pad = config.get(name, 1)
    if isinstance(pad, bool) or not isinstance(pad, int) or pad < 0:
        raise PlaygroundError(
            "config.json says {value!r} for {name}.", "It must be a whole number, 0 or above.", value=pad, name=name
        )
    return pad + 1


def with_what_is_there(found: Found, names: Collection[str]) -> Found:
    """An encoder with or without the head that scores hidden tokens, as the names of its weights tell.

    Weights of a class that is made to fill in words always need one; it is missed when they are read.
    """
    kin = encoders.KIN.get(found.family)
    if kin is None or kin.must_have_head(found.kind):
        return found
    notes = list(found.notes)
    if others := encoders.other_heads(names):
        notes.append(
            Message("Left out, as a new one is learnt here for each task: {others}.", others=", ".join(others))
        )
    if encoders.has_head(kin, names):
        return replace(found, notes=tuple(notes))
    notes.append(
        "It came without the head that fills in words. A new one is there, which knows nothing before it is trained."
    )
    return replace(found, spec=found.spec.replace(tie_embeddings=True), notes=tuple(notes), has_head=False)


# Weights

PREFIXES = {"llama": ("model.",), "gpt2": ("transformer.",), OWN: ()} | {
    family: (kin.prefix,) for family, kin in encoders.KIN.items()
}
_NEEDLESS = {
    "llama": ("rotary_emb.inv_freq",),
    "gpt2": (".attn.bias", ".attn.masked_bias"),  # the causal mask, kept as a tensor
    OWN: (),
}
_HEADS = ("lm_head.weight", *(kin.head["weight"] for kin in encoders.KIN.values()))
"""Copies of the token table, where it is tied."""


def plain_name(name: str, family: str) -> str:
    """A tensor's name without the prefix that some files have and others do not; LayerNorm in today's words."""
    for prefix in PREFIXES[family]:
        name = name.removeprefix(prefix)
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def is_needless(name: str, found: Found) -> bool:
    """Whether a tensor can be left out without changing a logit."""
    tied = found.spec.tie_embeddings and name in _HEADS
    kin = encoders.KIN.get(found.family)
    if kin is None:
        return tied or name.endswith(_NEEDLESS[found.family])
    other = not kin.must_have_head(found.kind) and name.startswith(encoders.OTHER_HEADS)
    return tied or other or name in (*encoders.NEEDLESS, *kin.head_bias[1:])


def first_names(names: Collection[str], found: Found) -> dict[str, str]:
    """Names that stand for another one, by that other one: the bias of a head has two, and files keep either.

    Where a file keeps both they are equal, but for a head of its own: there the decoder's is the one that is added.
    """
    kin = encoders.KIN.get(found.family)
    if kin is None or (found.spec.tie_embeddings and kin.head_bias[0] in names):
        return {}
    first, *others = kin.head_bias
    return dict((first, name) for name in others if name in names)


def renamed(found: Found, take: Take) -> dict[str, Tensor]:
    """The weights under our names.

    Raises:
        PlaygroundError: when one is missing or of another size than the config says.
    """
    to = {"llama": _llama_weights, "gpt2": _gpt2_weights, OWN: _own_weights}.get(found.family, _encoder_weights)
    made, shapes = to(found, take), _shapes(found.spec)
    for name, shape in shapes.items():
        if made[name].shape != shape:  # learned positions alone may be more than are needed, or fewer
            raise PlaygroundError(
                "The weights have {made} positions, and config.json asks for {asked}.",
                "The weights and config.json belong to different models.",
                made=len(made[name]),
                asked=shape[0],
            )
    return made


def _shapes(spec: ModelSpec) -> dict[str, torch.Size]:
    from models.factory import build

    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in build(spec).state_dict().items()}


def _own_weights(found: Found, take: Take) -> dict[str, Tensor]:
    return {name: take(name, *shape) for name, shape in _shapes(found.spec).items()}


def _encoder_weights(found: Found, take: Take) -> dict[str, Tensor]:
    return encoders.weights(encoders.KIN[found.family], found.spec, take, found.skipped, found.has_head)


def _llama_weights(found: Found, take: Take) -> dict[str, Tensor]:
    spec = found.spec
    d, kv, hidden = spec.d_model, spec.kv_heads * spec.head_dim, spec.mlp_width
    top = {"embedding.tokens": (spec.vocab_size, d), "norm": (d,)}
    made = {f"{ours}.weight": take(f"{theirs}.weight", *top[ours]) for ours, theirs in LLAMA_TOP.items()}
    if not spec.tie_embeddings:
        made["head.weight"] = take("lm_head.weight", spec.vocab_size, d)
    matrices = {  # of ours: which bias of `Found.biases`, the rows of each of theirs, and their columns
        "attention.qkv": ("qkv", (d, kv, kv), d),
        "attention.output": ("output", (d,), d),
        "mlp.up": ("mlp", (hidden, hidden), d),
        "mlp.down": ("mlp", (d,), hidden),
    }
    for i in range(spec.n_layers):
        at = f"layers.{i}."  # ours and theirs
        for ours, theirs in LLAMA_MATRICES.items():
            which, rows, columns = matrices[ours]
            parts = list(zip(theirs, rows, strict=True))
            made[f"{at}{ours}.weight"] = torch.cat([take(f"{at}{name}.weight", n, columns) for name, n in parts])
            if spec.bias:  # all matrices have one here, or none
                has = which in found.biases
                made[f"{at}{ours}.bias"] = torch.cat(
                    [take(f"{at}{name}.bias", n) if has else torch.zeros(n) for name, n in parts]
                )
        for ours, theirs in LLAMA_NORMS.items():
            made[f"{at}{ours}.weight"] = take(f"{at}{theirs}.weight", d)
    return made


def _gpt2_weights(found: Found, take: Take) -> dict[str, Tensor]:
    """GPT-2 keeps its matrices the other way round."""
    spec = found.spec
    d, hidden = spec.d_model, spec.mlp_width
    made = {"embedding.tokens.weight": take("wte.weight", spec.vocab_size, d)}
    made["embedding.positions.weight"] = take("wpe.weight", None, d)[: spec.context_length]
    if not spec.tie_embeddings:
        made["head.weight"] = take("lm_head.weight", spec.vocab_size, d)
    for i in range(spec.n_layers):
        at, to = f"h.{i}.", f"layers.{i}."
        sizes = {
            "attention.qkv": (d, 3 * d),
            "attention.output": (d, d),
            "mlp.up": (d, hidden),
            "mlp.down": (hidden, d),
        }
        for ours, theirs in GPT2_MATRICES.items():
            rows, columns = sizes[ours]
            made[f"{to}{ours}.weight"] = take(f"{at}{theirs}.weight", rows, columns).T.contiguous()
            made[f"{to}{ours}.bias"] = take(f"{at}{theirs}.bias", columns)
        for ours, theirs in GPT2_NORMS.items():
            made |= pair(take, f"{to}{ours}", f"{at}{theirs}", d)
    return made | pair(take, "norm", "ln_f", d)


def check_left(left: Iterable[str], found: Found) -> None:
    """Refuses tensors that the model would have used in a way that ours does not know."""
    unknown = sorted(name for name in left if not is_needless(name, found))
    if unknown:
        raise PlaygroundError(
            "The weights hold {unknown}, which a {kind} as config.json describes it does not have.",
            "The folder may hold files of two models, or of a changed one.",
            unknown=unknown[0],
            kind=found.kind,
        )
