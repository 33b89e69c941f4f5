"""Sizes that a ``playground.json`` tells: no memory is asked for before they can be true."""

import json
from pathlib import Path

import pytest

from models.spec import ModelSpec
from playground.core.errors import PlaygroundError
from playground.inference.engine import Engine
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


def test_a_cache_larger_than_the_machine_is_told_with_its_size(made, tmp_path, monkeypatch):
    """2 (keys and values) × 2 layers × 2 heads × 16 channels × 4 bytes × 90,000,000 tokens = 46 GB."""
    from playground.inference import fused_decoder

    class Memory:
        total = 8_000_000_000

    monkeypatch.setattr(fused_decoder.psutil, "virtual_memory", Memory)
    asked = []
    zeros = fused_decoder.np.zeros
    monkeypatch.setattr(
        fused_decoder.np, "zeros", lambda shape, *args, **kwargs: asked.append(shape) or zeros(shape, *args, **kwargs)
    )
    with pytest.raises(PlaygroundError, match="A cache for 90,000,000 tokens takes 46 GB, and this machine has 8 GB"):
        Engine(told(made["decoder"], tmp_path, context_length=90_000_000), device="cpu")
    assert not [shape for shape in asked if 90_000_000 in (shape if isinstance(shape, tuple) else (shape,))]


def test_brackets_within_brackets_are_no_export(tmp_path):
    (tmp_path / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(PlaygroundError, match="is no export of the playground"):
        opened(tmp_path)
