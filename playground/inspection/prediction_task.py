"""A text as a question to a model: what it is shown, and what it ought to say at which place."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hooks import Hook
from playground.core.errors import PlaygroundError
from playground.inspection.capture import source
from playground.text.masking import apply_mlm_mask
from playground.text.targets import IGNORE_INDEX


@dataclass(frozen=True)
class PredictionTask:
    """What a model is asked of one text.

    Attributes:
        inputs: what it is shown ``[n]``.
        targets: what it ought to say at each place ``[n]``, or IGNORE_INDEX.
        source_ids: what an encoder reads; None where there is none.
    """

    inputs: np.ndarray
    targets: np.ndarray
    source_ids: tuple[int, ...] | None = None

    @property
    def target_positions(self) -> np.ndarray:
        """The places with a target."""
        return np.flatnonzero(self.targets != IGNORE_INDEX)


def prediction_task(
    ids: Sequence[int],
    objective: str,
    source_ids: Sequence[int] | None = None,
    answer_from: int = 0,
    mask: tuple[int, int, Collection[int]] | tuple[int, int] | None = None,
) -> PredictionTask:
    """The question that training asks of a text.

    Args:
        ids: the text; an encoder–decoder's target, <bos> first.
        objective: "clm" or "seq2seq": every token is to be told from those before it; "mlm": a fixed fifth of the
            tokens is hidden.
        answer_from: the first place that is asked about (pairs: where the answer begins).
        mask: for "mlm", the id of <mask>, the size of the vocabulary and, of other people's tokenizers, the special ids.

    Raises:
        PlaygroundError: when the text has nothing to ask about.
    """
    ids = np.asarray(ids)
    if objective == "mlm":
        shown, hidden = apply_mlm_mask(ids[None], np.random.default_rng(0), 0.2, *mask)
        task = PredictionTask(np.where(hidden[0], mask[0], ids), np.where(hidden[0], ids, IGNORE_INDEX))
    else:
        targets = np.append(ids[1:], IGNORE_INDEX)
        targets[: max(0, answer_from)] = IGNORE_INDEX
        task = PredictionTask(ids, targets, None if source_ids is None else tuple(source_ids))
    if not len(task.target_positions):
        raise PlaygroundError("There is nothing to predict in this text.", "Type at least two tokens.")
    return task


@torch.no_grad()
def log_probabilities(model: nn.Module, task: PredictionTask, hook: Hook | None = None, copies: int = 1) -> Tensor:
    """Log-probabilities ``[copies, n, vocabulary]`` of the question, asked ``copies`` times in one batch."""
    inputs = torch.from_numpy(np.repeat(task.inputs[None], copies, 0).astype(np.int64))
    more = source(task.source_ids)
    if more and copies > 1:
        more = {"source_ids": more["source_ids"].expand(copies, -1)}
    return F.log_softmax(model(inputs, hook=hook, **more).logits.float(), dim=-1)


def losses(log_probabilities: Tensor, task: PredictionTask) -> np.ndarray:
    """−ln p of each right token (nats) ``[..., n asked]``."""
    places = torch.from_numpy(task.target_positions)
    targets = torch.from_numpy(task.targets[task.target_positions].astype(np.int64))
    rows = log_probabilities[..., places, :]
    return -rows.gather(-1, targets.expand(rows.shape[:-1])[..., None])[..., 0].numpy()


@torch.no_grad()
def pseudo_log_likelihood(model: nn.Module, ids: Sequence[int], mask_id: int, piece: int = 32) -> Tensor:
    """Each token hidden alone, told from both sides (Salazar et al. 2020): log-probabilities ``[n, vocabulary]``."""
    ids = torch.tensor(list(ids))
    found = []
    for start in range(0, len(ids), piece):
        places = torch.arange(start, min(start + piece, len(ids)))
        batch = ids.repeat(len(places), 1)
        batch[torch.arange(len(places)), places] = mask_id
        rows = torch.arange(len(places)) * len(ids) + places
        found.append(F.log_softmax(model(batch, rows=rows).logits.float(), dim=-1))
    return torch.cat(found)
