"""What is drawn is a pure function of seed and step, and parts of a batch are together the batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from playground.training.batches import Rows, pad, rng


@given(st.integers(0, 2**31 - 1), st.integers(0, 10**7), st.integers(0, 3))
def test_a_generator_depends_on_seed_step_and_stream_alone(seed, step, stream):
    draw = lambda *key: rng(*key).integers(0, 2**60, 4).tolist()
    assert draw(seed, step, stream) == draw(seed, step, stream)
    assert draw(seed, step, stream) != draw(seed, step + 1, stream)
    assert draw(seed, step, stream) != draw(seed, step, stream + 1)


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=6), min_size=1, max_size=5))
def test_padding_fills_up_on_the_right(rows):
    padded, lengths = pad(rows, 0)
    assert padded.shape == (len(rows), max(map(len, rows))) and lengths.tolist() == [len(row) for row in rows]
    for row, ids in zip(padded, rows):
        assert row[: len(ids)].tolist() == ids and not row[len(ids) :].any()


@given(st.integers(1, 4), st.integers(1, 5))
def test_the_parts_are_the_batch(pieces, each):
    rows = Rows(np.arange(pieces * each * 3).reshape(-1, 3), lengths=np.arange(pieces * each))
    parts = [rows.part(slice(i, None, pieces)) for i in range(pieces)]
    assert sorted(np.concatenate([part.ids for part in parts])[:, 0].tolist()) == rows.ids[:, 0].tolist()
    assert all(len(part.lengths) == each and part.starts is None for part in parts)
