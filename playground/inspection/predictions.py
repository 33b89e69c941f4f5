"""How sure a model is of every token of a text, and how that certainty grows from layer to layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from playground.inspection.capture import capture, residual_streams
from playground.inspection.prediction_task import PredictionTask, log_probabilities, pseudo_log_likelihood
from playground.text.targets import IGNORE_INDEX


@dataclass(frozen=True)
class TokenPredictions:
    """What a model says of a text, place by place.

    Attributes:
        p: the probability of the token that stands there; NaN where none was asked ``[n]``.
        rank: how many tokens it thought likelier; -1 where none was asked ``[n]``.
        top: the likeliest tokens ``[n, k]`` and their probabilities.
        top_p: ``[n, k]``.
    """

    p: np.ndarray
    rank: np.ndarray
    top: np.ndarray
    top_p: np.ndarray

    def loss(self) -> float:
        """The mean of −ln p (nats per token)."""
        return float(-np.log(self.p[~np.isnan(self.p)]).mean())


def predict_causal(model: nn.Module, task: PredictionTask, k: int = 5) -> TokenPredictions:
    """Every token as it was expected from those before it; each stands where it is in the text."""
    rows = log_probabilities(model, task)[0]
    n = len(task.inputs)
    truth = np.full(n, IGNORE_INDEX)
    truth[1:] = task.targets[:-1]  # what is said at a place is about the next one
    moved = torch.cat([torch.full_like(rows[:1], float("nan")), rows[:-1]])
    return _predictions_of(moved, truth, k)


def predict_masked(model: nn.Module, ids: Sequence[int], mask_id: int, k: int = 5) -> TokenPredictions:
    """Every token as a masked model tells it from both sides, each hidden alone.

    A text longer than any that training showed is read in parts of that length.
    """
    n, length = len(ids), model.spec.context_length
    rows = []
    for start in range(0, n, length):
        first = min(start, max(0, n - length))  # the last part is as long as the others
        rows.append(pseudo_log_likelihood(model, ids[first : first + length], mask_id)[start - first :])
    return _predictions_of(torch.cat(rows), np.asarray(ids), k)


def _predictions_of(rows: torch.Tensor, truth: np.ndarray, k: int) -> TokenPredictions:
    task = truth != IGNORE_INDEX
    safe = torch.from_numpy(np.where(task, truth, 0).astype(np.int64))
    of_truth = rows.gather(1, safe[:, None])
    rank = (rows > of_truth).sum(1).numpy()
    top = rows.nan_to_num(-torch.inf).topk(min(k, rows.shape[1]), dim=1)
    p = np.where(task, of_truth[:, 0].exp().numpy(), np.nan)
    return TokenPredictions(p, np.where(task, rank, -1), top.indices.numpy(), top.values.exp().numpy())


@dataclass(frozen=True)
class LogitLens:
    """What each layer would say if it were the last (logit lens, nostalgebraist 2020).

    Attributes:
        names: "embeddings", "layer 0" … ``[depths]``.
        top: the likeliest token ``[depths, n, k]``, with its probability ``top_p``.
        p: of the token that really comes next; NaN where there is none ``[depths, n]``.
        rank: of that token, 0 the likeliest; -1 where there is none.
        entropy: of each distribution (nats) ``[depths, n]``.
    """

    names: list[str]
    top: np.ndarray
    top_p: np.ndarray
    p: np.ndarray
    rank: np.ndarray
    entropy: np.ndarray


@torch.no_grad()
def logit_lens(model: nn.Module, task: PredictionTask, k: int = 5) -> LogitLens:
    """The head on every layer's residual stream."""
    names = residual_streams(model.spec)
    held = capture(model, task.inputs.tolist(), task.source_ids, keep=lambda name: name in names)
    truth = task.targets
    found = []
    for name in names:
        rows = F.log_softmax(model.logit_lens(torch.from_numpy(held[name])).float(), dim=-1)
        entropy = -(rows.exp() * rows.nan_to_num(neginf=0.0)).sum(-1).numpy()
        found.append((_predictions_of(rows, truth, k), entropy))
    stack = lambda name: np.stack([getattr(layer, name) for layer, _ in found])
    names = [name.removeprefix("decoder.").replace("layers.", "layer ").split(".")[0] for name in names]
    return LogitLens(names, stack("top"), stack("top_p"), stack("p"), stack("rank"), np.stack([e for _, e in found]))
