"""Exports without a run around them: the files that an engine reads, and no more."""

import json
from pathlib import Path

import torch
from torch import nn

from models.factory import build
from models.heads import ModelWithHead
from models.spec import ModelSpec
from playground.inference.engine import MANIFEST, graph_file
from playground.onnx_export import quantize
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import graphs_of, is_fused, write_fused
from playground.onnx_export.fused import fused_decoder
from playground.onnx_export.package import task_of

IDS = (0, 1, 2, 3)  # <pad>, <bos>, <eos>, <mask>
LIVELY = (
    2  # × the first weights: with 3, sharp attention makes differences of 2 % out of 16-bit rounding, with 2 of 0.3 %
)
WHOLE_SCALES = 30_000_000  # parameters up to which a cache in 8 bits is measured: on CUDA it becomes 16 bits anyway


@torch.no_grad()
def lively(spec: ModelSpec) -> nn.Module:
    """A model with random weights, large enough that its text varies; token 0 never comes."""
    torch.manual_seed(0)
    model = build(spec).eval()
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            weight *= LIVELY
        if name in ("embedding.tokens.weight", "head.weight"):
            weight[0] = 0
    return model


def write_about(model: nn.Module, folder: Path, labels: int = 0) -> None:
    """``playground.json``: what an engine has to know."""
    spec = model.spec
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "architecture": spec.architecture,
        "n_layers": spec.n_layers,
        "n_kv_heads": spec.kv_heads,
        "head_dim": spec.head_dim,
        "d_model": spec.d_model,
        "vocab_size": spec.vocab_size,
        "context_length": spec.context_length,
        "position": "none" if spec.is_recurrent else spec.position,
        "objective": spec.objectives()[0],
        "pairs": spec.architecture == "encoder-decoder",
        "ids": IDS,
        "task": task_of(model),
        "labels": [f"label {i}" for i in range(labels)],
    }
    (folder / MANIFEST).write_text(json.dumps(about), encoding="utf-8")


def write_decoder(model: nn.Module, folder: Path, precisions: list[str]) -> None:
    """A decoder that continues text, as its fast graph alone."""
    write_about(model, folder)
    spec, weights = model.spec, state_of(model)
    if sum(weight.size for weight in weights.values()) <= WHOLE_SCALES:
        write_fused(spec, weights, folder, precisions)
        return
    whole = fused_decoder(spec, weights)
    for precision in precisions:
        quantize.save(quantize.quantize_weights(whole, precision), folder / f"fused.{precision}.onnx")


def write_all(model: nn.Module, folder: Path, precisions: list[str], labels: int = 0, attentions: bool = False) -> None:
    """Every graph that an export of this model has."""
    write_about(model, folder, labels)
    weights = state_of(model)
    for precision in precisions:
        native = not (model.spec.is_recurrent and precision in quantize.BITS)
        for name, graph in graphs_of(model, weights, attentions, native).items():
            quantize.save(quantize.quantize_weights(graph, precision), graph_file(folder, name, precision))
    if is_fused(model) and not isinstance(model, ModelWithHead):
        write_fused(model.spec, weights, folder, precisions)
