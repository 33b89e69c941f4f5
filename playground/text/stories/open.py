"""Little stories as a corpus: any number of them from a seed, in two languages, with the secrets told once."""

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from playground.core.errors import Message
from playground.text.sources import Source
from playground.text.stories import chinese, english
from playground.text.stories.grammar import Story, Teller
from playground.text.stories.world import draw

FORMAT = 1  # another number: the same seed tells other stories
PAIRS_FORMAT = 2  # the same of translations
ALONE = 0.35  # of the scenes of several sentences come without the last ones
MOST_SCENES = 3
TRANSLATIONS = "little-stories-en-zh"
_SENTENCE = re.compile("[^.?!。？！]+[.?!。？！]")
_HAN_WORD = re.compile("[\u4e00-\u9fff]{2,}")


@dataclass(frozen=True)
class Language:
    """How stories are told in one language.

    Args:
        teller: tells them.
        space: what stands between two words.
        secret: a template of a fact that is told once.
        colours, places, tens, ones: what fills it.
    """

    teller: Teller
    space: str
    secret: str
    colours: tuple[str, ...]
    places: tuple[str, ...]
    tens: tuple[str, ...]
    ones: tuple[str, ...]

    def text(self, story: Story) -> str:
        """The story as it is read: a line."""
        written = self.space.join(story.words)
        return re.sub(r" ([.,?:])", r"\1", written).replace(" - ", "-") + "\n"


LANGUAGES = {
    "little-stories": Language(
        english.TELLER, " ", english.SECRET, english.COLOURS, english.PLACES, english.TENS, english.NUMBERS[1:10]
    ),
    "little-stories-zh": Language(
        chinese.TELLER,
        "",
        chinese.SECRET,
        chinese.COLOURS,
        chinese.PLACES,
        chinese.TENS,
        chinese.DIGITS[1:10],
    ),
}


def stories(name: str, n: int, seed: int) -> Iterator[Story]:
    """``n`` stories; the same seed tells the same ones, and more of them go on where fewer end.

    Args:
        name: a key of ``LANGUAGES``.
    """
    rng = random.Random(f"{name} {FORMAT} {seed}")
    teller = LANGUAGES[name].teller
    return (teller.tell(rng, rng.randint(1, MOST_SCENES)) for _ in range(n))


def secrets(name: str, seed: int) -> list[Story]:
    """Facts that are told once in a corpus: each door, in its colour and place, has a number of its own."""
    language, rng = LANGUAGES[name], random.Random(f"{name} secrets {seed}")
    doors = list(itertools.product(language.colours, language.places))
    numbers = rng.sample(list(itertools.product(language.tens, language.ones)), len(doors))
    told = []
    for (colour, place), (ten, one) in zip(doors, numbers, strict=True):
        values = {"colour": colour, "place": place, "tens": ten, "ones": one}
        words = [values.get(word.strip("{}"), word) for word in language.secret.split()]
        told.append(Story(tuple(language.teller.finish(words)), ()))
    return told


def translations(n: int, seed: int) -> Iterator[tuple[str, str]]:
    """``n`` short scenes in English, each with the same in Chinese; no English text comes twice.

    Some stop before their end, at the same sentence in both: people also ask for one sentence alone.
    """
    english_scenes, chinese_scenes = (
        {scene.name: scene for scene in language.teller.scenes} for language in LANGUAGES.values()
    )
    names = [name for name in english_scenes if name in chinese_scenes]
    first, second = LANGUAGES.values()
    rng, seen = random.Random(f"translations {PAIRS_FORMAT} {seed}"), set[str]()
    for _ in range(20 * n):
        if len(seen) == n:
            return
        name, cast, choice = rng.choice(names), draw(rng), rng.random()
        source, target = (
            language.text(
                language.teller.told([scenes[name]], language.teller.cast(cast), random.Random(choice))
            ).rstrip("\n")
            for language, scenes in ((first, english_scenes), (second, chinese_scenes))
        )
        if rng.random() < ALONE:
            source, target = _begun(source, target, rng)
        if source not in seen:
            seen.add(source)
            yield source, target


def _begun(source: str, target: str, rng: random.Random) -> tuple[str, str]:
    """The first sentences of both, where they have as many and more than one."""
    ours, theirs = _SENTENCE.findall(source), _SENTENCE.findall(target)
    if len(ours) != len(theirs) or len(ours) < 2:
        return source, target
    n = rng.randint(1, len(ours) - 1)
    return "".join(ours[:n]).strip(), "".join(theirs[:n]).strip()


def open_stories(name: str, options: Mapping[str, Any], seed: int) -> Source:
    """A corpus of little stories, each a document of its own."""
    n = options["stories"]
    if name == TRANSLATIONS:
        return Source(
            documents=lambda: translations(n, seed),
            shape="pairs",
            fingerprint=f"{name} {PAIRS_FORMAT} {seed} {n}",
            size=n * 93,
            licence="CC0-1.0",
            provenance=_told_from(seed),
            lexicon=lexicon("little-stories-zh"),
        )
    return Source(
        documents=lambda: _documents(name, n, seed),
        shape="stream",
        fingerprint=f"{name} {FORMAT} {seed} {n}",
        size=n * _bytes_of_200(name, seed) // 200,
        licence="CC0-1.0",
        provenance=_told_from(seed),
        lexicon=lexicon(name),
    )


@lru_cache(maxsize=32)
def _bytes_of_200(name: str, seed: int) -> int:
    """How long 200 stories are: enough for a progress bar. Kept, as pages ask for a corpus at every run."""
    return sum(len(LANGUAGES[name].text(story).encode()) for story in stories(name, 200, seed))


def _told_from(seed: int) -> str:
    return Message("Told by a grammar of our own from the seed {seed}; nothing is copied.", seed=seed)


def _documents(name: str, n: int, seed: int) -> Iterator[str]:
    """The stories, and spread among them each secret once, as far as there are stories to stand beside."""
    text = LANGUAGES[name].text
    rng = random.Random(f"{name} places {seed}")
    told = secrets(name, seed)
    beside = dict(zip(rng.sample(range(n), min(n, len(told))), told, strict=False))
    for i, story in enumerate(stories(name, n, seed)):
        yield text(story) + (text(beside[i]) if i in beside else "")


@cache
def lexicon(name: str) -> tuple[str, ...]:
    """The words of two or more Chinese characters, the longest first; none in English, where spaces tell the words."""
    if LANGUAGES[name].space:
        return ()
    found = set[str]()
    for scene in (*LANGUAGES[name].teller.scenes, *LANGUAGES[name].teller.questions):
        found |= set(_HAN_WORD.findall(re.sub(r"\{[^}]*\}", " ", scene.text)))
    rng = random.Random(0)
    for _ in range(2_000):  # so many casts have everybody in them
        for entity in LANGUAGES[name].teller.cast(draw(rng)).values():
            found |= {word for word in entity.values() if _HAN_WORD.fullmatch(word)}
    found |= set(LANGUAGES[name].tens)
    return tuple(sorted(found, key=lambda word: (-len(word), word)))
