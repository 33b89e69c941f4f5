"""What came of fine-tuning: the test, looked at once, and what was forgotten of the text before."""

import time
from contextlib import suppress
from dataclasses import asdict

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file, save_file
from torch import nn

from playground.core import atomic
from playground.core.errors import PlaygroundError, UserError
from playground.labelled.prepare import LabelledSet
from playground.labelled.scores import by_label, calibration, confusion, macro_f1
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text import uploads
from playground.text.prepare import Prepared, load, prepare
from playground.text.targets import IGNORE_INDEX
from playground.text.tokenizers import Tokenizer
from playground.training.batches import Sampler
from playground.training.device import Device
from playground.training.labelled import LabelledObjective, LabelledSampler
from playground.training.load_model import body_of, load_parent, starts_from_parent
from playground.training.objectives import Objective, Score
from playground.training.run_logger import Listener

BATCH = 64
SHOWN_LABELS = 100  # beyond, the confusion matrix is left to test.safetensors
BATCHES = 20  # of the text before, to see what was forgotten


def write_report(folder: RunFolder, trainer, listener: Listener) -> dict:
    """Tests a fine-tuned model and writes ``results/report.json`` (and ``test.safetensors`` for labels).

    Args:
        trainer: the `playground.training.trainer.Trainer` that has just ended.
        listener: hears what is being done.
    """
    began = time.monotonic()
    listener("status", {"state": "running", "message": "Testing on held-out texts."})
    folder.update_status(message="Testing on held-out texts.")
    model, config, data, device = trainer.model, trainer.config, trainer.prepared, trainer.device
    was_training = model.training
    model.eval()
    try:
        counts = [(p.numel(), p.requires_grad) for p in model.parameters()]
        found = {
            "step": trainer.progress.step,
            "task": config.finetune.task,
            "trained_parameters": sum(n for n, trained in counts if trained),
            "parameters": sum(n for n, _ in counts),
            "training_seconds": round(trainer.progress.seconds, 2),
        }
        predictions = None
        if isinstance(data, LabelledSet):
            predictions = predict_side(model, data, trainer.sampler, device)
            found |= {"used": len(trainer.sampler.used), **evaluation_of(predictions, list(data.labels))}
        if starts_from_parent(config):
            found["forgetting"] = forgetting(config, body_of(model), data.tokenizer, device)
        found["seconds"] = round(time.monotonic() - began, 2)
        _write(folder, found, predictions)
    finally:
        model.train(was_training)
    folder.update_status(message="")
    return found


def _write(folder: RunFolder, found: dict, predictions: dict[str, np.ndarray] | None) -> None:
    results = folder.path / "results"
    with atomic.disk_errors("writing the results"):
        results.mkdir(exist_ok=True)
        if predictions is not None:
            temporary = results / ".test.safetensors"
            save_file(predictions, temporary)
            temporary.replace(results / "test.safetensors")
        atomic.write_json(results / "report.json", found)


@torch.no_grad()
def predict_side(
    model: nn.Module, data: LabelledSet, sampler: LabelledSampler, device: Device, side: str = "test"
) -> dict[str, np.ndarray]:
    """What the model says of every example of a side; all arrays ``[n]``, in the order of the side.

    Returns:
        ``true``, ``predicted`` (codes), ``confidence`` (probability of the predicted label), ``truth`` (of the true
        one); for tags also ``example`` and ``piece``: which word of which example.
    """
    part, objective = data.side(side), LabelledObjective(data, sampler.config)
    found: dict[str, list] = {"true": [], "predicted": [], "confidence": [], "truth": [], "example": [], "piece": []}
    for start in range(0, len(part), BATCH):
        indices = np.arange(start, min(start + BATCH, len(part)))
        rows = sampler.rows(part, indices)
        batch = objective.batch(rows).to(device)
        with device.autocast():
            logits = model(**batch.forward_inputs()).logits.float()
        logits, targets = logits.flatten(0, -2), batch.targets.flatten()
        asked = targets != IGNORE_INDEX
        likely, targets = F.softmax(logits[asked], -1), targets[asked]
        best = likely.max(-1)
        found["true"].append(targets.cpu().numpy())
        found["predicted"].append(best.indices.cpu().numpy())
        found["confidence"].append(best.values.cpu().numpy())
        found["truth"].append(likely.gather(1, targets[:, None])[:, 0].cpu().numpy())
        if data.task == "tag":
            row, _ = np.nonzero(rows.labels != IGNORE_INDEX)
            found["example"].append(indices[row])
            found["piece"].append(np.concatenate([np.arange(n) for n in (rows.labels != IGNORE_INDEX).sum(1)]))
    return {name: np.concatenate(values) for name, values in found.items() if values}


def evaluation_of(predictions: dict[str, np.ndarray], labels: list[str]) -> dict:
    """All figures about predictions, for ``report.json``."""
    true, said = predictions["true"], predictions["predicted"]
    bins, error = calibration(predictions["confidence"], true == said)
    found = {
        "test": {
            "n": len(true),
            "loss": float(-np.log(np.maximum(predictions["truth"], 1e-12)).mean()),
            "accuracy": float((true == said).mean()),
            "macro_f1": macro_f1(true, said),
        },
        "by_label": [asdict(score) for score in by_label(true, said, labels)],
        "calibration": {"bins": bins, "error": error},
    }
    if len(labels) <= SHOWN_LABELS:
        found["confusion"] = confusion(true, said, len(labels)).tolist()
    return found


def load_test_predictions(folder: RunFolder) -> dict[str, np.ndarray]:
    """What `predict_side` found, as it was written.

    Raises:
        PlaygroundError: when the run has not been tested, or the file is damaged.
    """
    try:
        found = load_file(folder.path / "results" / "test.safetensors")
        _check(found)
        return found
    except Exception as error:  # safetensors has errors of its own
        raise PlaygroundError(
            "{name} has no test results that can be read.", "Let it train to its end.", name=folder.name
        ) from error


def _check(found: dict[str, np.ndarray]) -> None:
    """Raises ValueError or KeyError unless these are arrays as `predict_side` makes them."""
    n = found["true"].shape
    codes = [found["true"], found["predicted"], *(found[name] for name in ("example", "piece") if name in found)]
    shares = [found["confidence"], found["truth"]]
    if len(n) != 1 or any(each.shape != n for each in (*codes, *shares)):
        raise ValueError("not one of each for every example")
    if any(each.dtype.kind not in "iu" or (each < 0).any() for each in codes):
        raise ValueError("some codes are none")
    if any(each.dtype.kind != "f" or not ((each >= 0) & (each <= 1.001)).all() for each in shares):
        raise ValueError("some probabilities are none")


def forgetting(config: RunConfig, model: nn.Module, tokenizer: Tokenizer, device: Device) -> dict:
    """The loss on the text that the weights come from, before and after (nats per token); or why there is none."""
    try:
        assert config.parent is not None
        folder = RunStore().get(config.parent["run"])
        before = folder.config()
        data = _text_of(folder, before, tokenizer)
        parent = body_of(load_parent(config)).to(device.torch)
        return {
            "text": uploads.text_title(before.data.path, before.data.corpus)
            if before.data.path
            else before.data.corpus,
            "objective": before.training.objective,
            "before": language_loss(parent, before, data, device),
            "after": language_loss(model, before, data, device),
        }
    except UserError as error:
        return {"missing": _named_only(error.message, config)}


def _named_only(message: str, config: RunConfig) -> str:
    """A sentence with a file's name where it tells its place: a report goes along when the run is given away."""
    texts = [config.data]
    with suppress(UserError):
        assert config.parent is not None
        texts.append(RunStore().get(config.parent["run"]).config().data)
    for path in (text.path for text in texts if text.path):
        message = message.replace(path, uploads.display_name(path))
    return message


def _text_of(folder: RunFolder, config: RunConfig, tokenizer: Tokenizer) -> Prepared:
    """The text that a run was trained on: as it was prepared for it, or anew in its tokens."""
    known = folder.data_folder()
    if known and not (config.finetune and config.finetune.reads_labels):
        try:
            return load(known)
        except PlaygroundError:
            pass  # cleaned away, or the run comes from another machine
    return prepare(config.data, tokenizer=tokenizer)


@torch.no_grad()
def language_loss(model: nn.Module, config: RunConfig, data: Prepared, device: Device) -> float:
    """Mean loss of a language model on the validation side of its text, as its own training measured it."""
    was_training = model.training
    model.eval()
    config = config.replace(finetune=None)
    sampler = Sampler(data, config.model.context_length, config.training.seed, config.training.objective == "seq2seq")
    objective, scores = Objective(config, data), [Score()]
    for index, places in enumerate(sampler.validation(BATCHES, 32)):
        rows = objective.apply_mlm_mask(sampler.validation_rows(places), index, stream=2)
        with device.autocast():
            scores.append(objective.score(model, objective.batch(rows).to(device)))
    score = Score.total(scores)
    model.train(was_training)
    return float(score.loss) / max(1, score.targets)
