"""Known kinds of attention heads, such as previous-token and induction heads, found by score and significance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.language_model import LanguageModel
from playground.core.errors import PlaygroundError
from playground.inspection.attention import attention_weights, may_look
from playground.text.masking import N_SPECIAL

CAUSAL = ("previous", "first", "itself", "same", "induction")
BOTH_WAYS = ("previous", "next", "first", "last", "itself", "same")
"""The kinds of heads that see what comes after, too: they need not copy from the past, and have the other half of the text."""
KINDS = tuple(dict.fromkeys((*CAUSAL, *BOTH_WAYS)))
RECOGNISED = 0.3
"""The score from which a head is called by a name: about a third of its attention does just that."""
MARGIN = 0.1
"""So much the score is above that of every other kind."""
SIGMAS = 6.0
"""And so many standard deviations above that of a head which looks as sharply, but anywhere: some hundred heads times six
kinds are judged at once, and few queries make long tails."""
LEAST_TOKENS, LEAST_QUERIES = 20, 6
"""Shorter texts, and positions that fewer tokens have, are too few to name a head."""


@dataclass(frozen=True)
class HeadScores:
    """How much of each head's attention goes where each kind of head looks, 0 to 1.

    Attributes:
        scores: kind → ``[layers, heads]``; NaN where the text has no such position.
        sigmas: kind → how many standard deviations that is above chance; -inf where too few queries can tell.
        n: tokens of the text.
    """

    scores: dict[str, np.ndarray]
    sigmas: dict[str, np.ndarray]
    n: int

    @property
    def is_long_enough(self) -> bool:
        """Whether the text is long enough to name a head by."""
        return self.n >= LEAST_TOKENS

    def label(self, layer: int, head: int) -> tuple[str, float] | None:
        """The kind with the highest score, where text, score and margin are enough to speak of one."""
        able = [kind for kind in self.scores if np.isfinite(self.sigmas[kind][layer, head])]
        ranked = sorted(((float(self.scores[kind][layer, head]), kind) for kind in able), reverse=True)
        (score, best), (second, _) = [*ranked, (0.0, ""), (0.0, "")][:2]
        if not best:
            return None
        clear = score >= max(RECOGNISED, second + MARGIN) and self.sigmas[best][layer, head] >= SIGMAS
        return (best, score) if self.is_long_enough and clear else None

    def strongest(self, kind: str) -> tuple[int, int, float]:
        """The head that does it most: layer, head, score."""
        table = np.nan_to_num(self.scores[kind])
        layer, head = np.unravel_index(table.argmax(), table.shape)
        return int(layer), int(head), float(table[layer, head])


def score_heads(weights: np.ndarray, ids: Sequence[int], causal: bool = True) -> HeadScores:
    """What the heads do on one text.

    The mean, over the queries where the text can decide it, of the attention to: the token before ("previous") or after
    ("next"); the first or the last token, for queries that are none of the two nor beside it; the query "itself"; other
    tokens equal to it that it may see ("same"); the tokens that came after those ("induction", Elhage et al. 2021).

    Args:
        weights: ``[layers, heads, n, n]`` of a text that looks at itself.
        ids: its ``n`` tokens.
        causal: whether a query sees only itself and what came before.
    """
    n, seen = len(ids), may_look("self", causal, len(ids), len(ids))
    positions = positions_of(np.asarray(ids))
    scores, sigmas = {}, {}
    for kind in CAUSAL if causal else BOTH_WAYS:
        scores[kind], sigmas[kind] = _share(weights, positions[kind] & seen, seen)
    return HeadScores(scores, sigmas, n)


def positions_of(ids: np.ndarray) -> dict[str, np.ndarray]:
    """Where each kind of head looks, ``[query, key]``, were every key to be seen."""
    n = len(ids)
    same = (ids[:, None] == ids[None]) & ~np.eye(n, dtype=bool)
    after = np.zeros_like(same)
    after[:, 1:] = np.tril(same)[:, :-1]
    np.fill_diagonal(after, False)  # a token cannot be copied from itself
    first, last = np.zeros((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    first[2:, 0] = last[:-2, -1] = True
    before, behind, itself = (np.eye(n, k=k, dtype=bool) for k in (-1, 1, 0))
    return {
        "previous": before,
        "next": behind,
        "first": first,
        "last": last,
        "itself": itself,
        "same": same,
        "induction": after,
    }


def _share(weights: np.ndarray, positions: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean attention that goes to ``positions [query, key]``, and its distance from chance; ``[layers, heads]`` both.

    The mean is over the queries that have such a place and others besides. Chance is a permutation test whose moments
    are known: each query's own weights, dealt out anew among the keys that it sees, put on average the positions' share of
    the keys there.
    """
    n_positions, n_seen = positions.sum(-1), seen.sum(-1)
    decisive = (n_positions > 0) & (n_positions < n_seen)
    if not decisive.any():
        return np.full(weights.shape[:2], np.nan), np.full(weights.shape[:2], -np.inf)
    w, k, m = weights[..., decisive, :].astype(np.float64), n_positions[decisive], n_seen[decisive]
    share = (w * positions[decisive]).sum(-1)
    mean = w.sum(-1) / m
    spread = np.maximum((w**2).sum(-1) / m - mean**2, 0)  # of a query's weights among the keys that it sees
    surprise = (share - k * mean).sum(-1) / np.sqrt((k * (m - k) / np.maximum(m - 1, 1) * spread).sum(-1) + 1e-12)
    return share.mean(-1), surprise if decisive.sum() >= LEAST_QUERIES else np.full(weights.shape[:2], -np.inf)


def induction_scores(
    model: LanguageModel,
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
        raise PlaygroundError("Too few different tokens to draw a random sequence from.", "Type a longer text.")
    rng = np.random.default_rng(seed)
    total = np.zeros((model.spec.n_layers, model.spec.n_heads))
    for _ in range(n_sequences):
        sequence = rng.permutation(choices)[:length].tolist()
        weights = attention_weights(model, [*sequence, *middle, *sequence])["self"]
        queries = length + len(middle) + np.arange(length - 1)
        total += weights[:, :, queries, np.arange(1, length)].mean(-1)
    return total / n_sequences
