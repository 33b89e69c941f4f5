"""What all generators share, on one whose next token is known without a model."""

import numpy as np
import pytest

from playground.core.errors import PlaygroundError
from playground.inference.generator import Generator, as_batch, sample_one
from playground.inference.sampling import Sampling

VOCABULARY = 12
PROBABILITIES = np.array([0.5, 0.25, 0.15, 0.1])


class Counting(Generator):
    """Expects the next number, of `VOCABULARY`; notes every token that it reads."""

    provider = "CPU"

    def start(self, texts):
        self.batch, self.texts = len(texts), [list(text) for text in texts]
        self.last = None

    def advance(self, tokens=None):
        self.last = tokens if tokens is not None else self.last if self.last is not None else self.pick_greedy()
        for text, token in zip(self.texts, self.last, strict=True):
            text.append(int(token))

    @property
    def logits(self):
        return np.eye(VOCABULARY, dtype=np.float32)[[(text[-1] + 1) % VOCABULARY for text in self.texts]] * 30


def test_greedy_decoding_goes_on_where_it_ended():
    made = Counting()
    assert made.greedy(3, [[4], [1, 10]]).tolist() == [[5, 6, 7], [11, 0, 1]]
    assert made.texts == [[4, 5, 6], [1, 10, 11, 0]], "the last tokens are not read yet"
    assert made.greedy(2).tolist() == [[8, 9], [2, 3]]


def test_logits_are_those_after_the_prompt_and_after_each_step():
    made = Counting()
    assert made.prefill([[4]]).argmax(-1).tolist() == [5]
    assert made.decode_step(np.array([8])).argmax(-1).tolist() == [9], "what was given, not what was expected"
    assert made.last == [8] and made.texts == [[4, 8]]


def test_a_sample_of_temperature_0_is_greedy_and_is_read_next():
    made = Counting()
    made.start([[4], [7]])
    tokens, probabilities, drawn = made.sample(Sampling(temperature=0), np.random.default_rng(0))
    assert tokens.tolist() == [5, 8] and drawn.tolist() == [1, 1] and (probabilities > 0.99).all()
    made.advance()
    assert made.texts == [[4, 5], [7, 8]]


def test_the_penalty_asks_for_the_text_so_far():
    made = Counting()
    made.start([[4]])
    often = [
        int(made.sample(Sampling(1.0, repetition_penalty=100.0), np.random.default_rng(i), [[5]])[0][0])
        for i in range(50)
    ]
    assert len(set(often)) > 3, "5 was seen, so it is no longer certain"


def test_a_sampled_token_has_its_probability_before_and_after_the_steps():
    rng = np.random.default_rng(0)
    for _ in range(40):
        token, probability, drawn = sample_one(np.log(PROBABILITIES), Sampling(top_k=2), rng, None)
        assert token in (0, 1) and probability == pytest.approx(PROBABILITIES[token])
        assert drawn == pytest.approx([2 / 3, 1 / 3][token])


def test_texts_of_equal_length_are_one_array():
    made = as_batch([[1, 2], (3, 4)])
    assert made.tolist() == [[1, 2], [3, 4]] and made.dtype == np.int64 and made.flags.c_contiguous
    for texts in ([[1], [2, 3]], [[], []]):
        with pytest.raises(PlaygroundError, match="equal length"):
            as_batch(texts)


def test_a_model_without_an_encoder_encodes_no_source():
    with pytest.raises(TypeError, match="Counting has no encoder"):
        Counting().encode_source([5])
