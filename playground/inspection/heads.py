"""Heads that do something with a name: look at the token before, at the first one, at the same one, or copy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from playground.errors import PlaygroundError
from playground.inspection.attention import attention_weights
from playground.text.masking import N_SPECIAL

KINDS = ("previous", "first", "same", "induction")
RECOGNISED = 0.3
"""The score from which a head is called by a name: about a third of its attention does just that."""


@dataclass(frozen=True)
class HeadScores:
    """How much of each head's attention goes where its name says, 0 to 1.

    Attributes:
        scores: kind → ``[layers, heads]``; NaN where the text has no place to tell by.
    """

    scores: dict[str, np.ndarray]

    def label(self, layer: int, head: int) -> tuple[str, float] | None:
        """The kind with the highest score, if it is high enough to speak of."""
        best = max(
            KINDS,
            key=lambda kind: np.nan_to_num(self.scores[kind][layer, head]) if kind in self.scores else 0,
        )
        score = float(np.nan_to_num(self.scores[best][layer, head]))
        return (best, score) if score >= RECOGNISED else None

    def strongest(self, kind: str) -> tuple[int, int, float]:
        """The head that does it most: layer, head, score."""
        table = np.nan_to_num(self.scores[kind])
        layer, head = np.unravel_index(table.argmax(), table.shape)
        return int(layer), int(head), float(table[layer, head])


def score_heads(weights: np.ndarray, ids: Sequence[int]) -> HeadScores:
    """What the heads do on one text.

    The mean, over the queries where it can be told, of the attention to: the token before ("previous"); the first
    token, for queries from the third on ("first"); earlier tokens equal to the query's ("same"); the tokens that came
    after those ("induction", Elhage et al. 2021).

    Args:
        weights: ``[layers, heads, n, n]`` of a text that looks at itself.
        ids: its ``n`` tokens.
    """
    ids = np.asarray(ids)
    n = len(ids)
    earlier = (ids[:, None] == ids[None]) & (np.arange(n)[None] < np.arange(n)[:, None])  # [query, key]
    after = np.zeros_like(earlier)
    after[:, 1:] = earlier[:, :-1]
    np.fill_diagonal(after, False)  # a token cannot be copied from itself
    previous, first = np.eye(n, k=-1, dtype=bool), np.zeros((n, n), dtype=bool)
    first[2:, 0] = True
    wanted = {"previous": previous, "first": first, "same": earlier, "induction": after}
    return HeadScores({kind: _share(weights, places) for kind, places in wanted.items()})


def _share(weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The mean attention that goes to ``places [query, key]``, over queries that have any; ``[layers, heads]``."""
    told = places.any(-1)
    if not told.any():
        return np.full(weights.shape[:2], np.nan)
    return (weights * places).sum(-1)[..., told].mean(-1)


def induction_scores(
    model: nn.Module,
    candidates: Sequence[int],
    n_sequences: int = 8,
    seed: int = 0,
    middle: Sequence[int] = (),
) -> np.ndarray:
    """Induction on random tokens said twice, where nothing else can help (Olsson et al. 2022, "prefix matching").

    Args:
        candidates: tokens to draw from, each at most once a sequence: such as the model has seen in training.
        middle: what stands between the two; <bos> for a model of pairs.

    Returns:
        The mean attention of the second half to the token after its own first occurrence, ``[layers, heads]``.

    Raises:
        PlaygroundError: when there are fewer than three candidates.
    """
    choices = np.unique([token for token in candidates if token >= N_SPECIAL])
    length = min(24, (model.spec.context_length - len(middle)) // 2, len(choices))
    if length < 3:
        raise PlaygroundError(
            "Too few different tokens to draw a random sequence from.", "Type a longer text."
        )
    rng = np.random.default_rng(seed)
    total = np.zeros((model.spec.n_layers, model.spec.n_heads))
    for _ in range(n_sequences):
        sequence = rng.permutation(choices)[:length].tolist()
        weights = attention_weights(model, [*sequence, *middle, *sequence])["self"]
        queries = length + len(middle) + np.arange(length - 1)
        total += weights[:, :, queries, np.arange(1, length)].mean(-1)
    return total / n_sequences
