"""What to learn from: which text, cut into which tokens. Plain values that travel as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from playground.core.errors import Message, PlaygroundError, meant, sentences
from playground.text.catalogue import CORPORA, check_options
from playground.text.encodings import check_encoding

SPECIALS = ("<pad>", "<bos>", "<eos>", "<mask>")
BASE_SIZE = len(SPECIALS) + 256  # the special tokens and every byte: no text is ever unknown
LARGEST_VOCABULARY = 200_000
LARGEST_VALIDATION = 0.9  # grokking shows where most of a small world is kept apart
KINDS = {
    "bpe": "Byte-pair encoding: frequent strings become tokens.",
    "char": "One token per character; the rarest characters are spelled in bytes.",
    "byte": "One token per UTF-8 byte. 256 of them can write every text.",
    "word": "One token per frequent word; all other words are spelled in bytes.",
}


@dataclass(frozen=True)
class TokenizerSpec:
    """How text is cut.

    Args:
        kind: one of ``KINDS``.
        vocab_size: the most tokens there may be, special tokens and bytes included; small texts give
            fewer. Always 260 for bytes.

    Raises:
        PlaygroundError: for an unknown kind or a size that cannot be.
    """

    kind: str = "bpe"
    vocab_size: int = 1024

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PlaygroundError(
                "There is no tokenizer {kind!r}.", "Choose one of {known}.", kind=self.kind, known=", ".join(KINDS)
            )
        if self.kind == "byte":
            object.__setattr__(self, "vocab_size", BASE_SIZE)
        size = self.vocab_size
        if isinstance(size, bool) or not isinstance(size, int) or not BASE_SIZE <= size <= LARGEST_VOCABULARY:
            raise PlaygroundError(
                "A vocabulary of {size} cannot be.",
                "Choose {base_size} (256 bytes, {n_specials} special tokens) to {largest_vocabulary:,}.",
                size=f"{size:,}" if type(size) is int else repr(size),
                base_size=BASE_SIZE,
                n_specials=len(SPECIALS),
                largest_vocabulary=LARGEST_VOCABULARY,
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TokenizerSpec":
        """The spec back from JSON; an unknown key is a PlaygroundError that names it."""
        return cls(**_known(cls, values, "A tokenizer"))


QUESTION = "{question}"


@dataclass(frozen=True)
class DataSpec:
    """Which text to learn from, how it is split and cut.

    Args:
        corpus: a name in ``catalogue.CORPORA``, ``"file"``, or ``"hf:<dataset>[:config]"``.
        path: the file, for ``"file"``.
        text_column: the column of a table to read; None finds it when there is no doubt.
        source_column, target_column: two columns to read as (source, target) pairs.
        options: a task's difficulty, see ``Corpus.options``.
        tokenizer: how the text is cut.
        validation_fraction: the part of the text that is never trained on, 0.001 to 0.9.
        max_bytes: stop after so much text (UTF-8 bytes); None reads everything.
        seed: of generated examples and of the split.
        encoding: of the file, a Python codec name; None detects it.
        template: for pairs: how a question is put; ``{question}`` stands for it.

    Raises:
        PlaygroundError: in the person's words, for anything that cannot be.
    """

    corpus: str
    path: str | None = None
    text_column: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: TokenizerSpec = TokenizerSpec()
    validation_fraction: float = 0.1
    max_bytes: int | None = None
    seed: int = 0
    encoding: str | None = None
    template: str = QUESTION

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", check_options(str(self.corpus), self.options))
        if self.corpus == "file" and not self.path:
            raise PlaygroundError("No file was chosen.", "Give the path of a .txt, .csv, .jsonl or .parquet file.")
        if self.path is not None:
            object.__setattr__(self, "path", str(self.path))
        for name in ("corpus", "text_column", "source_column", "target_column"):
            if not isinstance(getattr(self, name), str | None):
                raise PlaygroundError("{name} must be a text, not {value!r}.", name=name, value=getattr(self, name))
        if (self.source_column is None) != (self.target_column is None):
            raise PlaygroundError(
                "Pairs need two columns, and only one was named.", "Name a source column and a target column."
            )
        if (
            not isinstance(self.validation_fraction, float | int)
            or not 0.001 <= self.validation_fraction <= LARGEST_VALIDATION
        ):
            raise PlaygroundError(
                "A validation part of {validation_fraction!r} cannot be.",
                "Choose 0.001 to {largest}.",
                largest=LARGEST_VALIDATION,
                validation_fraction=self.validation_fraction,
            )
        if self.max_bytes is not None and (not isinstance(self.max_bytes, int) or self.max_bytes < 1):
            raise PlaygroundError(
                "Reading {max_bytes!r} bytes cannot be.", "Choose 1 or more, or None.", max_bytes=self.max_bytes
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise PlaygroundError("A seed of {seed!r} cannot be.", "Choose a whole number from 0.", seed=self.seed)
        check_encoding(self.encoding)
        if not isinstance(self.template, str) or self.template.count(QUESTION) != 1:
            raise PlaygroundError(
                "The template has no place for the question.", "Write {question} in it, once, where it goes."
            )

    def fill_template(self, question: str) -> str:
        """What the model reads when it is asked a question: the template with the question in it."""
        return self.template.replace(QUESTION, question)

    @property
    def reads_pairs(self) -> bool:
        """True when two columns were named: examples are (source, target)."""
        return self.source_column is not None

    @property
    def gives_pairs(self) -> bool:
        """Whether its examples are (source, target), as far as the choices tell: the text is not opened."""
        known = CORPORA.get(self.corpus)
        return self.reads_pairs if known is None else known.kind != "text"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DataSpec":
        """The spec back from JSON; an unknown key is a PlaygroundError that names it."""
        values = _known(cls, values, "Data")
        if isinstance(values.get("tokenizer"), Mapping):
            values["tokenizer"] = TokenizerSpec.from_dict(values["tokenizer"])
        return cls(**values)

    def replace(self, **changes: Any) -> "DataSpec":
        """The same spec with other values; ``options`` go back to their defaults with another corpus."""
        if changes.get("corpus", self.corpus) != self.corpus:
            changes.setdefault("options", {})
        return replace(self, **changes)


def _known(cls: type, values: Mapping[str, Any], what: str) -> dict[str, Any]:
    names = [each.name for each in fields(cls)]
    if not isinstance(values, Mapping):
        raise PlaygroundError(
            "{what} is described by names and values.", "It has {known}.", what=what, known=", ".join(names)
        )
    for name in values:
        if name not in names:
            hint = sentences(meant([name], names), Message("It has {known}.", known=", ".join(names)))
            raise PlaygroundError("{what} has no setting {name!r}.", hint, what=what, name=name)
    return dict(values)
