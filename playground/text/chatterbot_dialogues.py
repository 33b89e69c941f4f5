"""Short talk in English and in Chinese, as the package chatterbot-corpus carries it: what is said, and a reply."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from playground.text.package_files import package_file, unreadable

MODULE = "chatterbot_corpus"
LONGEST = 300  # characters of a text: what is longer is a program or a lecture
TALKS = ("conversations", "health")  # files where each text replies to the one before
LISTS = ("trivia",)  # files where questions and answers take turns
LEFT_OUT = ("coding",)  # programs


def dialogues(language: str) -> Iterator[tuple[str, str]]:
    """What is said, and a reply to it; where there are several replies, a pair for each. No pair comes twice.

    Args:
        language: the folder of the package, such as "english".

    Raises:
        PlaygroundError: when the package's text is not there, or damaged.
    """
    folder, seen = package_file(MODULE, "data", language), set()
    for path in sorted(folder.glob("*.yml")):
        if path.stem in LEFT_OUT:
            continue
        for conversation in _conversations(path, language):
            for pair in _pairs(conversation, path.stem):
                if pair not in seen and all(0 < len(text) <= LONGEST for text in pair):
                    seen.add(pair)
                    yield pair
    if not seen:
        raise unreadable(MODULE, "data", language)


def _pairs(conversation: list[str], kind: str) -> list[tuple[str, str]]:
    """The pairs of one conversation, by the kind of its file."""
    if kind in TALKS:
        return list(pairwise(conversation))
    if kind in LISTS:
        return list(zip(conversation[::2], conversation[1::2]))
    return [(conversation[0], reply) for reply in conversation[1:]]


def _conversations(path: Path, language: str) -> Iterator[list[str]]:
    """The conversations of a file, each a list of texts on one line."""
    import yaml

    try:
        found = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["conversations"]
        talks = [talk for talk in found if isinstance(talk, list)]  # one of version 1.3.3 is a lone text, by a slip
        conversations = [[" ".join(text.split()) for text in talk] for talk in talks]
    except (OSError, yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise unreadable(MODULE, "data", language, path.name) from error
    yield from filter(None, conversations)
