"""Numbers about a text agree with counting it by hand."""

import numpy as np
import pytest

from playground.text.prepare import prepare
from playground.text.spec import SPECIALS, DataSpec, TokenizerSpec
from playground.text.statistics import learn_from, packing, sample, statistics, text_of


@pytest.fixture
def prepared(tmp_path, prose):
    file = tmp_path / "text.txt"
    file.write_text(prose(400), encoding="utf-8")
    return prepare(DataSpec("file", path=str(file), tokenizer=TokenizerSpec("bpe", 320)))


def test_counts_every_token(prepared):
    numbers = statistics(prepared)
    ids = prepared.train[:]
    assert numbers.counted == len(ids) == numbers.counts.sum()
    assert all(numbers.counts[i] == (ids == i).sum() for i in np.unique(ids))
    assert (numbers.lengths[: len(SPECIALS)] == 0).all()
    share = numbers.by_length()[2]
    assert share.sum() == pytest.approx(1)


def test_ranks_fall(prepared):
    ranks, often, pieces = statistics(prepared).by_rank()
    assert ranks[0] == 1 and (np.diff(ranks) > 0).all() and (np.diff(often) <= 0).all()
    assert len(pieces) == len(ranks)


def test_a_sample_is_real_text(prepared):
    text = text_of(prepared, "train", 10**6)
    for place in (0.0, 0.5, 1.0):
        assert prepared.tokenizer.decode(sample(prepared, place, 40)).strip("\ufffd") in text


def test_pairs_are_shown_whole():
    pairs = prepare(DataSpec("task-addition", options={"examples": 200}, tokenizer=TokenizerSpec("char")))
    ids = sample(pairs, 0.3, 60)
    assert ids[-1] == pairs.tokenizer.eos_id and ids.count(pairs.tokenizer.bos_id) == ids.count(pairs.tokenizer.eos_id)
    assert statistics(pairs).counted == len(pairs.train.tokens)


def test_more_tokens_pack_denser(prepared):
    unseen = text_of(prepared, "validation", 5000)
    small, large = (learn_from(prepared, TokenizerSpec("bpe", size)) for size in (270, 500))
    assert packing(large, unseen) > packing(small, unseen)
    assert packing(learn_from(prepared, TokenizerSpec("char", 2000)), unseen) == pytest.approx(1, abs=0.05)
