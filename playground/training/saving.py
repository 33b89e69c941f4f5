"""What a checkpoint holds, and how a trainer goes on from one: safetensors and JSON, never pickle."""

import contextlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.factory import build
from models.heads import ModelWithHead
from models.lora import adapter_tensors, merge_lora
from models.parameter_counts import parameter_counts
from playground.core.errors import PlaygroundError
from playground.runs import checkpoints
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.throughput import check_room
from playground.training.apply_finetuning import adapted
from playground.training.device import Device
from playground.training.optimizers import optimizer_tensors, restore_optimizers

if TYPE_CHECKING:
    from playground.training.trainer import Trainer

MODEL, OPTIMIZER, PROGRESS = "model.safetensors", "optimizer.safetensors", "trainer.json"
ADAPTER, LABELS = "adapter.safetensors", "labels.json"


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The weights by name, each once (a tied matrix is one parameter)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}


def save(trainer: "Trainer") -> None:
    """Writes the checkpoint of the step reached; the best one and those asked for stay."""
    progress = asdict(trainer.progress)
    progress["best_loss"] = progress["best_loss"] if math.isfinite(progress["best_loss"]) else None
    if trainer.scaler:
        progress["scaler"] = trainer.scaler.state_dict()
    weights = model_tensors(trainer.model)
    state = optimizer_tensors(trainer.model, trainer.optimizers)
    files = {
        MODEL: lambda path: save_file(weights, path),
        OPTIMIZER: lambda path: save_file(state, path),
        PROGRESS: json.dumps(progress),
    }
    if adapter := adapter_tensors(trainer.model):  # on its own too: all that the parent's weights need besides
        about = {"rank": str(trainer.config.finetune.rank), "alpha": str(trainer.config.finetune.alpha)}
        files[ADAPTER] = lambda path: save_file(adapter, path, metadata=about)
    trainer.folder.save_checkpoint(
        trainer.progress.step,
        files,
        keep={*trainer.training.keep_steps, trainer.progress.best_step},
    )


def restore(trainer: "Trainer") -> None:
    """Goes on from the latest whole checkpoint; what was written after it is forgotten and trained anew.

    Raises:
        PlaygroundError: when the checkpoint does not fit the run.
    """
    path = trainer.folder.latest_checkpoint()
    try:
        checkpoints.check_sums(path, MODEL, OPTIMIZER)
        progress = json.loads((path / PROGRESS).read_text())
        scaler = progress.pop("scaler", None)
        if progress["best_loss"] is None:
            progress["best_loss"] = math.inf
        trainer.model.load_state_dict(load_file(path / MODEL))
        restore_optimizers(trainer.model, trainer.optimizers, load_file(path / OPTIMIZER))
        trainer.progress = type(trainer.progress)(**progress)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise PlaygroundError(
            "The checkpoint {checkpoint} of {name} cannot be used: {reason}.",
            "Delete that folder to go on from an earlier one, or start the run again.",
            checkpoint=path.name,
            name=trainer.folder.id,
            reason=str(error).splitlines()[0],
        ) from error
    if scaler and trainer.scaler:
        trainer.scaler.load_state_dict(scaler)
    if trainer.group.leads:
        trainer.folder.rewind(trainer.progress.step)


def starts_from_parent(config: RunConfig) -> bool:
    """Whether another run's weights are the beginning, and not only its settings (a comparison from scratch)."""
    return config.parent is not None and not (config.finetune and config.finetune.from_scratch)


def load_parent(config: RunConfig) -> nn.Module:
    """The model of the run that a branch or a fine-tuned run starts from.

    Raises:
        PlaygroundError: when that run is gone, or has no such checkpoint.
    """
    return load_model(RunStore().get(config.parent["run"]), config.parent.get("step"))


def take_over(model: nn.Module, parent: nn.Module, config: RunConfig) -> None:
    """Puts a parent's weights into a model of the same shape; what the parent's own task added is left behind.

    Raises:
        PlaygroundError: when its model has another shape.
    """
    try:
        model.load_state_dict(body_of(parent).state_dict())
    except RuntimeError as error:
        raise PlaygroundError(
            "The weights of {run} do not fit this model.",
            "Branch with the same model settings and the same text and tokenizer.",
            run=config.parent["run"],
        ) from error


def take_over_head(model: nn.Module, parent: nn.Module) -> None:
    """A parent that was fine-tuned for as many labels gives its head too: "branch from here" goes on with it."""
    if isinstance(parent, ModelWithHead):
        with contextlib.suppress(RuntimeError):  # another number of labels
            model.head.load_state_dict(parent.head.state_dict())


def body_of(model: nn.Module) -> nn.Module:
    """The language model under a head for labels, or the model itself."""
    return model.body if isinstance(model, ModelWithHead) else model


def _checkpoint(folder: RunFolder, step: int | None) -> Path:
    path = folder.checkpoint(step) if step is not None else folder.latest_checkpoint()
    if path is None:
        raise PlaygroundError(
            "{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=folder.name
        )
    return path


def load_model(folder: RunFolder, step: int | None = None, device: Device | None = None) -> nn.Module:
    """A run's model, ready to use (in evaluation mode).

    Args:
        folder: the run, finished or not. Of one with a head for labels, a `models.heads.Reader`; LoRA is merged.
        step: which checkpoint; None takes the latest.
        device: where to put it; None: the CPU.

    Raises:
        PlaygroundError: when there is no such checkpoint, or it is damaged.
    """
    path, config = _checkpoint(folder, step), folder.config()
    check_weights(config, path / MODEL)
    checkpoints.check_sums(path, MODEL)
    n_labels = len(labels_of(folder)) if config.finetune and config.finetune.reads_labels else 0
    with torch.device("cpu"):
        model = adapted(build(config.model), config, n_labels)
    try:
        model.load_state_dict(load_file(path / MODEL))
    except (OSError, RuntimeError, ValueError) as error:
        strange = isinstance(error, RuntimeError)  # torch lists every name and size, over many lines
        reason = "they are another model's" if strange else str(error).splitlines()[0]
        raise PlaygroundError(
            "The weights in {file} of {name} cannot be used: {reason}.",
            "Choose another checkpoint, or train the run again.",
            file=path.name,
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
            name=weights.parent.name,
            count=count,
        )
    check_room(header.numbers)


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
