"""Elman's sentences: a parser of our own, which knows the grammar and not the generator, reads every one of them."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.text import CORPORA, DataSpec, TokenizerSpec, prepare
from playground.text.elman import questions, sentences

SINGULAR = {"girl", "boy", "teacher", "farmer", "cat", "dog"}
NEED, MAY, NONE = {"love", "follow"}, {"see", "hear"}, {"sleep", "laugh"}


class Parser:
    """Recursive descent over the words of one sentence; an AssertionError where the grammar forbids what stands there.

    Attributes:
        deepest: the most relative clauses inside one another.
    """

    def __init__(self, words: list[str]) -> None:
        self.words, self.deepest = words, 0

    def sentence(self) -> None:
        self.verb_phrase(self.noun_phrase(0), 0)
        assert self.words == ["."]

    def noun_phrase(self, depth: int) -> bool:
        """Whether it is plural."""
        self.deepest = max(self.deepest, depth)
        if self.words[0] in ("Anna", "Tom"):
            self.words.pop(0)
            return False
        assert self.words.pop(0) == "the"
        noun = self.words.pop(0)
        plural = noun not in SINGULAR
        assert not plural or noun[-1] == "s" and noun[:-1] in SINGULAR
        if self.words and self.words[0] == "who":
            self.words.pop(0)
            self.deepest = max(self.deepest, depth + 1)
            if self.words[0] in ("the", "Anna", "Tom"):
                inner = self.noun_phrase(depth + 1)
                assert self.verb(inner) in NEED | MAY, "the noun of the clause is the object"
            else:
                self.verb_phrase(plural, depth + 1)
        return plural

    def verb_phrase(self, plural: bool, depth: int) -> None:
        stem = self.verb(plural)
        follows = self.words[0] in ("the", "Anna", "Tom")
        assert follows or stem in MAY | NONE
        if follows:
            assert stem in NEED | MAY
            self.noun_phrase(depth)

    def verb(self, plural: bool) -> str:
        word = self.words.pop(0)
        assert word.endswith("s") != plural, "the verb agrees"
        return word if plural else word[:-1]


def depth_of(sentence: str) -> int:
    parser = Parser(sentence.split())
    parser.sentence()
    return parser.deepest


@given(depth=st.integers(0, 5), clauses=st.integers(0, 90), seed=st.integers(0, 2**32))
def test_every_sentence_follows_the_grammar(depth, clauses, seed):
    options = {"depth": depth, "clauses": clauses, "sentences": 30}
    assert all(depth_of(sentence) <= depth for sentence in sentences(options, seed))


def test_depth_and_number_vary():
    made = list(sentences({"depth": 2, "clauses": 40, "sentences": 2000}, 0))
    assert {depth_of(sentence) for sentence in made} == {0, 1, 2}
    begins = [sentence.split()[1] for sentence in made if sentence.startswith("the ")]
    plural = sum(noun.endswith("s") for noun in begins) / len(begins)
    assert 0.45 < plural < 0.55


def test_a_seed_gives_the_same_sentences():
    options = DataSpec("task-elman", options={"sentences": 200}).options
    first = list(sentences(options, 3))
    assert len(first) == 200 and first == list(sentences(options, 3)) != list(sentences(options, 4))


@pytest.mark.parametrize("depth", range(4))
def test_questions_ask_for_the_verb_of_the_first_noun(depth):
    asked = list(itertools.islice(questions(depth, 0), 300))
    for question in asked:
        assert depth_of(f"{question.prefix} {'sleep' if question.plural else 'sleeps'} .") == depth
        with pytest.raises(AssertionError, match="agrees"):
            depth_of(f"{question.prefix} {'sleeps' if question.plural else 'sleep'} .")
        nouns = re.findall(r"the (\w+)", question.prefix)
        assert len(nouns) == depth + 1
        assert question.misleading == (nouns[-1].endswith("s") != question.plural)
    assert {question.plural for question in asked} == {True, False}
    assert {question.misleading for question in asked} == ({True, False} if depth else {False})


def test_they_are_a_text_of_short_documents():
    data = prepare(DataSpec("task-elman", options={"sentences": 1000}, tokenizer=TokenizerSpec("word")))
    assert data.shape == "stream" and data.info["documents"] == 1000
    assert CORPORA["task-elman"].kind == "text"
    words = {data.tokenizer.decode([i]).strip() for i in data.tokenizer.encode("the girls who sees .")}
    assert words == {"the", "girls", "who", "sees", "."}, "a word is a token"
