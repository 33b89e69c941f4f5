"""What the model is asked: the next token (CLM), hidden tokens (MLM), or a text for a text (seq2seq)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.runs.config import RunConfig
from playground.text.masking import apply_mlm_mask
from playground.text.prepare import Prepared
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch, Rows, pad, rng, to_tensor


def causal(rows: Rows, loss_on: str = "all") -> Batch:
    """Every position predicts the token after it (Radford et al. 2018): targets are the ids shifted by one."""
    inputs, targets = rows.ids[:, :-1], rows.ids[:, 1:]
    if rows.lengths is None:
        return Batch({"input_ids": to_tensor(inputs)}, to_tensor(targets), targets.size, inputs.size)
    position = np.arange(1, rows.ids.shape[1])
    counts = position < rows.lengths[:, None]
    if loss_on == "completion":
        assert rows.starts is not None
        counts &= position >= rows.starts[:, None]
    # Padding is on the right, where a causal model never looks from a real token: no mask is needed.
    return Batch(
        {"input_ids": to_tensor(inputs)},
        to_tensor(np.where(counts, targets, IGNORE_INDEX)),
        int(counts.sum()),
        int((rows.lengths - 1).sum()),
        _whole(rows),
    )


def _whole(rows: Rows) -> Tensor | None:
    return None if rows.is_complete is None or rows.is_complete.all() else to_tensor(rows.is_complete)


def framed(rows: Rows, frame: tuple[Sequence[int], Sequence[int]], pad_id: int, most: int) -> Rows:
    """Rows within what the model learnt to see around every text, such as [CLS] … [SEP]; at most ``most`` tokens each.

    Of a pair, what stands between is what ends a text there: [CLS] question [SEP] answer [SEP].
    """
    before, after = map(list, frame)
    room = max(0, most - len(before) - len(after))
    if rows.lengths is None:
        around = lambda part: np.tile(np.array(part, dtype=rows.ids.dtype), (len(rows.ids), 1))
        return replace(rows, ids=np.concatenate([around(before), rows.ids[:, :room], around(after)], axis=1))
    assert rows.starts is not None
    made = []
    for ids, start, end in zip(rows.ids.tolist(), rows.starts, rows.lengths):
        question, answer = ids[: start - 1], ids[start:end]
        answer = answer[:-1] if answer[-1:] == after[-1:] else answer
        made.append([*before, *[*question, *after, *answer][:room], *after])
    ids, lengths = pad(made, pad_id)
    return replace(rows, ids=ids, lengths=lengths)


def masked(rows: Rows) -> Batch:
    """Hidden tokens are to be named; the model computes logits at those places alone."""
    assert rows.masked_ids is not None and rows.is_masked is not None
    places = np.flatnonzero(rows.is_masked)
    inputs = {"input_ids": to_tensor(rows.masked_ids), "rows": to_tensor(places)}
    n_tokens = rows.masked_ids.size
    if rows.lengths is not None:
        inputs["attention_mask"] = to_tensor(np.arange(rows.masked_ids.shape[1]) < rows.lengths[:, None])
        n_tokens = int(rows.lengths.sum())
    return Batch(inputs, to_tensor(rows.ids.reshape(-1)[places]), len(places), n_tokens)


def sequence_to_sequence(rows: Rows, bos_id: int, context_length: int) -> Batch:
    """The decoder reads ``<bos> answer`` and is asked for ``answer <eos>`` (teacher forcing, Williams & Zipser 1989)."""
    assert rows.lengths is not None and rows.starts is not None
    assert rows.sources is not None and rows.source_lengths is not None
    width = int((rows.lengths - rows.starts).max())
    answers = np.full((len(rows.ids), min(width, context_length)), IGNORE_INDEX, dtype=np.int64)
    for answer, ids, start, end in zip(answers, rows.ids, rows.starts, rows.lengths):
        kept = ids[start:end][: len(answer)]
        answer[: len(kept)] = kept
    shown = np.concatenate([np.full((len(answers), 1), bos_id), answers[:, :-1]], axis=1)
    source_mask = np.arange(rows.sources.shape[1]) < rows.source_lengths[:, None]
    inputs = {
        "input_ids": to_tensor(np.where(shown == IGNORE_INDEX, 0, shown)),
        "source_ids": to_tensor(rows.sources),
    }
    if not source_mask.all():
        inputs["source_mask"] = to_tensor(source_mask)
    counts = int((answers != IGNORE_INDEX).sum())
    return Batch(inputs, to_tensor(answers), counts, counts + int(rows.source_lengths.sum()), _whole(rows))


def fetch(numbers: list) -> list[float]:
    """Numbers as Python's own; those that are still tensors are fetched from the device at once."""
    waiting = [number for number in numbers if isinstance(number, Tensor)]
    fetched = iter(torch.stack(waiting).tolist() if waiting else ())
    return [next(fetched) if isinstance(number, Tensor) else number for number in numbers]


@dataclass
class Score:
    """Sums over one batch, so that batches and processes can be added up exactly.

    Numbers that the device has not been asked for yet are tensors: `total` asks, once for many batches.
    """

    loss: float | Tensor = 0.0
    targets: float = 0
    correct: float | Tensor = 0
    exact_matches: float | Tensor = 0
    sequences: float = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(a + b for a, b in zip(self.as_list(), other.as_list())))

    @classmethod
    def total(cls, scores: list["Score"]) -> "Score":
        """All of them added up, in their order."""
        columns = zip(*(score.as_list() for score in scores), strict=True)
        return cls(*(sum(fetch(list(column))) for column in columns))

    def as_list(self) -> list[Any]:
        """All sums as numbers, to add up over processes."""
        return [self.loss, self.targets, self.correct, self.exact_matches, self.sequences]

    @classmethod
    def from_list(cls, values: list[float]) -> "Score":
        """The inverse of `as_list`."""
        return cls(*values)

    def extra_metrics(self) -> dict[str, float]:
        """What is told besides loss and accuracy: the share of answers right from end to end."""
        return {"val_exact": float(self.exact_matches) / self.sequences} if self.sequences else {}


class Objective:
    """Makes batches of rows, and losses of logits, for one run."""

    def __init__(self, config: RunConfig, prepared: Prepared) -> None:
        self.training = config.training
        self.vocab_size, self.context_length = config.model.vocab_size, config.model.context_length
        self.mask_id, self.bos_id = prepared.tokenizer.mask_id, prepared.tokenizer.bos_id
        self.special_ids, self.frame = prepared.tokenizer.special_ids, prepared.tokenizer.frame
        self.pad_id = prepared.tokenizer.pad_id
        self.has_answers = prepared.shape == "pairs" and (
            self.training.objective == "seq2seq" or self.training.loss_on == "completion"
        )

    def apply_mlm_mask(self, rows: Rows, step: int, stream: int = 1) -> Rows:
        """For the masked objective, chooses what to hide in the whole batch, before it is split among processes.

        A model from elsewhere reads every row within its frame.
        ``stream`` keeps the masks of training (1) and of validation (2) apart.
        """
        if self.training.objective != "mlm":
            return rows
        most = self.context_length  # rows hold one token more, for a target that causal models shift
        if any(self.frame):
            rows = framed(rows, self.frame, self.pad_id, most)
        lengths = None if rows.lengths is None else rows.lengths.clip(max=most)
        rows = replace(rows, ids=rows.ids[:, :most], lengths=lengths)
        generator = rng(self.training.seed, step, stream)
        shown, hidden = apply_mlm_mask(
            rows.ids, generator, self.training.mask_rate, self.mask_id, self.vocab_size, self.special_ids
        )
        return replace(rows, masked_ids=shown, is_masked=hidden)

    def batch(self, rows: Rows) -> Batch:
        """Inputs and targets of the objective: see `causal`, `masked` and `sequence_to_sequence`."""
        if self.training.objective == "clm":
            return causal(rows, self.training.loss_on)
        if self.training.objective == "seq2seq":
            return sequence_to_sequence(rows, self.bos_id, self.context_length)
        return masked(rows)

    def loss_sum(self, model: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy summed over the targets that count (nats)."""
        logits = model(**batch.forward_inputs()).logits
        return F.cross_entropy(
            logits.flatten(0, -2), batch.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
        )

    def no_score(self) -> Score:
        """A score of nothing, to add others to."""
        return Score()

    @torch.no_grad()
    def score(self, model: nn.Module, batch: Batch) -> Score:
        """Loss, right tokens and, for whole sequences, answers right from end to end.

        With every target of a sequence the most likely one under teacher forcing, greedy decoding writes exactly
        that sequence, so ``exact`` counts what decoding would get right. An answer that was cut off is wrong: its end
        was never asked. Nothing waits for the device.
        """
        logits = model(**batch.forward_inputs()).logits.float()
        targets = batch.targets
        loss = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
        right = logits.argmax(-1) == targets
        asked = targets != IGNORE_INDEX
        whole = self.has_answers and targets.dim() == 2
        exact: int | Tensor = 0
        if whole:
            all_right = (right | ~asked).all(-1)
            exact = (all_right if batch.is_complete is None else all_right & batch.is_complete).sum()
        sequences = targets.shape[0] if whole else 0
        return Score(loss, batch.n_targets, (right & asked).sum(), exact, sequences)
