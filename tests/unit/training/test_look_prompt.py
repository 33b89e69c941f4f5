"""What a model writes while it trains, from any prompt."""

import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.text.prepare import load
from playground.training import look_prompt
from playground.training.device import choose_device
from playground.training.samples import greedy_answer
from playground.training.trainer import Trainer
from tests.support.watched import chances, make, train


@pytest.fixture
def writer(new_run):
    """``writer(name)`` of a run of `RUNS` that was trained for some steps."""

    def make_one(name: str, **training):
        run = make(new_run, name, **training)
        train(run)
        config, prepared = run.config(), load(run.data_folder())
        trainer = Trainer(run, config, prepared, choose_device(config.training))
        trainer.model.eval()
        return trainer.looker.writer

    return make_one


def test_a_continuation_is_drawn_by_a_generator_of_its_own(writer, monkeypatch):
    """The same at the same step, another one at another step, whatever else draws; at most 40 tokens."""
    monkeypatch.setattr(look_prompt, "MOST_SECONDS", 1e6)
    one = writer("decoder")
    written = one.write("def ", 7)
    torch.rand(5)
    before = chances()
    assert one.write("def ", 7) == written != one.write("def ", 8)
    assert chances() == before
    assert 0 < len(written) <= look_prompt.MOST_WRITTEN, "a token is a character, or a part of one"
    assert one.write("", 7), "without a prompt the text begins as any does"


def test_a_question_is_answered_as_greedy_decoding_answers_it(writer):
    for name in ("encoder-decoder", "decoder of pairs", "lstm-attention"):
        one = writer(name)
        ids = one.tokenizer.encode("12+34")
        assert one.write("12+34", 3) == one.tokenizer.decode(greedy_answer(one.model, ids, one.tokenizer, 40))


def test_masks_are_filled_with_the_likeliest_token(writer):
    one = writer("encoder")
    written = one.write("ab<mask>c", 3)
    assert (written[:2], written[-1]) == ("ab", "c")
    with pytest.raises(PlaygroundError, match="there is none"):
        one.write("no mask", 3)


def test_a_slow_model_writes_fewer_tokens(writer, monkeypatch):
    one = writer("gru")
    monkeypatch.setattr(look_prompt, "MOST_SECONDS", -1.0)
    assert len(one.tokenizer.encode(one.write("def ", 1))) <= 3
