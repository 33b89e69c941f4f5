"""Bytes into text: which encoding a file is in, and decoding it as a stream with honest offsets."""

import codecs
import hashlib
import io
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

from playground.core.errors import Message, PlaygroundError

CHUNK = 1 << 18  # bytes read at once
SAMPLE = 1 << 16  # bytes looked at in each of the sampled places

BOMS = (  # the longer ones first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive (or a Word or Excel document)",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Word or Excel document",
    b"PAR1": "a Parquet table",
    b"ID3": "an MP3 recording",
}

BROUGHT = {  # what is no plain text but can be brought, under its own name
    "a PDF document": "PDF documents are read: let its name end in .pdf.",
    "a ZIP archive (or a Word or Excel document)": "Let its name end in .zip or .docx; save a spreadsheet as .csv (in UTF-8).",
    "an old Word or Excel document": "Save it as .docx, or a spreadsheet as .csv (in UTF-8).",
    "a Parquet table": "Parquet tables are read: let its name end in .parquet.",
}


COMMON = {  # what can be chosen: Python codecs, and who uses them
    "utf-8": "Unicode (UTF-8)",
    "utf-16": "Unicode (UTF-16)",
    "cp1252": "Western European (Windows-1252)",
    "iso8859-15": "Western European (ISO 8859-15)",
    "mac-roman": "Western European (Mac Roman)",
    "cp850": "Western European (DOS 850)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO 8859-2)",
    "cp852": "Central European (DOS 852)",
    "cp1257": "Baltic (Windows-1257)",
    "cp1251": "Cyrillic (Windows-1251)",
    "koi8-u": "Cyrillic (KOI8)",
    "cp866": "Cyrillic (DOS 866)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp1256": "Arabic (Windows-1256)",
    "cp1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (Windows-874)",
    "gb18030": "Simplified Chinese (GB 18030, GBK)",
    "big5hkscs": "Traditional Chinese (Big5)",
    "cp932": "Japanese (Shift JIS)",
    "euc_jp": "Japanese (EUC)",
    "cp949": "Korean (EUC, Windows-949)",
}
NEAR = 32  # parts of a file in which lines are looked for that show its letters
BEYOND = re.compile(r"[^\x00-\x7f]")
FEW = 1000  # one wrong byte in so many is damage; more are another encoding
SEVEN_BITS = (b"\x1b$", b"~{")  # switch to Japanese or Korean, and to Chinese, within ASCII
CUT = 3  # bytes of a character that the end of a file may cut off
NOT_FOR_TEXT = ("idna", "punycode", "undefined")  # codecs that Python counts as text, but no file is in


@dataclass(frozen=True)
class Faults:
    """The bytes of a file that do not fit its encoding.

    Args:
        count: how many characters were put in their place.
        offset, line: where the first is: bytes from 0, lines from 1.
        good: characters beyond ASCII that fit, and bytes of halves of emojis; in UTF-16 and UTF-32 all that fit.
        size: bytes of the file.
    """

    count: int
    offset: int
    line: int
    good: int
    size: int

    @property
    def are_few(self) -> bool:
        """Whether they are damage to a file in this encoding, and not the sign of another one."""
        return _damage(self.count, self.good) or self.count * FEW <= self.size


def _damage(wrong: int, good: int) -> bool:
    """Whether text in this encoding was damaged: in another one, hardly any character beyond ASCII would fit."""
    return 3 * wrong <= good


def check_encoding(name: str | None) -> None:
    """Refuses what is no encoding of texts; None, which detects it, is fine.

    Raises:
        PlaygroundError: in the person's words.
    """
    if name is None:
        return
    try:
        info = codecs.lookup(name)
        known = info._is_text_encoding and info.name not in NOT_FOR_TEXT
    except (LookupError, ValueError, TypeError):
        known = False
    if not known:
        raise PlaygroundError(
            "There is no text encoding {name!r}.", "Common ones: utf-8, utf-16, gb18030, cp1252.", name=name
        )


def no_encoding(path: Path, name: str | None) -> None:
    """Refuses an encoding for a file that holds its own: Parquet, PDF, Word."""
    if name is not None:
        raise PlaygroundError(
            "{name} is no text file, so it has no encoding to choose.", "Leave the encoding out.", name=path.name
        )


def detect(path: Path) -> str:
    """The encoding of a text file, as a Python codec name: the first of its `guesses`.

    Raises:
        PlaygroundError: when the file is empty or holds no text.
    """
    return guesses(path)[0]


def guesses(path: Path) -> list[str]:
    """The encodings that a text file may be in, as Python codec names, the likeliest first.

    A byte-order mark decides; then the zero bytes of UTF-16; then UTF-8 in samples from the whole length, of which
    a few bytes may be wrong; then how likely the letters are. Where all samples are ASCII, the first signs beyond it count.

    Raises:
        PlaygroundError: when the file is empty or holds no text.
    """
    samples = list(_samples(path))
    if not samples:
        raise PlaygroundError("{name} is empty.", "Choose a file with text in it.", name=path.name)
    head, everything = samples[0], b"".join(samples)
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return [encoding]
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            hint = BROUGHT.get(what, "Choose a text file.")
            raise PlaygroundError("{name} is not text: it is {what}.", hint, name=path.name, what=what)
    like_utf8 = _nearly_utf8(samples)
    if zeros := everything.count(0):
        found = "utf-8" if like_utf8 and _is_text_with_zeros(everything, zeros) else _wide(head)
        if found is None:
            raise PlaygroundError(
                "{name} is not text: it holds zero bytes.", "Choose a text file, best saved as UTF-8.", name=path.name
            )
        return [found]
    if everything.isascii() and path.stat().st_size > len(everything) and (signs := _signs(path)):
        samples.append(signs)
        like_utf8 = _nearly_utf8(samples)
    if like_utf8 and not any(mark in everything for mark in SEVEN_BITS):
        return ["utf-8"]
    return _likeliest(samples, path.name)


def decoded(path: Path, encoding: str, newlines: bool = True) -> Iterator[str]:
    """The text of a file in parts of about 256 kB, without a byte-order mark.

    A few bytes that do not fit become U+FFFD, see `faults`; of a character that the end cuts off nothing is left.

    Args:
        path: the file.
        encoding: a Python codec name.
        newlines: turn ``\\r\\n`` and ``\\r`` into ``\\n``.

    Raises:
        PlaygroundError: when many bytes do not fit, naming the offset of the first.
    """
    decoder = codecs.getincrementaldecoder(_with_order(path, encoding))()
    translate = io.IncrementalNewlineDecoder(None, translate=True) if newlines else None
    begun = False
    with open(path, "rb") as file:
        while True:
            chunk, state = file.read(CHUNK), decoder.getstate()
            _check_waiting(path, encoding, file.tell(), state)
            final = not chunk and len(state[0]) > CUT
            try:
                text = decoder.decode(chunk, final)
            except UnicodeError:
                check_faults(path, encoding)
                decoder.errors = REPLACE
                decoder.setstate(state)
                text = decoder.decode(chunk, final)
            if text and not begun:
                text, begun = text.removeprefix("\ufeff"), True
            if translate:
                text = translate.decode(text, final=not chunk)
            if text:
                yield text
            if not chunk:
                return


def _check_waiting(path: Path, encoding: str, read: int, state: tuple) -> None:
    """Refuses a file of which a decoder keeps ever more bytes back, to read them again with the next ones, as UTF-7's may."""
    if len(state[0]) > CHUNK:
        raise PlaygroundError(
            "{name} is not {encoding}: the bytes before offset {read:,} do not fit.",
            "Choose the encoding it was saved in, or save it as UTF-8.",
            name=path.name,
            encoding=encoding,
            read=read,
        )


def _with_order(path: Path, encoding: str) -> str:
    """The encoding; of UTF-16 and UTF-32 with the order of the bytes, where the file has no mark that says it."""
    name = codecs.lookup(encoding).name
    if name not in ("utf-16", "utf-32"):
        return encoding
    with open(path, "rb") as file:
        head = file.read(SAMPLE)
    if any(head.startswith(mark) for mark, known in BOMS if known == name):
        return encoding
    found = _wide(head)
    return found if found and found.startswith(name) else f"{name}-le"


def faults(path: Path, encoding: str) -> Faults | None:
    """The bytes of a file that do not fit an encoding; None when all do. Reads the file once, and remembers."""
    kept = hashlib.sha256(b"".join(_samples(path))).digest()
    return _faults(path, codecs.lookup(encoding).name, path.stat().st_size, path.stat().st_mtime_ns, kept)


def check_faults(path: Path, encoding: str) -> None:
    """Refuses an encoding that a file is not in.

    Raises:
        PlaygroundError: when more than a few bytes do not fit, naming the offset of the first.
    """
    found = faults(path, encoding)
    if found and not found.are_few:
        raise PlaygroundError(
            "{name} is not {encoding}: the byte at offset {offset:,} (line {line:,}) does not fit.",
            "Choose the encoding it was saved in, or save it as UTF-8.",
            name=path.name,
            encoding=encoding,
            offset=found.offset,
            line=found.line,
        )


def notes_on(path: Path, encoding: str, guessed: bool) -> list[str]:
    """What to tell of how a file was read: an encoding that was guessed, unless it is UTF-8, and bytes that do not fit."""
    name = path.name.encode("utf-8", "replace").decode()
    said = []
    if guessed and not encoding.startswith("utf"):
        said.append(
            Message(
                "{name} is read as {encoding}. That is a guess; you can choose another encoding.",
                name=name,
                encoding=encoding,
            )
        )
    if found := faults(path, encoding):
        said.append(
            Message(
                "Damaged places in {name}: {count:,}, read as �. The first is the byte at offset {offset:,} (line {line:,}), which does not fit {encoding}.",
                name=name,
                count=found.count,
                offset=found.offset,
                line=found.line,
                encoding=encoding,
            )
        )
    return said


def first_lines(path: Path, encoding: str, most: int = 4, width: int = 120) -> list[str]:
    """The first lines with text in them, shortened, for a person to see whether the letters are right.

    Where these are all plain ASCII, which tells nothing, the first lines with other letters, if there are any near.

    Raises:
        PlaygroundError: as `decoded`.
    """
    return telling_lines(decoded(path, encoding), most, width)


def telling_lines(parts: Iterable[str], most: int, width: int) -> list[str]:
    """As `first_lines`, of a text in parts."""
    first, telling = [], []
    for part in islice(parts, NEAR):
        written = list(filter(None, map(str.strip, part.splitlines())))
        first = first or [_shortened(line, 0, width) for line in written[:most]]
        telling += [(line, sign.start()) for line in written if (sign := BEYOND.search(line))][: most - len(telling)]
        if len(telling) == most or any(map(BEYOND.search, (line.rstrip("…") for line in first))):
            break
    if not telling or any(map(BEYOND.search, (line.rstrip("…") for line in first))):
        return first
    return [_shortened(line, place, width) for line, place in telling]


def _shortened(line: str, place: int, width: int) -> str:
    """A part of a line that shows a place in it."""
    start = max(0, place - width // 2) if place >= width else 0
    return "…" * (start > 0) + line[start : start + width] + "…" * (len(line) > start + width)


HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")  # half an emoji as UTF-8 would write it, in a text that was cut
REPLACE = "playground.replace"
MARK = "\udfff"  # stands for bytes that do not fit; no text has it, as it is no character
_seen = threading.local()


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Notes how many bytes before the end of what was read the first fault is."""
    assert isinstance(error, UnicodeDecodeError)
    if _seen.back is None:
        _seen.back = len(error.object) - error.start
    end = _end(error)
    _seen.halves += end > error.end
    return MARK, end


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", _end(error)


def _end(error: UnicodeDecodeError) -> int:
    """Where to go on after a fault: half an emoji is one, not three."""
    half = error.encoding == "utf-8" and HALF.match(error.object, error.start)
    return half.end() if half else error.end


codecs.register_error("playground.mark", _mark)
codecs.register_error(REPLACE, _replace)


@lru_cache(maxsize=64)
def _faults(path: Path, encoding: str, size: int, changed: int, kept: bytes) -> Faults | None:
    decoder = codecs.getincrementaldecoder(_with_order(path, encoding))("playground.mark")
    translate = io.IncrementalNewlineDecoder(None, translate=True)
    count = good = read = offset = 0
    line, first, wide = 1, 0, encoding.startswith(("utf-16", "utf-32"))
    _seen.back, _seen.halves = None, 0
    with open(path, "rb") as file:
        while True:
            chunk = file.read(CHUNK)
            read += len(chunk)
            _check_waiting(path, encoding, read, decoder.getstate())
            text = translate.decode(decoder.decode(chunk, not chunk and len(decoder.getstate()[0]) > CUT), not chunk)
            if not first and MARK in text:
                offset, first = read - (_seen.back or 0), line + text[: text.index(MARK)].count("\n")
            wrong = text.count(MARK)
            fit = len(text) if wide else _beyond_ascii(text)  # in UTF-16 a letter of ASCII is a sign of it too
            count, good, line = count + wrong, good + fit - wrong, line + text.count("\n")
            if not chunk:
                return Faults(count, offset, first, good + 3 * _seen.halves, size) if count else None


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def lines(path: Path, encoding: str, longest: int = 1 << 26, newlines: bool = False) -> Iterator[str]:
    """The lines of a file, each with its own line end, of at most ``longest`` characters.

    Args:
        newlines: take a lone ``\\r`` for a line end too, and turn each into ``\\n``.

    Raises:
        PlaygroundError: for a longer line, which would have to be held in memory whole.
    """
    rest: list[str] = []
    length = number = 0
    for text in decoded(path, encoding, newlines):
        parts = text.split("\n")
        for part in parts[:-1]:
            yield "".join(rest) + part + "\n"
            rest, length = [], 0
            number += 1
        rest.append(parts[-1])
        length += len(parts[-1])
        if length > longest:
            raise PlaygroundError(
                "Line {number} of {name} has more than {longest:,} characters.",
                "Put one record on each line.",
                number=number + 1,
                name=path.name,
                longest=longest,
            )
    if length:
        yield "".join(rest)


def beginning(path: Path, encoding: str) -> list[str]:
    """The lines in the first 256 kB of a file, each with its end, but for one that goes on after them."""
    parts = decoded(path, encoding)
    *whole, last = next(parts, "").split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last and not next(parts, "") else [])]


def _samples(path: Path) -> Iterator[bytes]:
    """The beginning, 14 places between, and the end of a file; short files whole."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        for start in sorted({max(0, (size - SAMPLE)) * part // 15 for part in range(16)}):
            file.seek(start)
            if sample := file.read(SAMPLE):
                yield sample


def _signs(path: Path) -> bytes:
    """The first part of a file that is not all ASCII, in whole lines where it has them; b"" for none."""
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            if not chunk.isascii():
                return _whole_lines(chunk + file.readline(SAMPLE))
    return b""


def _nearly_utf8(samples: list[bytes]) -> bool:
    """True for UTF-8, of which a few bytes are wrong; samples begin and end anywhere in a character."""
    wrong = good = 0
    for number, sample in enumerate(samples):
        start = next((i for i in range(min(4, len(sample))) if sample[i] & 0xC0 != 0x80), 0) if number else 0
        decoder = codecs.getincrementaldecoder("utf-8")(REPLACE)
        text = decoder.decode(sample[start:])
        bad = max(0, text.count("\ufffd") - sample.count("\ufffd".encode()))
        wrong, good = wrong + bad, good + _beyond_ascii(text) - bad + 3 * len(HALF.findall(sample, start))
    lone = not good and decoder.getstate()[0]  # a letter of another encoding at the very end
    return _damage(wrong, good) and not lone


def _is_text_with_zeros(data: bytes, zeros: int) -> bool:
    """Whether zero bytes are damage to a text. In UTF-16 every second byte says which alphabet: mostly 0, a tab, a control."""
    rest = data.replace(b"\0", b"").decode("utf-8", "replace")
    return zeros * FEW <= len(data) or zeros * 20 <= len(data) and rest.count("\t") * 4 < len(rest) and _is_text(rest)


def _wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, if it is: of every pair, the byte that says which alphabet it is varies less."""
    for encoding in ("utf-32-le", "utf-32-be"):
        if len(head) >= 8 and _is_text(head[: len(head) // 4 * 4].decode(encoding, "replace")):
            return encoding
    even, odd = ((len(set(side)), -side.count(0)) for side in (head[0::2], head[1::2]))
    for encoding in ("utf-16-be", "utf-16-le") if even < odd else ("utf-16-le", "utf-16-be"):
        if _is_text(codecs.getincrementaldecoder(encoding)("replace").decode(head)):
            return encoding
    return None


def _is_text(text: str) -> bool:
    """Whether nearly all of it are characters that people write."""
    odd = sum(
        letter not in "\t\n\r\f" and unicodedata.category(letter)[0] == "C" or letter == "\ufffd" for letter in text
    )
    return 20 * odd <= len(text)


def _likeliest(samples: list[bytes], name: str) -> list[str]:
    """By the sample with the most to tell, whole lines of it."""
    from playground.text import encoding_detection

    telling = max(samples, key=lambda sample: sum(byte > 127 or byte == 27 for byte in sample))
    found = encoding_detection.guesses(telling if len(samples) == 1 else _whole_lines(telling))
    found = list(found or filter(None, [_wide(samples[0])]))
    if not found:
        raise PlaygroundError(
            "{name} does not look like text in any known encoding.",
            "Save it as UTF-8, or name its encoding.",
            name=name,
        )
    return found


def _whole_lines(sample: bytes) -> bytes:
    """A sample without the characters that may be cut at its ends, when it has lines."""
    start, end = sample.find(b"\n") + 1, sample.rfind(b"\n") + 1
    return sample[start:end] or sample
