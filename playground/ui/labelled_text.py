"""The labelled text that a run was fine-tuned on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.runs.folder import RunFolder

if TYPE_CHECKING:
    from playground.labelled.prepare import LabelledSet


def data_of(run: RunFolder) -> "LabelledSet":
    """The labelled text that a run learnt from.

    Raises:
        PlaygroundError: when it has been cleaned away.
    """
    return _data(data_folder_of(run))


def data_folder_of(run: RunFolder) -> str:
    """The folder of the text, prepared, that a run learnt from.

    That of a run that ships is prepared here, from its package.

    Raises:
        PlaygroundError: when there is none on this machine, or its package is not installed.
    """
    if folder := run.data_folder():
        return folder
    if gallery.holds(run) and run.config().finetune.reads_labels:
        return _prepared(str(run.path))
    if not run.config().finetune.reads_labels:
        raise PlaygroundError(
            "The text of {name} is not on this machine.", "Try the model on texts of your own.", name=run.name
        )
    if run.about().get("imported"):
        raise PlaygroundError(
            "The labelled text of {name} is not on this machine.", "Try the model on texts of your own.", name=run.name
        )
    raise PlaygroundError(
        "The labelled text of {name} is not prepared yet.", "Let it train for a few seconds.", name=run.name
    )


def _prepared(path: str) -> str:
    """The labelled text of a shipped run: found prepared, or prepared now, in seconds."""
    from playground.labelled.prepare import prepare_labelled
    from playground.text.tokenizers import Tokenizer

    run = RunFolder(Path(path))
    config, tokenizer = run.config(), Tokenizer.load(run.tokenizer_path)
    assert config.finetune is not None and config.finetune.labelled is not None
    data = prepare_labelled(config.finetune.labelled, config.finetune.task, tokenizer, config.model.context_length)
    return str(data.folder)


@st.cache_resource(max_entries=32, show_spinner=False)
def _data(folder: str) -> Any:
    from playground.labelled.prepare import load_labelled

    return load_labelled(folder)
