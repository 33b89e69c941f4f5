"""The same held-out examples at every evaluation: for each asked token, the sixteen likeliest and their probabilities."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from playground.runs import examples
from playground.runs.config import RunConfig
from playground.runs.examples import LIKELIEST, MOST_ASKED, MOST_ROWS, MOST_SHOWN, Row, Texts
from playground.runs.folder import RunFolder
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch, Rows, Sampler
from playground.training.device import Device
from playground.training.labelled import LabelledObjective, LabelledSampler
from playground.training.objectives import Objective

LEAST_ASKED, ASKED_SHARE = 8, 60
"""Asked tokens per text, and how many times more tokens an evaluation reads than all texts ask for: they cost little."""
MASKED_LENGTHS, MASKED_SHARE = (24, 64), 30
"""The same of texts of which some tokens are masked: the shortest and longest that is read, and the share."""
CONTEXT, AFTER = 24, 8
"""Tokens shown before the first asked one, and after the last."""
MOST_LOGITS = 2**24
"""Logits of one forward pass: 64 MiB as float32."""


class ExampleLogger:
    """Writes the examples of an evaluation into the run's folder.

    Only the leader has one. It draws no random numbers and changes nothing of the model; a disk that cannot be written
    to is told once in the run's log, and training goes on.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        sampler: Sampler | LabelledSampler,
        objective: Objective | LabelledObjective,
    ) -> None:
        self.folder = folder
        self.kind: examples.Kind = kind_of(objective)
        evaluated = sum(map(len, sampler.validation(config.training.eval_batches, config.training.batch_size)))
        self.n_rows = min(MOST_ROWS, evaluated)
        self.n_tokens = evaluated * config.model.context_length // self.n_rows  # an evaluation's, per text
        self.most_asked = min(MOST_ASKED, max(LEAST_ASKED, self.n_tokens // ASKED_SHARE))
        self.rows = self._chosen(sampler, objective)
        self.batches = [limited(objective.batch(part), self.kind, self.most_asked) for part in self._parts(objective)]
        self.texts = self._texts()
        self.begun = self.told = False

    def _chosen(self, sampler: Sampler | LabelledSampler, objective: Objective | LabelledObjective) -> Rows:
        rows: Rows = sampler.validation_rows(sampler.validation(1, self.n_rows)[0])
        if self.kind != "masked":
            return rows
        length = min(MASKED_LENGTHS[1], max(MASKED_LENGTHS[0], self.n_tokens // MASKED_SHARE))
        lengths = None if rows.lengths is None else rows.lengths.clip(max=length)
        rows = objective.apply_mlm_mask(replace(rows, ids=rows.ids[:, :length], lengths=lengths), 0, stream=2)
        assert rows.is_masked is not None
        return replace(rows, is_masked=rows.is_masked & (rows.is_masked.cumsum(1) <= MOST_ASKED))

    def _parts(self, objective: Objective | LabelledObjective) -> Iterator[Rows]:
        """So many texts at a time that their logits have room."""
        labelled = isinstance(objective, LabelledObjective)
        width = objective.n_labels if labelled else objective.vocab_size
        length = self.most_asked if self.rows.lengths is None else self.rows.ids.shape[1]
        at_once = max(1, MOST_LOGITS // max(1, width * length))
        for start in range(0, len(self.rows.ids), at_once):
            yield self.rows.part(slice(start, start + at_once))

    def _texts(self) -> Texts | None:
        """What ``examples.json`` holds; None where nothing is asked."""
        if self.kind in ("masked", "label"):
            asked = [None] * len(self.rows.ids)
        else:
            asked = [row for batch in self.batches for row in batch.targets.numpy()]
        rows = [_row(self.kind, self.rows, i, targets) for i, targets in enumerate(asked)]
        rows = [row for row in rows if row is not None]
        return Texts(self.kind, rows) if rows else None

    def write(self, model: nn.Module, device: Device, step: int) -> None:
        """Asks the model and writes what it finds likeliest; of an evaluation whose numbers are none, nothing."""
        if self.texts is None:
            return
        was_training = model.training
        model.eval()
        try:
            found = self.likeliest(model, device)
        finally:
            model.train(was_training)
        if not np.isfinite(found["p"]).all():
            return
        try:
            if not self.begun:
                examples.begin(self.folder.path, self.texts)
                self.begun = True
            examples.save(self.folder.path, step, found)
        except OSError as error:
            self._tell(error)

    @torch.no_grad()
    def likeliest(self, model: nn.Module, device: Device) -> dict[str, np.ndarray]:
        """The likeliest ``ids`` and their ``p`` ``[asked, 16]``, and the right ones' ``p_target`` ``[asked]``."""
        parts = []
        for batch in self.batches:
            batch = batch.to(device)
            with device.autocast():
                logits = model(**batch.forward_inputs()).logits
            targets = batch.targets.flatten()
            asked = targets != IGNORE_INDEX
            parts.append(_likeliest(logits.flatten(0, -2)[asked].float(), targets[asked]))
        ids, p, p_target = (torch.cat(each).cpu().numpy() for each in zip(*parts, strict=True))
        return {"ids": ids, "p": p, "p_target": p_target}

    def _tell(self, error: OSError) -> None:
        if self.told:
            return
        self.told = True
        line = f"The validation examples could not be written ({error.strerror}); training goes on without them.\n"
        with contextlib.suppress(OSError), open(self.folder.log_path, "a", encoding="utf-8") as file:
            file.write(line)


def _likeliest(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ids and probabilities of the largest of ``[asked, width]``, and the probabilities of the targets ``[asked]``."""
    total = logits.logsumexp(-1, keepdim=True)
    largest = logits.topk(min(LIKELIEST, logits.shape[-1]))
    right = logits.gather(1, targets[:, None])
    p, p_target = ((each - total).exp().clamp(max=1).half() for each in (largest.values, right))
    return largest.indices.int(), p, p_target[:, 0]


def kind_of(objective: Objective | LabelledObjective) -> examples.Kind:
    """What is asked, as `playground.runs.examples.Texts` names it."""
    if isinstance(objective, LabelledObjective):
        return "tag" if objective.per_token else "label"
    if objective.training.objective == "mlm":
        return "masked"
    return "answer" if objective.training.objective == "seq2seq" else "next"


def limited(batch: Batch, kind: str, most_asked: int) -> Batch:
    """The batch with at most ``most_asked`` targets per text, and without what comes after them where nobody reads it."""
    if kind in ("label", "masked"):
        return batch
    targets = batch.targets.clone()
    asked = targets != IGNORE_INDEX
    targets[asked & (asked.cumsum(1) > most_asked)] = IGNORE_INDEX
    if kind == "tag":  # a model that reads both ways has to read all of the text
        targets[:, MOST_SHOWN:] = IGNORE_INDEX
        return replace(batch, targets=targets)
    width = int((targets != IGNORE_INDEX).any(0).nonzero().max()) + 1 if asked.any() else 1
    inputs = {**batch.inputs, "input_ids": batch.inputs["input_ids"][:, :width].contiguous()}
    return replace(batch, inputs=inputs, targets=targets[:, :width].contiguous())


def _row(kind: str, rows: Rows, i: int, targets: np.ndarray | None) -> Row | None:
    """How the text ``i`` is shown: what is asked, with some tokens around it; None where nothing is asked.

    Args:
        targets: of the text, as its batch has them.
    """
    length = rows.ids.shape[1] if rows.lengths is None else int(rows.lengths[i])
    ids, places = rows.ids[i, :length], np.empty(0, dtype=np.int64)
    if kind == "label":
        assert rows.labels is not None
        shown = ids[:MOST_SHOWN]
        return Row(shown.tolist(), [len(shown)], [int(rows.labels[i])], after=len(ids) > MOST_SHOWN)
    if kind == "masked":
        assert rows.is_masked is not None
        places = np.flatnonzero(rows.is_masked[i])
        right = rows.ids[i, places]
    else:
        assert targets is not None
        places = np.flatnonzero(targets != IGNORE_INDEX)
        right = targets[places]
    if not len(places):
        return None
    if kind == "next":
        places = places + 1
    if kind == "answer":
        assert rows.sources is not None and rows.source_lengths is not None and rows.starts is not None
        source, opening = rows.sources[i, : rows.source_lengths[i]], rows.ids[i, rows.starts[i] - 1]
        ids, places = np.concatenate([source, [opening], right]), places + len(source) + 1
    both_ways = kind in ("masked", "tag")
    start = 0 if both_ways else max(0, int(places[0]) - CONTEXT)
    end = min(len(ids), int(places[-1]) + 1 + (AFTER if both_ways else 0), start + MOST_SHOWN)
    return Row(ids[start:end].tolist(), (places - start).tolist(), right.tolist(), start > 0, end < len(ids))
