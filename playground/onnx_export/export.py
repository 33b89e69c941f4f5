"""Exporting a run to a folder that other software can load. It is verified before it takes the place of an older one."""

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import onnx

from models.heads import ModelWithHead
from models.language_model import AnyModel, LanguageModel
from models.spec import ModelSpec
from playground.core.atomic import disk_errors
from playground.core.errors import Message, PlaygroundError, to_json
from playground.core.paths import umask
from playground.inference.engine import MANIFEST, ExportManifest, graph_file
from playground.inference.exports import REPORT, Exported, exported, folder_of  # noqa: F401 (asked for here, too)
from playground.onnx_export import package, quantize, verify
from playground.onnx_export.attentive_graphs import attentive_decoder, attentive_encoder
from playground.onnx_export.decoder_graphs import decoder, encoder, source_encoder, state_of, target_decoder
from playground.onnx_export.finetuned_graphs import reader
from playground.onnx_export.fused import can_be_fused, can_keep_8_bits, fused_decoder
from playground.onnx_export.kv_cache_calibration import cache_scales
from playground.onnx_export.layers import Weights
from playground.onnx_export.rnn_graphs import recurrent
from playground.runs.folder import RunFolder
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import labels_of, load_model

Progress = Callable[[str, float], None]


class Cancelled(PlaygroundError):
    """The person stopped the export; nothing of it is left."""


def export(
    run: RunFolder,
    step: int | None = None,
    precisions: Iterable[str] = ("fp32",),
    attentions: bool = False,
    to: Path | None = None,
    offline_demo: bool = False,
    progress: Progress = lambda what, share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Exports a run.

    Args:
        step: which checkpoint; None takes the latest.
        precisions: keys of `quantize.PRECISIONS`; fp32 is always made.
        attentions: also output the attention weights of every layer, in the graph of standard operators.
        to: the folder; None: the usual one, see `inference.exports.folder_of`.
        offline_demo: put ONNX Runtime into the demo page too, fetched from npm.
        progress: called before each part with its name and the share (0 to 1) that is done.
        cancelled: asked before each part; True ends the export.

    Returns:
        The export: its folder and its report.

    Raises:
        Cancelled: when ``cancelled`` said so; nothing is left.
        PlaygroundError: when the run cannot be exported, the graph does not agree with torch, or the disk is full;
            what was there before stays.
    """
    began = time.perf_counter()
    unknown = set(precisions) - set(quantize.PRECISIONS)
    if unknown:
        raise PlaygroundError(
            "There is no precision {unknown}.",
            "Choose among {rivals}.",
            unknown=sorted(unknown)[0],
            rivals=", ".join(quantize.PRECISIONS),
        )
    if not run.tokenizer_path.exists():
        raise PlaygroundError(
            "{name} has no tokenizer, so nobody could use its export.",
            "Train it first, or put its tokenizer.json back.",
            name=run.name,
        )
    if step is None and run.checkpoints():
        step = run.checkpoints()[-1]
    progress("Loading the model", 0.0)
    model, tokenizer = load_model(run, step), Tokenizer.load(run.tokenizer_path)
    if "kv8" in precisions and not (is_fused(model) and can_keep_8_bits(model.spec)):
        raise PlaygroundError(
            "{name} has no cache of keys and values that could be kept in 8 bits.", "Leave kv8 out.", name=run.name
        )
    target = Path(to) if to else folder_of(run)
    with disk_errors(Message("exporting {name}", name=run.name)), _beside(target) as made:
        steps = _steps(model, run, tokenizer, made, cast(int, step), {"fp32", *precisions}, attentions, offline_demo)
        report: dict[str, Any] = {"run": run.id, "name": run.name, "step": step}
        for what, share, work in steps:
            if cancelled():
                raise Cancelled("The export was stopped.", "Nothing of it is left.")
            progress(what, share)
            report |= work() or {}
        report["seconds"] = round(time.perf_counter() - began, 2)
        (made / REPORT).write_text(json.dumps(to_json(report), indent=1), encoding="utf-8")
    progress("Ready", 1.0)
    return Exported(target, report)


def _steps(
    model: AnyModel,
    run: RunFolder,
    tokenizer: Tokenizer,
    made: Path,
    step: int,
    precisions: set[str],
    attentions: bool,
    offline_demo: bool,
) -> list:
    """The parts of an export, in order: a name, the share that is done before it, and the work."""
    spec, weights = model.spec, state_of(model)
    reads = isinstance(model, ModelWithHead)
    labels = labels_of(run) if reads else []
    ordered = sorted(precisions, key=list(quantize.PRECISIONS).index)

    def graphs() -> dict[str, Any]:
        sizes: dict[str, int] = {}
        whole = graphs_of(model, weights, attentions)
        for precision in ordered:
            cells = spec.is_recurrent and precision in quantize.BITS
            for name, graph in (graphs_of(model, weights, native=False) if cells else whole).items():
                if is_fused(model) and precision != "fp32" and name != "encoder_model":
                    continue  # the fast graph has them
                size = quantize.save(quantize.quantize_weights(graph, precision), graph_file(made, name, precision))
                sizes[precision] = sizes.get(precision, 0) + size
        package.write_about(made, run, model, tokenizer, step, labels)
        return {"sizes": sizes, "fused": is_fused(model), "attentions": attentions and spec.has_attention}

    def fused() -> dict[str, Any]:
        if not is_fused(model):
            return {}
        sizes = write_fused(spec, weights, made, ordered)
        if spec.architecture == "encoder-decoder":
            sizes = {
                name: size + graph_file(made, "encoder_model", name).stat().st_size for name, size in sizes.items()
            }
        return {"sizes": sizes}

    def prove() -> dict[str, Any]:
        checks = list(verify.check_reader(model, made) if reads else verify.check_graph(model, made))
        if is_fused(model):
            checks += list(verify.check_fused(cast(LanguageModel, model), made))
        greedy = verify.check_greedy(model, made) if spec.is_causal and not isinstance(model, ModelWithHead) else None
        verify.disagree(checks, greedy)
        small = {name: verify.check_quantized(model, made, name) for name in ordered if name != "fp32"}
        return {
            "shrunk": {name: {"error": check.error, "scale": check.scale} for name, check in small.items()},
            "checks": [asdict(check) for check in checks],
            "greedy": greedy,
            "worst": max(check.error for check in checks),
        }

    def pack() -> dict[str, Any]:
        return package.write_package(made, run, model, weights, tokenizer, step, labels, offline_demo)

    return [
        ("Writing the graph", 0.1, graphs),
        ("Writing the fast graph", 0.25, fused),
        ("Comparing with PyTorch", 0.45, prove),
        ("Packing", 0.9, pack),
    ]


def write_fused(spec: ModelSpec, weights: Weights, folder: Path, precisions: list[str]) -> dict[str, int]:
    """Writes the fused graph in each precision, fp32 among them.

    Args:
        folder: where ``playground.json`` is already, which tells the sizes of the cache.
        precisions: keys of `quantize.PRECISIONS`.

    Returns:
        The size of each file in bytes, by precision.
    """
    fp32 = folder / "fused.fp32.onnx"
    whole = fused_decoder(spec, weights)
    sizes, scales = {"fp32": quantize.save(whole, fp32)}, None
    for precision in [name for name in precisions if name != "fp32"]:
        graph = whole
        if precision in quantize.SMALL_CACHE and can_keep_8_bits(spec):
            scales = scales or cache_scales(fp32, ExportManifest.load(folder))
            graph = fused_decoder(spec, weights, scales)
        sizes[precision] = quantize.save(
            quantize.quantize_weights(graph, precision), folder / f"fused.{precision}.onnx"
        )
    return sizes


def is_fused(model: AnyModel) -> bool:
    """Whether the model has a fused graph besides the one of standard operators."""
    return not isinstance(model, ModelWithHead) and can_be_fused(model.spec)


def graphs_of(
    model: AnyModel, weights: Weights, attentions: bool = False, native: bool = True
) -> dict[str, onnx.ModelProto]:
    """The model as graphs of standard operators, by the names of their files without ".onnx".

    Args:
        weights: of `decoder_graphs.state_of`.
        attentions: also output attention weights.
        native: recurrent layers as ONNX's own operators, see `rnn_graphs.recurrent`.
    """
    spec = model.spec
    if isinstance(model, ModelWithHead):
        return {"model": reader(model, weights, attentions, native)}
    if spec.architecture == "lstm-attention":
        return {
            "encoder_model": attentive_encoder(spec, weights, native),
            "decoder_model": attentive_decoder(spec, weights, attentions),
        }
    if spec.is_recurrent:
        return {"model": recurrent(spec, weights, native)}
    if spec.architecture == "encoder":
        return {"model": encoder(spec, weights, attentions)}
    if spec.architecture == "decoder":
        return {"model": decoder(spec, weights, attentions)}
    return {
        "encoder_model": source_encoder(spec, weights, attentions),
        "decoder_model": target_decoder(spec, weights, attentions),
    }


@contextlib.contextmanager
def _beside(target: Path):
    """A temporary folder beside the target, which takes its place at the end; removed if anything goes wrong.

    Raises:
        PlaygroundError: when the target holds other files than an export.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and any(target.iterdir()) and not (target / MANIFEST).exists():
        raise PlaygroundError("{target} holds other files.", "Choose an empty folder, or a new one.", target=target)
    made = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    try:
        yield made
        made.chmod(0o777 & ~umask())
        if target.exists():
            old = target.with_name(f".old-{made.name}")
            target.rename(old)
            made.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
