"""A text in an address: its corpus, how much of it, and how it is cut, so that a link opens what its sender saw."""

from typing import Any

from playground.text import uploads
from playground.text.catalogue import CORPORA
from playground.text.spec import DataSpec, TokenizerSpec
from playground.ui import url_state

FILE = "file"


def usual(corpus: str) -> DataSpec:
    """A corpus as it is read when nobody says how."""
    return DataSpec(corpus, tokenizer=TokenizerSpec(CORPORA[corpus].tokenizer))


def said(spec: DataSpec) -> dict[str, Any]:
    """The parameters of an address that name a text; None where the usual value says it.

    A file is named by its content, so the link works wherever that file has been brought.
    """
    offered = CORPORA[spec.corpus].options if spec.corpus in CORPORA else ()
    changed = [f"{each.name}:{spec.options[each.name]}" for each in offered if spec.options[each.name] != each.default]
    return {
        "corpus": spec.corpus,
        "file": spec.path.split("/")[-2] if spec.path else None,
        "encoding": spec.encoding,
        "column": spec.text_column,
        "source": spec.source_column,
        "target": spec.target_column,
        "tokenizer": spec.tokenizer.kind,
        "vocabulary": spec.tokenizer.vocab_size if spec.tokenizer.kind != "byte" else None,
        "limit": spec.max_bytes,
        "options": ",".join(changed),
    }


def asked(page: str, corpus: str) -> dict[str, Any]:
    """What an address asks for, as ``DataSpec`` values; ``{"corpus": "file"}`` where that file is not here.

    Raises:
        PlaygroundError: where there is no such text, or it cannot be read that way.
    """
    values: dict[str, Any] = {"corpus": corpus}
    if corpus == FILE:
        kept = {upload.path.parent.name: upload.path for upload in uploads.uploads()}
        values["path"] = str(kept.get(url_state.text(page, "file"), ""))
        values["encoding"] = url_state.text(page, "encoding") or None
        values["text_column"] = url_state.text(page, "column") or None
        values["source_column"] = url_state.text(page, "source") or None
        values["target_column"] = url_state.text(page, "target") or None
    if limit := url_state.read(page, "limit"):
        values["max_bytes"] = limit
    if corpus in CORPORA:
        values["options"] = _options(page, corpus)
    kind = CORPORA[corpus].tokenizer if corpus in CORPORA else "bpe"
    size = url_state.read(page, "vocabulary")
    tokenizer = TokenizerSpec(url_state.text(page, "tokenizer") or kind, 1024 if size is None else size)
    if values.get("path") == "":
        return {"corpus": FILE, "tokenizer": tokenizer.to_dict()}
    return DataSpec.from_dict({**values, "tokenizer": tokenizer.to_dict()}).to_dict()


def _options(page: str, corpus: str) -> dict[str, int | str]:
    """The options of the address, numbers as numbers; one that the corpus cannot have is refused by its spec."""
    pairs = [pair.partition(":") for pair in url_state.text(page, "options").split(",") if pair]
    words = {each.name for each in CORPORA[corpus].options if each.choices}
    read = lambda name, value: None if name in words else url_state.whole(value)
    return {name: value if read(name, value) is None else read(name, value) for name, _, value in pairs}
