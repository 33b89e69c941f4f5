"""The text that benchmarks train on: tiny Shakespeare where it is beside the project, else Python's documentation."""

from pathlib import Path

from playground.text.spec import DataSpec, TokenizerSpec

SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


def characters() -> DataSpec:
    """Cut into characters, as nanoGPT's CPU recipe does."""
    if SHAKESPEARE.exists():
        return DataSpec("file", path=str(SHAKESPEARE), tokenizer=TokenizerSpec("char"))
    return DataSpec("python-docs", tokenizer=TokenizerSpec("char"))


def title() -> str:
    return "tiny Shakespeare" if SHAKESPEARE.exists() else "python-docs"
