"""What is slow to load and the same for everybody: models, tokenizers, prepared text. Bounded."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.text.spec import DataSpec

if TYPE_CHECKING:  # each of these is slow to import, and a page imports what it needs
    from models.language_model import LanguageModel
    from playground.generation.torch_model import TorchEncoder, TorchGenerator
    from playground.inference.attention_session import AttentionSession
    from playground.inference.engine import Engine
    from playground.inference.onnx_encoder import OnnxEncoder
    from playground.text.prepare import Prepared
    from playground.text.tokenizers import Tokenizer


def torch_ready() -> ModuleType:
    """torch, imported, with one thread: the server answers many people and leaves the cores to training."""
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
    return torch


def model(run: RunFolder, step: int | None = None) -> "LanguageModel":
    """The run's language model, ready to use on the CPU. Shared: do not change its weights.

    Of a run that gives labels it is what the head for the labels reads from.

    Args:
        step: which checkpoint; None takes the latest there is now.

    Raises:
        PlaygroundError: when there is no such checkpoint (yet).
    """
    if step is None:
        step = latest_step(run)
    return _model(str(run.path), step)


def at_work(run: RunFolder, step: int) -> "Engine | OnnxEncoder | TorchGenerator | TorchEncoder":
    """What continues, answers or fills in: the run's export where this step has one, else the model in PyTorch; both have
    the same methods. Shared: call `clone()` for a generator with a state of its own.

    Raises:
        PlaygroundError: when there is no such checkpoint.
    """
    return engine(run, step) or in_torch(run, step)


def in_torch(run: RunFolder, step: int) -> "TorchGenerator | TorchEncoder":
    """The run's model in PyTorch, asked as an export is: a `TorchGenerator`, or a `TorchEncoder` of what fills in."""
    found = model(run, step)
    from playground.generation.torch_model import TorchEncoder, TorchGenerator

    return (
        TorchEncoder(found, tokenizer(run).pad_id)
        if run.about()["training"]["objective"] == "mlm"
        else TorchGenerator(found)
    )


def engine(run: RunFolder, step: int) -> "Engine | OnnxEncoder | None":
    """The run's export for ONNX Runtime: an `Engine` of a model that writes, an `OnnxEncoder` of one that fills in. None where
    this step is not exported, or its files are damaged. Shared: call `clone()` for a generator with a state of its own.
    """
    from playground.inference.exports import exported_at

    made = exported_at(run, step)
    if made is None:
        return None
    try:
        return _engine(str(made.folder), (made.folder / "report.json").stat().st_mtime_ns)
    except (OSError, PlaygroundError):  # damaged, as the Export page says: PyTorch still runs it
        return None


def attention_session(run: RunFolder, step: int) -> "AttentionSession | None":
    """Attention weights by ONNX Runtime; None where this step is not exported with them."""
    from playground.inference.exports import exported_at

    made = exported_at(run, step)
    if made is None or not made.report.get("attentions"):
        return None
    try:
        return _attention_session(str(made.folder), (made.folder / "report.json").stat().st_mtime_ns)
    except (OSError, PlaygroundError):
        return None


@st.cache_resource(max_entries=6, show_spinner=False)
def _attention_session(folder: str, changed: int) -> "AttentionSession":
    from playground.inference.attention_session import AttentionSession
    from playground.inference.exports import fitting

    with fitting(Path(folder)):
        return AttentionSession(folder)


@st.cache_resource(max_entries=6, show_spinner=False)
def _engine(folder: str, changed: int) -> "Engine | OnnxEncoder":
    from playground.inference.exports import opened

    return opened(folder)


def latest_step(run: RunFolder) -> int:
    """The step of the newest checkpoint.

    Raises:
        PlaygroundError: when the run has none yet.
    """
    steps = run.checkpoints()
    if not steps:
        raise PlaygroundError("{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=run.name)
    return steps[-1]


@st.cache_resource(max_entries=6, show_spinner=False)
def _model(path: str, step: int) -> "LanguageModel":
    from playground.training.load_model import body_of, load_model

    torch_ready()
    return body_of(load_model(RunFolder(Path(path)), step))


def tokenizer(run: RunFolder) -> "Tokenizer":
    """The run's tokenizer.

    Raises:
        PlaygroundError: when the run's text is not prepared yet.
    """
    if not run.tokenizer_path.exists():
        raise PlaygroundError(
            "{name} has no tokenizer yet.", "Train it first: the tokenizer is learnt from its text.", name=run.name
        )
    return _tokenizer(str(run.tokenizer_path), run.tokenizer_path.stat().st_mtime_ns)


@st.cache_resource(max_entries=32, show_spinner=False)
def _tokenizer(path: str, changed: int) -> "Tokenizer":
    from playground.text.tokenizers import Tokenizer

    return Tokenizer.load(path)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={DataSpec: lambda spec: repr(spec.to_dict())})
def prepared(spec: DataSpec) -> "Prepared":
    """The text of a spec, read, split and cut into tokens: seconds the first time, then from the disk.

    Raises:
        PlaygroundError: when the text cannot be read.
    """
    from playground.text.prepare import prepare

    return prepare(spec)
