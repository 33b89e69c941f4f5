"""Sampling: from logits to the next token in visible steps (numpy only)."""

from dataclasses import dataclass

import numpy as np

from playground.core.errors import PlaygroundError, plain


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn. The defaults draw from the model's distribution as it is.

    Attributes:
        temperature: logits are divided by it; 0 always takes the most likely token.
        top_k: keep the k most likely tokens; 0: all (Fan et al. 2018).
        top_p: keep the most likely tokens that together reach this probability; 1: all (Holtzman et al. 2020).
        min_p: keep tokens at least this share as likely as the most likely one; 0: all (Nguyen et al. 2024).
        repetition_penalty: divides positive and multiplies negative logits of tokens already seen (Keskar et al. 2019).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0, 100),
            ("top_k", 0, 10**9),
            ("top_p", 0, 1),
            ("min_p", 0, 1),
            ("repetition_penalty", 0.01, 100),
        ):
            if not low <= getattr(self, name) <= high:
                raise PlaygroundError(
                    "{name} is {value}, outside {low} to {high}.",
                    name=name,
                    value=plain(getattr(self, name)),
                    low=plain(low),
                    high=plain(high),
                )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, of the same shape; logits of -inf give exactly 0."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def steps(logits: np.ndarray, sampling: Sampling, seen: list[int] | None = None) -> list[tuple[str, np.ndarray]]:
    """The distribution after every step of sampling, the model's own first.

    Args:
        logits: ``[vocab]``.
        seen: token ids so far, for the repetition penalty.

    Returns:
        ``(name of the step, probabilities [vocab])``; steps that are switched off are left out.
    """
    scores = np.asarray(logits, dtype=np.float64)
    history = [("model", softmax(scores))]
    if sampling.repetition_penalty != 1.0 and seen:
        ids = np.unique(seen)
        scores = scores.copy()
        scores[ids] = np.where(
            scores[ids] > 0,
            scores[ids] / sampling.repetition_penalty,
            scores[ids] * sampling.repetition_penalty,
        )
        history.append(("repetition penalty", softmax(scores)))
    if sampling.temperature == 0:
        only = np.full_like(scores, -np.inf)
        only[scores.argmax()] = 0.0
        return [*history, ("greedy", softmax(only))]
    if sampling.temperature != 1.0:
        with np.errstate(over="ignore"):  # to −∞, which softmax takes: the best stays at 0
            scores = (scores - scores.max()) / sampling.temperature
        history.append(("temperature", softmax(scores)))
    for name, keep in (("top-k", _top_k), ("top-p", _top_p), ("min-p", _min_p)):
        kept = keep(history[-1][1], sampling)
        if kept is not None:
            scores = np.where(kept, scores, -np.inf)
            history.append((name, softmax(scores)))
    return history


def _top_k(probabilities: np.ndarray, sampling: Sampling) -> np.ndarray | None:
    if not 0 < sampling.top_k < len(probabilities):
        return None
    kept = np.zeros(len(probabilities), dtype=bool)
    kept[np.argsort(-probabilities, kind="stable")[: sampling.top_k]] = True
    return kept


def _top_p(probabilities: np.ndarray, sampling: Sampling) -> np.ndarray | None:
    if sampling.top_p >= 1.0:
        return None
    order = np.argsort(-probabilities, kind="stable")
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = np.zeros(len(probabilities), dtype=bool)
    kept[order[before < sampling.top_p]] = True
    kept[order[0]] = True
    return kept


def _min_p(probabilities: np.ndarray, sampling: Sampling) -> np.ndarray | None:
    if sampling.min_p <= 0.0:
        return None
    return probabilities >= sampling.min_p * probabilities.max()


def choose(
    logits: np.ndarray, sampling: Sampling, generator: np.random.Generator, seen: list[int] | None = None
) -> int:
    """Samples the next token id from logits ``[vocab]``, an array or a torch tensor on the CPU.

    Args:
        seen: token ids so far, for the repetition penalty.
    """
    scores = np.asarray(logits, dtype=np.float64)
    if sampling.temperature == 0 and sampling.repetition_penalty == 1.0:
        return int(scores.argmax())
    return pick(steps(scores, sampling, seen)[-1][1], generator)


def pick(probabilities: np.ndarray, generator: np.random.Generator) -> int:
    """Samples a token id from probabilities ``[vocab]`` by inverse transform sampling, with one random number."""
    reached = np.cumsum(probabilities)
    # Scaled by the rounded total, so that the draw never falls past the last possible token.
    return int(np.searchsorted(reached, generator.random() * reached[-1], side="right"))
