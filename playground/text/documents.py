"""PDF and Word documents as text, read page by page in a process of its own.

What reads them is compiled code that works on a stranger's file: there, it can be stopped, it can run out of time or
memory, or fall, and the app goes on. ``python -m playground.text.documents FILE`` writes one JSON object per line: how
many pages there are, then the text of each, or what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.core.errors import Message, PlaygroundError, from_json, to_json
from playground.text.byte_alphabet import clean
from playground.text.sources import Source

LARGEST = 500_000_000  # bytes of a document
LARGEST_UNPACKED = 1_000_000_000  # bytes that the parts of a .docx may unpack to
MOST_PAGES = 20_000
MOST_SECONDS = 600  # that reading one document may take
MOST_MEMORY = 4 << 30  # bytes of address space for it
LOOKED_THROUGH = 50  # pages of a PDF that are searched for text before it is kept
MOST_CUTS = 8  # times that a word may be cut
PARTS = 200  # paragraphs of a Word document that count as a page

_SHEET = "Open it in Excel or LibreOffice, and save it as .csv (in UTF-8)."
_PACKED = "Unpack it, and bring the file in it."

OTHERS = {  # documents that are not read, and what helps
    ".doc": "Open it in Word or LibreOffice, and save it as .docx.",
    ".odt": "Open it in LibreOffice, and save it as .docx.",
    ".rtf": "Open it in Word or LibreOffice, and save it as .docx.",
    ".pages": "Open it in Pages, and export it as Word (.docx).",
    ".epub": "Convert it to .txt, for example with Calibre.",
    ".html": "Save the page as text (.txt).",
    ".htm": "Save the page as text (.txt).",
}
NOT_READ = {  # all files of which is known what helps
    **OTHERS,
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods", ".numbers"), _SHEET),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz"), _PACKED),
}

LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
CUT = re.compile(
    r"(?<!\S)(\S*)(?:\ufffe|\x02|[\xad\u2010]\n)(\S*)"
)  # PDFium's sign for a hyphen at a line's end, and others
UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\xad\ufffe\uffff\ud800-\udfff]")


class DocumentReader:
    """The text of one document, in parts; ``done()`` tells how much of it was read, 0 to 1."""

    def __init__(self, path: Path, name: str = "") -> None:
        self._path, self._name = path, name or path.name
        self._pages = self._read = 0

    def done(self) -> float:
        return self._read / self._pages if self._pages else 0.0

    def __iter__(self) -> Iterator[str]:
        self._pages = self._read = 0
        written = False
        for said in _messages_of_reader(self._path, self._name):
            self._pages = said.get("pages", self._pages)
            if text := said.get("text"):
                written |= not text.isspace()
                yield text
            self._read += "text" in said
        if not written:
            raise no_text(self._name)


def open_document(path: Path, fingerprint: str) -> Source:
    """A PDF or a Word document as a source: one long text. What is wrong inside is found while reading."""
    reading = DocumentReader(path)
    return Source(
        documents=lambda: iter(reading),
        shape="stream",
        fingerprint=fingerprint,
        whole=True,
        done=reading.done,
        provenance=Message("From the file {name}.", name=clean(path.name)),
    )


def check(path: Path, name: str = "") -> None:
    """Looks whether a document can be read, without reading it all.

    Raises:
        PlaygroundError: when it is too large, damaged, locked, not what its name says, or without text.
    """
    for _ in _messages_of_reader(path, name or path.name, "--check"):
        pass


def no_text(name: str) -> PlaygroundError:
    return PlaygroundError(
        "{name} holds no text: its pages are pictures, or empty.",
        "If it was scanned, let a program recognise the text first (OCR), and bring what that gives.",
        name=name,
    )


def _messages_of_reader(path: Path, name: str, *options: str) -> Iterator[dict]:
    """What the reading process says, line by line; what is wrong is raised."""
    if path.stat().st_size > LARGEST:
        raise PlaygroundError(
            "{name} is larger than {largest:,.0f} MB.",
            "Split it, or save its text as .txt.",
            name=name,
            largest=LARGEST / 1000000.0,
        )
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.text.documents", str(path), name, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    late = threading.Event()
    alarm = threading.Timer(MOST_SECONDS, lambda: (late.set(), process.kill()))
    alarm.daemon = True
    alarm.start()
    ended = False
    try:
        assert process.stdout
        for line in process.stdout:
            said = json.loads(line)
            if "message" in said:
                raise PlaygroundError(from_json(said["message"]), from_json(said["hint"]))
            ended = "end" in said
            yield said
    except ValueError:  # half a line: it was ended while it wrote
        ended = False
    finally:
        alarm.cancel()
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()
    if late.is_set():
        raise PlaygroundError(
            "Reading {name} takes longer than {most_seconds} minutes.",
            "Save its text as .txt, and bring that.",
            name=name,
            most_seconds=MOST_SECONDS // 60,
        )
    if not ended:
        raise PlaygroundError(
            "{name} could not be read to its end.",
            "It may be damaged, or too large for the memory: save its text as .txt, and bring that.",
            name=name,
        )


# The reading process


def pdf_pages(path: Path, name: str) -> Iterator[dict]:
    """How many pages there are, then the text of each (PDFium, which is Chrome's reader)."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise PlaygroundError(
                "{name} is locked with a password.", "Save it without a password, and bring that file.", name=name
            ) from None
        raise _damaged(name, "PDF") from None
    if len(document) > MOST_PAGES:
        raise PlaygroundError(
            "{name} has more than {most_pages:,} pages.",
            "Split it, and bring a part.",
            name=name,
            most_pages=MOST_PAGES,
        )
    yield {"pages": len(document)}
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage()
            yield {"text": clean_pdf_text(text.get_text_range()) + "\n"}
            text.close()
            page.close()
        except pypdfium2.PdfiumError:
            raise PlaygroundError(
                "Page {number:,} of {name} is damaged.",
                "Print it into a new PDF, and bring that.",
                number=number + 1,
                name=name,
            ) from None


def clean_pdf_text(text: str) -> str:
    """A page's text with line ends as ``\\n``, words joined that a line's end had cut, and no signs but letters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for _ in range(MOST_CUTS):
        if not CUT.search(text):
            break
        text = CUT.sub(lambda cut: _joined(*cut.groups()), text)
    return UNWANTED.sub("", text.translate(LIGATURES))


def _joined(before: str, after: str) -> str:
    """Two parts of a word; the hyphen stays where it was not only the line's: state-of-|the-art, Anglo-|Saxon, 3-|4."""
    cut_by_line = before[-1:].islower() and after[:1].islower() and "-" not in before + after
    return before + ("" if cut_by_line or not before or not after else "-") + after


def word_parts(path: Path, name: str) -> Iterator[dict]:
    """The paragraphs of a Word document, some at a time; a row of a table is a line, with tabs between its cells."""
    body = _body(path, name)
    blocks = [block for block in body if isinstance(block.tag, str)]
    yield {"pages": -(-len(blocks) // PARTS)}
    for start in range(0, len(blocks), PARTS):
        yield {"text": "".join(UNWANTED.sub("", "".join(_pieces(block))) for block in blocks[start : start + PARTS])}


def _body(path: Path, name: str):
    """The XML of a document's body."""
    import docx

    with open(path, "rb") as file:
        if file.read(4) == b"\xd0\xcf\x11\xe0":
            raise PlaygroundError(
                "{name} is locked with a password, or it is an old Word document.",
                "Open it in Word, and save it as .docx without a password.",
                name=name,
            )
    try:
        with zipfile.ZipFile(path) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST_UNPACKED:
                raise PlaygroundError(
                    "{name} unpacks to more than {largest_unpacked:g} GB.",
                    "Save its text as .txt, and bring that.",
                    name=name,
                    largest_unpacked=LARGEST_UNPACKED / 1000000000.0,
                )
        return docx.Document(str(path)).element.body
    except (PlaygroundError, MemoryError):
        raise
    except Exception as error:  # zipfile, lxml and python-docx each have their own for what is damaged
        raise _damaged(name, "Word") from error


def _damaged(name: str, kind: str) -> PlaygroundError:
    return PlaygroundError(
        "{name} is not a {kind} document, or it is damaged.",
        "Open it in the program that made it, and save it again.",
        name=name,
        kind=kind,
    )


SKIPPED = {"Fallback", "del", "moveFrom", "instrText", "delText", "pPr", "rPr", "sectPr", "tblPr", "rt"}
SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def _pieces(element) -> Iterator[str]:
    """The text under an element, in order: what was inserted counts, what was deleted does not."""
    name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    if not name or name in SKIPPED:
        return
    if name in SIGNS:
        yield SIGNS[name]
    elif name == "t":
        yield element.text or ""
    elif name == "tr":
        cells = ("".join(_pieces(cell)).strip().replace("\n", " ") for cell in element if cell.tag.endswith("}tc"))
        yield "\t".join(cells) + "\n"
    else:
        if name == "txbxContent":
            yield "\n"
        for child in element:
            yield from _pieces(child)
        if name == "p":
            yield "\n"


READERS: dict[str, Callable[[Path, str], Iterator[dict]]] = {".pdf": pdf_pages, ".docx": word_parts}
DOCUMENT_SUFFIXES = tuple(READERS)


def main(path: str, name: str, *options: str) -> None:
    """Reads a document and says what is in it."""
    _limit()

    def say(**what: object) -> None:
        print(json.dumps(to_json(what)), flush=True)

    try:
        found = READERS[Path(path).suffix.lower()](Path(path), name)
        if "--check" in options:
            _check_for_text(found, name)
        else:
            for each in found:
                say(**each)
        say(end=True)
    except PlaygroundError as error:
        say(message=error.message, hint=error.hint)
    except MemoryError:
        say(
            message=Message("There is not enough memory to read {name}.", name=name), hint="Split it, and bring a part."
        )


def _check_for_text(found: Iterator[dict], name: str) -> None:
    """Reads until there is text; a document of few pages without any is refused."""
    pages = next(found)["pages"]
    for number, each in enumerate(found, 1):
        if not each["text"].isspace() and each["text"]:
            return
        if number == LOOKED_THROUGH and number < pages:
            return
    raise no_text(name)


def _limit() -> None:
    """The process may take only so much time and memory; Windows knows no such limits."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    if hasattr(os, "nice"):
        os.nice(10)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main(*sys.argv[1:])
