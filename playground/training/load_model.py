"""A run's model from its checkpoint, ready to use, and the weights that a run takes from its parent."""

import contextlib
import json
from pathlib import Path

import torch
from torch import nn

from models.factory import build
from models.heads import ModelWithHead
from models.language_model import AnyModel, LanguageModel
from models.lora import merge_lora
from models.parameter_counts import parameter_counts
from playground.core.errors import PlaygroundError
from playground.runs import checkpoints, snapshots
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.throughput import check_room
from playground.training.apply_finetuning import apply_finetuning
from playground.training.checkpoint_io import MODEL, load_weights
from playground.training.device import Device

LABELS = "labels.json"


def starts_from_parent(config: RunConfig) -> bool:
    """Whether another run's weights are the beginning, and not only its settings (a comparison from scratch)."""
    return config.parent is not None and not (config.finetune and config.finetune.from_scratch)


def load_parent(config: RunConfig) -> AnyModel:
    """The model of the run that a branch or a fine-tuned run starts from.

    Raises:
        PlaygroundError: when that run is gone, or has no such checkpoint.
    """
    assert config.parent is not None
    return load_model(RunStore().get(config.parent["run"]), config.parent.get("step"))


def copy_parent_weights(model: nn.Module, parent: nn.Module, config: RunConfig) -> None:
    """Puts a parent's weights into a model of the same shape; what the parent's own task added is left behind.

    Raises:
        PlaygroundError: when its model has another shape.
    """
    assert config.parent is not None
    try:
        model.load_state_dict(body_of(parent).state_dict())
    except RuntimeError as error:
        raise PlaygroundError(
            "The weights of {run} do not fit this model.",
            "Branch with the same model settings and the same text and tokenizer.",
            run=config.parent["run"],
        ) from error


def copy_parent_head(model: nn.Module, parent: nn.Module) -> None:
    """A parent that was fine-tuned for as many labels gives its head too: "branch from here" goes on with it."""
    if isinstance(parent, ModelWithHead):
        with contextlib.suppress(RuntimeError):  # another number of labels
            model.get_submodule("head").load_state_dict(parent.head.state_dict())


def body_of(model: nn.Module) -> LanguageModel:
    """The language model under a head for labels, or the model itself."""
    body = model.body if isinstance(model, ModelWithHead) else model
    assert isinstance(body, LanguageModel)
    return body


def _weights(folder: RunFolder, step: int | None) -> Path:
    if step is not None:
        return snapshots.weights_of(folder, step)
    path = folder.latest_checkpoint()
    if path is None:
        raise PlaygroundError(
            "{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=folder.name
        )
    return path / MODEL


def model_at(run: RunFolder, step: int, device: Device | None = None) -> AnyModel:
    """A run's model at one of its steps (`playground.runs.snapshots.steps_of`), in float32 and evaluation mode.

    Its checkpoint is taken where there is one of that step, else its snapshot, whose weights were rounded to float16.

    Raises:
        PlaygroundError: when there is neither, or it is damaged.
    """
    return load_model(run, step, device)


def load_model(folder: RunFolder, step: int | None = None, device: Device | None = None) -> AnyModel:
    """A run's model, ready to use (in evaluation mode).

    Args:
        folder: the run, finished or not. Of one with a head for labels, a `models.heads.ModelWithHead`; LoRA is merged.
        step: which checkpoint, or snapshot where there is no checkpoint of that step; None takes the latest checkpoint.
        device: where to put it; None: the CPU.

    Raises:
        PlaygroundError: when there is no such checkpoint, or it is damaged.
    """
    path, config = _weights(folder, step), folder.config()
    check_weights(config, path)
    n_labels = len(labels_of(folder)) if config.finetune and config.finetune.reads_labels else 0
    with torch.device("cpu"):
        model = apply_finetuning(build(config.model), config, n_labels)
    try:
        model.load_state_dict(load_weights(path))
    except (OSError, RuntimeError, ValueError) as error:
        strange = isinstance(error, RuntimeError)  # torch lists every name and size, over many lines
        reason = "they are another model's" if strange else str(error).splitlines()[0]
        raise PlaygroundError(
            "The weights in {file} of {name} cannot be used: {reason}.",
            "Choose another checkpoint, or train the run again.",
            file=_called(path),
            name=folder.name,
            reason=reason,
        ) from error
    model = merge_lora(model).requires_grad_(True)
    return (model.to(device.torch) if device else model).eval()


def check_weights(config: RunConfig, weights: Path) -> None:
    """Before anything of a model is built: its weights are there, as many as its settings ask for, and memory has room for
    them twice (as they are read, and in the model).

    Raises:
        PlaygroundError: when it is not so; a few words in ``run.json`` could ask for all memory there is.
    """
    header, count = checkpoints.header_of(weights), sum(parameter_counts(config.model).values())
    if header is None or header.numbers < count:
        raise PlaygroundError(
            "The weights in {name} do not belong to this model: it has {count:,} parameters.",
            "Choose another checkpoint, or train the run again.",
            name=_called(weights),
            count=count,
        )
    check_room(header.numbers)


def _called(weights: Path) -> str:
    """What a file of weights is called in a sentence: a checkpoint by its folder, a snapshot by itself."""
    return weights.name if snapshots.is_snapshot(weights) else weights.parent.name


def labels_of(folder: RunFolder) -> list[str]:
    """The names of the labels that a fine-tuned run tells apart, in the order of its logits.

    Raises:
        PlaygroundError: when the run has none yet, or the file is damaged.
    """
    try:
        labels = json.loads((folder.path / LABELS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlaygroundError(
            "The labels of {name} cannot be read.", "Let it train for a few seconds first.", name=folder.name
        ) from error
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise PlaygroundError(
            "The file {file} of {name} is damaged.", "Train the run again.", file=LABELS, name=folder.name
        )
    return labels
