"""What is asked of a model, against the definitions written out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.text.masking import N_SPECIAL, mask_tokens
from playground.training.batches import IGNORE, Rows, Sampler, rng
from playground.training.objectives import causal, masked, sequence_to_sequence

PAD, BOS, EOS, MASK = range(4)


def pair_rows() -> Rows:
    """(5 6 → 7 8) and (9 → 5): ``source <bos> target <eos>``, the second padded."""
    return Rows(
        ids=np.array([[5, 6, BOS, 7, 8, EOS], [9, BOS, 5, EOS, PAD, PAD]]),
        starts=np.array([3, 2]),
        lengths=np.array([6, 4]),
        sources=np.array([[5, 6], [9, PAD]]),
        source_lengths=np.array([2, 1]),
    )


def test_causal_targets_are_the_next_tokens():
    batch = causal(Rows(np.array([[10, 11, 12, 13], [20, 21, 22, 23]])))
    assert batch.inputs["input_ids"].tolist() == [[10, 11, 12], [20, 21, 22]]
    assert batch.targets.tolist() == [[11, 12, 13], [21, 22, 23]]
    assert batch.n_targets == batch.n_tokens == 6


def test_causal_pairs_never_ask_for_padding():
    batch = causal(pair_rows())
    assert batch.targets.tolist() == [[6, BOS, 7, 8, EOS], [BOS, 5, EOS, IGNORE, IGNORE]]
    assert batch.n_targets == 8


def test_answer_only_asks_for_the_answer_and_its_end():
    batch = causal(pair_rows(), loss_on="answer")
    assert batch.targets.tolist() == [[IGNORE, IGNORE, 7, 8, EOS], [IGNORE, 5, EOS, IGNORE, IGNORE]]
    assert batch.n_targets == 5


def test_teacher_forcing_shows_the_answer_shifted_by_one():
    batch = sequence_to_sequence(pair_rows(), BOS, context_length=16)
    assert batch.inputs["input_ids"].tolist() == [[BOS, 7, 8], [BOS, 5, EOS]]
    assert batch.targets.tolist() == [[7, 8, EOS], [5, EOS, IGNORE]]
    assert batch.inputs["source_mask"].tolist() == [[True, True], [True, False]]
    assert batch.n_targets == 5


def test_masking_has_berts_shares():
    """15 % chosen; of those 80 % <mask>, 10 % random, 10 % as they were (Devlin et al. 2019, §3.1)."""
    vocab = 1000
    ids = np.random.default_rng(0).integers(N_SPECIAL, vocab, size=(400, 500))
    shown, hidden = mask_tokens(ids, np.random.default_rng(1), 0.15, MASK, vocab)
    assert hidden.mean() == pytest.approx(0.15, abs=0.005)
    of_hidden = shown[hidden]
    assert (of_hidden == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (of_hidden == ids[hidden]).mean() == pytest.approx(0.1, abs=0.01)
    assert (shown[~hidden] == ids[~hidden]).all()


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 40), st.floats(0.01, 0.95), st.integers(0, 2**31))
def test_masking_never_touches_special_tokens_and_always_asks_something(rows, length, rate, seed):
    ids = np.random.default_rng(seed).integers(0, 30, size=(rows, length))
    shown, hidden = mask_tokens(ids, np.random.default_rng(seed + 1), rate, MASK, 30)
    special = ids < N_SPECIAL
    assert not (hidden & special).any()
    assert (shown[special] == ids[special]).all()
    assert hidden.any() or special.all()
    put_in = shown[hidden & (shown != MASK)]
    assert (put_in >= N_SPECIAL).all()


def test_masks_differ_between_steps_and_repeat_with_the_seed():
    ids = np.full((8, 64), 9)
    first, again, later = (mask_tokens(ids, rng(3, step, 1), 0.15, MASK, 30)[1] for step in (5, 5, 6))
    assert (first == again).all()
    assert (first != later).any()


def test_masked_asks_for_the_original_tokens_in_order():
    rows = Rows(np.array([[5, 6, 7], [8, 9, 10]]))
    rows.shown = np.array([[5, MASK, 7], [MASK, 9, 10]])
    rows.hidden = np.array([[False, True, False], [True, False, True]])
    batch = masked(rows)
    assert batch.inputs["rows"].tolist() == [1, 3, 5]
    assert batch.targets.tolist() == [6, 8, 10]


def test_parts_of_a_batch_add_up_to_its_loss():
    """Summed losses over parts, divided by all targets, are the mean over the whole, whatever the lengths."""
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 12)
    rows = pair_rows()
    whole = causal(rows, "answer").targets
    mean = F.cross_entropy(logits.flatten(0, 1), whole.flatten(), ignore_index=IGNORE)
    parts = [causal(rows.part(slice(i, None, 2)), "answer") for i in range(2)]
    total = sum(
        F.cross_entropy(
            logits[i : i + 1].flatten(0, 1), part.targets.flatten(), ignore_index=IGNORE, reduction="sum"
        )
        for i, part in enumerate(parts)
    )
    assert total / sum(part.n_targets for part in parts) == pytest.approx(float(mean), rel=1e-6)


class OnePair:
    """Prepared data of a single pair, on both sides."""

    shape = "pairs"
    tokenizer = SimpleNamespace(pad_id=PAD, bos_id=BOS, eos_id=EOS)

    def __init__(self, source: list[int], target: list[int]) -> None:
        self.train = self.validation = [(np.array(source), np.array(target))]


@pytest.mark.parametrize(
    "target, row",
    [([21, 22], [10, 11, BOS, 21, 22, EOS]), ([21, 22, 23, 24, 25, 26], [BOS, 21, 22, 23, 24, 25])],
)
def test_a_pair_too_long_keeps_the_beginning_of_its_answer_and_does_not_end_it(target, row):
    """An answer that was cut is not over: an ``<eos>`` there would teach the model to stop in the middle."""
    rows = Sampler(OnePair([9, 10, 11], target), length=5, seed=0).train(0, 1)
    assert rows.ids.tolist() == [row]
