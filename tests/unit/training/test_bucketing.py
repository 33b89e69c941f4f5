"""Padding to a few sizes changes no loss: the same sum over the same targets."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.factory import build
from models.spec import ModelSpec
from playground.text.targets import IGNORE_INDEX
from playground.training.batches import Batch, Rows, pad
from playground.training.bucketing import bucketed
from playground.training.objectives import causal, masked, sequence_to_sequence
from playground.training.pinned_transfer import shapes_of

CONTEXT = 64
SPEC = ModelSpec("decoder", vocab_size=50, d_model=32, n_layers=2, n_heads=2, context_length=CONTEXT)


def pairs(n: int = 6, longest: int = 20, seed: int = 0) -> Rows:
    chance = np.random.default_rng(seed)
    sources = [chance.integers(4, 50, chance.integers(2, longest)).tolist() for _ in range(n)]
    targets = [chance.integers(4, 50, chance.integers(2, longest)).tolist() for _ in range(n)]
    ids, lengths = pad([[*s, 1, *t] for s, t in zip(sources, targets)], 0)
    source_ids, source_lengths = pad(sources, 0)
    return Rows(ids, np.array([len(s) + 1 for s in sources]), lengths, source_ids, source_lengths)


def hidden(rows: Rows, seed: int = 0) -> Rows:
    chance = np.random.default_rng(seed)
    real = np.arange(rows.ids.shape[1]) < rows.lengths[:, None]
    rows.is_masked = real & (chance.random(rows.ids.shape) < 0.3)
    rows.masked_ids = np.where(rows.is_masked, 3, rows.ids)
    return rows


QUESTIONS = {
    "decoder": lambda rows: causal(rows, "completion"),
    "encoder": masked,
    "encoder-decoder": lambda rows: sequence_to_sequence(rows, 1, CONTEXT),
    "lstm-attention": lambda rows: sequence_to_sequence(rows, 1, CONTEXT),
}


def drawn(architecture: str, seed: int, pieces: int = 1) -> list[Batch]:
    """A step's micro-batches, split as the trainer splits them."""
    rows = hidden(pairs(6 * pieces, seed=seed))
    return [QUESTIONS[architecture](rows.part(slice(i, None, pieces))) for i in range(pieces)]


def gradients(model, batch: Batch) -> list[torch.Tensor]:
    model.zero_grad()
    logits = model(**batch.forward_inputs()).logits
    loss = F.cross_entropy(logits.flatten(0, -2), batch.targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum")
    loss.backward()
    return [loss, *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("architecture", QUESTIONS)
def test_loss_and_gradients_are_those_of_the_batch_itself(architecture, pieces):
    torch.manual_seed(0)
    model = build(SPEC.replace(architecture=architecture))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    batches = drawn(architecture, 5, pieces)
    for batch, wide in zip(batches, bucketed(batches, CONTEXT, masked=False), strict=True):
        assert wide.targets.shape != batch.targets.shape
        assert (wide.n_targets, wide.n_tokens) == (batch.n_targets, batch.n_tokens)
        assert int((wide.targets != IGNORE_INDEX).sum()) == batch.n_targets
        for ours, theirs in zip(gradients(model, wide), gradients(model, batch), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pieces", [1, 4])
@pytest.mark.parametrize("architecture", QUESTIONS)
def test_there_are_few_shapes(architecture, pieces):
    before, after = set(), set()
    for seed in range(60):
        batches = drawn(architecture, seed, pieces)
        wide = bucketed(batches, CONTEXT, masked=False)
        before.add(shapes_of(batches))
        after.add(shapes_of(wide))
        assert len({shapes_of([batch]) for batch in wide}) == 1
        for one, other in zip(batches, wide, strict=True):  # the largest fits too
            for name in {"input_ids", "source_ids"} & set(one.inputs):
                assert one.inputs[name].sum() == other.inputs[name].sum()
    assert len(after) <= 10 and 3 * len(after) <= len(before)


def test_windows_of_a_text_stay_as_they_are():
    batch = causal(Rows(np.arange(4 * (CONTEXT + 1)).reshape(4, -1)))
    (same,) = bucketed([batch], CONTEXT, masked=False)
    assert torch.equal(same.inputs["input_ids"], batch.inputs["input_ids"]) and list(same.inputs) == ["input_ids"]
    assert torch.equal(same.targets, batch.targets)


def test_nothing_grows_beyond_the_context():
    ids, lengths = pad([list(range(61)), [1, 2]], 0)
    batch = causal(Rows(ids, np.array([1, 1]), lengths))
    assert bucketed([batch], 61, masked=True)[0].inputs["input_ids"].shape == (2, 61)


def test_a_model_that_must_know_of_padding_is_always_told():
    batch = Batch({"input_ids": torch.ones(2, 5, dtype=torch.int64)}, torch.tensor([0, 1]), 2, 10)
    (wide,) = bucketed([batch], CONTEXT, masked=True)
    assert wide.inputs["attention_mask"].sum(1).tolist() == [5, 5]
    assert wide.targets.tolist() == [0, 1]
