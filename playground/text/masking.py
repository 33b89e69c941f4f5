"""Which tokens masked language modelling hides, and what it shows in their place."""

import numpy as np

from playground.text.spec import SPECIALS

N_SPECIAL = len(SPECIALS)


def mask_tokens(
    ids: np.ndarray, generator: np.random.Generator, rate: float, mask_id: int, vocab_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hides tokens as BERT does (Devlin et al. 2019, §3.1), anew at every step.

    Of the ordinary tokens, each is chosen with probability ``rate``; of those, 80 % become ``<mask>``, 10 % a random
    ordinary token, 10 % stay. Special tokens are never chosen and never put in. If chance chose none, one is chosen,
    so that there is always something to learn from.

    Args:
        ids: ``[batch, length]``.

    Returns:
        The ids to show and True where one is asked about, both ``[batch, length]``.
    """
    ordinary = ids >= N_SPECIAL
    chosen = ordinary & (generator.random(ids.shape) < rate)
    if not chosen.any() and ordinary.any():
        chosen.flat[generator.choice(np.flatnonzero(ordinary))] = True
    how = generator.random(ids.shape)
    shown = np.where(chosen & (how < 0.8), mask_id, ids)
    random_ids = generator.integers(N_SPECIAL, max(vocab_size, N_SPECIAL + 1), size=ids.shape)
    shown = np.where(chosen & (how >= 0.8) & (how < 0.9), random_ids, shown)
    return shown, chosen
