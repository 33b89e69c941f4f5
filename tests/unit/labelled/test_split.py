"""No text is on two sides, groups stay whole, and the sides are as large as was asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.labelled.split import LEFT_OUT, chosen, split
from playground.runs.finetuning import LabelledSpec

TRAIN, VALIDATION, TEST = 0, 1, 2
SPECS = st.builds(
    LabelledSpec,
    dataset=st.just("x"),
    validation_fraction=st.sampled_from([0.05, 0.1, 0.3]),
    test_fraction=st.sampled_from([0.1, 0.2, 0.4]),
    seed=st.integers(0, 50),
)
EXAMPLES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15), st.integers(0, 4)), min_size=1, max_size=150)


def columns(examples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    texts, groups, labels = map(np.array, zip(*examples))
    return texts.astype(np.uint64), groups.astype(np.uint64), labels.astype(np.int64)


@settings(deadline=None, max_examples=150)
@given(EXAMPLES, SPECS)
def test_no_text_on_two_sides_and_groups_whole(examples, spec):
    texts, groups, labels = columns(examples)
    found = split(texts, groups, labels, spec)
    where = {}
    for text, side in zip(texts.tolist(), found.side.tolist()):
        if side != LEFT_OUT:
            assert where.setdefault(text, side) == side
    of_group = {}
    for group, side in zip(groups.tolist(), found.side.tolist()):
        if side != LEFT_OUT:
            assert of_group.setdefault(group, side) == side
    assert set(found.side.tolist()) <= {LEFT_OUT, TRAIN, VALIDATION, TEST}
    assert found.leaking == (found.side == LEFT_OUT).sum()
    assert all(text in where for text in texts.tolist())  # a text is never lost on all sides
    kinds, copies = {}, {}
    for text, label in zip(texts.tolist(), labels.tolist()):
        kinds.setdefault(text, set()).add(label)
        copies[text] = copies.get(text, 0) + 1
    assert found.contrary == sum(len(each) > 1 for each in kinds.values())
    assert found.repeated == sum(n for n in copies.values() if n > 1)


@settings(deadline=None, max_examples=100)
@given(EXAMPLES, SPECS)
def test_copies_of_a_text_go_together_where_there_are_no_groups(examples, spec):
    texts, _, labels = columns(examples)
    assert split(texts, texts, labels, spec).leaking == 0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 200), min_size=3, max_size=40), SPECS)
def test_a_label_with_three_groups_is_on_every_side(sizes, spec):
    """However uneven they are: of groups of 1, 1 and 100 the training side gets one too."""
    groups = np.repeat(np.arange(len(sizes), dtype=np.uint64), sizes)
    texts = np.arange(len(groups), dtype=np.uint64)
    found = split(texts, groups, np.zeros(len(groups), np.int64), spec)
    assert set(found.side.tolist()) == {TRAIN, VALIDATION, TEST}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(20, 300), min_size=1, max_size=5), SPECS)
def test_each_label_is_divided_as_was_asked(counts, spec):
    labels = np.repeat(np.arange(len(counts)), counts)
    texts = np.arange(len(labels), dtype=np.uint64)
    side = split(texts, texts, labels, spec).side
    for label, n in enumerate(counts):
        for code, share in ((TEST, spec.test_fraction), (VALIDATION, spec.validation_fraction)):
            assert abs((side[labels == label] == code).sum() - share * n) <= 1


def test_rare_labels_are_for_training():
    labels = np.array([0] * 30 + [1, 1])
    texts = np.arange(32, dtype=np.uint64)
    assert split(texts, texts, labels, LabelledSpec("x")).side[30:].tolist() == [TRAIN, TRAIN]


def test_the_seed_decides_and_nothing_else():
    texts = np.arange(500, dtype=np.uint64)
    labels = np.arange(500) % 3
    one, again, other = (split(texts, texts, labels, LabelledSpec("x", seed=seed)).side for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    turned = split(texts[::-1], texts[::-1], labels[::-1], LabelledSpec("x", seed=1)).side
    assert (turned[::-1] == one).all()  # the order of the rows does not matter


@settings(deadline=None)
@given(st.integers(1, 400), st.floats(0.001, 1), st.floats(0.001, 1), st.integers(0, 9))
def test_a_smaller_share_is_part_of_a_larger_one(n, one, other, seed):
    small, large = (
        set(chosen(n, LabelledSpec("x", train_fraction=share, seed=seed)).tolist()) for share in sorted((one, other))
    )
    assert small <= large and len(small) == max(1, round(n * min(one, other)))


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 500), st.floats(0.01, 1))
def test_a_limit_is_kept(n, limit, share):
    found = chosen(n, LabelledSpec("x", limit=limit, train_fraction=share))
    assert len(found) == min(limit, max(1, round(n * share))) == len(set(found.tolist()))
    assert (np.diff(found) > 0).all() and found.max() < n


def test_other_seeds_choose_others():
    assert (
        chosen(100, LabelledSpec("x", train_fraction=0.3)).tolist()
        != chosen(100, LabelledSpec("x", train_fraction=0.3, seed=1)).tolist()
    )


@pytest.mark.parametrize("share, kept", [(1.0, 10), (0.3, 3), (1e-6, 1)])
def test_at_least_one_example_is_left(share, kept):
    assert len(chosen(10, LabelledSpec("x", train_fraction=share))) == kept
