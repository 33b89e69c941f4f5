"""Exports of small models with random weights, as folders, without a run around them."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from models.factory import build
from models.spec import ModelSpec
from playground import gallery
from playground.inference.export_manifest import MANIFEST, ExportManifest, graph_file
from playground.onnx_export import quantize
from playground.onnx_export.decoder_graphs import state_of
from playground.onnx_export.export import export, graphs_of, write_fused
from playground.onnx_export.fused import can_be_fused

SMALL = {"vocab_size": 50, "d_model": 32, "n_layers": 2, "n_heads": 2, "context_length": 24}


@torch.no_grad()
def lively(spec: ModelSpec, times: float = 4.0) -> torch.nn.Module:
    """Random weights, so many times as large as at the beginning of a training that what is likeliest is so by far."""
    torch.manual_seed(3)
    model = build(spec).eval()
    for weight in model.parameters():
        if weight.ndim == 2:
            weight *= times
    return model


def about_of(spec: ModelSpec, objective: str = "clm") -> ExportManifest:
    sizes = (spec.n_layers, spec.kv_heads, spec.head_dim, spec.d_model, spec.vocab_size, spec.context_length)
    return ExportManifest(
        spec.architecture, *sizes, spec.position, objective, spec.architecture == "encoder-decoder", (0, 1, 2, 3)
    )


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
