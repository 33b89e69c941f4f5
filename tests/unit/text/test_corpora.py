"""The texts that come with Python and with packages; datasets of the hub, with a stand-in for the network."""

import struct
import sys
import types

import pytest

from playground.core.errors import PlaygroundError
from playground.text import CORPORA, DataSpec, TokenizerSpec, builtin_corpora, catalogue, prepare
from playground.text.corpora import open_source

INSTALLED = [name for name, corpus in CORPORA.items() if corpus.kind != "task" and corpus.available]


def test_the_language_reference_becomes_tokens():
    data = prepare(DataSpec("python-docs", tokenizer=TokenizerSpec("bpe", 512)))
    assert data.info["documents"] > 50 and data.info["bytes"] > 300_000
    assert data.info["licence"] == "PSF-2.0" and "Python 3" in data.info["provenance"]
    assert 0.07 < data.info["validation"]["bytes"] / data.info["bytes"] < 0.13


@pytest.mark.parametrize("name", INSTALLED)
def test_every_installed_text_is_about_as_long_as_it_says(name):
    source = open_source(DataSpec(name))
    size = sum(
        len(each.encode()) if isinstance(each, str) else len("".join(each).encode()) for each in source.documents()
    )
    assert 0.5 < size / source.size < 2
    assert source.licence and source.provenance and source.fingerprint


@pytest.mark.parametrize("name", [name for name, corpus in CORPORA.items() if corpus.package])
def test_a_missing_package_says_what_to_install(name, monkeypatch):
    monkeypatch.setattr(catalogue, "installed_version", lambda package: None)
    assert not CORPORA[name].available
    with pytest.raises(PlaygroundError, match="not installed") as caught:
        open_source(DataSpec(name))
    assert "pip install" in caught.value.hint and CORPORA[name].package in caught.value.hint


@pytest.mark.parametrize("order", "<>")
def test_catalogues(order):
    messages = [("", "header"), ("verb\4Open", "打开"), ("%d file\0%d files", "%d 个文件\0%d 个文件")]
    texts = [text.encode() for pair in messages for text in pair]
    table = 28
    places, at = [], table + 16 * len(messages)
    for text in texts:
        places.append((len(text), at))
        at += len(text) + 1
    data = struct.pack(order + "7I", 0x950412DE, 0, len(messages), table, table + 8 * len(messages), 0, 0)
    for place in places[0::2] + places[1::2]:
        data += struct.pack(order + "2I", *place)
    data += b"".join(text + b"\0" for text in texts)
    assert list(builtin_corpora.read_catalogue(data)) == [("Open", "打开"), ("%d file", "%d 个文件")]


@pytest.fixture
def hub(monkeypatch):
    """A stand-in for the package ``datasets``; set ``.rows`` or ``.error``."""
    module = types.ModuleType("datasets")
    module.rows, module.error, module.asked = [{"text": f"row {i}"} for i in range(50)], None, []

    def load_dataset(name, config, streaming):
        assert streaming
        module.asked.append((name, config))
        if module.error:
            raise module.error
        return {"train": module.rows}

    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


def test_a_dataset_by_name(hub):
    data = prepare(DataSpec("hf:someone/thing:small"))
    assert hub.asked[0] == ("someone/thing", "small")
    assert data.info["documents"] == 50
    assert "someone/thing" in data.info["provenance"]


def test_pairs_of_a_dataset(hub):
    hub.rows = [{"en": f"{i}", "zh": f"数{i}"} for i in range(20)]
    spec = DataSpec("hf:x", source_column="en", target_column="zh")
    assert list(open_source(spec).documents())[3] == ("3", "数3")
    with pytest.raises(PlaygroundError, match="no column 'fr'"):
        open_source(DataSpec("hf:x", text_column="fr"))
    with pytest.raises(PlaygroundError, match="Which column"):
        open_source(DataSpec("hf:x"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionError("Couldn't reach the Hub"), "cannot be reached"),
        (ValueError("Dataset 'x' doesn't exist on the Hub"), "doesn't exist"),
        (RuntimeError(""), "RuntimeError"),
    ],
)
def test_what_goes_wrong_on_the_hub_is_a_sentence(hub, error, words):
    hub.error = error
    with pytest.raises(PlaygroundError, match=words):
        open_source(DataSpec("hf:x"))


def test_without_the_package_for_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(PlaygroundError, match="not installed") as caught:
        open_source(DataSpec("hf:x"))
    assert "pip install datasets" in caught.value.hint
