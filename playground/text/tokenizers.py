"""Text into token ids and back, exactly: every kind knows all 256 bytes, so no text is ever unknown.

The file of a tokenizer is a Hugging Face ``tokenizer.json`` that other programs load. The kinds differ in
where the text may be cut (a regular expression) and in which strings have a token (the vocabulary):

    bpe    words cut by a pattern much like GPT-4's; merges learnt from the text (Sennrich et al. 2016)
    char   every character on its own; frequent ones have a token
    byte   no cuts and no merges
    word   words, single Chinese characters, single marks; frequent ones have a token. A corpus that brings a lexicon
           has its Chinese cut at those words instead, the longest first (forward maximum matching)

Models that come from elsewhere bring kinds of their own: see `playground.text.pretrained_tokenizers`.

In ``char`` and ``word`` a string without a token is spelt in bytes: a byte-pair encoding with no merges and
``ignore_merges`` looks a whole piece up first and otherwise leaves its bytes.

In ``bpe`` and ``word`` the space before a word is part of its token. A mask that is typed after a space stands for such a
token, so it takes that space, as RoBERTa's does: `` <mask>`` is one token. The file says so too (``lstrip``); programs that
follow it drop all white space before a mask, and here it is one space, as that is what a hidden token holds. Likewise a
text that is to be continued ends before its last spaces (`Tokenizer.to_continue`): the next token brings its own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from playground.core import atomic
from playground.core.errors import PlaygroundError
from playground.text import pretrained_tokenizers, tokenizer_steps
from playground.text.byte_alphabet import byte_letters, clean
from playground.text.spec import SPECIALS

if TYPE_CHECKING:
    import tokenizers


def _words(han: str) -> str:
    """The pattern of ``word``, given the Chinese characters, each of which stands alone."""
    return (
        rf"[{han}]| ?(?:(?![{han}])[\p{{L}}\p{{M}}])+| ?\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]"
        r"|\n|[^\S\n]+(?!\S)|[^\S\n]"
    )


# A line end is always cut from what follows it, so cutting a text after "\n" changes no token.
PATTERNS = {
    "bpe": r" ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+",
    "char": r"[\s\S]",
    "word": _words("\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"),
}
LEXICON = re.compile(r"\(\?:((?:[\u3400-\u4dbf\u4e00-\u9fff]+\|)*[\u3400-\u4dbf\u4e00-\u9fff]+)\)\|")


def with_lexicon(words: Iterable[str]) -> str:
    """The pattern of ``word`` that also keeps these Chinese words whole.

    Args:
        words: the longest first, as the first that fits is taken.
    """
    words = "|".join(words)
    return (f"(?:{words})|" if words else "") + PATTERNS["word"]


EARLIER = {_words("\u3400-\u4dbf\u4e00-\u9fff\u8c48-\ufaff"): "word"}  # of older files: it took Korean for Chinese
SPACED = ("bpe", "word")  # kinds whose tokens hold the space before a word
SPACELESS = ("char", "byte")  # kinds to which a space is a token like any other
# After an indentation one space alone: the rest of it is a token of its own.
LAST_SPACES = re.compile(r"(?<=\S) +\Z| \Z")
MASK = SPECIALS[3]
MOST_UNUSED = 100_000  # ids that a model scores and no token has: sizes are rounded up


class Tokenizer:
    """A trained tokenizer.

    Args:
        inner: the Hugging Face tokenizer that does the work; ``vocabulary.learn`` and ``load`` make one.

    Attributes:
        pad_id, bos_id, eos_id, mask_id: 0 to 3 for the playground's own; two of them may be one elsewhere.
        special_ids: these, and others that write nothing.
    """

    pad_id, bos_id, eos_id, mask_id = range(len(SPECIALS))
    special_ids = frozenset(range(len(SPECIALS)))

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        inner.encode_special_tokens = True  # "<eos>" in a text is five characters, not the end of a text
        inner.no_truncation()
        inner.no_padding()
        self._inner = inner
        state = json.loads(inner.to_str())
        if marks := pretrained_tokenizers.marks_of(state):
            self.kind: str = pretrained_tokenizers.kind_of(state)
            self.pad_id, self.bos_id, self.eos_id, self.mask_id, size = _checked_marks(marks, inner)
            self._bytes = pretrained_tokenizers.token_bytes(inner, state, size)
            self.special_ids = pretrained_tokenizers.special_ids(inner, state, marks)
        else:
            self.kind = _kind(state)
            self._bytes = _token_bytes(state["model"]["vocab"])
            _check_own(self._bytes, self.kind)
            if self.kind in SPACED:
                inner.add_special_tokens([_mask_after_a_space()])

    @property
    def is_foreign(self) -> bool:
        """Whether it came with somebody else's model."""
        return self.kind in pretrained_tokenizers.KINDS

    @functools.cached_property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What a model from elsewhere learnt to see before and after every text, such as BERT's [CLS] and [SEP]."""
        plain, framed = (self._inner.encode("a", add_special_tokens=framed).ids for framed in (False, True))
        for start in range(len(framed) - len(plain) + 1):
            if framed[start : start + len(plain)] == plain:
                return tuple(framed[:start]), tuple(framed[start + len(plain) :])
        return (), ()

    @property
    def mask_token(self) -> str:
        """The name of the mask in the tokenizer's file."""
        return self._bytes[self.mask_id].decode("utf-8", "replace")

    @property
    def size(self) -> int:
        """How many tokens there are; ids run from 0 to ``size - 1``."""
        return len(self._bytes)

    def encode(self, text: str, specials: bool = False) -> list[int]:
        """The ids of a text.

        Args:
            text: any string; a lone surrogate, which is no character, becomes U+FFFD.
            specials: read ``<pad>``, ``<bos>``, ``<eos>`` and ``<mask>`` as the special tokens, and the names that
                they have elsewhere.
        """
        text = clean(text)
        if not specials:
            with panics_as_errors():
                return self._inner.encode(text, add_special_tokens=False).ids
        if self.is_foreign:
            return self._encode_named(text)
        if self.kind in SPACED:
            text = text.replace(f" {MASK}", MASK)
        ids: list[int] = []
        for part in re.split(f"({'|'.join(SPECIALS)})", text):
            ids += [SPECIALS.index(part)] if part in SPECIALS else self.encode(part)
        return ids

    def to_continue(self, text: str) -> str:
        """The text without the spaces at its end that the next token brings, where tokens hold the space before a word.

        With them it would end in a token that training hardly ever showed: a space that no word follows.
        """
        return text if self.kind in SPACELESS else LAST_SPACES.sub("", text)

    def unknown(self, text: str) -> str:
        """The last word or character of a text that has no token of its own and is spelt in bytes; "" for none.

        Of tokenizers from elsewhere and those of bytes nothing is said: what they spell in bytes they may know well.
        """
        text = clean(text)
        if self.is_foreign or self.kind == "byte":
            return ""
        if self.kind == "bpe":
            spelt = self._inner.encode(text, add_special_tokens=False)
            last_first = zip(spelt.ids[::-1], spelt.offsets[::-1], strict=True)
            parts = (text[start:end] for i, (start, end) in last_first if not self.is_whole(i))
        else:
            cut = self._inner.pre_tokenizer.pre_tokenize_str(text)
            different = dict.fromkeys(text[start:end] for _, (start, end) in cut[::-1])  # so each is asked once
            parts = (part for part in different if len(self.encode(part)) > 1)
        return next((part.strip() for part in parts if part.strip()), "")

    def is_whole(self, i: int) -> bool:
        """Whether a token writes whole characters, and something: not a part of one, and no special token."""
        return i not in self.special_ids and "\ufffd" not in self._bytes[i].decode("utf-8", "replace")

    def _encode_named(self, text: str) -> list[int]:
        """As other programs read it, whose special tokens may take the spaces around them; our names stand for theirs."""
        for name, i in zip(SPECIALS, (self.pad_id, self.bos_id, self.eos_id, self.mask_id), strict=True):
            text = text.replace(name, self._bytes[i].decode("utf-8", "replace"))
        with panics_as_errors():
            return self._named.encode(text, add_special_tokens=False).ids

    @functools.cached_property
    def _named(self) -> tokenizers.Tokenizer:
        """The tokenizer that reads the names of special tokens in a text, also of those that its file does not list."""
        from tokenizers import Tokenizer as Inner

        inner = Inner.from_str(self._inner.to_str())
        listed = {token["content"] for token in json.loads(self._inner.to_str())["added_tokens"]}
        there = [inner.id_to_token(i) for i in sorted(self.special_ids)]
        inner.add_special_tokens([name for name in there if name is not None and name not in listed])
        return inner

    def with_special_tokens(self, ids: Sequence[int], most: int | None = None) -> list[int]:
        """The ids within the model's `frame`; of a text that is too long the beginning stays, and the frame whole.

        Args:
            most: tokens that the model reads, the frame among them; None: any number.
        """
        before, after = self.frame
        room = None if most is None else max(0, most - len(before) - len(after))
        return [*before, *ids[:room], *after][:most]

    def encode_many(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The ids of many short texts, on every core. Equal to ``encode`` of each; dtype int32.

        Args:
            texts: strings without lone surrogates (``clean``); hold about 1 MB at a time.
        """
        if self.kind == "byte":
            return [self._of_byte[np.frombuffer(text.encode(), np.uint8)] for text in texts]
        if self.kind == "char":
            return [self._encode_characters(text) for text in texts]
        with panics_as_errors():
            encodings = self._inner.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in encodings]

    def decode(self, ids: Iterable[int], specials: bool = False) -> str:
        """The text of ids; bytes that are no character (a cut one) show as U+FFFD.

        Args:
            ids: token ids.
            specials: write special tokens as ``<eos>`` and so on, instead of leaving them out.
        """
        text = self.decode_bytes(ids, specials).decode("utf-8", "replace")
        return text.removeprefix(" ") if self.kind == pretrained_tokenizers.WORDPIECE else text

    def decode_bytes(self, ids: Iterable[int], specials: bool = False) -> bytes:
        """The UTF-8 bytes of ids, for text that arrives token by token."""
        left_out = () if specials else self.special_ids
        return b"".join(self._bytes[i] for i in self._checked(ids) if i not in left_out)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """What each token shows as: its text, ``<eos>``, or ``\\xe4`` for a part of a character."""
        return [self._bytes[i].decode("utf-8", "backslashreplace") for i in self._checked(ids)]

    @property
    def fingerprint(self) -> str:
        """The same for tokenizers that give a text the same ids: the hash of what ``tokenizer.json`` holds.

        Files from before masks took a space hold everything but that, which changes no ordinary text: they count as equal.
        """
        held = self._inner.to_str()
        if self.kind in SPACED:
            held = held.replace('"lstrip":true', '"lstrip":false')
        return hashlib.sha256(held.encode()).hexdigest()[:20]

    def save(self, path: Path | str) -> None:
        """Writes ``tokenizer.json`` in one step."""
        atomic.write_text(Path(path), self._inner.to_str(pretty=True))

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """Reads a ``tokenizer.json`` written by ``save``.

        Raises:
            PlaygroundError: when the file is missing, is no such tokenizer, or has steps that are not taken.
        """
        from tokenizers import Tokenizer as Inner

        name = Path(path).name
        try:
            with panics_as_errors(of_a_text=False):
                text = Path(path).read_text(encoding="utf-8")
                tokenizer_steps.check(json.loads(text))
                return cls(Inner.from_str(text))
        except FileNotFoundError:
            raise PlaygroundError("There is no tokenizer at {path}.", path=path) from None
        except PlaygroundError:
            raise
        except Exception as error:  # the tokenizers library raises bare Exception
            reason = str(error).partition("\n")[0][:200]
            raise PlaygroundError(
                "{name} is not a tokenizer of this playground: {reason}", name=name, reason=reason
            ) from error

    def _checked(self, ids: Iterable[int]) -> list[int]:
        ids = [int(i) for i in ids]
        for i in ids:
            if not 0 <= i < self.size:
                raise PlaygroundError(
                    "There is no token {number}.", "The ids run from 0 to {last}.", number=i, last=self.size - 1
                )
        return ids

    @functools.cached_property
    def _of_byte(self) -> np.ndarray:
        """The id of each byte, ``[256]``."""
        ids = {self._bytes[i]: i for i in range(len(SPECIALS), self.size) if len(self._bytes[i]) == 1}
        return np.array([ids[bytes([byte])] for byte in range(256)], np.int32)

    @functools.cached_property
    def _of_character(self) -> np.ndarray:
        """The id of each code point, ``[0x110000]``; -1 for one that is spelt in bytes."""
        table = np.full(0x110000, -1, np.int32)
        table[:128] = self._of_byte[:128]
        for i in range(len(SPECIALS) + 256, self.size):
            table[ord(self._bytes[i].decode())] = i
        return table

    def _encode_characters(self, text: str) -> np.ndarray:
        """A table look-up for each character, and for the bytes of those without a token."""
        points = np.frombuffer(text.encode("utf-32-le"), "<u4")
        ids = self._of_character[points]
        known = ids >= 0
        if known.all():
            return ids
        unknown = points[~known].tobytes().decode("utf-32-le").encode()
        lengths = np.where(known, 1, 1 + (points > 0x7F) + (points > 0x7FF) + (points > 0xFFFF))
        is_byte = np.repeat(~known, lengths)
        spelt = np.empty(len(is_byte), np.int32)
        spelt[~is_byte] = ids[known]
        spelt[is_byte] = self._of_byte[np.frombuffer(unknown, np.uint8)]
        return spelt


@contextlib.contextmanager
def panics_as_errors(of_a_text: bool = True) -> Iterator[None]:
    """What the tokenizers library panics over, in a sentence: its panics are no Exceptions, and would end more than a page.

    Args:
        of_a_text: a bare Exception too, which it raises over a letter that it does not know and has no token for.

    Raises:
        PlaygroundError: for a panic.
    """
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException" and not (of_a_text and type(error) is Exception):
            raise
        raise PlaygroundError("The tokenizer fell over a text: it is damaged.", "Bring its model again.") from error


def _mask_after_a_space() -> tokenizers.AddedToken:
    from tokenizers import AddedToken

    return AddedToken(MASK, lstrip=True, normalized=False, special=True)


def cuts(text: str, longest: int) -> list[str]:
    """The text in parts of at most ``longest`` characters, cut where no token can cross.

    That is after a line end, else before a single space, else (a text without either) anywhere.
    """
    parts = []
    start = 0
    while len(text) - start > longest:
        end = _cut(text, start, start + longest)
        parts.append(text[start:end])
        start = end
    parts.append(text[start:])
    return parts


def _cut(text: str, start: int, limit: int) -> int:
    """The best place to cut in ``(start, limit]``; ``text`` goes on after ``limit``."""
    end = limit
    while (end := text.rfind("\n", start, end)) > start:
        if text[end + 1] != "\n":
            return end + 1
    end = limit
    while (end := text.rfind(" ", start, end)) > start:
        if not text[end + 1].isspace() and not text[end - 1].isspace():
            return end
    return limit


def _token_bytes(vocabulary: dict[str, int]) -> list[bytes]:
    """The bytes of every token, by id; the names of the special ones."""
    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    table = [b""] * len(vocabulary)
    for token, i in vocabulary.items():
        table[i] = token.encode() if i < len(SPECIALS) else bytes(byte_of[letter] for letter in token)
    return table


def _checked_marks(marks: list[int], inner: tokenizers.Tokenizer) -> list[int]:
    """The ids of the four roles and the number of tokens, which a file says of itself."""
    *roles, size = marks
    known = inner.get_vocab_size(with_added_tokens=True)
    if len(marks) != 5 or any(type(each) is not int for each in marks) or not max(roles) < size <= known + MOST_UNUSED:
        raise ValueError("its special tokens are none of its own")
    return marks


def _check_own(table: list[bytes], kind: str) -> None:
    """Every byte has a token, and so no text is unknown; in ``char``, the others are characters."""
    rest = table[len(SPECIALS) :]
    if len({token for token in rest if len(token) == 1}) != 256 or len(set(table)) != len(table):
        raise ValueError("it does not know every byte once")
    if kind == "char" and any(len(token.decode()) != 1 for token in rest[256:]):
        raise ValueError("a token of it is no character")


def _kind(state: dict) -> str:
    """Which of the four kinds a tokenizer file is, from the pattern that cuts its text."""
    steps = (state.get("pre_tokenizer") or {}).get("pretokenizers") or [state.get("pre_tokenizer") or {}]
    pattern = steps[0].get("pattern", {}).get("Regex")
    special = {token["content"]: token["id"] for token in state.get("added_tokens", [])}
    is_own = state.get("normalizer") is None and special == {name: i for i, name in enumerate(SPECIALS)}
    if is_own and steps[-1].get("type") == "ByteLevel":
        if pattern in EARLIER:
            return EARLIER[pattern]
        for kind in ("byte", *PATTERNS):
            if PATTERNS.get(kind) == pattern:
                return kind
        if pattern and (lexicon := LEXICON.match(pattern)) and pattern == lexicon[0] + PATTERNS["word"]:
            return "word"
    raise PlaygroundError("This tokenizer.json was not made by the playground.")
