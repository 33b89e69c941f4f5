"""Elman's grammar: sentences with relative clauses inside one another, in which every verb agrees with its noun.

In "the girl who the dogs see sleeps", *sleeps* agrees with *girl*, although *dogs* is nearer. Elman asked whether a
network that only predicts the next word learns this, and found that a simple recurrent one does, if it begins with
short sentences (Elman 1991, Distributed representations, simple recurrent networks, and grammatical structure,
Machine Learning 7; Elman 1993, Cognition 48). The rules are his, the words are our own::

    sentence → noun phrase, verb phrase, "."
    noun phrase → name | "the" noun | "the" noun, relative clause
    relative clause → "who" verb phrase | "who" noun phrase, verb that takes an object
    verb phrase → verb | verb, noun phrase

Verbs of the first list need an object, of the second may have one, of the third have none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playground.core.errors import Message
from playground.text.sources import Source

NAME = "task-elman"
FORMAT = 1  # another number: the same seed gives other sentences

NOUNS = ("girl", "boy", "teacher", "farmer", "cat", "dog")
NAMES = ("Anna", "Tom")
NEED_OBJECT, MAY_HAVE_OBJECT, NO_OBJECT = ("love", "follow"), ("see", "hear"), ("sleep", "laugh")
TAKE_OBJECT = NEED_OBJECT + MAY_HAVE_OBJECT
VERBS = TAKE_OBJECT + NO_OBJECT


@dataclass(frozen=True)
class VerbQuestion:
    """A sentence up to its main verb, and what comes next.

    Args:
        prefix: the words before the verb.
        plural: whether the verb is to be plural.
        depth: how many relative clauses are inside one another between the noun and its verb.
        misleading: whether the nearest noun before the verb has the other number.
    """

    prefix: str
    plural: bool
    depth: int
    misleading: bool


def verb(stem: str, plural: bool) -> str:
    """The form for a number: sleeps, sleep."""
    return stem if plural else stem + "s"


def sentences(options: Mapping[str, Any], seed: int) -> Iterator[str]:
    """``options["sentences"]`` sentences, the same ones for the same seed; a short one may come more than once."""
    rng = random.Random(f"{NAME} {FORMAT} {seed}")
    for _ in range(options["sentences"]):
        subject, plural = _noun_phrase(rng, options["depth"], options["clauses"] / 100)
        yield " ".join([*subject, *_verb_phrase(rng, plural, options["depth"], options["clauses"] / 100), "."])


def questions(depth: int, seed: int) -> Iterator[VerbQuestion]:
    """Endless questions about the main verb, with exactly ``depth`` clauses inside one another before it.

    The subject is "the girl who the dogs who Tom hears see": each clause is put inside the one before it, at its noun.
    """
    rng = random.Random(f"{NAME} questions {FORMAT} {seed}")
    while True:
        numbers = [rng.random() < 0.5 for _ in range(depth + 1)]
        words = _embedded(rng, numbers)
        nouns = [word for word in words if word.removesuffix("s") in NOUNS]
        nearest = nouns[-1].endswith("s")
        yield VerbQuestion(" ".join(words), numbers[0], depth, nearest != numbers[0])


def open_sentences(options: Mapping[str, Any], seed: int) -> Source:
    """The sentences as a text, one a document."""
    return Source(
        documents=lambda: sentences(options, seed),
        shape="stream",
        fingerprint=f"{NAME} {FORMAT} {seed} {sorted(options.items())}",
        size=options["sentences"] * 40,
        licence="CC0-1.0",
        provenance=Message("Generated from the seed {seed}.", seed=seed),
    )


def _noun(rng: random.Random, plural: bool) -> list[str]:
    return ["the", rng.choice(NOUNS) + ("s" if plural else "")]


def _noun_phrase(rng: random.Random, depth: int, clauses: float) -> tuple[list[str], bool]:
    """Words, and whether they are plural; ``depth`` more clauses may be inside one another."""
    if rng.random() < 0.15:
        return [rng.choice(NAMES)], False
    plural = rng.random() < 0.5
    noun = _noun(rng, plural)
    if depth == 0 or rng.random() >= clauses:
        return noun, plural
    if rng.random() < 0.5:
        return [*noun, "who", *_verb_phrase(rng, plural, depth - 1, clauses)], plural
    inner, number = _noun_phrase(rng, depth - 1, clauses)
    return [*noun, "who", *inner, verb(rng.choice(TAKE_OBJECT), number)], plural


def _verb_phrase(rng: random.Random, plural: bool, depth: int, clauses: float) -> list[str]:
    stem = rng.choice(VERBS)
    has_object = stem in NEED_OBJECT or (stem in MAY_HAVE_OBJECT and rng.random() < 0.5)
    return [verb(stem, plural), *(_noun_phrase(rng, depth, clauses)[0] if has_object else ())]


def _embedded(rng: random.Random, numbers: list[bool]) -> list[str]:
    """The noun of the first number, with a clause about it in which the others are embedded."""
    noun = _noun(rng, numbers[0])
    if len(numbers) == 1:
        return noun
    return [*noun, "who", *_embedded(rng, numbers[1:]), verb(rng.choice(TAKE_OBJECT), numbers[1])]
