"""The files of an export besides its graphs: weights, tokenizer, configurations, model card, example and demo page."""

import math
import re
import shlex
import zipfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from models.heads import ClassificationHead, ModelWithHead, TaggingHead
from models.language_model import AnyModel
from models.spec import ModelSpec
from playground.core.atomic import disk_errors, readable_json
from playground.core.errors import Message, PlaygroundError
from playground.core.paths import umask
from playground.huggingface import export_run
from playground.inference.engine import MANIFEST
from playground.labelled.table import PIECES
from playground.onnx_export.demo import write_demo
from playground.onnx_export.first_text import first_text
from playground.onnx_export.layers import Weights
from playground.runs.config import RunConfig
from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.report import read_report
from playground.text.byte_alphabet import clean
from playground.text.catalogue import UNKNOWN
from playground.text.spec import QUESTION
from playground.text.tokenizers import SPACED, Tokenizer
from playground.training.config_to_command import command_line

LOADERS = {
    "llama": "transformers (LlamaForCausalLM), transformers.js, onnxruntime-genai",
    "gpt2": "transformers (GPT2LMHeadModel), transformers.js, onnxruntime-genai",
    "bert": "transformers (BertForMaskedLM), transformers.js",
}


def task_of(model: AnyModel) -> str:
    """ "classify" or "tag" for a fine-tuned model with such a head, else ""."""
    return (
        {ClassificationHead: "classify", TaggingHead: "tag"}[type(model.head)]
        if isinstance(model, ModelWithHead)
        else ""
    )


def loaders_of(model: AnyModel) -> str:
    """Which other software can load the folder, in words; "" for none."""
    family = export_run.family_of(model.spec)
    if not family or task_of(model) == "classify":  # transformers' own classification heads are others
        return ""
    return f"transformers ({export_run.TAGGERS[family]})" if task_of(model) else LOADERS[family]


def write_about(
    folder: Path, run: RunFolder, model: AnyModel, tokenizer: Tokenizer, step: int, labels: Sequence[str] = ()
) -> None:
    """Writes ``playground.json``: what an engine must know, and the settings of the run for an import."""
    about, spec, loss = run.about(), model.spec, run.status().val_loss
    ids = (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id)
    _json(
        folder / MANIFEST,
        {
            "architecture": spec.architecture,
            "n_layers": spec.n_layers,
            "n_kv_heads": spec.kv_heads,
            "head_dim": spec.head_dim,
            "d_model": spec.d_model,
            "vocab_size": spec.vocab_size,
            "context_length": spec.context_length,
            "position": "none" if spec.is_recurrent else spec.position,
            "objective": about["training"]["objective"],
            "pairs": about.get("data_shape") == "pairs",
            "ids": list(ids),
            "name": run.name,
            "spec": spec.to_dict(),
            "task": task_of(model),
            "labels": list(labels),
            "pieces": PIECES,
            "template": about.get("data", {}).get("template", QUESTION),
            "begin": begin_of(run, model, tokenizer),
            "frame": [list(part) for part in tokenizer.frame],
            "mask": {"name": tokenizer.mask_token, "spaces": spaces_of(tokenizer)},
            "run": {
                "config": named_only(run.config()).to_dict(),
                "step": step,
                "val_loss": loss if loss is not None and math.isfinite(loss) else None,
                "text": {
                    name: str(about.get("data_info", {}).get(name) or "") or None for name in ("provenance", "licence")
                },
            },
        },
    )


def begin_of(run: RunFolder, model: AnyModel, tokenizer: Tokenizer) -> str:
    """The text that the export begins with, see `first_text`."""
    fills = not task_of(model) and run.about()["training"]["objective"] == "mlm"
    return first_text(run.samples(), fills, tokenizer.pieces(tokenizer.special_ids))


def spaces_of(tokenizer: Tokenizer) -> str:
    """How a mask token takes the spaces before it: "one", "none", or "theirs", as the tokenizer's own file says."""
    if tokenizer.is_foreign:
        return "theirs"
    return "one" if tokenizer.kind in SPACED else "none"


def write_package(
    folder: Path,
    run: RunFolder,
    model: AnyModel,
    weights: Weights,
    tokenizer: Tokenizer,
    step: int,
    labels: Sequence[str] = (),
    offline_demo: bool = False,
) -> dict[str, Any]:
    """Writes all files but the graphs and ``playground.json``.

    Args:
        weights: of `decoder_graphs.state_of`.
        step: of the checkpoint.
        labels: of a classifier or tagger.
        offline_demo: put ONNX Runtime into the demo page.

    Returns:
        A part of the report: ``family`` of transformers, ``loaders``, ``task``, ``labels``, ``demo`` (whether it was made).
    """
    from safetensors.numpy import save_file

    spec, task = model.spec, task_of(model)
    family = export_run.family_of(spec) if loaders_of(model) else None
    tokenizer.save(folder / "tokenizer.json")
    ids = (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id)
    _json(folder / "tokenizer_config.json", tokenizer_config(spec, tokenizer))
    named = export_run.renamed(spec, weights, family, task) if family else weights
    save_file(
        {name: value.copy() for name, value in named.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    (folder / "model.safetensors").chmod(
        0o666 & ~umask()
    )  # safetensors makes it its owner's alone, also where others may read
    config = export_run.config(spec, family, ids, task) if family else {"model_type": "lm-playground", **spec.to_dict()}
    if labels:
        config["id2label"] = {str(i): label for i, label in enumerate(labels)}
        config["label2id"] = {label: i for i, label in enumerate(labels)}
    _json(folder / "config.json", config)
    if spec.is_causal and not spec.is_recurrent and not task:
        _json(
            folder / "generation_config.json",
            {"bos_token_id": ids[1], "eos_token_id": ids[2], "pad_token_id": ids[0]},
        )
    if spec.architecture == "decoder" and not task:
        _json(folder / "genai_config.json", genai_config(spec, ids))
    example = resources.files("playground.onnx_export").joinpath("shipped", "example.py")
    (folder / "example.py").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    demo = write_demo(folder, run.name, offline_demo)
    (folder / "curve.svg").write_text(curve(run), encoding="utf-8")
    (folder / "README.md").write_text(
        clean(card(run, model, step, labels, begin_of(run, model, tokenizer))), encoding="utf-8"
    )
    return {"family": family, "loaders": loaders_of(model), "task": task, "labels": list(labels), "demo": demo}


def tokenizer_config(spec: ModelSpec, tokenizer: Tokenizer) -> dict[str, Any]:
    ids = (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id)
    names: dict[str, Any] = dict(
        zip(("pad_token", "bos_token", "eos_token", "mask_token"), tokenizer.pieces(ids), strict=True)
    )
    if spaces_of(tokenizer) == "one":
        flags = {"lstrip": True, "normalized": False, "rstrip": False, "single_word": False, "special": True}
        names["mask_token"] = {"__type": "AddedToken", "content": tokenizer.mask_token, **flags}
    if all(tokenizer.frame):
        names |= {
            "cls_token": tokenizer.pieces(tokenizer.frame[0])[0],
            "sep_token": tokenizer.pieces(tokenizer.frame[1])[-1],
        }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": spec.context_length,
        **names,
        "clean_up_tokenization_spaces": False,
    }


def genai_config(spec: ModelSpec, ids: tuple[int, int, int, int]) -> dict[str, Any]:
    """``genai_config.json`` for onnxruntime-genai, which runs any decoder whose inputs and outputs are named in it."""
    inputs = {
        "input_ids": "input_ids",
        "attention_mask": "attention_mask",
        "past_key_names": "past_key_values.%d.key",
        "past_value_names": "past_key_values.%d.value",
    }
    if spec.position != "none":
        inputs["position_ids"] = "position_ids"
    return {
        "model": {
            "type": "llama",
            "bos_token_id": ids[1],
            "eos_token_id": ids[2],
            "pad_token_id": ids[0],
            "context_length": spec.context_length,
            "vocab_size": spec.vocab_size,
            "decoder": {
                "session_options": {"provider_options": []},
                "filename": "model.onnx",
                "head_size": spec.head_dim,
                "hidden_size": spec.d_model,
                "num_attention_heads": spec.n_heads,
                "num_hidden_layers": spec.n_layers,
                "num_key_value_heads": spec.kv_heads,
                "inputs": inputs,
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {"max_length": spec.context_length, "do_sample": False, "past_present_share_buffer": False},
    }


def curve(run: RunFolder, width: int = 640, height: int = 240) -> str:
    """The training curve as SVG, ``width`` by ``height`` pixels."""
    curves = RunCurves(run)
    curves.update()
    points = {
        name: [(step, loss) for step, loss in zip(table["step"], table.get(name, ())) if loss is not None]
        for name, table in (("loss", curves.table()["train"]), ("val_loss", curves.table()["validation"]))
    }
    every = [loss for series in points.values() for _, loss in series]
    if not every:
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"/>'
    last = max(step for series in points.values() for step, _ in series) or 1
    low, high = min(every), max(every)
    place = lambda step, loss: (
        f"{50 + (width - 70) * step / last:.1f},{20 + (height - 60) * (high - loss) / (high - low or 1):.1f}"
    )
    lines = "".join(
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(place(*point) for point in points[name])}"/>'
        for name, colour in (("loss", "#9ec9e8"), ("val_loss", "#d55e00"))
    )
    words = (
        f'<text x="4" y="24">{high:.2f}</text><text x="4" y="{height - 40}">{low:.2f}</text>'
        f'<text x="{width - 70}" y="{height - 8}">{last:,}</text><text x="50" y="{height - 8}">step</text>'
        f'<text x="{width - 300}" y="14">loss (nats per token): <tspan fill="#5a9fd0">training</tspan>, '
        '<tspan fill="#d55e00">validation</tspan></text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{lines}{words}</svg>\n'
    )


DOES = {
    "classify": "gives a text one of {n} labels: {labels}",
    "tag": "gives each word of a text one of {n} labels: {labels}",
    "mlm": "fills in hidden words",
    "clm": "continues a text",
    "seq2seq": "answers a text with a text",
}


def card(run: RunFolder, model: AnyModel, step: int, labels: Sequence[str] = (), begin: str = "") -> str:
    """The model card (README.md): what the model is, how it was trained, on which text, what can load it, and how it is used.

    Args:
        begin: a text to begin with, see `first_text`.
    """
    about, status, spec, task = run.about(), run.status(), model.spec, task_of(model)
    info = about.get("data_info", {})
    objective = "seq2seq" if about.get("data_shape") == "pairs" else about["training"]["objective"]
    named = ", ".join(map(in_line, labels[:20])) + (" …" if len(labels) > 20 else "")
    does = DOES[task or objective].format(n=len(labels), labels=named)
    loss = "not measured"
    if status.val_loss is not None:
        loss = f"{status.val_loss:.4f} nats per {'example' if task else 'token'} on held-out text"
    known = (
        f"The weights are a known architecture; load the folder with {loaders_of(model)}."
        if loaders_of(model)
        else "No class of transformers or transformers.js computes this model. ONNX Runtime runs it everywhere."
    )
    own = "not known; the model came from elsewhere." if run.config().data.corpus == UNKNOWN else "the person's own."
    tags = "\n".join(["---", "library_name: onnx", "tags: [lm-playground]", "---"])
    tested = _tested(run, step) if task else ""
    return f"""{tags}
# {in_line(run.name)}

A small language model ({spec.architecture}, {_many(spec.n_layers, "layer")}, {_many(spec.d_model, "channel")}, context of
{_many(spec.context_length, "token")}) that {does}.
Exported from LM Playground at step {step:,}. {tested}Validation loss: {loss}.
{_label_list(labels) if task else ""}
![training curve](curve.svg)

{known} `demo.html` runs the model in a browser; `report.json` says how the export was compared with PyTorch.
With onnxruntime, tokenizers and numpy alone:

{in_block(f"python example.py {shlex.quote(begin or 'a text')}")}

Made with:

{in_block(command_line(named_only(run.config())))}

Text: {in_line(info.get("provenance") or own)} Licence: {in_line(info.get("licence") or "not known")}.
"""


def _tested(run: RunFolder, step: int) -> str:
    """How good a model that gives labels was in its test, as a sentence; empty where nobody tested these weights."""
    try:
        report = read_report(run)
    except PlaygroundError:
        return ""
    if report is None or "test" not in report or report["step"] != step:
        return ""
    test = report["test"]
    right = round(test["accuracy"] * test["n"])
    return (
        f"Accuracy on the test: {test['accuracy']:.1%} ({right:,} of {test['n']:,} held-out examples right), "
        f"macro F1 {test['macro_f1']:.1%}.\n"
    )


def _label_list(labels: Sequence[str]) -> str:
    """All labels in the order of the model's outputs, which `config.json` has as ``id2label``."""
    rows = "\n".join(f"{i}. {in_line(label)}" for i, label in enumerate(labels))
    return f"\n## Labels\n\n{rows}\n"


def in_line(text: Any) -> str:
    """Untrusted text as part of a line of Markdown: it is shown literally, without markup, pictures or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>&!#|~$])", r"\\\1", " ".join(clean(str(text)).split()))


def in_block(code: str) -> str:
    """Code as a block of Markdown, between fences that are longer than any inside it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}sh\n{code}\n{fence}"


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def named_only(config: RunConfig) -> RunConfig:
    """The settings with names of files instead of their paths: an export must not tell the folders of this machine."""
    name = lambda spec: spec.replace(path=re.split(r"[/\\]", spec.path)[-1]) if spec is not None and spec.path else spec
    tuned = config.finetune
    if tuned is not None:
        tuned = tuned.replace(labelled=name(tuned.labelled))
    return config.replace(data=name(config.data), finetune=tuned)


def zipped(folder: Path, to: Path) -> Path:
    """Packs the folder into one zip file to download; returns its path.

    Raises:
        PlaygroundError: when the disk is full or may not be written to.
    """
    with (
        disk_errors(Message("packing {name}", name=to.name)),
        zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(
                    path,
                    f"{folder.name if folder.name != 'export' else folder.parent.name}/{path.relative_to(folder)}",
                )
    return to


def _json(path: Path, value: Any) -> None:
    path.write_text(readable_json(value), encoding="utf-8")
