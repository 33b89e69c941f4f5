"""Which encoding bytes are in that are not UTF-8: chardet's candidates, and what its statistics cannot know.

chardet weighs how likely the letters are in each language. Added is what a person would think of: encodings that hardly
any file is in need clearer signs, and where there are few signs the most usual one is meant; a word is not half Latin and
half Cyrillic, and has no symbol in its middle; one wrong byte does not rule out an encoding of Chinese or Japanese.
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
    "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
MULTIBYTE = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
OTHERS = r"\u0370-\u06ff\u0e01-\u0e7f\ufb50-\ufdff\ufe70-\ufeff"  # letters that share no word with Latin ones
SYMBOLS = (  # but not the apostrophe, the raised dot and the soft hyphen
    r"\x80-\x9f\xa1-\xa9\xac\xae-\xb6\xb8\xb9\xbc-\xbf\xd7\xf7\u02c6-\u02dd\u2018\u201a-\u2022\u2030\u2122\u2500-\u25ff"
)
LOWER = "".join(filter(str.islower, map(chr, range(0x530))))
CAPITALS = "".join(letter for letter in map(chr, range(0x80, 0x530)) if letter.isupper())
ODD = re.compile(  # in the middle of a word: another alphabet, a symbol, a capital after a small letter
    rf"[A-Za-z][{OTHERS}]|[{OTHERS}][A-Za-z]|[^\W\d_][{SYMBOLS}][^\W\d_]|[{LOWER}][{CAPITALS}]"
)
SURE = 0.9  # chardet's confidence in an encoding whose bytes have a structure of their own
MOST = 4
START = 1 << 12  # bytes in which odd words are looked for
PRIOR = 0.3  # how much likelier the most usual encoding is, where one letter is all there is to tell
SIGNS = 5.0  # and where its signs are all quotes, dashes, prices: chardet looks at letters


@lru_cache(maxsize=16)
def guesses(data: bytes) -> tuple[str, ...]:
    """The likeliest encodings, as Python codec names, the best first; none for what is not text. No two give the same text."""
    found = _candidates(data)
    best = found[0][0] if found else 0.0
    if best < SURE:
        found = [*_damaged(data, 2 * best), *found]
    by_text: dict[str, str] = {}
    for _, name in found:
        by_text.setdefault(data.decode(name, "replace"), name)
    return tuple(by_text.values())[:MOST]


def _candidates(data: bytes) -> list[tuple[float, str]]:
    """(how likely, codec) of what chardet finds possible, the likeliest first."""
    from chardet import EncodingEra, detect_all

    found = []
    for each in detect_all(data, ignore_threshold=True, encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME):
        if each["encoding"] is not None:
            name = codecs.lookup(each["encoding"]).name
            found.append((each["confidence"] * _weight(name, data), _wider(name, data)))
    return sorted(found, key=lambda one: -one[0])


def _wider(name: str, data: bytes) -> str:
    """The encoding, or one with the same characters and more: the rest of the file may need them."""
    wider = WIDER.get(name, name)
    return name if "\ufffd" in data.decode(wider, "replace") else wider


def _weight(name: str, data: bytes) -> float:
    """How much likelier an encoding is than its letters say."""
    text = data[:START].decode(name, "replace")
    weight = (1 if name in USUAL else 0.5) * (0.5 if ODD.search(text) else 1)
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
