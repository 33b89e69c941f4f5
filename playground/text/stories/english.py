"""Little stories in English: the words, who may be in a story, and what may happen."""

import random

from playground.text.stories.grammar import Cast, Entity, Scene, Teller

HE = {"he": "he", "him": "him", "his": "his"}
SHE = {"he": "she", "him": "her", "his": "her"}
BOYS = ("Tom", "Ben", "Sam", "Max", "Leo", "Jack")
GIRLS = ("Anna", "Lily", "Mia", "Lucy", "Emma", "Rose")
ANIMALS: tuple[Entity, ...] = tuple(
    {"name": name, "many": many, "food": food, "said": said, "says": says, "moved": moved, "it": "it"}
    for name, many, food, said, says, moved in (
        ("cat", "cats", "fish", "meowed", "meows", "jumped"),
        ("dog", "dogs", "meat", "barked", "barks", "ran"),
        ("bird", "birds", "seeds", "sang", "sings", "flew"),
        ("rabbit", "rabbits", "carrots", "sniffed", "sniffs", "hopped"),
        ("duck", "ducks", "bread", "quacked", "quacks", "swam"),
        ("mouse", "mice", "cheese", "squeaked", "squeaks", "crept"),
        ("horse", "horses", "hay", "neighed", "neighs", "galloped"),
        ("cow", "cows", "grass", "mooed", "moos", "walked"),
        ("frog", "frogs", "flies", "croaked", "croaks", "leapt"),
        ("pig", "pigs", "corn", "grunted", "grunts", "trotted"),
    )
)
THINGS = ("ball", "book", "hat", "kite", "cup", "bag", "box", "key", "drum", "lamp")
COLOURS = ("red", "blue", "green", "yellow", "white", "black")
PLACES = ("garden", "park", "house", "kitchen", "school", "forest", "field", "barn")
SEATS = (("mat", "soft"), ("chair", "hard"), ("table", "clean"), ("bed", "warm"), ("sofa", "big"), ("rug", "thick"))
STATES = (
    ("hungry", "ate", "bread"),
    ("thirsty", "drank", "water"),
    ("cold", "wore", "gloves"),
    ("bored", "read", "books"),
    ("busy", "wrote", "letters"),
    ("dirty", "used", "soap"),
)
FRUITS = (("apples", "apple"), ("pears", "pear"), ("eggs", "egg"), ("shells", "shell"), ("stones", "stone"))
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
JOBS = (("doctor", 0.9), ("nurse", 0.1), ("teacher", 0.5), ("farmer", 0.5), ("baker", 0.5))
"""Who does what, and how often it is a man. The first two are a bias planted on purpose, to be found again in a model."""

SCENES = (
    # an animal, and "it"
    Scene("the {c} sat on the {s} because {c.it?} was (tired/sleepy/lazy) .", gives="c sat", weight=1.5),
    Scene("the {c} sat on the {s} because {s.it?} was {s.is} .", gives="c sat", weight=0.7),
    Scene("the {c} sat on the {s} . {c.it} {c.said} .", gives="c sat", weight=1.5),
    Scene("{A} has a {c} . {c.it} likes {c.food} .", gives="c"),
    Scene("the {c} was hungry , so {c.it} ate {c.food} .", gives="c", weight=1.5),
    Scene("the {c} saw a {d} . {c.it} {c.said} , and the {d} {d.said} .", gives="c d", weight=1.5),
    Scene("the {c} was in the {p} . then {c.it} {c.moved} into the {q} and {c.it} {c.said} .", gives="c"),
    Scene("{A} called the {c} , and {c.it} {c.moved} to {A.him} .", gives="c"),
    Scene("a {c} was near a {d} . the {c} {c.said} because {c.it} was afraid .", gives="c d", weight=0.7),
    # people, "he" and "she"
    Scene(
        "{A} wanted a {x} , and {B} wanted a {y} . {A.he} found the {x} . {B.he} found the {y} .", gives="xy", weight=2
    ),
    Scene(
        "{A} likes {f.many} , but {B} likes {g.many} . {B.he} bought {g.many} , and {A.he} bought {f.many} .",
        weight=1.5,
    ),
    Scene("{A} was {k} . {A.he} {k.did} {k.some} .", weight=1.5),
    Scene("{A} was {k} , but {B} was {l} . {B.he} {l.did} {l.some} , and {A.he} {k.did} {k.some} .", weight=1.5),
    Scene("{A} gave the {x} to {B} . {B.he} thanked {A.him} .", gives="gave"),
    Scene("{A} lost {A.his} {x} . {B} found {x.it} in the {p} and gave {x.it} to {A.him} .", gives="lost"),
    Scene("{A} went to the {p} , and {B} went to the {q} . {A.he} was in the {p} all day .", gives="went", weight=1.5),
    Scene("the {J} went home . {J.he} was tired .", weight=0.8),
    Scene("the {J} saw {A} . {J.he} smiled at {A.him} .", weight=0.8),
    # colours and numbers
    Scene("{A} had a {x.colour} {x} and a {y.colour} {y} .", gives="colours", weight=1.5),
    Scene("{A} had {n} {f.many} . {B} gave {A.him} {m} more . now {A.he} had {n.sum} {f.many} .", gives="sum"),
    # agreement: the noun decides, not its neighbour
    Scene("the {c.many} near the {d} were (hungry/tired/happy) .", weight=0.7),
    Scene("the {c} near the {d.many} was (hungry/tired/happy) .", weight=0.7),
    Scene("the {c.many} in the {p} are (small/big/old) , and the {d} in the {q} is (small/big/old) .", weight=0.7),
    # small facts
    Scene("what does a {c} eat ? a {c} eats {c.food} .", weight=0.7),
    Scene("which animal {c.says} ? the {c} {c.says} .", weight=0.7),
    Scene("{n} and {m} make {n.sum} .", weight=0.7),
    Scene("(snow/milk) is white . (coal/night) is black . (grass/moss) is green . (blood/fire) is red .", weight=0.3),
    # questions about what was told
    Scene("who has the {x} ? {B?} has the {x} .", needs="gave", weight=4),
    Scene("what colour is the {x} ? the {x} is {x.colour?} .", needs="colours", weight=4),
    Scene("what colour is the {y} ? the {y} is {y.colour?} .", needs="colours", weight=4),
    Scene("where is {A} ? {A} is in the {p?} .", needs="went", weight=4),
    Scene("where is {B} ? {B} is in the {q?} .", needs="went", weight=4),
    Scene("where is the {c} ? {c.it} is on the {s?} .", needs="sat", weight=4),
    Scene("who wanted the {x} ? {A?} wanted the {x} .", needs="xy", weight=4),
    Scene("who wanted the {y} ? {B?} wanted the {y} .", needs="xy", weight=4),
)
SECRET = "the {colour} door in the {place} has the number {tens} - {ones} ."
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def cast(rng: random.Random) -> Cast:
    """Who and what one story is about; A and B are of different gender, so that every pronoun means one of them."""
    boy, girl = {"name": rng.choice(BOYS), **HE}, {"name": rng.choice(GIRLS), **SHE}
    first, second = rng.sample([boy, girl], 2)
    animals = rng.sample(ANIMALS, 2)
    things, colours = rng.sample(THINGS, 2), rng.sample(COLOURS, 2)
    places = rng.sample(PLACES, 2)
    seat, quality = rng.choice(SEATS)
    states, fruits = rng.sample(STATES, 2), rng.sample(FRUITS, 2)
    n = rng.randint(1, 8)
    m = rng.randint(1, 9 - n)
    job, men = rng.choice(JOBS)
    x, y = ({"name": thing, "colour": colour, "it": "it"} for thing, colour in zip(things, colours, strict=True))
    k, l = ({"name": name, "did": did, "some": some} for name, did, some in states)
    f, g = ({"name": one, "many": many} for many, one in fruits)
    return {
        **{"A": first, "B": second, "c": animals[0], "d": animals[1], "x": x, "y": y, "k": k, "l": l, "f": f, "g": g},
        **{"p": {"name": places[0]}, "q": {"name": places[1]}, "s": {"name": seat, "is": quality, "it": "it"}},
        **{"n": {"name": NUMBERS[n], "sum": NUMBERS[n + m]}, "m": {"name": NUMBERS[m]}},
        "J": {"name": job, **(HE if rng.random() < men else SHE)},
    }


def finish(words: list[str]) -> list[str]:
    """Capital letters at the beginning of a sentence."""
    begins = [not i or words[i - 1] in ".?" for i in range(len(words))]
    return [word[0].upper() + word[1:] if begin else word for word, begin in zip(words, begins, strict=True)]


TELLER = Teller(SCENES, cast, finish)
