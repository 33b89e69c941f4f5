"""A grammar of scenes: templates over one cast, and the stories that they tell.

A scene is written in words with spaces between them. ``{A}`` stands for a member of the cast (a *mention*), ``{A.he}`` for
a pronoun that means it, ``{c.food}`` for something that belongs to it, and ``(tired/sleepy)`` for one of several words.
Every scene of a story has the same cast, so what was told once stays true. What each word means is known: a story lists
which word each pronoun stands for, and which words say again what was said before.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from playground.text.stories.world import Drawn, draw

Entity = Mapping[str, str]  # "name" and what belongs to it; "he", "it" and so on are its pronouns
Cast = Mapping[str, Entity]
MOST_QUESTIONS = 2
PRONOUN_KINDS = {"it": "it", "he": "person", "him": "object", "his": "object"}
_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?(\??)\}")
_CHOICE = re.compile(r"\(([^()]+/[^()]+)\)")


@dataclass(frozen=True)
class Link:
    """Two words of a story, by number, of which the later one follows from the earlier one.

    Attributes:
        kind: "it" (→ the animal or thing that it means), "person" (he, she → who is meant), "object" (him, his, her → the
            same), "answer" (what a question asks for → where it was told) or "repeat"
            (a number that is said again after somebody → where it was said first).
        word, source: the later and the earlier word.
        early: whether it is clear from what stands before the later word; "it was soft" is clear only after it.
    """

    kind: str
    word: int
    source: int
    early: bool = True


@dataclass(frozen=True)
class Story:
    """A few sentences.

    Attributes:
        words: in order, marks among them, as they stand in the text but for spaces.
        links: what the words mean, in order.
    """

    words: tuple[str, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Scene:
    """One or a few sentences.

    Args:
        name: the scene that says the same in the other language has it too.
        text: the template. A slot that ends in "?", such as ``{s.it?}``, is a pronoun whose meaning shows only later, or
            (on a mention) the answer to a question.
        gives: what the reader knows afterwards.
        needs: of a question: what must have been told before.
        weight: how often it comes, beside the others.
    """

    name: str
    text: str
    gives: str = ""
    needs: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Teller:
    """Tells stories in one language.

    Args:
        scenes: to choose from.
        questions: with their answers; a story ends with one or two where something was told that can be asked for.
        cast: who and what a story is about, in this language.
        finish: what the language does to the words of a story, keeping their number, such as capital letters.
    """

    scenes: Sequence[Scene]
    questions: Sequence[Scene]
    cast: Callable[[Drawn], Cast]
    finish: Callable[[list[str]], list[str]] = field(default=lambda words: words)

    def tell(self, rng: random.Random, n_scenes: int) -> Story:
        """A story of so many scenes, each at most once and none that tells again what was told, and questions."""
        cast, told, chosen = self.cast(draw(rng)), set[str](), list[Scene]()
        for _ in range(n_scenes):
            able = [scene for scene in self.scenes if scene not in chosen and not told & set(scene.gives.split())]
            scene = rng.choices(able, [each.weight for each in able])[0]
            chosen.append(scene)
            told |= set(scene.gives.split())
        if asked := [question for question in self.questions if question.needs in told]:
            chosen += rng.sample(asked, min(rng.randint(1, MOST_QUESTIONS), len(asked)))
        return self.told(chosen, cast, rng)

    def told(self, scenes: Sequence[Scene], cast: Cast, rng: random.Random) -> Story:
        """These scenes, one after the other, of this cast."""
        words, links, said = list[str](), list[Link](), dict[tuple[str, str], int]()
        for scene in scenes:
            _tell_scene(scene, cast, rng, words, links, said)
        return Story(tuple(self.finish(words)), tuple(links))


def _tell_scene(
    scene: Scene,
    cast: Cast,
    rng: random.Random,
    words: list[str],
    links: list[Link],
    said: dict[tuple[str, str], int],
) -> None:
    """Adds the words and links of a scene; ``said`` holds where each thing was last said by its name."""
    text = _CHOICE.sub(lambda found: rng.choice(found[1].split("/")), scene.text)
    for piece in text.split():
        slot = _SLOT.fullmatch(piece)
        if not slot:
            words.append(piece)
            continue
        who, what, late = slot[1], slot[2] or "name", bool(slot[3])
        place = len(words)
        if what in PRONOUN_KINDS:
            links.append(Link(PRONOUN_KINDS[what], place, said[who, "name"], early=not late))
        elif late:
            links.append(Link("repeat" if who == "r" else "answer", place, said[who, what]))
        if what not in PRONOUN_KINDS:
            said[who, what] = place
        words.append(cast[who][what])
