"""Which steps a ``tokenizer.json`` may have: it may come from anybody, and some steps make a short text endless.

Each kind of step is in a list; how much the steps before the vocabulary make a text grow is bounded, and so is what a pattern
may ask of the machine that matches it. A file that passes is still opened in the gate first (`playground.core.limited_process`).
"""

import base64
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from playground.core.errors import PlaygroundError

MOST_GROWTH = 100  # characters for one; ﷺ alone is 18 in NFKC
MOST_STEPS = 64
MOST_TOKENS = 2_000_000
LONGEST_TOKEN = 10_000  # characters
LONGEST_PATTERN = 2_000
ENDLESS = 1_000  # ways in which a repetition without an end counts
MOST_WAYS = 10 * ENDLESS  # through a pattern, from one place of a text: GPT-4o's has four times as many
MOST_TIMES = 1_000
LONGEST_WORD = 1_000  # characters of a word that WordPiece cuts, in quadratic time
PARTS = {
    "normalizer": {
        "Sequence",
        "BertNormalizer",
        "NFC",
        "NFD",
        "NFKC",
        "NFKD",
        "Nmt",
        "Lowercase",
        "Strip",
        "StripAccents",
        "Prepend",
        "Replace",
        "ByteLevel",
        "Precompiled",
    },
    "pre_tokenizer": {
        "Sequence",
        "ByteLevel",
        "BertPreTokenizer",
        "Metaspace",
        "Split",
        "Digits",
        "Whitespace",
        "WhitespaceSplit",
        "Punctuation",
        "UnicodeScripts",
        "CharDelimiterSplit",
    },
    "post_processor": {"Sequence", "BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel"},
    "decoder": {
        "Sequence",
        "ByteLevel",
        "ByteFallback",
        "Fuse",
        "Metaspace",
        "Replace",
        "Strip",
        "WordPiece",
        "BPEDecoder",
    },
}
MODELS = ("BPE", "WordPiece", "Unigram")
_INSIDE = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}
_GROWTH = {
    "BertNormalizer": 4,
    "NFC": 3,
    "NFD": 4,
    "NFKC": 18,
    "NFKD": 18,
    "Lowercase": 3,
    "ByteLevel": 4,
    "Strip": 1,
    "StripAccents": 1,
    "Nmt": 1,
    "Prepend": 1,
}
_HINT = "Bring the tokenizer as its makers publish it."


def check(state: Any) -> None:
    """Refuses a tokenizer that is made of other steps than these, or grows a text without bound.

    Args:
        state: what ``tokenizer.json`` holds.

    Raises:
        PlaygroundError: with the step that is not taken.
    """
    if not isinstance(state, Mapping) or not isinstance(state.get("model"), Mapping):
        return  # no tokenizer at all, as the library says of it
    _check_model(state["model"], state.get("added_tokens"))
    for part, known in PARTS.items():
        steps = list(_steps(state.get(part), part, known))
        if len(steps) > MOST_STEPS:
            raise PlaygroundError(
                "The tokenizer has more than {most_steps} steps in its {part}.", _HINT, most_steps=MOST_STEPS, part=part
            )
        for step in steps:
            _check_step(step, part)
        growth = math.prod(map(_growth, steps)) if part == "normalizer" else 1
        if growth > MOST_GROWTH:
            raise PlaygroundError(
                "The tokenizer makes a text up to {growth:,} times as long before it cuts it; {most_growth} times is the most.",
                _HINT,
                growth=growth,
                most_growth=MOST_GROWTH,
            )


def _check_model(model: Mapping, added: Any) -> None:
    if model.get("type") not in MODELS:
        kind = str(model.get("type"))[:40]
        raise PlaygroundError(
            "A tokenizer with a model of the kind {kind} is not read here.",
            "Known: {models}.",
            kind=kind,
            models=", ".join(MODELS),
        )
    vocabulary, added = model.get("vocab"), [] if added is None else added
    if not isinstance(vocabulary, dict | list) or not isinstance(added, list):
        raise PlaygroundError("The tokenizer has no vocabulary.", _HINT)
    names = [str(token.get("content", "")) for token in added if isinstance(token, Mapping)]
    if len(vocabulary) + len(added) > MOST_TOKENS or max(map(len, names), default=0) > LONGEST_TOKEN:
        raise PlaygroundError("The tokenizer has more, or longer, tokens than one can have.", _HINT)
    longest = model.get("max_input_chars_per_word", 100)
    if model.get("dropout") not in (None, 0) or type(longest) is not int or longest > LONGEST_WORD:
        raise PlaygroundError("The tokenizer cuts the same text in different ways, or words that are too long.", _HINT)


def _steps(part: Any, name: str, known: set[str]) -> Iterator[Mapping]:
    """The steps of a part, those of sequences in their order."""
    if part is None:
        return
    if not isinstance(part, Mapping) or part.get("type") not in known:
        kind = part.get("type") if isinstance(part, Mapping) else part
        raise PlaygroundError(
            "The tokenizer has a step {kind!r} in its {name}, which is not taken here.",
            _HINT,
            kind=str(kind)[:40],
            name=name,
        )
    if part["type"] == "Sequence":
        inner = part.get(_INSIDE[name])
        if not isinstance(inner, list):
            raise PlaygroundError("The tokenizer's {name} is damaged.", _HINT, name=name)
        for each in inner:
            yield from _steps(each, name, known)
    else:
        yield part


def _check_step(step: Mapping, part: str) -> None:
    kind = step["type"]
    if kind in ("Replace", "Split"):
        pattern = step.get("pattern")
        pattern = pattern if isinstance(pattern, Mapping) else {}
        if not isinstance(pattern.get("String", pattern.get("Regex")), str):
            raise PlaygroundError("The tokenizer's {name} is damaged.", _HINT, name=part)
        if "Regex" in pattern:
            check_pattern(pattern["Regex"])
        elif kind == "Replace" and not pattern["String"]:
            raise PlaygroundError("The tokenizer replaces what is not there.", _HINT)
    texts = [
        step.get("prepend"),
        step.get("content") if part != "normalizer" else None,
        step.get("replacement"),
    ]
    if any(isinstance(text, str) and len(text) > 64 for text in texts):
        raise PlaygroundError(
            "The tokenizer puts a text of more than 64 characters into others, in its {part}.", _HINT, part=part
        )
    if kind == "TemplateProcessing":
        specials = step.get("special_tokens")
        sizes = [len(step.get("single") or ()), len(step.get("pair") or ())]
        sizes += [len(each.get("ids") or ()) for each in specials.values()] if isinstance(specials, Mapping) else []
        if max(sizes) > 64:
            raise PlaygroundError("The tokenizer puts more than 64 tokens around a text.", _HINT)


def _growth(step: Mapping) -> int:
    """How many characters at most a step of the normalizer makes of one."""
    kind = step["type"]
    if kind == "Replace":
        content, pattern = str(step.get("content", "")), step["pattern"]
        return max(1, math.ceil(len(content) / len(pattern["String"]))) if "String" in pattern else 1 + len(content)
    if kind == "Precompiled":
        return _longest_of(step.get("precompiled_charsmap"))
    return _GROWTH[kind]


def _longest_of(packed: Any) -> int:
    """The longest text that SentencePiece's table puts in place of another: a trie, then these texts with a NUL after each."""
    if packed in (None, ""):
        return 1
    try:
        table = base64.b64decode(packed, validate=True)
        texts = table[4 + int.from_bytes(table[:4], "little") :].split(b"\0")
    except (ValueError, TypeError) as error:
        raise PlaygroundError("The tokenizer's normalizer is damaged.", _HINT) from error
    return max(1, *(len(text.decode("utf-8", "replace")) for text in texts))


_BEGINS = re.compile(r"\((\?(:|=|!|>|<=|<!|[im]{1,2}(-[im]{1,2})?:|P?<\w+>))?")
_FLAGS = re.compile(r"\(\?[im]{1,2}\)")  # at the start alone: elsewhere they would begin a group that nothing closes
_ESCAPE = re.compile(
    r"\\([pP]\{[^}]{0,60}\}|[pP]\w|x\{[0-9A-Fa-f]{1,8}\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}"
    r"|[sSdDwWnrtfvaebBAzZhHR]|[^0-9A-Za-z])"
)
_REPEATED = re.compile(r"([*+?]|\{(\d*)(,?)(\d*)\})")


def check_pattern(pattern: str) -> None:
    """Refuses a pattern that could take more than quadratic time, as groups that repeat and references back can.

    Raises:
        PlaygroundError: for one of those, and for one that is too long to tell.
    """
    if len(pattern) > LONGEST_PATTERN or _ways(pattern) > MOST_WAYS:
        shown = pattern[:60] + ("…" if len(pattern) > 60 else "")
        raise PlaygroundError(
            "The tokenizer cuts text by a pattern that could take for ever: {shown}", _HINT, shown=shown
        )


class _Piece:
    """A part of a pattern.

    Attributes:
        ways: in how many it can match at one place of a text, at most; a repetition without an end counts as ENDLESS.
        tried: how many of them are tried where the rest of the pattern cannot fail.
        can_fail: it does not match everywhere.
        is_plain: it has neither alternatives nor repetitions, and so is like one character.
    """

    def __init__(self, ways: float = 1, tried: float = 1, can_fail: bool = True, is_plain: bool = True) -> None:
        self.ways, self.tried, self.can_fail, self.is_plain = ways, tried, can_fail, is_plain

    def repeated(self, least: int, most: float) -> "_Piece":
        ways = 1 + (self.ways if (least, most) == (0, 1) else abs(most - least))
        return _Piece(ways, 1 if self.is_plain else self.tried, self.can_fail and least > 0, False)


class _Group:
    """A group of a pattern that is being read: its alternatives, each a list of pieces."""

    def __init__(self, begin: str = "") -> None:
        self.begin, self.alternatives = begin, [[]]

    def piece(self) -> _Piece:
        read = [self._in_a_row(pieces) for pieces in self.alternatives]
        ways, tried = (min(math.inf, sum(each)) for each in zip(*((one.ways, one.tried) for one in read), strict=True))
        if self.begin in ("(?=", "(?!", "(?>"):  # once it has matched, no other way is tried
            ways = tried
        looks = self.begin in ("(?=", "(?!", "(?<=", "(?<!")
        can_fail = looks or all(one.can_fail for one in read)
        return _Piece(ways, tried, can_fail, len(read) == 1 and read[0].is_plain)

    def _in_a_row(self, pieces: list[_Piece]) -> _Piece:
        """What cannot fail at the end makes nothing before it be tried again."""
        last = max((place for place, piece in enumerate(pieces) if piece.can_fail), default=None)
        tried = 1 if last is None else math.prod(piece.ways for piece in pieces[:last]) * pieces[last].tried
        is_plain = all(piece.is_plain for piece in pieces)
        return _Piece(math.prod(piece.ways for piece in pieces), tried, last is not None, is_plain)


def _ways(pattern: str) -> float:
    """How many ways through the pattern are tried from one place of a text before it is given up, at most; infinity where
    that is not known. The time for a text is at most as many times its length.
    """
    groups, place, is_repeated = [_Group()], 0, True
    if found := _FLAGS.match(pattern):
        place = found.end()
    while place < len(pattern):
        letter, before = pattern[place], groups[-1].alternatives[-1]
        start, place = place, place + 1
        if found := _REPEATED.match(pattern, start):
            times = _times(found)
            if is_repeated or times is None or (not before[-1].is_plain and found[0] != "?"):
                return math.inf
            before[-1], place, is_repeated = before[-1].repeated(*times), found.end(), True
            if pattern[place : place + 1] in ("+", "?"):  # possessive, or reluctant; after {…} a plus repeats once more
                before[-1].ways = math.inf if pattern[start] == "{" else before[-1].ways
                place += 1
            continue
        is_repeated = False
        if letter == "(":
            found = _BEGINS.match(pattern, start)
            if found is None or (pattern.startswith("(?", start) and found.end() == place):
                return math.inf
            groups.append(_Group(found[0]))
            place, is_repeated = found.end(), True
        elif letter == ")":
            if len(groups) == 1:
                return math.inf
            piece = groups.pop().piece()
            groups[-1].alternatives[-1].append(piece)
        elif letter == "|":
            groups[-1].alternatives.append([])
            is_repeated = True
        else:
            if letter == "[":
                place = _after_class(pattern, start)
            elif letter == "\\":
                place = _after_escape(pattern, start)
            if not place:
                return math.inf
            before.append(_Piece())
    return groups[0].piece().tried if len(groups) == 1 else math.inf


def _times(found: re.Match) -> tuple[int, int] | None:
    """How often at least and at most, as a repetition says; None for more than is taken."""
    if found[0] in "*+?":
        return (1 if found[0] == "+" else 0), (1 if found[0] == "?" else ENDLESS)
    least, most = found[2] or "0", found[4] if found[3] else found[2]
    if max(len(least), len(most)) > 5 or max(int(least), int(most or 0)) > MOST_TIMES:
        return None
    return int(least), int(most) if most else int(least) + ENDLESS


def _after_escape(pattern: str, place: int) -> int:
    """The place after an escape such as ``\\p{L}``; 0 where it is not one that stands for a character, or a place."""
    found = _ESCAPE.match(pattern, place)
    return found.end() if found else 0


def _after_class(pattern: str, place: int) -> int:
    """The place after a class of characters, such as ``[^\\s\\p{L}]``; 0 where it has no end."""
    depth = 0
    while place < len(pattern):
        if pattern[place] == "\\":
            if not (place := _after_escape(pattern, place)):
                return 0
            continue
        if pattern[place] == "[":
            depth += 1
            place += pattern.startswith("^", place + 1)
            place += pattern.startswith("]", place + 1)
        elif pattern[place] == "]":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    return 0
