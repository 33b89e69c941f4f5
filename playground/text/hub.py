"""Datasets of the Hugging Face hub by name, read as a stream (the optional package ``datasets``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from playground.core.errors import Message, PlaygroundError
from playground.text.files import choose
from playground.text.sources import Source
from playground.text.tables import Table

if TYPE_CHECKING:
    from playground.text.spec import DataSpec

DEFAULT_BYTES = 100_000_000  # read when the person sets no limit: some datasets have terabytes


def open_dataset(spec: DataSpec) -> Source:
    """``hf:<name>[:<config>]`` as a source: the ``train`` split, or the first there is.

    Raises:
        PlaygroundError: without the package or the internet, or when there is no such dataset or column.
    """
    name, _, config = spec.corpus.removeprefix("hf:").partition(":")
    try:
        import datasets  # pyright: ignore[reportMissingImports] (optional)
    except ImportError:
        raise PlaygroundError(
            "Datasets of the Hugging Face hub need the package datasets, which is not installed.",
            "Run: pip install datasets",
        ) from None
    try:
        splits = datasets.load_dataset(name, config or None, streaming=True)
        split = "train" if "train" in splits else next(iter(splits))
        rows = splits[split]
        next(iter(rows), None)
    except PlaygroundError:
        raise
    except Exception as error:  # network, name, config: the library raises many kinds
        raise _failed(name, error) from error

    def reading() -> Iterator[dict[str, object]]:
        try:
            yield from rows
        except Exception as error:
            raise _failed(name, error) from error

    documents, shape = choose(Table(name, reading), spec)
    info = getattr(rows, "info", None)
    return Source(
        documents=documents,
        shape=shape,
        fingerprint=" ".join(map(str, (name, config, split, *_release(info)))),
        size=spec.max_bytes or DEFAULT_BYTES,
        licence=str(getattr(info, "license", "") or "") or "See its page on the hub.",
        provenance=Message("https://huggingface.co/datasets/{name}, split {split}.", name=name, split=split),
        limit=DEFAULT_BYTES,
    )


def _release(info: object) -> tuple[object, ...]:
    """What changes when the dataset does, as far as its page says."""
    return getattr(info, "version", ""), getattr(info, "dataset_size", "")


def _failed(name: str, error: Exception) -> PlaygroundError:
    lines = str(error).strip().splitlines()
    reason = lines[0][:300] if lines else type(error).__name__
    if isinstance(error, ConnectionError | TimeoutError) or "offline" in reason.lower():
        return PlaygroundError(
            "The Hugging Face hub cannot be reached.",
            "Check the internet connection, or choose another corpus.",
        )
    return PlaygroundError(
        "The dataset {name} cannot be read: {reason}",
        "Check its name, or name a configuration: hf:name:config.",
        name=name,
        reason=reason,
    )
