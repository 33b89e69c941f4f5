"""A text as a prediction task: the inputs of a model, and the target at each position."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.hooks import Hook
from models.language_model import LanguageModel
from models.transformer import Source
from playground.core.errors import PlaygroundError
from playground.text.masking import apply_mlm_mask
from playground.text.targets import IGNORE_INDEX


@dataclass(frozen=True)
class PredictionTask:
    """What a model has to predict in one text.

    Attributes:
        inputs: the token ids that it sees ``[n]``.
        targets: the right token id at each position ``[n]``, or IGNORE_INDEX.
        source_ids: the source text of an encoder–decoder; None for other models.
    """

    inputs: np.ndarray
    targets: np.ndarray
    source_ids: tuple[int, ...] | None = None

    @property
    def target_positions(self) -> np.ndarray:
        """The positions with a target ``[n_targets]``."""
        return np.flatnonzero(self.targets != IGNORE_INDEX)


def prediction_task(
    ids: Sequence[int],
    objective: str,
    source_ids: Sequence[int] | None = None,
    answer_from: int = 0,
    mask: tuple[int, int, *tuple[Collection[int], ...]] | None = None,
) -> PredictionTask:
    """The task that training makes of a text.

    Args:
        ids: the text; an encoder–decoder's target, <bos> first.
        objective: "clm" or "seq2seq": each token is predicted from those before it; "mlm": 20 % of the tokens, always
            the same, are masked.
        answer_from: the first position with a target (for pairs: where the answer begins).
        mask: for "mlm", the id of <mask>, the size of the vocabulary and, of a pretrained tokenizer, its special ids.

    Raises:
        PlaygroundError: when the text has nothing to predict.
    """
    tokens = np.asarray(ids)
    if objective == "mlm":
        assert mask is not None, "a masked language model needs the id of <mask>"
        shown, hidden = apply_mlm_mask(tokens[None], np.random.default_rng(0), 0.2, *mask)
        task = PredictionTask(np.where(hidden[0], mask[0], tokens), np.where(hidden[0], tokens, IGNORE_INDEX))
    else:
        targets = np.append(tokens[1:], IGNORE_INDEX)
        targets[: max(0, answer_from)] = IGNORE_INDEX
        task = PredictionTask(tokens, targets, None if source_ids is None else tuple(source_ids))
    if not len(task.target_positions):
        raise PlaygroundError("There is nothing to predict in this text.", "Type at least two tokens.")
    return task


@torch.no_grad()
def log_probabilities(model: LanguageModel, task: PredictionTask, hook: Hook | None = None, copies: int = 1) -> Tensor:
    """Log-probabilities ``[copies, n, vocabulary]`` of a task, which stands ``copies`` times in one batch.

    With more than one copy a hook can change each copy in another way.
    """
    inputs = torch.from_numpy(np.repeat(task.inputs[None], copies, 0).astype(np.int64))
    more = {}
    if task.source_ids is not None:
        more["source"] = Source(torch.tensor([task.source_ids]).expand(copies, -1))
    return F.log_softmax(model(inputs, hook=hook, **more).logits.float(), dim=-1)


def losses(log_probabilities: Tensor, task: PredictionTask) -> np.ndarray:
    """−ln p of each target (nats) ``[..., n_targets]``, of log-probabilities ``[..., n, vocabulary]``."""
    positions = torch.from_numpy(task.target_positions)
    targets = torch.from_numpy(task.targets[task.target_positions].astype(np.int64))
    rows = log_probabilities[..., positions, :]
    return -rows.gather(-1, targets.expand(rows.shape[:-1])[..., None])[..., 0].numpy()


@torch.no_grad()
def pseudo_log_likelihood(model: LanguageModel, ids: Sequence[int], mask_id: int, piece: int = 32) -> Tensor:
    """Log-probabilities ``[n, vocabulary]`` of each token while it alone is masked (Salazar et al. 2020, eq. 1).

    Args:
        model: a masked language model.
        ids: the ``n`` tokens.
        mask_id: the id of <mask>.
        piece: copies of the text in one batch.
    """
    text = torch.tensor(list(ids))
    found = []
    for start in range(0, len(ids), piece):
        positions = torch.arange(start, min(start + piece, len(ids)))
        batch = text.repeat(len(positions), 1)
        batch[torch.arange(len(positions)), positions] = mask_id
        rows = torch.arange(len(positions)) * len(ids) + positions
        found.append(F.log_softmax(model(batch, rows=rows).logits.float(), dim=-1))
    return torch.cat(found)
