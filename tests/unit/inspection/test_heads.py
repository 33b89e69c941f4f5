"""Heads get a name for what they do, and only where chance does not."""

import numpy as np
import pytest

from playground.inspection.attention import may_look
from playground.inspection.heads import BOTH_WAYS, CAUSAL, LEAST_TOKENS, induction_scores, score_heads
from tests.unit.inspection.test_attention import seeded

IDS = [*range(4, 16), *range(4, 16)]  # twelve tokens, said twice
LOOKS = {
    "previous": lambda i, n: max(0, i - 1),
    "next": lambda i, n: min(n - 1, i + 1),
    "first": lambda i, n: 0,
    "last": lambda i, n: n - 1,
    "itself": lambda i, n: i,
    "same": lambda i, n: (i - 12) % n if i >= 12 else i,
    "induction": lambda i, n: i - 11 if i >= 12 else 0,
}


def made(n: int, looks, share: float = 1.0, causal: bool = True) -> np.ndarray:
    """A head whose every query gives ``share`` of its attention to one key, the rest to all alike."""
    seen = may_look("self", causal, n, n)
    weights = (1 - share) * seen / seen.sum(-1, keepdims=True)
    for query in range(n):
        weights[query, looks(query, n)] += share
    return weights[None, None]


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize(("kind", "causal"), [(kind, True) for kind in CAUSAL] + [(kind, False) for kind in BOTH_WAYS])
def test_a_head_that_does_it_gets_its_name(kind, causal, share):
    looks = LOOKS[kind] if causal or kind != "same" else lambda i, n: (i + 12) % n
    found = score_heads(made(24, looks, share, causal), IDS, causal).label(0, 0)
    assert found is not None and found[0] == kind and found[1] >= share


def random_heads(rng, n: int, sharp: float, causal: bool) -> np.ndarray:
    """16 heads whose scores are noise; the larger ``sharp``, the more of a row lies on one key."""
    scores = np.where(may_look("self", causal, n, n), rng.normal(size=(4, 4, n, n)) * sharp, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("sharp", [0.0, 1.0, 5.0, 30.0])
def test_random_attention_gets_no_name(causal, sharp):
    rng, named = np.random.default_rng(0), 0
    for n in (LEAST_TOKENS, 24, 48):
        for _ in range(20):
            scores = score_heads(random_heads(rng, n, sharp, causal), rng.integers(0, 20, n), causal)
            named += sum(scores.label(i, j) is not None for i in range(4) for j in range(4))
    assert named == 0, "of 960 heads that do nothing"


def test_the_distance_from_chance_is_that_of_a_permutation_test():
    """The moments in closed form against rows that are really dealt out anew."""
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 6, 24)
    for causal in (True, False):
        weights = random_heads(rng, 24, 2.0, causal)[:1, :1]
        sees, found = may_look("self", causal, 24, 24), score_heads(weights, ids, causal)
        dealt = np.zeros((1, 3000, 24, 24))  # as so many heads
        for i in range(24):
            dealt[0, :, i, sees[i]] = rng.permuted(np.tile(weights[0, 0, i, sees[i]], (3000, 1)), axis=1).T
        for kind, scores in score_heads(dealt, ids, causal).scores.items():
            expected = (found.scores[kind][0, 0] - scores.mean()) / scores.std()
            assert found.sigmas[kind][0, 0] == pytest.approx(expected, abs=0.15), kind


def test_a_short_text_names_nobody():
    short = score_heads(made(LEAST_TOKENS - 1, LOOKS["previous"]), range(4, 4 + LEAST_TOKENS - 1))
    assert not short.is_long_enough and short.label(0, 0) is None
    assert short.scores["previous"][0, 0] == 1, "its numbers are told all the same"
    long = score_heads(made(LEAST_TOKENS, LOOKS["previous"]), range(4, 4 + LEAST_TOKENS))
    assert long.is_long_enough and long.label(0, 0)[0] == "previous"


def test_a_head_between_two_habits_has_no_name():
    both = (made(24, LOOKS["previous"], causal=False) + made(24, LOOKS["next"], causal=False)) / 2
    assert score_heads(both, range(24), causal=False).label(0, 0) is None


def test_few_places_tell_nothing():
    ids = [4, 4, *range(5, 27)]  # one token twice: one query that could look at its like
    weights = made(24, lambda i, n: 0 if i == 1 else i)
    scores = score_heads(weights, ids)
    assert scores.scores["same"][0, 0] == 1 and scores.label(0, 0)[0] == "itself"


def test_no_token_twice_means_no_induction_to_see():
    scores = score_heads(np.full((1, 1, 3, 3), 1 / 3), [4, 5, 6])
    assert np.isnan(scores.scores["induction"]).all()


def test_who_sees_both_ways_is_not_asked_about_the_past_alone():
    scores = score_heads(made(24, LOOKS["next"], causal=False), IDS, causal=False).scores
    assert set(scores) == set(BOTH_WAYS) and "induction" not in scores
    assert "next" not in score_heads(made(24, LOOKS["previous"]), IDS).scores


def test_an_untrained_model_has_no_induction_head():
    assert induction_scores(seeded("gpt2"), range(4, 40)).max() < 0.3
