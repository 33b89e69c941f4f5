"""Real text that installed packages carry: found, read as a stream, with licence and provenance."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import sysconfig
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playground.errors import PlaygroundError
from playground.text.sources import Source

PSF = "PSF-2.0"


@dataclass(frozen=True)
class PackagedText:
    """Text inside a package; the fields are those of ``corpora.Corpus``.

    Args:
        documents: reads it, once and in order.
        size: about how many bytes it gives.
        shape: "stream" or "pairs".
    """

    name: str
    title: str
    summary: str
    language: str
    licence: str
    provenance: str
    documents: Callable[[], Iterator]
    size: int
    shape: str = "stream"
    package: str = ""


def version(package: str) -> str | None:
    """The installed version of a distribution; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def folder_of(module: str, package: str) -> Path:
    """Where a module lies, without importing it.

    Raises:
        PlaygroundError: saying what to install.
    """
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise missing(package)
    return Path(next(iter(found.submodule_search_locations)))


def missing(package: str) -> PlaygroundError:
    """The error for a package that is not there."""
    return PlaygroundError(
        f"This text is in the package {package}, which is not installed.", f"Run: pip install {package}"
    )


def open_package(name: str) -> Source:
    """A built-in text as a source.

    Raises:
        PlaygroundError: when its package is not installed, saying what to install.
    """
    text = TEXTS[name]
    if text.package:
        release = version(text.package)
        if release is None:
            raise missing(text.package)
        made_of = f"{text.package} {release}"
    else:
        made_of = f"Python {sys.version.split()[0]}"
    return Source(
        documents=text.documents,
        shape=text.shape,
        fingerprint=f"{name} of {made_of}",
        size=text.size,
        licence=text.licence,
        provenance=f"{text.provenance} Read from {made_of}.",
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
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        parts = path.relative_to(root).parts
        if {"test", "tests", "idle_test", "site-packages", "dist-packages", "lib2to3"} & set(parts):
            continue
        if parts[0].startswith(("_sysconfigdata", "config-")) or parts[0] == "pydoc_data":
            continue
        try:
            with open(path, "rb") as file:
                encoding, _ = tokenize.detect_encoding(file.readline)
            yield path.read_text(encoding=encoding)
        except (SyntaxError, UnicodeDecodeError):
            continue


TEXTS: dict[str, PackagedText] = {
    text.name: text
    for text in (
        PackagedText(
            name="python-docs",
            title="The Python language reference",
            summary="Technical English prose, in chapters.",
            language="en",
            licence=PSF,
            provenance="The help texts that come with Python (pydoc_data.topics).",
            documents=_python_docs,
            size=500_000,
        ),
        PackagedText(
            name="python-code",
            title="Python's standard library",
            summary="Real program code with its comments, a module at a time.",
            language="code",
            licence=PSF,
            provenance="The sources of the standard library that come with Python.",
            documents=_python_code,
            size=11_000_000,
        ),
    )
}
