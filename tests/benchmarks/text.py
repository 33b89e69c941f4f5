"""The text that benchmarks train on: tiny Shakespeare if it lies beside the project, else Python's documentation, else a page of ours."""

import os
from importlib.util import find_spec
from pathlib import Path

from playground.core.paths import READ
from playground.text.spec import DataSpec, TokenizerSpec

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "gpu.md"
SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


def characters() -> DataSpec:
    """Cut into characters, as nanoGPT's CPU recipe does."""
    if SHAKESPEARE.exists():
        return DataSpec("file", path=_readable(SHAKESPEARE), tokenizer=TokenizerSpec("char"))
    if find_spec("pydoc_data") is None:  # a Python without its documentation
        return DataSpec("file", path=_readable(DOCUMENTATION), tokenizer=TokenizerSpec("char"))
    return DataSpec("python-docs", tokenizer=TokenizerSpec("char"))


def _readable(path: Path) -> str:
    """The path of a text that the benchmarks, and all processes that they start, may read in any home."""
    folders = os.environ.get(READ, "").split(os.pathsep)
    if str(path.parent) not in folders:
        os.environ[READ] = os.pathsep.join(filter(None, [*folders, str(path.parent)]))
    return str(path)


def title() -> str:
    if SHAKESPEARE.exists():
        return "tiny Shakespeare"
    return "python-docs" if find_spec("pydoc_data") else DOCUMENTATION.name
