"""Which steps a ``tokenizer.json`` may have: it may come from anybody, and some steps make a short text endless.

Each kind of step is in a list; how much the steps before the vocabulary make a text grow is bounded, and so is what a pattern
may ask of the machine that matches it. A file that passes is still opened in the gate first (`playground.gate`).
"""

import base64
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from playground.errors import PlaygroundError

MOST_GROWTH = 100  # characters for one; ﷺ alone is 18 in NFKC
MOST_STEPS = 64
MOST_TOKENS = 2_000_000
LONGEST_TOKEN = 10_000  # characters
LONGEST_PATTERN = 2_000
MOST_REPEATS = (
    2  # without an end, one after another in a pattern: the time to match grows with their number's power
)
MOST_TIMES = 1_000
LONGEST_WORD = 1_000  # characters of a word that WordPiece cuts, in quadratic time
PARTS = {
    "normalizer": {
        "Sequence", "BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "Strip", "StripAccents", "Prepend",
        "Replace", "ByteLevel", "Precompiled",
    },
    "pre_tokenizer": {
        "Sequence", "ByteLevel", "BertPreTokenizer", "Metaspace", "Split", "Digits", "Whitespace", "WhitespaceSplit",
        "Punctuation", "UnicodeScripts", "CharDelimiterSplit",
    },
    "post_processor": {"Sequence", "BertProcessing", "RobertaProcessing", "TemplateProcessing", "ByteLevel"},
    "decoder": {
        "Sequence", "ByteLevel", "ByteFallback", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece", "BPEDecoder",
    },
}  # fmt: skip
MODELS = ("BPE", "WordPiece", "Unigram")
_INSIDE = {
    "normalizer": "normalizers",
    "pre_tokenizer": "pretokenizers",
    "post_processor": "processors",
    "decoder": "decoders",
}
_GROWTH = {
    "BertNormalizer": 4, "NFC": 3, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 3, "ByteLevel": 4, "Strip": 1,
    "StripAccents": 1, "Nmt": 1, "Prepend": 1,
}  # fmt: skip
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
            raise PlaygroundError(f"The tokenizer has more than {MOST_STEPS} steps in its {part}.", _HINT)
        for step in steps:
            _check_step(step, part)
        growth = math.prod(map(_growth, steps)) if part == "normalizer" else 1
        if growth > MOST_GROWTH:
            raise PlaygroundError(
                f"The tokenizer makes a text up to {growth:,} times as long before it cuts it; {MOST_GROWTH} times is the most.",
                _HINT,
            )


def _check_model(model: Mapping, added: Any) -> None:
    if model.get("type") not in MODELS:
        kind = str(model.get("type"))[:40]
        raise PlaygroundError(
            f"A tokenizer with a model of the kind {kind} is not read here.", f"Known: {', '.join(MODELS)}."
        )
    vocabulary, added = model.get("vocab"), [] if added is None else added
    if not isinstance(vocabulary, dict | list) or not isinstance(added, list):
        raise PlaygroundError("The tokenizer has no vocabulary.", _HINT)
    names = [str(token.get("content", "")) for token in added if isinstance(token, Mapping)]
    if len(vocabulary) + len(added) > MOST_TOKENS or max(map(len, names), default=0) > LONGEST_TOKEN:
        raise PlaygroundError("The tokenizer has more, or longer, tokens than one can have.", _HINT)
    longest = model.get("max_input_chars_per_word", 100)
    if model.get("dropout") not in (None, 0) or type(longest) is not int or longest > LONGEST_WORD:
        raise PlaygroundError(
            "The tokenizer cuts the same text in different ways, or words that are too long.", _HINT
        )


def _steps(part: Any, name: str, known: set[str]) -> Iterator[Mapping]:
    """The steps of a part, those of sequences in their order."""
    if part is None:
        return
    if not isinstance(part, Mapping) or part.get("type") not in known:
        kind = part.get("type") if isinstance(part, Mapping) else part
        raise PlaygroundError(
            f"The tokenizer has a step {str(kind)[:40]!r} in its {name}, which is not taken here.", _HINT
        )
    if part["type"] == "Sequence":
        inner = part.get(_INSIDE[name])
        if not isinstance(inner, list):
            raise PlaygroundError(f"The tokenizer's {name} is damaged.", _HINT)
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
            raise PlaygroundError(f"The tokenizer's {part} is damaged.", _HINT)
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
            f"The tokenizer puts a text of more than 64 characters into others, in its {part}.", _HINT
        )
    if kind == "TemplateProcessing":
        specials = step.get("special_tokens")
        sizes = [len(step.get("single") or ()), len(step.get("pair") or ())]
        sizes += (
            [len(each.get("ids") or ()) for each in specials.values()]
            if isinstance(specials, Mapping)
            else []
        )
        if max(sizes) > 64:
            raise PlaygroundError("The tokenizer puts more than 64 tokens around a text.", _HINT)


def _growth(step: Mapping) -> int:
    """How many characters at most a step of the normalizer makes of one."""
    kind = step["type"]
    if kind == "Replace":
        content, pattern = str(step.get("content", "")), step["pattern"]
        return (
            max(1, math.ceil(len(content) / len(pattern["String"])))
            if "String" in pattern
            else 1 + len(content)
        )
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


_BEGINS = re.compile(r"\((\?(:|=|!|>|<=|<!|[imx]{1,3}(-[imx]{1,3})?:|[imx]{1,3}\)|P?<\w+>))?")
_CLASS_ESCAPE = re.compile(r"\\([pPxuU]\{[^}]{0,60}\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[^0-9kgpPxuU]|[pP]\w)")
_REPEATED = re.compile(r"([*+?]|\{(\d*)(,?)(\d*)\})")


def check_pattern(pattern: str) -> None:
    """Refuses a pattern that could take more than quadratic time, as groups that repeat and references back can.

    Raises:
        PlaygroundError: for one of those, and for one that is too long to tell.
    """
    if len(pattern) > LONGEST_PATTERN or _repeats(pattern) > MOST_REPEATS:
        shown = pattern[:60] + ("…" if len(pattern) > 60 else "")
        raise PlaygroundError(
            f"The tokenizer cuts text by a pattern that could take for ever: {shown}", _HINT
        )


def _repeats(pattern: str) -> float:
    """How many repetitions without an end follow one another in an alternative; infinity where that is not enough to know.

    A group may be repeated where it has neither alternatives nor repetitions: it then is like one character.
    """
    levels: list[list] = [
        [0, 0, True]
    ]  # for each open group: in this alternative, the most in those before, is it so plain
    place, closed_now = 0, None
    while place < len(pattern):
        letter, closed, closed_now = pattern[place], closed_now, None
        if letter == "[":
            place = _after_class(pattern, place)
        elif letter == "\\":
            found = _CLASS_ESCAPE.match(pattern, place)
            place = found.end() if found else 0
        elif letter == "(":
            found = _BEGINS.match(pattern, place)
            if pattern.startswith("(?", place) and found.end() == place + 1:
                return math.inf
            if not found[0].endswith(")"):
                levels.append([0, 0, True])
            place = found.end()
        elif letter == ")":
            if len(levels) == 1:
                return math.inf
            now, before, is_plain = levels.pop()
            levels[-1][0] += max(now, before)
            levels[-1][2] &= is_plain
            place, closed_now = place + 1, is_plain
        elif letter == "|":
            levels[-1] = [0, max(levels[-1][:2]), False]
            place += 1
        elif found := _REPEATED.match(pattern, place):
            if closed is False and found[0] != "?":
                return math.inf
            levels[-1][0] += _is_endless(found)
            levels[-1][2] = False
            place = found.end()
            if place < len(pattern) and pattern[place] in "+?":  # reluctant, or possessive
                place += 1
        else:
            place += 1
        if place <= 0:
            return math.inf
    return max(levels[0][:2]) if len(levels) == 1 else math.inf


def _is_endless(found: re.Match) -> float:
    if found[0] == "?":
        return 0
    if found[0] in "*+" or (found[3] and not found[4]):
        return 1
    most = found[4] or found[2] or "0"
    return 0 if len(most) < 6 and int(most) <= MOST_TIMES else math.inf


def _after_class(pattern: str, place: int) -> int:
    """The place after a class of characters, such as ``[^\\s\\p{L}]``; 0 where it has no end."""
    depth = 0
    while place < len(pattern):
        if pattern[place] == "\\":
            place += 1
        elif pattern[place] == "[":
            depth += 1
            place += pattern.startswith("^", place + 1)
            place += pattern.startswith("]", place + 1)
        elif pattern[place] == "]":
            depth -= 1
            if not depth:
                return place + 1
        place += 1
    return 0
