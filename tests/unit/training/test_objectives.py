"""What is asked of a model, against the definitions written out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.runs.config import TrainingSpec
from playground.text.masking import N_SPECIAL, apply_mlm_mask
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Rows, Sampler, rng, truncation_warning
from playground.training.objectives import Objective, causal, masked, sequence_to_sequence

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
    assert batch.targets.tolist() == [[6, BOS, 7, 8, EOS], [BOS, 5, EOS, IGNORE_INDEX, IGNORE_INDEX]]
    assert batch.n_targets == 8


def test_answer_only_asks_for_the_answer_and_its_end():
    batch = causal(pair_rows(), loss_on="completion")
    assert batch.targets.tolist() == [
        [IGNORE_INDEX, IGNORE_INDEX, 7, 8, EOS],
        [IGNORE_INDEX, 5, EOS, IGNORE_INDEX, IGNORE_INDEX],
    ]
    assert batch.n_targets == 5


def test_teacher_forcing_shows_the_answer_shifted_by_one():
    batch = sequence_to_sequence(pair_rows(), BOS, context_length=16)
    assert batch.inputs["input_ids"].tolist() == [[BOS, 7, 8], [BOS, 5, EOS]]
    assert batch.targets.tolist() == [[7, 8, EOS], [5, EOS, IGNORE_INDEX]]
    assert batch.inputs["source_mask"].tolist() == [[True, True], [True, False]]
    assert batch.n_targets == 5


def test_masking_has_berts_shares():
    """15 % chosen; of those 80 % <mask>, 10 % random, 10 % as they were (Devlin et al. 2019, §3.1)."""
    vocab = 1000
    ids = np.random.default_rng(0).integers(N_SPECIAL, vocab, size=(400, 500))
    shown, hidden = apply_mlm_mask(ids, np.random.default_rng(1), 0.15, MASK, vocab)
    assert hidden.mean() == pytest.approx(0.15, abs=0.005)
    of_hidden = shown[hidden]
    assert (of_hidden == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (of_hidden == ids[hidden]).mean() == pytest.approx(0.1, abs=0.01)
    assert (shown[~hidden] == ids[~hidden]).all()


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 40), st.floats(0.01, 0.95), st.integers(0, 2**31))
def test_masking_never_touches_special_tokens_and_always_asks_something(rows, length, rate, seed):
    ids = np.random.default_rng(seed).integers(0, 30, size=(rows, length))
    shown, hidden = apply_mlm_mask(ids, np.random.default_rng(seed + 1), rate, MASK, 30)
    special = ids < N_SPECIAL
    assert not (hidden & special).any()
    assert (shown[special] == ids[special]).all()
    assert hidden.any() or special.all()
    put_in = shown[hidden & (shown != MASK)]
    assert (put_in >= N_SPECIAL).all()


def test_masks_differ_between_steps_and_repeat_with_the_seed():
    ids = np.full((8, 64), 9)
    first, again, later = (apply_mlm_mask(ids, rng(3, step, 1), 0.15, MASK, 30)[1] for step in (5, 5, 6))
    assert (first == again).all()
    assert (first != later).any()


def test_masked_asks_for_the_original_tokens_in_order():
    rows = Rows(np.array([[5, 6, 7], [8, 9, 10]]))
    rows.masked_ids = np.array([[5, MASK, 7], [MASK, 9, 10]])
    rows.is_masked = np.array([[False, True, False], [True, False, True]])
    batch = masked(rows)
    assert batch.inputs["rows"].tolist() == [1, 3, 5]
    assert batch.targets.tolist() == [6, 8, 10]


def test_parts_of_a_batch_add_up_to_its_loss():
    """Summed losses over parts, divided by all targets, are the mean over the whole, whatever the lengths."""
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 12)
    rows = pair_rows()
    whole = causal(rows, "completion").targets
    mean = F.cross_entropy(logits.flatten(0, 1), whole.flatten(), ignore_index=IGNORE_INDEX)
    parts = [causal(rows.part(slice(i, None, 2)), "completion") for i in range(2)]
    total = sum(
        F.cross_entropy(
            logits[i : i + 1].flatten(0, 1), part.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
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
    [([21, 22], [10, 11, BOS, 21, 22, EOS]), ([21, 22, 23, 24, 25, 26], [10, 11, BOS, 21, 22, 23])],
)
def test_a_pair_too_long_keeps_the_beginning_of_its_answer_and_does_not_end_it(target, row):
    """An answer that was cut is not over: an ``<eos>`` there would teach the model to stop in the middle."""
    rows = Sampler(OnePair([9, 10, 11], target), length=5, seed=0).train(0, 1)
    assert rows.ids.tolist() == [row]
    assert rows.is_complete.tolist() == [len(target) == 2]


@given(st.integers(1, 12), st.integers(0, 20), st.integers(0, 20), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_question_keeps_half_of_the_room_and_an_answer_the_rest(length, n_source, n_target, apart):
    source, target = list(range(100, 100 + n_source)), list(range(200, 200 + n_target))
    rows = Sampler(OnePair(source, target), length, 0, apart).train(0, 1)
    ids, start = rows.ids[0].tolist(), int(rows.starts[0])
    kept, asked = ids[: start - 1], ids[start:]
    ended = [*target, EOS]
    assert ids[start - 1] == BOS and len(ids) <= length + 1
    assert kept == source[len(source) - len(kept) :] and asked == ended[: len(asked)] and asked
    assert rows.is_complete.tolist() == [asked == ended]
    if apart:
        assert asked == ended[:length]
    elif n_source + n_target + 1 <= length:
        assert (kept, asked) == (source, ended)
    else:
        assert len(ids) == length + 1 and len(kept) >= min(n_source, length // 2)


def parrot(answer: list[int]):
    """A model that is sure of an answer: position i says its token i."""
    table = F.one_hot(torch.tensor(answer), 300).float() * 50

    def model(input_ids, **_):
        rows = torch.arange(input_ids.shape[1]) - (
            0 if (input_ids[0, 0] == BOS) else int((input_ids[0] == BOS).nonzero()[0])
        )
        return SimpleNamespace(logits=table[rows.clamp(0, len(answer) - 1)][None].expand(len(input_ids), -1, -1))

    return model


@pytest.mark.parametrize("objective, length", [("seq2seq", 4), ("clm", 8)])
@pytest.mark.parametrize("n, exact", [(3, 1), (4, 0), (9, 0)])
def test_an_answer_that_was_cut_is_not_right_from_end_to_end(objective, length, n, exact):
    """A model that says every token that it is asked for: only of a whole answer it has said the end, too."""
    target = list(range(200, 200 + n))
    data = OnePair([100, 101, 102, 103], target)
    data.tokenizer = SimpleNamespace(**vars(data.tokenizer), mask_id=MASK, special_ids=range(4), frame=((), ()))
    training = TrainingSpec(objective=objective, loss_on="completion")
    config = SimpleNamespace(training=training, model=SimpleNamespace(vocab_size=300, context_length=length))
    asked = Objective(config, data)
    batch = asked.batch(Sampler(data, length, 0, objective == "seq2seq").train(0, 1))
    score = asked.score(parrot([*target, EOS]), batch)
    assert score.correct == score.targets > 0 and (int(score.exact_matches), score.sequences) == (exact, 1)


class Pairs(list):
    """Pairs of so many tokens."""

    def lengths(self):
        return np.array([[len(source), len(target)] for source, target in self]).reshape(-1, 2)


@pytest.mark.parametrize("objective", ["clm", "seq2seq", "mlm"])
def test_pairs_that_are_not_read_whole_are_counted(objective):
    rng = np.random.default_rng(0)
    pairs = [(np.arange(*rng.integers(0, 9, 1)), np.arange(*rng.integers(0, 9, 1))) for _ in range(200)]
    name = lambda ids: f"q{len(ids)}"
    data = SimpleNamespace(
        shape="pairs",
        train=Pairs(pairs[:150]),
        validation=Pairs(pairs[150:]),
        tokenizer=SimpleNamespace(pad_id=PAD, bos_id=BOS, eos_id=EOS, decode=name, frame=((), ())),
    )
    length = 8
    sampler = Sampler(data, length, 0, objective == "seq2seq")

    def is_cut(side, i):
        rows, (source, target) = sampler._rows(side, np.array([i])), (data.train, data.validation)[side][i]
        if objective == "seq2seq":
            return not rows.is_complete[0] or rows.source_lengths[0] < len(source)
        most = length if objective == "mlm" else length + 1
        return len(source) + 1 + len(target) + 1 > min(rows.lengths[0], most)

    cut = [
        (side, i)
        for side, part in enumerate((data.train, data.validation))
        for i in range(len(part))
        if is_cut(side, i)
    ]
    said = truncation_warning(data, length, objective)
    first = len((data.train, data.validation)[cut[0][0]][cut[0][1]][0])
    assert f"reads: {len(cut)} of 200 (first: “q{first}”)" in said
    assert truncation_warning(data, 20, objective) == ""
