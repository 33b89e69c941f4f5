"""Whether a model's verbs agree with their nouns, in the sentences of `playground.text.elman`."""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch

from models.language_model import LanguageModel
from playground.core.errors import PlaygroundError
from playground.text.elman import VERBS, VerbQuestion, questions, verb
from playground.text.tokenizers import Tokenizer


@dataclass(frozen=True)
class Agreement:
    """How often the right number was the more probable one.

    Args:
        total, right: questions, and those answered right.
        misleading, right_misleading: of these, where the nearest noun has the other number (an attractor).
    """

    total: int
    right: int
    misleading: int
    right_misleading: int


def begun(sentences: Collection[str]) -> set[str]:
    """Every way in which one of these sentences begins, in whole words."""
    split = (sentence.split() for sentence in sentences)
    return {" ".join(words[:end]) for words in split for end in range(1, len(words))}


def agreement(
    model: LanguageModel,
    tokenizer: Tokenizer,
    depth: int,
    known: Collection[str] = (),
    count: int = 1000,
    seed: int = 0,
) -> Agreement:
    """Asks for the number of main verbs, as Linzen et al. 2016 (TACL 4) ask it of networks that read English.

    The probability of a number is that of all verbs in that number together, after the sentence up to its verb.

    Args:
        model: predicts the next token.
        tokenizer: has a token for each verb.
        depth: relative clauses inside one another between the noun and its verb.
        known: beginnings of sentences that are not asked, since the model has read them.
        count: questions, unless there are fewer.
        seed: of the questions.

    Raises:
        PlaygroundError: when a verb is more than one token.
    """
    forms = [[_token(tokenizer, verb(stem, plural)) for stem in VERBS] for plural in (False, True)]
    results = []
    for question in itertools.islice(_unread(depth, seed, known), count):
        ids = [tokenizer.eos_id, *tokenizer.encode(question.prefix)]  # a sentence follows the end of another
        with torch.no_grad():
            scores = model(torch.tensor([ids])).logits[0, -1].float().softmax(-1)
        singular, plural = (float(scores[ids].sum()) for ids in forms)
        results.append((question.misleading, (plural > singular) == question.plural))
    hard = [right for misleading, right in results if misleading]
    return Agreement(len(results), sum(right for _, right in results), len(hard), sum(hard))


def _token(tokenizer: Tokenizer, word: str) -> int:
    ids = list(tokenizer.encode(" " + word))
    if len(ids) != 1:
        raise PlaygroundError("{word!r} is not one token.", "Cut the text into words.", word=word)
    return ids[0]


def _unread(depth: int, seed: int, known: Collection[str]) -> Iterator[VerbQuestion]:
    """New questions without end, or until hardly any new one comes."""
    seen, misses = set(known), 0
    for question in questions(depth, seed):
        misses += 1
        if question.prefix not in seen:
            seen.add(question.prefix)
            misses = 0
            yield question
        elif misses > 1000:
            return
