"""What every corpus gives: documents one after another, never all at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Text to read, once and in order.

    Args:
        documents: a call gives a fresh iterator over ``str`` (shape "stream") or
            ``(source, target)`` (shape "pairs").
        shape: "stream" or "pairs".
        whole: the strings are consecutive parts of one long text, not separate documents.
        fingerprint: changes whenever the text does, so that prepared data can be kept.
        size: about how many UTF-8 bytes there are, for a progress bar; None when unknown.
        licence: of the text; "" when only the person knows.
        provenance: where the text was found.
        done: how much of the text was read, 0 to 1, where bytes do not tell; None counts ``size``.
        limit: bytes to stop after when the person sets no limit; None reads to the end.
        notes: a call gives sentences on what is unusual about the text, as far as it has been read.
        lexicon: words of a language that is written without spaces, the longest first; the kind "word" cuts at them.
    """

    documents: Callable[[], Iterator[str] | Iterator[tuple[str, str]]]
    shape: str
    fingerprint: str
    whole: bool = False
    size: int | None = None
    licence: str = ""
    provenance: str = ""
    done: Callable[[], float] | None = None
    limit: int | None = None
    notes: Callable[[], list[str]] = list
    lexicon: tuple[str, ...] = ()
