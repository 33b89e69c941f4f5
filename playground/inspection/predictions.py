"""The probability that a model gives to every token of a text, and how it grows from layer to layer (logit lens)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from models.language_model import LanguageModel
from playground.inspection.capture import capture, residual_streams
from playground.inspection.prediction_task import PredictionTask, log_probabilities, pseudo_log_likelihood
from playground.text.targets import IGNORE_INDEX


@dataclass(frozen=True)
class TokenPredictions:
    """The predictions of a model for the ``n`` tokens of a text.

    Attributes:
        p: the probability of the actual token; NaN where none was predicted ``[n]``.
        rank: how many tokens had a higher probability; -1 where none was predicted ``[n]``.
        top: the ids of the most probable tokens ``[n, k]``.
        top_p: their probabilities ``[n, k]``.
    """

    p: np.ndarray
    rank: np.ndarray
    top: np.ndarray
    top_p: np.ndarray

    def loss(self) -> float:
        """The mean of −ln p (nats per token)."""
        return float(-np.log(self.p[~np.isnan(self.p)]).mean())


def predict_causal(model: LanguageModel, task: PredictionTask, k: int = 5) -> TokenPredictions:
    """Predictions of every token from those before it; index i is about token i, so index 0 has none."""
    rows = log_probabilities(model, task)[0]
    n = len(task.inputs)
    truth = np.full(n, IGNORE_INDEX)
    truth[1:] = task.targets[:-1]  # the output at a position is about the next one
    shifted = torch.cat([torch.full_like(rows[:1], float("nan")), rows[:-1]])
    return _predictions_of(shifted, truth, k)


def predict_masked(model: LanguageModel, ids: Sequence[int], mask_id: int, k: int = 5) -> TokenPredictions:
    """Predictions of every token from both sides, while it alone is masked.

    A text longer than the training context is read in parts of that length.
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
    """The predictions as if each layer were the last (logit lens, nostalgebraist 2020).

    Attributes:
        names: "embeddings", "layer 0" … ``[depths]``.
        top: the most probable tokens ``[depths, n, k]``, with their probabilities ``top_p``.
        p: the probability of the target; NaN where there is none ``[depths, n]``.
        rank: of the target, 0 the most probable; -1 where there is none ``[depths, n]``.
        entropy: of each distribution (nats) ``[depths, n]``.
    """

    names: list[str]
    top: np.ndarray
    top_p: np.ndarray
    p: np.ndarray
    rank: np.ndarray
    entropy: np.ndarray


@torch.no_grad()
def logit_lens(model: LanguageModel, task: PredictionTask, k: int = 5) -> LogitLens:
    """The last norm and the head applied to the residual stream after every layer; ``k`` tokens each."""
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
