"""Exports of small models with random weights, as folders, without a run around them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import onnx
import pytest
import torch

from models.factory import build
from models.presets import PRESETS
from models.spec import ModelSpec
from playground import gallery
from playground.inference.export_manifest import MANIFEST, ExportManifest, graph_file
from playground.onnx_export import quantize, verify
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export, graphs_of, write_fused
from playground.onnx_export.fused import can_be_fused

SMALL = {"vocab_size": 50, "d_model": 32, "n_layers": 2, "n_heads": 2, "context_length": 24}
DECODERS = {
    "gpt2": ModelSpec("decoder", **SMALL),
    "gpt2, as published": ModelSpec("decoder", **SMALL, mlp="gelu_tanh"),
    "llama": PRESETS["llama-tiny"].spec.replace(**SMALL),
    "modern": PRESETS["modern-tiny"].spec.replace(**SMALL, zero_init=False),
    "grouped": ModelSpec("decoder", **SMALL, n_kv_heads=1, position="rotary", qk_norm=True),
    "alibi": ModelSpec("decoder", **SMALL, position="alibi"),
    "alibi, grouped": ModelSpec("decoder", **SMALL, position="alibi", n_kv_heads=1),
    "sinusoidal, post-norm": ModelSpec("decoder", **SMALL, position="sinusoidal", norm_position="post", mlp="relu"),
    "none, no bias": ModelSpec("decoder", **SMALL, position="none", bias=False),
    "gelu by tanh": ModelSpec("decoder", **SMALL, mlp="gelu_tanh"),
    "head transform": ModelSpec("decoder", **SMALL, head_transform=True, embedding_norm=True),
}
ENCODERS = {
    "bert": PRESETS["bert-tiny"].spec.replace(**SMALL),
    "bert, bent by tanh": PRESETS["bert-tiny"].spec.replace(**SMALL, mlp="gelu_tanh", head_activation="gelu_tanh"),
    "bert, bent by relu": PRESETS["bert-tiny"].spec.replace(**SMALL, mlp="relu", head_activation="relu"),
    "rotary": PRESETS["bert-tiny"].spec.replace(**SMALL, position="rotary"),
    "alibi, pre-norm": ModelSpec("encoder", **SMALL, position="alibi"),
}
PAIRS = {
    "as published": PRESETS["seq2seq-tiny"].spec.replace(**SMALL),
    "pre-norm, rotary, qk-norm": ModelSpec("encoder-decoder", **SMALL, position="rotary", qk_norm=True, norm="rmsnorm"),
    "learned, grouped, no bias": ModelSpec("encoder-decoder", **SMALL, n_kv_heads=1, bias=False),
    "alibi, swiglu": ModelSpec("encoder-decoder", **SMALL, position="alibi", mlp="swiglu"),
}
ATTENTIVE = {
    "lstm-attention": ModelSpec("lstm-attention", **SMALL),
    "one layer, no bias": ModelSpec("lstm-attention", **SMALL | {"n_layers": 1}, bias=False),
    "untied, normed, capped": ModelSpec(
        "lstm-attention", **SMALL, tie_embeddings=False, embedding_norm=True, head_transform=True, logit_softcap=15.0
    ),
}


@torch.no_grad()
def lively(spec: ModelSpec, times: float = 4.0) -> torch.nn.Module:
    """Random weights, so many times as large as at the beginning of a training that what is likeliest is so by far."""
    torch.manual_seed(3)
    model = build(spec).eval()
    for weight in model.parameters():
        if weight.ndim == 2:
            weight *= times
    return model


def built(spec: ModelSpec) -> torch.nn.Module:
    """A model with the random weights of a beginning, the same at every call."""
    torch.manual_seed(5)
    return build(spec).eval()


def recurrent_spec(kind: str, bidirectional: bool, bias: bool) -> ModelSpec:
    """A small recurrent model; an RNN with biases has ReLU, so that both its nonlinearities are tried."""
    changes = {"nonlinearity": "relu"} if kind == "rnn" and bias else {}
    return ModelSpec(kind, **SMALL, bidirectional=bidirectional, bias=bias, **changes)


def assert_graphs_agree(model: torch.nn.Module, folder: Path, graphs: dict[str, onnx.ModelProto]) -> None:
    """Saves the graphs by their file names; `verify.check_graph` must find torch's logits in every shape that it tries."""
    for name, graph in graphs.items():
        quantize.save(graph, folder / name)
    checks = list(verify.check_graph(model, folder))
    assert len(checks) >= 4 and all(check.agrees for check in checks), [c for c in checks if not c.agrees]


def about_of(spec: ModelSpec, objective: str = "clm") -> ExportManifest:
    sizes = (spec.n_layers, spec.kv_heads, spec.head_dim, spec.d_model, spec.vocab_size, spec.context_length)
    return ExportManifest(spec.architecture, *sizes, spec.position, objective, spec.reads_pairs, (0, 1, 2, 3))


def write_export(
    model: torch.nn.Module, folder: Path, precisions: tuple[str, ...] = ("fp32",), fused: bool = True
) -> Path:
    """All files that an engine or a reader opens."""
    spec, weights = model.spec, state_of(model)
    folder.mkdir(exist_ok=True)
    objective = "mlm" if spec.architecture == "encoder" else "clm"
    (folder / MANIFEST).write_text(json.dumps(asdict(about_of(spec, objective))))
    for precision in precisions:
        native = not (spec.is_recurrent and precision in quantize.BITS)
        for name, graph in graphs_of(model, weights, attentions=precision == "fp32", native=native).items():
            quantize.save(quantize.quantize_weights(graph, precision), graph_file(folder, name, precision))
    if fused and can_be_fused(spec):
        write_fused(spec, weights, folder, list(precisions))
    return folder


def home_with_exports(path: Path, names: Iterable[str]) -> Path:
    """A home in which these shipped runs are exported."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PLAYGROUND_HOME", str(path))
        for name in names:
            export(gallery.get(name))
    return path
