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
        limit: bytes to stop after when the person sets no limit; None reads to the end.
    """

    documents: Callable[[], Iterator[str] | Iterator[tuple[str, str]]]
    shape: str
    fingerprint: str
    whole: bool = False
    size: int | None = None
    licence: str = ""
    provenance: str = ""
    limit: int | None = None
