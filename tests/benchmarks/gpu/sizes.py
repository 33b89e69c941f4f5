"""The models that are measured; in a rehearsal each is as small as its kind allows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.presets import PRESETS
from models.spec import ModelSpec
from playground.text.prepare import Prepared
from playground.text.spec import DataSpec
from playground.text.token_files import TokenFile, dtype_for
from tests.benchmarks.gpu.rows import Setting

GPT2_124M = ModelSpec(
    "decoder", vocab_size=50304, d_model=768, n_layers=12, n_heads=12, context_length=1024, init_std=0.02
)
"""GPT-2's smallest (Radford et al. 2019), with the vocabulary rounded up to a multiple of 64 as nanoGPT does."""
TINY = {"d_model": 32, "n_layers": 1, "n_heads": 2, "context_length": 32}


def sized(spec: ModelSpec, setting: Setting) -> ModelSpec:
    """The spec itself, or its smallest kin in a rehearsal."""
    if not setting.rehearsal:
        return spec
    return spec.replace(**TINY, vocab_size=min(spec.vocab_size, 96))


def preset(name: str, setting: Setting) -> ModelSpec:
    return sized(PRESETS[name].spec, setting)


@dataclass(frozen=True)
class Numbers:
    """In the place of a tokenizer: made-up tokens have no letters."""

    size: int
    pad_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    mask_id: int = 3
    special_ids: frozenset[int] = frozenset(range(4))
    frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def pieces(self, ids: list[int]) -> list[str]:
        return [str(token) for token in ids]


def made_up_text(folder: Path, vocab_size: int, tokens: int) -> Prepared:
    """Random tokens on the disk, as prepared text is; a tenth as many to validate with."""
    folder.mkdir(parents=True, exist_ok=True)
    chance, dtype = np.random.default_rng(0), dtype_for(vocab_size)
    files = []
    for name, length in (("train", tokens), ("validation", tokens // 10)):
        chance.integers(4, vocab_size, length).astype(dtype).tofile(folder / f"{name}.tokens")
        files.append(TokenFile(folder / f"{name}.tokens", dtype))
    return Prepared(folder, DataSpec("python-docs"), Numbers(vocab_size), "stream", *files, info={})
