"""Pieces become words, and attention between words is the sum over what is attended to, the mean over what attends."""

import numpy as np
import pytest

from playground.inspection.words import between_words, words_of, written


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["And", " God", " said", ",", " T", "ake"], ["And", " God", " said", ",", " Take"]),
        ([" Ab", "ra", "ha", "m", ",", " b", "less", "ed"], [" Abraham", ",", " blessed"]),
        (["<bos>", "20", "31", "-", "03"], ["<bos>", "2031", "-", "03"]),
        ([" ", "\\xe9", "\\x81", "\\x93", "\\xe5", "\\x8f", "\\xaf"], [" ", "道", "可"]),
        (["道", "可道", "a", "b"], ["道", "可道", "ab"]),
        (["caf", "\\xc3", "\\xa9", "s"], ["cafés"]),
        (["\\x93", "x"], ["\\x93", "x"]),
        (["un", "done\n", "now"], ["undone\n", "now"]),
        ([], []),
    ],
)
def test_letters_that_meet_are_one_word(pieces, words):
    found = words_of(pieces)
    assert [written(pieces, word) for word in found] == words
    assert [i for word in found for i in word] == list(range(len(pieces)))


def test_attention_between_words_by_hand():
    """The pieces "Ta", "ke" and " it" as the words "Take" and " it"."""
    weights = np.array([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.2, 0.3, 0.5]])
    words = words_of(["Ta", "ke", " it"])
    assert words == [range(0, 2), range(2, 3)]
    # "Take": ((1 + 0) + (0.4 + 0.6)) / 2 = 1 of itself, 0 of " it"; " it": 0.2 + 0.3 = 0.5 of "Take", 0.5 of itself
    assert between_words(weights, words, words).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_attention_to_another_text_by_hand():
    weights = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    found = between_words(weights, [range(2)], [range(1), range(1, 3)])
    np.testing.assert_allclose(found, [[0.2, 0.8]])  # (0.1 + 0.3) / 2 and (0.2 + 0.7 + 0.3 + 0.4) / 2


def test_rows_still_sum_to_one():
    weights = np.random.default_rng(0).dirichlet(np.ones(9), size=(2, 3, 9)).astype(np.float32)
    words = [range(0, 2), range(2, 3), range(3, 7), range(7, 9)]
    found = between_words(weights, words, words)
    assert found.shape == (2, 3, 4, 4) and found.dtype == np.float32
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-6)
