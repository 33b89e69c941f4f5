"""Who and what a story is about, drawn as numbers, so that the same story can be told in two languages.

Every table of a language has the same things in the same order: animal 0 is "cat" and 猫. Where the languages need different
scenes (agreement in English, measure words in Chinese) a scene has a name that the other language lacks.
"""

import random
from dataclasses import dataclass

N_PEOPLE = 6  # of either gender
N_ANIMALS, N_THINGS, N_COLOURS, N_PLACES, N_SEATS, N_FRUITS = 10, 10, 6, 8, 6, 5
LARGEST = 9  # sum of two numbers
MEN = (0.9, 0.1, 0.5, 0.5, 0.5)
"""How often who does a job is a man, by job. The first two are a bias planted on purpose, to be found again in a model."""


@dataclass(frozen=True)
class Drawn:
    """One cast, as numbers in the tables of a language.

    Attributes:
        boy_first: whether A is the boy and B the girl; they differ in gender, so that every pronoun means one of them.
        boy, girl: who they are.
        animals, things, colours, places: two different ones of each.
        seat, fruit, job: one of each.
        man: whether who does the job is a man.
        n, m: numbers, 2 ≤ n, 1 ≤ m, n + m ≤ LARGEST.
        row: four different numbers from 1 to LARGEST, to be said after each other.
    """

    boy_first: bool
    boy: int
    girl: int
    animals: tuple[int, int]
    things: tuple[int, int]
    colours: tuple[int, int]
    places: tuple[int, int]
    seat: int
    fruit: int
    job: int
    man: bool
    n: int
    m: int
    row: tuple[int, ...]


def draw(rng: random.Random) -> Drawn:
    """A cast from a random generator."""

    def two(of: int) -> tuple[int, int]:
        first, second = rng.sample(range(of), 2)
        return first, second

    n, job = rng.randint(2, LARGEST - 1), rng.randrange(len(MEN))
    return Drawn(
        boy_first=rng.random() < 0.5,
        boy=rng.randrange(N_PEOPLE),
        girl=rng.randrange(N_PEOPLE),
        animals=two(N_ANIMALS),
        things=two(N_THINGS),
        colours=two(N_COLOURS),
        places=two(N_PLACES),
        seat=rng.randrange(N_SEATS),
        fruit=rng.randrange(N_FRUITS),
        job=job,
        man=rng.random() < MEN[job],
        n=n,
        m=rng.randint(1, LARGEST - n),
        row=tuple(rng.sample(range(1, LARGEST + 1), 4)),
    )
