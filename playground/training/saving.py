"""What a checkpoint holds, and how a trainer goes on from one: safetensors and JSON, never pickle."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.build import build
from playground.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.training.device import Device
from playground.training.optimizers import optimizer_tensors, restore_optimizers

if TYPE_CHECKING:
    from playground.training.trainer import Trainer

MODEL, OPTIMIZER, PROGRESS = "model.safetensors", "optimizer.safetensors", "trainer.json"


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
    trainer.folder.save_checkpoint(
        trainer.progress.step,
        {
            MODEL: lambda path: save_file(weights, path),
            OPTIMIZER: lambda path: save_file(state, path),
            PROGRESS: json.dumps(progress),
        },
        keep={*trainer.training.keep_steps, trainer.progress.best_step},
    )


def restore(trainer: "Trainer") -> None:
    """Goes on from the latest whole checkpoint; what was written after it is forgotten and trained anew.

    Raises:
        PlaygroundError: when the checkpoint does not fit the run.
    """
    path = trainer.folder.latest_checkpoint()
    try:
        progress = json.loads((path / PROGRESS).read_text())
        scaler = progress.pop("scaler", None)
        if progress["best_loss"] is None:
            progress["best_loss"] = math.inf
        trainer.model.load_state_dict(load_file(path / MODEL))
        restore_optimizers(trainer.model, trainer.optimizers, load_file(path / OPTIMIZER))
        trainer.progress = type(trainer.progress)(**progress)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise PlaygroundError(
            f"The checkpoint {path.name} of {trainer.folder.id} cannot be used: {str(error).splitlines()[0]}.",
            "Delete that folder to go on from an earlier one, or start the run again.",
        ) from error
    if scaler and trainer.scaler:
        trainer.scaler.load_state_dict(scaler)
    if trainer.group.leads:
        trainer.folder.rewind(trainer.progress.step)


def load_parent(trainer: "Trainer") -> None:
    """Starts from the weights of another run ("branch from here", fine-tuning); the optimizer starts fresh.

    Raises:
        PlaygroundError: when that run is gone or its model has another shape.
    """
    parent = trainer.config.parent
    folder = RunStore().get(parent["run"])
    weights = load_file(_checkpoint(folder, parent.get("step")) / MODEL)
    try:
        trainer.model.load_state_dict(weights)
    except RuntimeError as error:
        raise PlaygroundError(
            f"The weights of {folder.name} do not fit this model.",
            "Branch with the same model settings and the same text and tokenizer.",
        ) from error


def _checkpoint(folder: RunFolder, step: int | None) -> Path:
    path = folder.checkpoint(step) if step is not None else folder.latest_checkpoint()
    if path is None:
        raise PlaygroundError(
            f"{folder.name} has no checkpoint yet.", "Let it train for a few seconds first."
        )
    return path


def load_model(folder: RunFolder, step: int | None = None, device: Device | None = None) -> nn.Module:
    """A run's model, ready to use (in evaluation mode).

    Args:
        folder: the run, finished or not.
        step: which checkpoint; None takes the latest.
        device: where to put it; None: the CPU.

    Raises:
        PlaygroundError: when there is no such checkpoint, or it is damaged.
    """
    path = _checkpoint(folder, step)
    with torch.device("cpu"):
        model = build(folder.config().model)
    try:
        model.load_state_dict(load_file(path / MODEL))
    except (OSError, RuntimeError, ValueError) as error:
        raise PlaygroundError(
            f"The weights in {path.name} of {folder.name} cannot be used: {str(error).splitlines()[0]}.",
            "Choose another checkpoint, or train the run again.",
        ) from error
    return (model.to(device.torch) if device else model).eval()
