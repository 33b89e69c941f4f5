"""Which tokens masked language modelling hides, and what it shows in their place."""

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from playground.text.spec import SPECIALS

N_SPECIAL = len(SPECIALS)


def apply_mlm_mask(
    ids: np.ndarray,
    generator: np.random.Generator,
    rate: float,
    mask_id: int,
    vocab_size: int,
    special_ids: Collection[int] = range(N_SPECIAL),
) -> tuple[np.ndarray, np.ndarray]:
    """Hides tokens as BERT does (Devlin et al. 2019, §3.1), anew at every step.

    Of the ordinary tokens, each is chosen with probability ``rate``; of those, 80 % become ``<mask>``, 10 % a random
    ordinary token, 10 % stay. Special tokens are never chosen and never put in. If chance chose none, one is chosen,
    so that there is always something to learn from.

    Args:
        ids: ``[batch, length]``.
        special_ids: ``Tokenizer.special_ids``.

    Returns:
        The ids to show and True where one is asked about, both ``[batch, length]``.
    """
    special, choices = _kinds(frozenset(special_ids), vocab_size)
    ordinary = ~np.isin(ids, special)
    chosen = ordinary & (generator.random(ids.shape) < rate)
    if not chosen.any() and ordinary.any():
        chosen.flat[generator.choice(np.flatnonzero(ordinary))] = True
    how = generator.random(ids.shape)
    shown = np.where(chosen & (how < 0.8), mask_id, ids)
    random_ids = choices[generator.integers(0, len(choices), size=ids.shape)]
    shown = np.where(chosen & (how >= 0.8) & (how < 0.9), random_ids, shown)
    return shown, chosen


@lru_cache(maxsize=8)
def _kinds(special_ids: frozenset[int], vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The special ids, and the ordinary ones; at least one of these."""
    special = np.array(sorted(special_ids))
    return special, np.setdiff1d(np.arange(max(vocab_size, len(special) + 1)), special)
