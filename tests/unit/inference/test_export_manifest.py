"""Sizes that a ``playground.json`` tells: no memory is asked for before they can be true."""

import json
from pathlib import Path

import pytest

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference.export_manifest import MANIFEST
from playground.inference.exports import opened
from tests.support.made_exports import SMALL, lively, write_export

KINDS = {
    "decoder": ModelSpec("decoder", **SMALL),
    "portable": ModelSpec("decoder", **SMALL | {"d_model": 30}),
    "lstm": ModelSpec("lstm", **SMALL),
    "encoder": ModelSpec("encoder", **SMALL),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return {name: write_export(lively(spec), tmp_path_factory.mktemp(name)) for name, spec in KINDS.items()}


def told(folder: Path, into: Path, **sizes: int) -> Path:
    """The same export, whose ``playground.json`` tells other sizes."""
    for file in folder.iterdir():
        (into / file.name).symlink_to(file)
    about = json.loads((folder / MANIFEST).read_text())
    (into / MANIFEST).unlink()
    (into / MANIFEST).write_text(json.dumps(about | sizes))
    return into


@pytest.mark.parametrize("size", [10**10, 10**400], ids=["ten billion", "four hundred digits"])
@pytest.mark.parametrize("name", ["context_length", "n_layers", "n_kv_heads", "head_dim", "d_model", "vocab_size"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_size_that_no_model_has_is_told_by_name(kind, name, size, made, tmp_path):
    with pytest.raises(PlaygroundError, match=f"tells a {name} of more than [0-9,]+, which no model has"):
        opened(told(made[kind], tmp_path, **{name: size}), "cpu")


def test_brackets_within_brackets_are_no_export(tmp_path):
    (tmp_path / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(PlaygroundError, match="is no export of the playground"):
        opened(tmp_path)
