"""Where text comes from and how it becomes tokens: corpora, files, tasks, tokenizers, prepared data."""

from playground.text.catalogue import CORPORA, Corpus
from playground.text.prepare import Cancelled, Prepared, load, prepare
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.token_files import PairFile, TokenFile
from playground.text.tokenizers import Tokenizer

__all__ = [
    "CORPORA",
    "Cancelled",
    "Corpus",
    "DataSpec",
    "PairFile",
    "Prepared",
    "TokenFile",
    "Tokenizer",
    "TokenizerSpec",
    "load",
    "prepare",
]
