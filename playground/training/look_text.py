"""The text that a look into a training model reads: one of the validation data, or what somebody typed."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.spec import ModelSpec
from models.transformer import Source
from playground.core.errors import PlaygroundError
from playground.labelled.prepare import LabelledSet
from playground.runs.config import RunConfig
from playground.runs.frames import MAX_TOKENS
from playground.text.prepare import Prepared
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch, Rows, Sampler
from playground.training.labelled import LabelledObjective, LabelledSampler
from playground.training.objectives import Objective

VALIDATION_STREAM = 2  # of masks, as in an evaluation


@dataclass(frozen=True)
class LookText:
    """What the model reads, and what it is asked.

    Attributes:
        ids: the tokens ``[n]``; of a model of pairs the decoder's input.
        targets: what is asked at each of them ``[n]``, IGNORE_INDEX where nothing is; of a text's class ``[1]``; None: nothing.
        source_ids: what the encoder reads; None for a model without one.
        position: the place of ``ids`` whose predictions are told: the first mask, else the last token. Of a class, 0.
    """

    ids: list[int]
    targets: list[int] | None
    source_ids: list[int] | None
    position: int

    def inputs(self, device: torch.device) -> dict[str, Tensor | Source]:
        """The arguments of the model's ``forward``."""
        row = lambda ids: torch.tensor([ids], dtype=torch.long, device=device)
        source = {} if self.source_ids is None else {"source": Source(row(self.source_ids))}
        return {"input_ids": row(self.ids), **source}

    def loss(self, logits: Tensor) -> Tensor | None:
        """The mean cross-entropy (nats) over what is asked; None where nothing is.

        Args:
            logits: ``[1, n, vocabulary]``, or of a class ``[1, classes]``.
        """
        if self.targets is None:
            return None
        asked = torch.tensor(self.targets, dtype=torch.long, device=logits.device)
        return F.cross_entropy(logits.float().flatten(0, -2), asked, ignore_index=IGNORE_INDEX)


class LookTexts:
    """Makes the texts of one run as its objective makes its own.

    Args:
        config, prepared, sampler, objective: of the run.
    """

    def __init__(
        self,
        config: RunConfig,
        prepared: Prepared | LabelledSet,
        sampler: Sampler | LabelledSampler,
        objective: Objective | LabelledObjective,
    ) -> None:
        self.spec: ModelSpec = config.model
        self.objective_name = config.training.objective
        self.prepared, self.tokenizer = prepared, prepared.tokenizer
        self.sampler, self.objective = sampler, objective
        self.most = MAX_TOKENS if self.spec.is_recurrent else min(MAX_TOKENS, self.spec.context_length)
        self._last: tuple[tuple[str, str], LookText] | None = None

    def text(self, typed: str, source: str) -> LookText:
        """The text to read.

        Args:
            typed, source: as in `playground.runs.look.LookRequest`.

        Raises:
            PlaygroundError: when there is nothing to answer.
        """
        if self._last is None or self._last[0] != (typed, source):
            self._last = (typed, source), self._typed(typed, source) if typed or source else self._fixed()
        return self._last[1]

    def _fixed(self) -> LookText:
        """The first validation row, the same whenever it is asked for."""
        rows = self.sampler.validation_rows(np.array([0]))
        return self._of_rows(rows)

    def _typed(self, typed: str, source: str) -> LookText:
        if isinstance(self.prepared, LabelledSet):
            ids = self.tokenizer.with_special_tokens(self.tokenizer.encode(typed), self.most)
            position = 0 if self.prepared.task == "classify" else len(ids) - 1
            return LookText(ids or [self.tokenizer.eos_id], None, None, position)
        if self.prepared.shape == "pairs":
            return self._of_pair(typed, source)
        if self.objective_name == "mlm":
            return self._to_fill(typed)
        before = list(self.tokenizer.frame[0])
        ids = [*before, *self.tokenizer.encode(self.tokenizer.to_continue(typed))] or [self.tokenizer.eos_id]
        ids = ids[: self.most]
        return LookText(ids, _asked([*ids[1:], IGNORE_INDEX]), None, len(ids) - 1)

    def _to_fill(self, typed: str) -> LookText:
        """Where the person hid tokens, nobody knows which they were; else they are hidden as in an evaluation."""
        ids = self.tokenizer.encode(typed, specials=True)
        if self.tokenizer.mask_id in ids or not ids:
            ids = self.tokenizer.with_special_tokens(ids, self.most) or [self.tokenizer.eos_id]
            return LookText(ids, None, None, self._told_of(ids, None))
        room = self.most - sum(map(len, self.tokenizer.frame))
        return self._of_rows(Rows(np.array([ids[: max(1, room)]], dtype=np.int64)))

    def _of_pair(self, typed: str, source: str) -> LookText:
        """A question and what is written in answer; without an answer nothing is asked."""
        question, answer = self.tokenizer.encode(source), self.tokenizer.encode(typed)
        if not question:
            raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
        bos, eos = self.tokenizer.bos_id, self.tokenizer.eos_id
        if not answer and self.spec.reads_pairs:
            return LookText([bos], None, question[: self.most], 0)
        if not answer and self.objective_name == "clm":
            ids = [*question, bos][-self.most :]
            return LookText(ids, None, None, len(ids) - 1)
        joined = [*question, bos, *answer, eos]
        return self._of_rows(
            Rows(
                np.array([joined], dtype=np.int64),
                starts=np.array([len(question) + 1]),
                lengths=np.array([len(joined)]),
                sources=np.array([question], dtype=np.int64),
                source_lengths=np.array([len(question)]),
            )
        )

    def _of_rows(self, rows: Rows) -> LookText:
        """What the objective asks of one row, cut to what a frame holds."""
        rows = self.objective.apply_mlm_mask(rows, 0, VALIDATION_STREAM)
        batch: Batch = self.objective.batch(rows)
        ids = batch.inputs["input_ids"][0].tolist()
        if isinstance(self.prepared, LabelledSet) and self.prepared.task == "classify":
            return LookText(ids[: self.most], batch.targets.tolist(), None, 0)
        targets = [IGNORE_INDEX] * len(ids)
        places = batch.inputs["rows"].tolist() if "rows" in batch.inputs else range(len(ids))
        for place, target in zip(places, batch.targets.flatten().tolist(), strict=True):
            targets[place] = target
        start = self._window(targets)
        ids, targets = (each[start : start + self.most] for each in (ids, targets))
        source = batch.inputs.get("source_ids")
        source_ids = None if source is None else source[0, : self.most].tolist()
        return LookText(ids, _asked(targets), source_ids, self._told_of(ids, targets))

    def _window(self, targets: list[int]) -> int:
        """Where the part that is read begins: at the beginning, unless nothing is asked there (after a long question)."""
        first = next((i for i, target in enumerate(targets) if target != IGNORE_INDEX), 0)
        return 0 if first < self.most else first - self.most // 2

    def _told_of(self, ids: list[int], targets: list[int] | None) -> int:
        """The first mask, or hidden token; of tags the last word; else the last token."""
        asked = [i for i, target in enumerate(targets or ()) if target != IGNORE_INDEX]
        if isinstance(self.prepared, LabelledSet):
            return asked[-1] if asked else len(ids) - 1
        if self.objective_name != "mlm":
            return len(ids) - 1
        if self.tokenizer.mask_id in ids:
            return ids.index(self.tokenizer.mask_id)
        return asked[0] if asked else len(ids) - 1


def _asked(targets: list[int]) -> list[int] | None:
    """The targets; None where none counts."""
    return targets if any(target != IGNORE_INDEX for target in targets) else None
