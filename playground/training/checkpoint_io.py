"""Writes a training state into a checkpoint and reads it back: safetensors and JSON, never pickle."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from models.lora import adapter_tensors
from playground.core.errors import PlaygroundError
from playground.runs import checkpoints, snapshots
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.training.optimizers import optimizer_tensors, restore_optimizers
from playground.training.train_state import Progress, TrainState

MODEL, OPTIMIZER, PROGRESS = "model.safetensors", "optimizer.safetensors", "trainer.json"
ADAPTER = "adapter.safetensors"


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The weights by name, on the CPU, each once (a tied matrix is one parameter)."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}


def save_checkpoint(folder: RunFolder, config: RunConfig, state: TrainState) -> None:
    """Writes the checkpoint of the step reached. The best one and those asked for are kept, older ones go.

    Low-rank adapters are written into a file of their own as well: it is all that the parent's weights need.

    Raises:
        PlaygroundError: when it cannot be written (a full disk).
    """
    progress = asdict(state.progress)
    progress["best_loss"] = progress["best_loss"] if math.isfinite(progress["best_loss"]) else None
    if state.scaler:
        progress["scaler"] = state.scaler.state_dict()
    weights = model_tensors(state.model)
    moments = optimizer_tensors(state.model, state.optimizers)
    files: dict[str, str | Callable[[Path], None]] = {
        MODEL: lambda path: save_file(weights, path),
        OPTIMIZER: lambda path: save_file(moments, path),
        PROGRESS: json.dumps(progress),
    }
    if config.finetune and (adapter := adapter_tensors(state.model)):
        about = {"rank": str(config.finetune.rank), "alpha": str(config.finetune.alpha)}
        files[ADAPTER] = lambda path: save_file(adapter, path, metadata=about)
    folder.save_checkpoint(state.progress.step, files, keep={*config.training.keep_steps, state.progress.best_step})


def save_snapshot(folder: RunFolder, state: TrainState) -> bool:
    """Writes the weights of the step reached, in float16.

    Of a fine-tuned run, all that the adapted model has: low-rank factors and the head for labels too.

    Returns:
        False, and nothing is written, where a weight is no finite number in float16.

    Raises:
        PlaygroundError, OSError: when it cannot be written (a full disk).
    """
    half = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model_tensors(state.model).items()
    }
    if not all(bool(tensor.isfinite().all()) for tensor in half.values()):
        return False
    said = {"step": str(state.progress.step), "sha256": snapshot_digest(half)}
    snapshots.save(folder.path, state.progress.step, save(half, metadata=said))
    return True


def snapshot_digest(tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of a snapshot's tensors, as its metadata say it."""
    return snapshots.digest((name, tensor.contiguous().numpy().tobytes()) for name, tensor in tensors.items())


def load_weights(weights: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint's or a snapshot's file of weights, as they are stored.

    Raises:
        PlaygroundError: when the file is not what was written.
        OSError, ValueError: when a checkpoint's file cannot be read.
    """
    if not snapshots.is_snapshot(weights):
        checkpoints.check_sums(weights.parent, weights.name)
        return load_file(weights)
    said = snapshots.said_digest(weights)
    try:
        tensors = load_file(weights)
        is_whole = not said or snapshot_digest(tensors) == said
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError):  # it may come from anybody
        tensors, is_whole = {}, False
    if not is_whole:
        raise PlaygroundError(
            "The snapshot {name} is damaged: it is not what was written, as after a power cut.",
            "Choose another step, or delete that file.",
            name=weights.name,
        )
    return tensors


def restore_checkpoint(folder: RunFolder, state: TrainState) -> None:
    """Fills ``state`` in place from the latest whole checkpoint.

    Raises:
        PlaygroundError: when the run has no checkpoint, or the checkpoint does not fit the run.
    """
    path = folder.latest_checkpoint()
    if path is None:
        raise PlaygroundError(
            "{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=folder.name
        )
    try:
        checkpoints.check_sums(path, MODEL, OPTIMIZER)
        progress = json.loads((path / PROGRESS).read_text())
        scaler = progress.pop("scaler", None)
        if progress["best_loss"] is None:
            progress["best_loss"] = math.inf
        state.model.load_state_dict(load_file(path / MODEL))
        restore_optimizers(state.model, state.optimizers, load_file(path / OPTIMIZER))
        state.progress = Progress(**progress)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise PlaygroundError(
            "The checkpoint {checkpoint} of {name} cannot be used: {reason}.",
            "Delete that folder to go on from an earlier one, or start the run again.",
            checkpoint=path.name,
            name=folder.id,
            reason=str(error).splitlines()[0],
        ) from error
    if scaler and state.scaler:
        state.scaler.load_state_dict(scaler)
