"""Labelled text in the training loop: which texts are seen when, what is asked, what is told of it."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.labelled.prepare import LabelledSet, Side
from playground.labelled.split import chosen
from playground.runs.config import RunConfig
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch, Rows, pad, rng, to_tensor
from playground.training.device import Device
from playground.training.objectives import fetch
from playground.training.samples import ProbabilityTracker

N_EXAMPLES = 3  # in a sample
N_PROBED = 12  # texts whose right label's probability is followed
SHOWN = 60  # characters of a text in a sample


class LabelledSampler:
    """Draws examples in epochs: each is seen once before any is seen again.

    A pure function of (seed, step), as `playground.training.batches.Sampler`.
    """

    def __init__(self, data: LabelledSet, config: RunConfig) -> None:
        self.data, self.config, self.seed = data, config, config.training.seed
        assert config.finetune is not None and config.finetune.labelled is not None
        self.used = chosen(len(data.train), config.finetune.labelled)
        self._orders: OrderedDict[int, np.ndarray] = OrderedDict()
        self.pad_id = data.tokenizer.pad_id

    def train(self, step: int, batch_size: int) -> Rows:
        """The rows of ``step``: the global batch, of which each process then takes its part."""
        places = np.arange(step * batch_size, (step + 1) * batch_size)
        indices = [self._order(int(epoch))[place] for epoch, place in zip(*divmod(places, len(self.used)))]
        return self.rows(self.data.train, np.array(indices))

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            self._orders[epoch] = rng(self.seed, epoch).permutation(self.used)
            if len(self._orders) > 2:
                self._orders.popitem(last=False)
        return self._orders[epoch]

    def validation(self, n_batches: int, batch_size: int) -> list[np.ndarray]:
        """The same evenly spread examples at every evaluation, as batches of indices."""
        there = len(self.data.validation)
        wanted = min(n_batches * batch_size, there)
        places = np.linspace(0, there - 1, wanted).astype(np.int64)
        return [places[i : i + batch_size] for i in range(0, wanted, batch_size)]

    def validation_rows(self, places: np.ndarray) -> Rows:
        """The validation rows at these places, from `validation`."""
        return self.rows(self.data.validation, places)

    def rows(self, side: Side, indices: np.ndarray) -> Rows:
        """Examples of a side as padded rows: ids ``[batch, length]``; labels ``[batch]``, or ``[batch, length]`` for tags."""
        ids, lengths = pad([side.tokens(i) for i in indices], self.pad_id)
        if self.data.task == "classify":
            return Rows(ids, lengths=lengths, labels=np.asarray(side.labels)[indices].astype(np.int64))
        labels, _ = pad([side.tags(i) for i in indices], IGNORE_INDEX)
        return Rows(ids, lengths=lengths, labels=labels)


@dataclass
class LabelledScore:
    """Sums over a batch. ``counts`` are, for each label: right, predicted, true ``[3, labels]``.

    Loss and counts are tensors until `total` asks the device for them.
    """

    loss: float | Tensor = 0.0
    targets: int = 0
    counts: np.ndarray | Tensor = field(default_factory=lambda: np.zeros((3, 0)))

    def __add__(self, other: "LabelledScore") -> "LabelledScore":
        return LabelledScore(self.loss + other.loss, self.targets + other.targets, self.counts + other.counts)

    @classmethod
    def total(cls, scores: list["LabelledScore"]) -> "LabelledScore":
        """All of them added up, in their order; the device is asked once for all."""
        counted = [score.counts for score in scores if isinstance(score.counts, Tensor)]
        counts = np.asarray(sum(score.counts for score in scores if not isinstance(score.counts, Tensor)))
        if counted:
            counts = counts + torch.stack(counted).sum(0).cpu().numpy().astype(float)
        losses = fetch([score.loss for score in scores])
        return cls(sum(losses), sum(score.targets for score in scores), counts)

    def as_list(self) -> list[Any]:
        """All sums as numbers, to add up over processes."""
        return [self.loss, self.targets, *self.counts.reshape(-1).tolist()]

    @classmethod
    def from_list(cls, values: list[float]) -> "LabelledScore":
        """The inverse of `as_list`."""
        return cls(values[0], int(values[1]), np.array(values[2:]).reshape(3, -1))

    @property
    def correct(self) -> float:
        """How many targets were predicted correctly."""
        return float(self.counts[0].sum())

    def extra_metrics(self) -> dict[str, float]:
        """The macro-averaged F1: the mean over labels that are there or were predicted, rare ones counting as much."""
        right, predicted, true = self.counts
        present = (predicted + true) > 0
        f1 = 2 * right[present] / (predicted + true)[present]
        return {"val_f1": float(f1.mean()) if present.any() else 0.0}


class LabelledObjective:
    """Cross-entropy over the labels, of a text or of each asked token."""

    def __init__(self, data: LabelledSet, config: RunConfig) -> None:
        self.n_labels = len(data.labels)
        self.per_token = data.task == "tag"
        self.weights = None
        assert config.finetune is not None
        if config.finetune.class_weights == "balanced":
            self.weights = balanced_weights(np.array(data.info["counts"]["train"]))

    def apply_mlm_mask(self, rows: Rows, step: int, stream: int = 1) -> Rows:
        """Nothing is hidden: all is read, and the labels are asked."""
        return rows

    def batch(self, rows: Rows) -> Batch:
        """Inputs ``[batch, length]`` with a padding mask where one is needed, and the labels as targets."""
        inputs = {"input_ids": to_tensor(rows.ids)}
        assert rows.lengths is not None and rows.labels is not None
        real = np.arange(rows.ids.shape[1]) < rows.lengths[:, None]
        if not real.all():
            inputs["attention_mask"] = to_tensor(real)
        asked = int((rows.labels != IGNORE_INDEX).sum())
        return Batch(inputs, to_tensor(rows.labels), asked, int(rows.lengths.sum()))

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Summed over what is asked (nats); balanced, a label weighs the more the rarer it is, 1 on average."""
        logits = model(**batch.forward_inputs()).logits
        if self.weights is not None:  # moved once: a copy at every step would have to be waited for
            self.weights = self.weights.to(logits.device)
        weights = None if self.weights is None else self.weights.to(logits.dtype)
        return F.cross_entropy(
            logits.flatten(0, -2), batch.targets.flatten(), weights, ignore_index=IGNORE_INDEX, reduction="sum"
        )

    def no_score(self) -> LabelledScore:
        """A score of nothing, to add others to."""
        return LabelledScore(counts=np.zeros((3, self.n_labels)))

    @torch.no_grad()
    def score(self, model: nn.Module, batch: Batch) -> LabelledScore:
        """The plain loss, without weights, and what is needed for accuracy and F1."""
        logits, targets = model(**batch.forward_inputs()).logits.float().flatten(0, -2), batch.targets.flatten()
        loss = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="sum")
        best, labels = logits.argmax(-1), torch.arange(self.n_labels, device=targets.device)
        true = targets[:, None] == labels  # [places, labels]; nowhere where nothing is asked
        said = (best[:, None] == labels) & (targets != IGNORE_INDEX)[:, None]
        counts = torch.stack([(true & said).sum(0), said.sum(0), true.sum(0)])
        return LabelledScore(loss, batch.n_targets, counts)


def balanced_weights(counts: np.ndarray) -> Tensor:
    """Weights n/(k·n_c) of k labels, n_c examples of n each: every label then counts as much (King & Zeng 2001)."""
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return torch.from_numpy(weights).float()


class LabelledSampleLogger:
    """Samples while it trains: the same validation texts, and what the model says of each now."""

    def __init__(
        self,
        data: LabelledSet,
        sampler: LabelledSampler,
        objective: LabelledObjective,
        model: nn.Module,
        device: Device,
    ) -> None:
        self.data, self.model, self.device = data, model, device
        places = np.linspace(0, len(data.validation) - 1, min(N_EXAMPLES, len(data.validation))).astype(int)
        self.rows = sampler.validation_rows(places)
        self.batch = objective.batch(self.rows).to(device)
        self.texts = data.validation.texts(places.tolist())

    def write(self, step: int) -> dict:
        """One object for ``samples.jsonl``: ``kind``, ``step`` and the examples with true and predicted labels."""
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), self.device.autocast():
                logits = self.model(**self.batch.forward_inputs()).logits.float().cpu()
        finally:
            self.model.train(was_training)
        return {"kind": "labels", "step": step, "examples": [self._example(i, logits[i]) for i in range(len(logits))]}

    def _example(self, i: int, logits: Tensor) -> dict:
        labels, best = self.rows.labels, logits.softmax(-1).max(-1)
        assert labels is not None
        if self.data.task == "classify":
            return {
                "text": self.texts[i],
                "label": self.data.labels[int(labels[i])],
                "said": self.data.labels[int(best.indices)],
                "probability": round(float(best.values), 4),
            }
        asked = np.flatnonzero(labels[i] != IGNORE_INDEX)
        name = lambda code: self.data.labels[int(code)]
        return {
            "pieces": self.texts[i][: len(asked)],
            "tags": [name(code) for code in labels[i][asked]],
            "said": [name(best.indices[place]) for place in asked],
        }


class LabelledProbabilityTracker(ProbabilityTracker):
    """How likely the model finds the right labels of some validation examples, at every evaluation.

    Of classes: some texts. Of tags: the words of one text.
    """

    def __init__(self, data: LabelledSet, sampler: LabelledSampler, objective: LabelledObjective) -> None:
        n = min(N_PROBED, len(data.validation)) if data.task == "classify" else 1
        places = np.linspace(0, len(data.validation) - 1, n).astype(int)
        self.batch = objective.batch(sampler.validation_rows(places))
        texts = data.validation.texts(places.tolist())
        targets = self.batch.targets.flatten()
        codes = targets[targets != IGNORE_INDEX].tolist()
        names = texts[0][: len(codes)] if data.task == "tag" else [_short(text) for text in texts]
        self.tokens = [f"{name} → {data.labels[code]}" for name, code in zip(names, codes)]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
