"""Opens the text that a spec asks for: a built-in corpus, a generated task, a file or a dataset of the hub."""

from dataclasses import replace

from playground.core.errors import PlaygroundError
from playground.text import builtin_corpora, elman, files, hub, tasks
from playground.text.catalogue import UNKNOWN
from playground.text.sources import Source
from playground.text.spec import QUESTION, DataSpec
from playground.text.stories.open import LANGUAGES, TRANSLATIONS, open_stories


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
    asked = lambda question: (
        spec.fill_template(question) if question.strip() else ""
    )  # an empty one is left out, and told
    put = lambda: ((asked(question), answer) for question, answer in source.documents())
    return replace(source, documents=put)


def _open(spec: DataSpec) -> Source:
    if spec.corpus == UNKNOWN:
        raise PlaygroundError(
            "The text that this model learnt from is not known here; the model came from elsewhere.",
            "Fine-tune it on a text of your choice.",
        )
    if spec.corpus == "file":
        return files.open_file(spec)
    if spec.corpus.startswith("hf:"):
        return hub.open_dataset(spec)
    if spec.corpus in tasks.TASKS:
        return tasks.open_task(spec.corpus, spec.options, spec.seed)
    if spec.corpus in (*LANGUAGES, TRANSLATIONS):
        return open_stories(spec.corpus, spec.options, spec.seed)
    if spec.corpus == elman.NAME:
        return elman.open_sentences(spec.options, spec.seed)
    return builtin_corpora.open_package(spec.corpus)
