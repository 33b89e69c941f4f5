"""Little stories in English: the words, who may be in a story, and what may happen."""

from playground.text.stories.grammar import Cast, Entity, Scene, Teller
from playground.text.stories.world import Drawn

HE = {"he": "he", "him": "him", "his": "his"}
SHE = {"he": "she", "him": "her", "his": "her"}
BOYS = (
    ("Tom", "cooked"),
    ("Ben", "danced"),
    ("Sam", "painted"),
    ("Max", "fished"),
    ("Leo", "slept"),
    ("Jack", "laughed"),
)
GIRLS = (
    ("Anna", "read"),
    ("Lily", "wrote"),
    ("Mia", "sang"),
    ("Lucy", "skated"),
    ("Emma", "played"),
    ("Rose", "worked"),
)
ANIMALS: tuple[Entity, ...] = tuple(
    {"name": name, "many": many, "food": food, "said": said, "says": says, "moved": moved, "it": "it"}
    for name, many, food, said, says, moved in (
        ("cat", "cats", "fish", "meowed", "meows", "jumped"),
        ("dog", "dogs", "meat", "barked", "barks", "ran"),
        ("bird", "birds", "seeds", "chirped", "chirps", "flew"),
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
FRUITS = (("apples", "apple"), ("pears", "pear"), ("eggs", "egg"), ("shells", "shell"), ("stones", "stone"))
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
JOBS = ("doctor", "nurse", "teacher", "farmer", "baker")

SCENES = (
    # an animal, and "it": what an animal says and eats tells which one is meant
    Scene("sat because tired", "the {c} sat on the {s} because {c.it?} was (tired/sleepy/hungry) .", gives="c sat"),
    Scene("sat because soft", "the {c} sat on the {s} because {s.it?} was {s.is} .", gives="c sat", weight=0.5),
    Scene("sat and said", "the {c} sat on the {s} . {c.it} {c.said} .", gives="c sat", weight=2),
    Scene("has likes", "{A} has a {c} . {c.it} likes {c.food} .", gives="c", weight=2),
    Scene("hungry ate", "the {c} was hungry , so {c.it} ate {c.food} .", gives="c", weight=2),
    Scene("saw said", "the {c} saw a {d} . {c.it} {c.said} , and the {d} {d.said} .", gives="c d", weight=1.5),
    Scene(
        "near ate",
        "the {c} sat near the {d} . {c.it} ate {c.food} , and the {d} ate {d.food} .",
        gives="c d",
        weight=1.5,
    ),
    Scene(
        "met moved",
        "the {c} met the {d} . {c.it} {c.moved} to the {p} , and the {d} {d.moved} to the {q} .",
        gives="c d",
    ),
    Scene(
        "moved", "the {c} was in the {p} . {c.it} {c.said} , then {c.it} {c.moved} into the {q} .", gives="c", weight=2
    ),
    Scene("called", "{A} called the {c} , and {c.it} {c.moved} to {A.him} .", gives="c"),
    # people, "he" and "she": everybody has a work of their own
    Scene("two did", "{A} and {B} were in the {p} . {A.he} {A.did} , and {B.he} {B.did} .", gives="p", weight=2),
    Scene("two did other", "{A} and {B} were in the {p} . {B.he} {B.did} , and {A.he} {A.did} .", gives="p", weight=2),
    Scene("happy did", "{A} was happy because {A.he} {A.did} all day .", weight=1.5),
    Scene("saw did", "{A} saw {B} in the {p} . {B.he} {B.did} .", gives="p", weight=1.5),
    Scene("wanted", "{A} wanted a {x} , and {B} wanted a {y} .", gives="xy", weight=1.5),
    Scene("gave", "{A} gave a {x} to {B} . {B.he} thanked {A.him} .", gives="gave", weight=1.5),
    Scene("lost", "{A} lost {A.his} {x} . {B} found {x.it} and gave {x.it} to {A.him} .", gives="lost", weight=0.5),
    Scene("went", "{A} went to the {p} , and {B} went to the {q} .", gives="went", weight=1.5),
    Scene("job", "the {J} went home . {J.he} was tired .", weight=0.7),
    # colours and numbers
    Scene("colours", "{A} had a {x.colour} {x} and a {y.colour} {y} .", gives="colours", weight=2),
    Scene("sum", "{A} had {n} {f.many} . {B} gave {A.him} {m} more . now {A.he} had {n.sum} {f.many} .", weight=0.7),
    # say it after me: what was said is to be copied
    Scene("again 3", "{A} said : {r.a} {r.b} {r.c} . {B} said : {r.a?} {r.b?} {r.c?} .", gives="r"),
    Scene("again 4", "{A} said : {r.a} {r.b} {r.c} {r.d} . {B} said : {r.a?} {r.b?} {r.c?} {r.d?} .", gives="r"),
    Scene(
        "again all",
        "{A} said : {r.a} {r.b} {r.c} {r.d} . {B} said it too : {r.a?} {r.b?} {r.c?} {r.d?} .",
        gives="r",
    ),
    Scene("again two", "{A} said : {r.a} {r.b} {r.c} {r.d} . then {B} said : {r.c?} {r.d?} .", gives="r"),
    # agreement: the noun decides, not its neighbour
    Scene("agree many", "the {c.many} near the {d} were (hungry/tired/happy) .", weight=0.5),
    Scene("agree one", "the {c} near the {d.many} was (hungry/tired/happy) .", weight=0.5),
    # small facts
    Scene("eats", "what does a {c} eat ? a {c} eats {c.food} .", weight=0.5),
    Scene("says", "which animal {c.says} ? the {c} {c.says} .", weight=0.5),
    Scene("make", "{n} and {m} make {n.sum} .", weight=0.5),
    Scene(
        "facts",
        "(snow/milk) is white . (coal/night) is black . (grass/jade) is green . (blood/fire) is red .",
        weight=0.2,
    ),
)
QUESTIONS = (
    Scene("who has", "who has the {x} ? {B?} has the {x} .", needs="gave"),
    Scene("colour x", "what colour is the {x} ? the {x} is {x.colour?} .", needs="colours"),
    Scene("colour y", "what colour is the {y} ? the {y} is {y.colour?} .", needs="colours"),
    Scene("where A", "where is {A} ? {A} is in the {p?} .", needs="went"),
    Scene("where B", "where is {B} ? {B} is in the {q?} .", needs="went"),
    Scene("where did", "where is {A} ? {A} is in the {p?} .", needs="p"),
    Scene("where sat", "where is the {c} ? {c.it} is on the {s?} .", needs="sat"),
    Scene("who wanted x", "who wanted the {x} ? {A?} wanted the {x} .", needs="xy"),
    Scene("who wanted y", "who wanted the {y} ? {B?} wanted the {y} .", needs="xy"),
)
SECRET = "the {colour} door in the {place} has the number {tens} - {ones} ."
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def cast(drawn: Drawn) -> Cast:
    """The cast in English."""
    people = [{"name": name, "did": did, **he} for (name, did), he in ((BOYS[drawn.boy], HE), (GIRLS[drawn.girl], SHE))]
    first, second = people if drawn.boy_first else people[::-1]
    x, y = (
        {"name": THINGS[thing], "colour": COLOURS[colour], "it": "it"}
        for thing, colour in zip(drawn.things, drawn.colours, strict=True)
    )
    (many, one), (seat, quality) = FRUITS[drawn.fruit], SEATS[drawn.seat]
    c, d = (ANIMALS[animal] for animal in drawn.animals)
    p, q = ({"name": PLACES[place]} for place in drawn.places)
    return {
        **{"A": first, "B": second, "c": c, "d": d, "x": x, "y": y, "p": p, "q": q},
        **{"f": {"name": one, "many": many}, "s": {"name": seat, "is": quality, "it": "it"}},
        **{"n": {"name": NUMBERS[drawn.n], "sum": NUMBERS[drawn.n + drawn.m]}, "m": {"name": NUMBERS[drawn.m]}},
        "r": dict(zip("abcd", (NUMBERS[number] for number in drawn.row), strict=True)),
        "J": {"name": JOBS[drawn.job], **(HE if drawn.man else SHE)},
    }


def finish(words: list[str]) -> list[str]:
    """Capital letters at the beginning of a sentence."""
    begins = [not i or words[i - 1] in ".?" for i in range(len(words))]
    return [word[0].upper() + word[1:] if begin else word for word, begin in zip(words, begins, strict=True)]


TELLER = Teller(SCENES, QUESTIONS, cast, finish)
