"""Bytes into text: which encoding a file is in, and decoding it as a stream with honest offsets."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from playground.errors import PlaygroundError

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
    "a ZIP archive (or a Word or Excel document)": "Let its name end in .zip or .docx; save a spreadsheet as .csv.",
    "an old Word or Excel document": "Save it as .docx, or a spreadsheet as .csv.",
    "a Parquet table": "Parquet tables are read: let its name end in .parquet.",
}


def detect(path: Path) -> str:
    """The encoding of a text file, as a Python codec name.

    A byte-order mark decides; then valid UTF-8 in samples from the whole length; then the zero bytes of
    UTF-16; then charset-normalizer's guess.

    Raises:
        PlaygroundError: when the file is empty or holds no text.
    """
    samples = list(_samples(path))
    if not samples:
        raise PlaygroundError(f"{path.name} is empty.", "Choose a file with text in it.")
    head = samples[0]
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            hint = BROUGHT.get(what, "Choose a text file.")
            raise PlaygroundError(f"{path.name} is not text: it is {what}.", hint)
    if b"\0" in b"".join(samples):
        return _wide(head, path.name)
    if all(_is_utf8(sample) for sample in samples):
        return "utf-8"
    return _guess(samples, path.name)


def decoded(path: Path, encoding: str, newlines: bool = True) -> Iterator[str]:
    """The text of a file in parts of about 256 kB.

    Args:
        path: the file.
        encoding: a Python codec name.
        newlines: turn ``\\r\\n`` and ``\\r`` into ``\\n``.

    Raises:
        PlaygroundError: naming the byte offset that does not fit the encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    translate = io.IncrementalNewlineDecoder(None, translate=True) if newlines else None
    offset = 0
    with open(path, "rb") as file:
        while True:
            chunk = file.read(CHUNK)
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                place = offset - pending + getattr(error, "start", 0)
                raise PlaygroundError(
                    f"{path.name} is not {encoding}: the byte at offset {place:,} does not fit.",
                    "Choose the encoding it was saved in, or save it as UTF-8.",
                ) from error
            if translate:
                text = translate.decode(text, final=not chunk)
            if text:
                yield text
            if not chunk:
                return
            offset += len(chunk)


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
                f"Line {number + 1} of {path.name} has more than {longest:,} characters.",
                "Put one record on each line.",
            )
    if length:
        yield "".join(rest)


def _samples(path: Path) -> Iterator[bytes]:
    """The beginning, 14 places between, and the end of a file; short files whole."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        for start in sorted({max(0, (size - SAMPLE)) * part // 15 for part in range(16)}):
            file.seek(start)
            if sample := file.read(SAMPLE):
                yield sample


def _is_utf8(sample: bytes) -> bool:
    """True for valid UTF-8, a character cut at either end allowed."""
    start = next((i for i in range(min(4, len(sample))) if sample[i] & 0xC0 != 0x80), 0)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample[start:])
    except UnicodeDecodeError:
        return False
    return True


def _wide(head: bytes, name: str) -> str:
    """UTF-16 without a mark shows as zero bytes on one side of every pair."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for encoding, few, many in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if many > 20 * few and many > len(head) // 40:
            return encoding
    raise PlaygroundError(
        f"{name} is not text: it holds zero bytes.", "Choose a text file, best saved as UTF-8."
    )


def _guess(samples: list[bytes], name: str) -> str:
    """charset-normalizer's guess from the sample with the most to tell, whole lines of it.

    Among the single-byte encodings of Europe it often cannot tell; then the common one, cp1252, is meant.
    """
    from charset_normalizer import from_bytes

    telling = max(samples, key=lambda sample: sum(byte > 127 for byte in sample))
    guesses = from_bytes(telling if len(samples) == 1 else _whole_lines(telling))
    best = guesses.best()
    if best is None:
        raise PlaygroundError(
            f"{name} does not look like text in any known encoding.",
            "Save it as UTF-8, or name its encoding.",
        )
    if best.encoding in ("gb2312", "gbk", "gb18030", "hz"):
        return "gb18030"
    for guess in guesses:
        if guess.encoding == "cp1252" and guess.chaos - best.chaos < 0.1 > best.coherence - guess.coherence:
            return "cp1252"
    return best.encoding


def _whole_lines(sample: bytes) -> bytes:
    """A sample without the characters that may be cut at its ends, when it has lines."""
    start, end = sample.find(b"\n") + 1, sample.rfind(b"\n") + 1
    return sample[start:end] or sample
