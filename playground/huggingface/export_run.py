"""The folder that other software loads: our weights under the names of a known architecture, and its configuration."""

from typing import Any

import numpy as np

from models.spec import ModelSpec
from playground.huggingface.names import (
    BERT_LAYER,
    BERT_QKV,
    GPT2_MATRICES,
    GPT2_NORMS,
    LLAMA_MATRICES,
    LLAMA_NORMS,
    LLAMA_TOP,
    TAG_HEADS,
    Weights,
)

PLAIN = {"qk_norm": False, "logit_softcap": None, "head_activation": "gelu"}
FAMILIES = {
    "llama": PLAIN
    | {
        "architecture": "decoder",
        "norm": "rmsnorm",
        "norm_position": "pre",
        "position": "rotary",
        "mlp": "swiglu",
        "bias": False,
        "embedding_norm": False,
        "head_transform": False,
    },
    "gpt2": PLAIN
    | {
        "architecture": "decoder",
        "norm": "layernorm",
        "norm_position": "pre",
        "position": "learned",
        "mlp": "gelu",
        "bias": True,
        "embedding_norm": False,
        "head_transform": False,
        "tie_embeddings": True,
    },
    "bert": PLAIN
    | {
        "architecture": "encoder",
        "norm": "layernorm",
        "norm_position": "post",
        "position": "learned",
        "mlp": "gelu",
        "bias": True,
        "embedding_norm": True,
        "head_transform": True,
        "tie_embeddings": True,
    },
}
CLASSES = {"llama": "LlamaForCausalLM", "gpt2": "GPT2LMHeadModel", "bert": "BertForMaskedLM"}
TAGGERS = {
    "llama": "LlamaForTokenClassification",
    "gpt2": "GPT2ForTokenClassification",
    "bert": "BertForTokenClassification",
}
"""Heads for tags are a matrix and a bias there as here. Those for the class of a text are not: BERT puts a dense layer with
tanh before it, GPT-2 and Llama have no bias and read the last token."""


def family_of(spec: ModelSpec) -> str | None:
    """ "llama", "gpt2" or "bert" where the model is one of them to the letter; None for a mix of one's own."""
    if spec.mlp == "gelu_tanh" and spec.architecture == "decoder":  # a GPT-2 may have either
        spec = spec.replace(mlp="gelu")
    for name, needed in FAMILIES.items():
        if all(getattr(spec, field) == value for field, value in needed.items()):
            if name == "gpt2" and spec.kv_heads != spec.n_heads:
                continue
            return name
    return None


def config(spec: ModelSpec, family: str, ids: tuple[int, int, int, int], task: str = "") -> dict[str, Any]:
    """``config.json`` of transformers."""
    pad, bos, eos, _ = ids
    common = {
        "architectures": [(TAGGERS if task else CLASSES)[family]],
        "model_type": family,
        "vocab_size": spec.vocab_size,
        "torch_dtype": "float32",
        "pad_token_id": pad,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "tie_word_embeddings": spec.tie_embeddings,
    }
    if family == "gpt2":
        return common | {
            "n_embd": spec.d_model,
            "n_layer": spec.n_layers,
            "n_head": spec.n_heads,
            "n_positions": spec.context_length,
            "n_inner": spec.mlp_width,
            "layer_norm_epsilon": spec.norm_eps,
            "activation_function": "gelu_new" if spec.mlp == "gelu_tanh" else "gelu",
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        }
    sizes = {
        "hidden_size": spec.d_model,
        "num_hidden_layers": spec.n_layers,
        "num_attention_heads": spec.n_heads,
        "intermediate_size": spec.mlp_width,
        "max_position_embeddings": spec.context_length,
    }
    if family == "llama":
        return (
            common
            | sizes
            | {
                "num_key_value_heads": spec.kv_heads,
                "head_dim": spec.head_dim,
                "hidden_act": "silu",
                "rms_norm_eps": spec.norm_eps,
                "rope_theta": spec.rope_theta,
                "attention_bias": False,
                "mlp_bias": False,
            }
        )
    return (
        common
        | sizes
        | {
            "hidden_act": "gelu",
            "layer_norm_eps": spec.norm_eps,
            "type_vocab_size": 2,
            "position_embedding_type": "absolute",
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        }
    )


def renamed(spec: ModelSpec, weights: Weights, family: str, task: str = "") -> Weights:
    """The weights as transformers calls them; of a tagger (``task`` "tag") with its head."""
    to = {"llama": _llama, "gpt2": _gpt2, "bert": _bert}[family]
    if not task:
        return to(spec, weights)
    body = {name.removeprefix("body."): value for name, value in weights.items() if name.startswith("body.")}
    made = {name: value for name, value in to(spec, body).items() if not name.startswith(("lm_head.", "cls."))}
    head = TAG_HEADS[family]
    return made | {f"{head}.{kind}": weights[f"head.tags.{kind}"] for kind in ("weight", "bias")}


def _split(spec: ModelSpec, qkv: np.ndarray) -> list[np.ndarray]:
    h, kv = spec.n_heads * spec.head_dim, spec.kv_heads * spec.head_dim
    return np.split(qkv, [h, h + kv])


def _llama(spec: ModelSpec, w: Weights) -> Weights:
    made = {f"model.{theirs}.weight": w[f"{ours}.weight"] for ours, theirs in LLAMA_TOP.items()}
    if "head.weight" in w:
        made["lm_head.weight"] = w["head.weight"]
    for i in range(spec.n_layers):
        for ours, theirs in LLAMA_MATRICES.items():
            weight = w[f"layers.{i}.{ours}.weight"]
            parts = _split(spec, weight) if ours == "attention.qkv" else np.split(weight, len(theirs))
            for name, part in zip(theirs, parts, strict=True):
                made[f"model.layers.{i}.{name}.weight"] = part
        for ours, theirs in LLAMA_NORMS.items():
            made[f"model.layers.{i}.{theirs}.weight"] = w[f"layers.{i}.{ours}.weight"]
    return made


def _gpt2(spec: ModelSpec, w: Weights) -> Weights:
    """GPT-2 keeps its matrices the other way round."""
    made = {
        "transformer.wte.weight": w["embedding.tokens.weight"],
        "transformer.wpe.weight": w["embedding.positions.weight"],
    }
    for i in range(spec.n_layers):
        for ours, theirs in (GPT2_NORMS | GPT2_MATRICES).items():
            weight = w[f"layers.{i}.{ours}.weight"]
            made[f"transformer.h.{i}.{theirs}.weight"] = weight.T if weight.ndim == 2 else weight
            made[f"transformer.h.{i}.{theirs}.bias"] = w[f"layers.{i}.{ours}.bias"]
    return made | {"transformer.ln_f.weight": w["norm.weight"], "transformer.ln_f.bias": w["norm.bias"]}


def _bert(spec: ModelSpec, w: Weights) -> Weights:
    e, t = "bert.embeddings.", "cls.predictions.transform."
    made = {
        f"{e}word_embeddings.weight": w["embedding.tokens.weight"],
        f"{e}position_embeddings.weight": w["embedding.positions.weight"],
        f"{e}token_type_embeddings.weight": np.zeros((2, spec.d_model), dtype=np.float32),
        "cls.predictions.bias": w["head.bias"],
    }
    for kind in ("weight", "bias"):
        made[f"{e}LayerNorm.{kind}"] = w[f"embedding.norm.{kind}"]
        made[f"{t}dense.{kind}"] = w[f"head.dense.{kind}"]
        made[f"{t}LayerNorm.{kind}"] = w[f"head.norm.{kind}"]
    for i in range(spec.n_layers):
        for kind in ("weight", "bias"):
            for name, part in zip(BERT_QKV, _split(spec, w[f"layers.{i}.attention.qkv.{kind}"]), strict=True):
                made[f"bert.encoder.layer.{i}.{name}.{kind}"] = part
            for ours, theirs in BERT_LAYER.items():
                made[f"bert.encoder.layer.{i}.{theirs}.{kind}"] = w[f"layers.{i}.{ours}.{kind}"]
    return made
