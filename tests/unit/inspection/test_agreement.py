"""Agreement is counted right: with models that know the answer, the opposite, or only the nearest noun."""

import types

import pytest
import torch

from playground.core.errors import PlaygroundError
from playground.inspection.agreement import agreement, begun
from playground.text import DataSpec, TokenizerSpec, prepare

PLURAL_VERB, SINGULAR_VERB = " laugh", " sees"


@pytest.fixture(scope="module")
def tokenizer():
    return prepare(DataSpec("task-elman", options={"sentences": 500}, tokenizer=TokenizerSpec("word"))).tokenizer


class Reader:
    """Expects the verb that the first noun asks for, the other one, or the one of the nearest noun."""

    def __init__(self, tokenizer, how):
        self.tokenizer, self.how, self.read = tokenizer, how, []

    def __call__(self, ids):
        words = self.tokenizer.decode(ids[0, 1:].tolist()).split()
        self.read.append(" ".join(words))
        nouns = [after for word, after in zip(words, words[1:]) if word == "the"]
        plural = (nouns[-1] if self.how == "nearest" else nouns[0]).endswith("s") != (self.how == "wrong")
        logits = torch.zeros(1, ids.shape[1], self.tokenizer.size)
        logits[0, -1, self.tokenizer.encode(PLURAL_VERB if plural else SINGULAR_VERB)[0]] = 3.0
        return types.SimpleNamespace(logits=logits)


@pytest.mark.parametrize("depth", range(3))
def test_what_models_get(tokenizer, depth):
    right = agreement(Reader(tokenizer, "right"), tokenizer, depth, count=200)
    wrong = agreement(Reader(tokenizer, "wrong"), tokenizer, depth, count=200)
    nearest = agreement(Reader(tokenizer, "nearest"), tokenizer, depth, count=200)
    assert right.right == right.total > 0 == wrong.right
    assert right.right_misleading == right.misleading and (right.misleading > 0) == (depth > 0)
    assert nearest.right == nearest.total - nearest.misleading and nearest.right_misleading == 0


def test_what_was_read_is_not_asked(tokenizer):
    everything = Reader(tokenizer, "right")
    agreement(everything, tokenizer, 1, count=100)
    known, rest = everything.read[:50], Reader(tokenizer, "right")
    agreement(rest, tokenizer, 1, begun([f"{prefix} sleep ." for prefix in known]), count=50)
    assert rest.read == everything.read[50:]


def test_questions_come_to_an_end(tokenizer):
    assert agreement(Reader(tokenizer, "right"), tokenizer, 0, count=1000).total == 12, "six nouns in two numbers"


def test_beginnings():
    assert begun(["the cat sleeps .", "Tom laughs ."]) == {"the", "the cat", "the cat sleeps", "Tom", "Tom laughs"}


def test_verbs_must_be_tokens():
    letters = prepare(DataSpec("task-elman", options={"sentences": 100}, tokenizer=TokenizerSpec("char"))).tokenizer
    with pytest.raises(PlaygroundError, match="not one token"):
        agreement(Reader(letters, "right"), letters, 1)
