"""What an export of the playground knows of its run: the question it was trained on, its settings, its labels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.factory import build
from models.lora import is_adapter
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError
from playground.huggingface import export_run, families
from playground.huggingface.names import TAG_HEADS
from playground.inference.export_manifest import MANIFEST
from playground.runs import archive
from playground.runs.config import RunConfig, relocated
from playground.runs.old_keys import with_present_names
from playground.runs.samples import LONGEST_OPENING
from playground.text import uploads
from playground.training.apply_finetuning import apply_finetuning

MOST_LABELS = 20_000
DAMAGE = (OSError, ValueError, ArithmeticError, RecursionError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class Returned:
    """A run as its export tells of it.

    Attributes:
        config: its settings; files are known by their names alone.
        pairs: whether it learnt to answer one text with another.
        step: of its weights.
        val_loss: at that step (nats per token, or an example); None where it was not measured.
        text: provenance and licence of what it learnt from.
        labels: that its head tells apart; none for a language model.
        begin: a text to begin with; "" where none is told.
    """

    config: RunConfig
    pairs: bool
    step: int
    val_loss: float | None
    text: dict[str, str]
    labels: tuple[str, ...] = ()
    begin: str = ""


def returned(folder: Path, config: Mapping[str, Any], context: int | None = None) -> Returned | None:
    """What ``playground.json`` says beside a ``config.json``; None where there is none, or it is of another model.

    Args:
        config: of ``config.json``, which has the last word on what the weights are.
        context: tokens to read at once; None: as many as it says.

    Raises:
        PlaygroundError: when the model cannot read so many.
    """
    try:
        made = _read(_about(folder))
    except (*DAMAGE, PlaygroundError, SpecError):
        return None  # damaged, or of a version that told less
    if not _fits(made, config):
        return None
    if context is not None:
        longest = made.config.model.context_length
        if not 1 <= context <= longest:
            raise PlaygroundError(
                "This model cannot read {context} tokens at once.",
                "Choose 1 to {exact}.",
                context=context,
                exact=longest,
            )
        model = made.config.model.replace(context_length=context)
        made = Returned(**{**vars(made), "config": made.config.replace(model=model)})
    return made


def answers(folder: Path) -> bool:
    """Whether an export from before all of this was told learnt to answer one text with another."""
    try:
        return _about(folder)["pairs"] is True
    except DAMAGE:
        return False


def _about(folder: Path) -> Any:
    if (folder / MANIFEST).stat().st_size > archive.SMALL:
        raise ValueError("too large")
    return json.loads((folder / MANIFEST).read_bytes())


def _read(about: Mapping[str, Any]) -> Returned:
    told, labels = about["run"], tuple(about["labels"])
    config = RunConfig.from_dict(told["config"])
    config, tuned = (
        relocated(config, uploads.local_path),
        config.finetune,
    )  # an export from anybody leads to no other folder
    if bool(tuned and tuned.reads_labels) != bool(labels) or about["task"] != (tuned.task if tuned and labels else ""):
        raise ValueError("the labels and the task belong to different runs")
    if (
        len(labels) > MOST_LABELS
        or len(set(labels)) != len(labels)
        or not all(isinstance(label, str) for label in labels)
    ):
        raise ValueError("no labels")
    loss, step = told["val_loss"], told["step"]
    if (
        type(step) is not int
        or not 0 <= step <= 10**12
        or not (loss is None or (isinstance(loss, float) and abs(loss) < 1e6))
    ):
        raise ValueError("no step or loss")
    text = {name: str(told["text"][name])[:2000] for name in ("provenance", "licence") if told["text"].get(name)}
    begin = str(about.get("begin") or "")[:LONGEST_OPENING]
    return Returned(config, bool(about["pairs"]), step, loss, text, labels, begin)


def _fits(made: Returned, config: Mapping[str, Any]) -> bool:
    """Whether ``config.json`` describes the same model: each of its values is one that this run's export would hold."""
    spec, tuned = made.config.model, made.config.finetune
    task = tuned.task if tuned and made.labels else ""
    if config.get("model_type") == families.OWN:
        named, config = {f.name for f in fields(ModelSpec)}, with_present_names("model", config)
        told = {name: value for name, value in config.items() if name in named}
        return ModelSpec.from_dict(told) == spec  # an earlier version told of fewer choices
    family = export_run.family_of(spec)
    if family is None or task == "classify":
        return False
    written = export_run.config(spec, family, (0, 0, 0, 0), task)
    return all(config.get(name) == value for name, value in written.items() if not name.endswith("token_id"))


def found_by(made: Returned, config: Mapping[str, Any]) -> families.Found:
    """The model for the reader of weights."""
    spec = made.config.model
    if config.get("model_type") == families.OWN:
        return families.Found(families.OWN, families.OWN, spec)
    family = export_run.family_of(spec)
    assert family is not None  # `_fits` refuses a model that transformers does not know
    return families.Found(config["architectures"][0], family, spec)


def weights(made: Returned, found: families.Found, take: families.Take) -> dict[str, Tensor]:
    """All weights under our names, as a checkpoint of the run has them.

    Adapters were merged into the matrices, so those here add nothing. Under a head for labels, the body's own head is not
    asked; where transformers has no place for it, it comes back as zeros.
    """
    with torch.device("meta"):
        model = apply_finetuning(build(found.spec), made.config, len(made.labels))
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    adapters = {name: torch.zeros(shape) for name, shape in shapes.items() if is_adapter(name)}
    if found.family == families.OWN:
        return {name: take(name, *shape) for name, shape in shapes.items() if name not in adapters} | adapters
    if not made.labels:
        return families.renamed(found, take) | adapters
    theirs = TAG_HEADS[found.family]
    unasked = ("lm_head.", "cls.predictions.")
    rest = lambda name, *shape: torch.zeros(shape) if name.startswith(unasked) else take(name, *shape)
    body = {f"body.{name}": value for name, value in families.renamed(found, rest).items()}
    head = {f"head.tags.{kind}": take(f"{theirs}.{kind}", *shapes[f"head.tags.{kind}"]) for kind in ("weight", "bias")}
    return body | head | adapters
