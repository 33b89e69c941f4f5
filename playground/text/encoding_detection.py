"""Which encoding bytes are in that are not UTF-8: chardet's candidates, and what its statistics cannot know.

chardet weighs how likely the letters are in each language. Added is what a person would think of: much English around a
few words says nothing about these; text all in capitals is read as if it had small letters; encodings that hardly any file
is in need clearer signs, and where there are few signs the most usual one is meant; a word is not half Latin and half
Cyrillic, and has no symbol in its middle; one wrong byte does not rule out an encoding of Chinese or Japanese.
"""

import codecs
import re
from functools import lru_cache

USUAL = (
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "tis-620", "mac-roman",
    "mac-cyrillic", "cp437", "cp737", "cp850", "cp852", "cp857", "cp862", "cp866", "koi8-r", "koi8-u", "iso8859-1", "iso8859-2",
    "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-11", "iso8859-13", "iso8859-15", "gb18030",
    "big5hkscs", "cp932", "euc_jp", "cp949",
)  # fmt: skip
WIDER = {
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
MULTIBYTE = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
OTHERS = r"\u0370-\u06ff\u0e01-\u0e7f\ufb50-\ufdff\ufe70-\ufeff"  # letters that share no word with Latin ones
SYMBOLS = (  # but not the apostrophe, the raised dot and the soft hyphen
    r"\x80-\x9f\xa1-\xa9\xac\xae-\xb6\xb8\xb9\xbc-\xbf\xd7\xf7\u02c6-\u02dd\u2018\u201a-\u2022\u2030\u2039\u203a\u2122"
    r"\u2500-\u25ff"
)
LOWER = "".join(filter(str.islower, map(chr, range(0x530))))
CAPITALS = "".join(letter for letter in map(chr, range(0x80, 0x530)) if letter.isupper())
SMALL = "".join(letter for letter in LOWER if letter > "\x7f")
# In the middle of a word: another alphabet, a symbol, a capital after a small letter, one small among capitals; at its end
# a mark that opens; anywhere a control sign.
ODD = re.compile(
    rf"[\x80-\x84\x86-\x9f]|[^\W\d_][\xa1\xbf\u201a\u2022\u02c7\u02d8-\u02dd](?!\w)|[A-Za-z][{OTHERS}]|[{OTHERS}][A-Za-z]"
    rf"|[^\W\d_][{SYMBOLS}][^\W\d_]|[{LOWER}][{CAPITALS}]|[A-Z][{SMALL}][A-Z]"
)
KNOWN = frozenset((  # frequent words of languages whose letters chardet knows too little of: Albanian, Catalan, Esperanto
    "të", "në", "një", "për", "është", "më", "që", "çdo", "janë", "këtë", "vetë", "gjithë", "ndërsa", "kanë",
    "és", "més", "però", "també", "perquè", "són", "què", "això", "només", "després", "gràcies", "així", "està", "té", "bé",
    "ĉar", "ĉe", "ĉi", "ĉiu", "ĉiuj", "ĉu", "ĝi", "ĝia", "ĝin", "ĝis", "ŝi", "ŝia", "ŝin", "aŭ", "ankaŭ", "antaŭ", "baldaŭ",
    "hodiaŭ", "kvazaŭ", "preskaŭ", "ĵus",
))  # fmt: skip
FAMILIAR = 4.0  # how much likelier an encoding is in which all words with signs are such words
SURE = 0.9  # chardet's confidence in an encoding whose bytes have a structure of their own
MOST = 4
START = 1 << 12  # bytes in which odd words are looked for
PRIOR = 0.3  # how much likelier the most usual encoding is, where one letter is all there is to tell
SIGNS = 5.0  # and where its signs are all quotes, dashes, prices: chardet looks at letters
AROUND = 2  # words looked at on each side of one with a sign
SHOUTED = 0.8  # of the letters, from which on a text is in capitals
ENDS = ".,;:!?\"'()[]-"
TELLING = re.compile(rb"[\x80-\xff]")
WORD = re.compile(rb"\S+\s*|^\s+")


@lru_cache(maxsize=16)
def guesses(data: bytes) -> tuple[str, ...]:
    """The likeliest encodings, as Python codec names, the best first; none for what is not text. No two give the same text."""
    found = _candidates(_telling(data))
    best = found[0][0] if found else 0.0
    if best < SURE:
        found = [*_damaged(data, 2 * best), *found]
    by_text: dict[str, str] = {}
    for _, name in found:
        by_text.setdefault(data.decode(name, "replace"), name)
    return tuple(by_text.values())[:MOST]


def _telling(data: bytes) -> bytes:
    """The words with signs beyond ASCII, and those beside them; all of it where there are none, as in ISO 2022."""
    words = WORD.findall(data)
    signs = [i for i, word in enumerate(words) if TELLING.search(word)]
    if not signs or b"\x1b" in data:
        return data
    kept = {near for i in signs for near in range(i - AROUND, i + AROUND + 1)}
    return b"".join(word for i, word in enumerate(words) if i in kept)


def _candidates(data: bytes) -> list[tuple[float, str]]:
    """(how likely, codec) of what chardet finds possible, the likeliest first."""
    found = []
    for name, likely in _chardet(data).items():
        text = data[:START].decode(name, "replace")
        if name not in MULTIBYTE and _shouted(text):
            likely = _chardet(text.lower().encode(name, "ignore")).get(name, 0.0)
        found.append((likely * _weight(name, data), _wider(name, data)))
    return sorted(found, key=lambda one: -one[0])


def _chardet(data: bytes) -> dict[str, float]:
    """How likely chardet holds each codec; it learnt from text that has hardly a capital."""
    from chardet import EncodingEra, detect_all

    said = detect_all(data, ignore_threshold=True, encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME)
    return {codecs.lookup(each["encoding"]).name: each["confidence"] for each in said if each["encoding"]}


def _shouted(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return sum(map(str.isupper, letters)) > SHOUTED * len(letters)


def _wider(name: str, data: bytes) -> str:
    """The encoding, or one with the same characters and more: the rest of the file may need them."""
    wider = WIDER.get(name, name)
    return name if "\ufffd" in data.decode(wider, "replace") else wider


def _weight(name: str, data: bytes) -> float:
    """How much likelier an encoding is than its letters say."""
    words = [word for word in data[:START].decode(name, "replace").split() if not word.isascii()]
    odd = sum(bool(ODD.search(word)) for word in words)
    weight = (1 if name in USUAL else 0.5) * (1 if not odd else 0.5 if 3 * odd < len(words) else 0.1)
    bare = [word.strip(ENDS).lower() for word in words]
    weight *= 1 + FAMILIAR * (sum(word in KNOWN for word in bare) / max(1, len(bare))) ** 2
    if name == "cp1252":
        signs = [letter for letter in data.decode(name, "replace") if letter > "\x7f"]
        if weight == 1 and not any(map(str.isalpha, signs)):
            return SIGNS
        weight *= 1 + PRIOR / max(1, len(signs))
    return weight


def _damaged(data: bytes, beyond: float) -> list[tuple[float, str]]:
    """The encoding of two bytes a character found without the few bytes that do not fit, if likelier than ``beyond``."""
    for name in MULTIBYTE:
        text = data.decode(name, "replace")
        wrong, letters = text.count("\ufffd"), sum(letter > "\x7f" for letter in text)
        if 0 < wrong <= max(1, letters // 10):
            mended = _candidates(text.replace("\ufffd", "").encode(name, "ignore"))
            if mended and mended[0][1] == name and mended[0][0] > beyond:
                return mended[:1]
    return []
