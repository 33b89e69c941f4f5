"""Weights and gradients of each parameter: norms and histograms."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from playground.inspection.capture import source_inputs
from playground.inspection.prediction_task import PredictionTask
from playground.text.targets import IGNORE_INDEX

BINS = 41


@dataclass(frozen=True)
class ParameterStats:
    """Statistics of one parameter.

    Attributes:
        name: as in the state dict.
        n: its number of values.
        std, norm: of the weights; the norm is Euclidean.
        gradient_norm: of the gradient of the mean loss of the text.
        edges, counts: a histogram of the weights; ``[BINS + 1]``, ``[BINS]``.
        gradient_edges, gradient_counts: of the gradient.
    """

    name: str
    n: int
    std: float
    norm: float
    gradient_norm: float
    edges: np.ndarray
    counts: np.ndarray
    gradient_edges: np.ndarray
    gradient_counts: np.ndarray


def parameter_stats(model: nn.Module, task: PredictionTask) -> list[ParameterStats]:
    """Statistics of every parameter and of its gradient of the mean loss of one text; the model does not change."""
    named = {name: p for name, p in model.named_parameters()}
    inputs = torch.from_numpy(task.inputs[None].astype(np.int64))
    targets = torch.from_numpy(task.targets.astype(np.int64))
    with torch.enable_grad():
        logits = model(inputs, **source_inputs(task.source_ids)).logits[0].float()
        loss = F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX)
        gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return [_stats_of(name, p, gradient) for (name, p), gradient in zip(named.items(), gradients, strict=True)]


def _stats_of(name: str, parameter: torch.Tensor, gradient: torch.Tensor | None) -> ParameterStats:
    values = parameter.detach().float().flatten().numpy()
    slopes = np.zeros_like(values) if gradient is None else gradient.float().flatten().numpy()
    counts, edges = np.histogram(values, BINS)
    slope_counts, slope_edges = np.histogram(slopes, BINS)
    norms = float(np.linalg.norm(values)), float(np.linalg.norm(slopes))
    return ParameterStats(name, values.size, float(values.std()), *norms, edges, counts, slope_edges, slope_counts)
