"""Files and models that a person brings to the Fine-tune page."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.text import uploads
from playground.ui import run_upload, url_state
from playground.ui.language import t
from playground.ui.messages import plain, show
from playground.ui.number_format import bytes_of
from playground.ui.run_picker import name_of
from playground.ui.select import keep as stay
from playground.ui.select import select
from playground.ui.uploaded_file import take

BATCH, DROPPED = "finetune.batch", "finetune.dropped"


def uploader(key: str, kinds: Sequence[str], label: str, label_visibility: Any = "visible") -> None:
    """The box that a file is dropped on, and what was wrong with the last one.

    Args:
        key: of the widgets.
        kinds: endings such as ".csv".
        label: translated.
        label_visibility: as of ``st.file_uploader``.
    """
    state = st.session_state
    turn = state.setdefault(f"{key}.turn", 0)
    types = [kind.lstrip(".") for kind in kinds]
    brought = st.file_uploader(label, key=f"{key}.upload.{turn}", type=types, label_visibility=label_visibility)
    if brought is not None:
        take(key, brought, lambda: keep_upload(key, brought))
    if error := state.get(f"{key}.error"):
        show(error)


def choose_brought(key: str, kinds: Sequence[str], also: Sequence[str] = ()) -> str | None:
    """The path of the chosen one among the files that were brought; None where there are none of these kinds.

    Args:
        key: of the widgets.
        kinds: endings such as ".csv".
        also: endings of files that are offered where they hold labels.
    """
    state = st.session_state
    if brought := state.pop(f"{key}.brought", None):
        state[f"{key}.file"] = brought
    offered = lambda path: (
        path.suffix.lower() in kinds
        or (path.suffix.lower() in also and (str(path) == state.get(f"{key}.file") or holds_labels(str(path))))
    )
    is_table = lambda path: (
        not uploads.is_unpacked(path) or ".txt" in kinds
    )  # texts of an archive are none that somebody wrote
    kept = {str(each.path): each for each in uploads.uploads() if offered(each.path) and is_table(each.path)}
    if not kept:
        return None
    stay(f"{key}.file", kept)
    if state.get(f"{key}.file") not in kept:
        state[f"{key}.file"] = next(iter(kept))
    title = lambda path: f"{kept[path].name} · {bytes_of(kept[path].size)}"
    return select(t("Your files"), list(kept), format_func=title, key=f"{key}.file", label_visibility="collapsed")


@st.cache_data(max_entries=1000, show_spinner=False)
def holds_labels(path: str) -> bool:
    """Whether a plain text that was brought has words with tags, or texts with labels, on its lines."""
    from playground.labelled.table import is_table

    try:
        return is_table(path)
    except PlaygroundError:
        return False


def keep_upload(key: str, brought: Any) -> None:
    """Copies the upload to disk; the next run of the page chooses it, as the box of the files may be drawn already."""
    st.session_state[f"{key}.brought"] = path = str(uploads.keep(brought, brought.name).path)
    if key != BATCH:
        st.session_state[DROPPED] = path


def dropped() -> str | None:
    """The file to learn from that was brought since this was asked last; None where there was none."""
    return st.session_state.pop(DROPPED, None)


def import_model() -> None:
    """A folder of Hugging Face's as a zip file, as a run to start from. (One that lies on this machine: the command line.)"""
    state = st.session_state
    if run := run_upload.taken("finetune.model"):
        state["finetune.model"] = False  # what unfolds folds again: the model stands in the box above it
        url_state.remember(
            "finetune", parent=run.id
        )  # the box above is drawn already: it takes its model from the address
        state["finetune.model.loaded"] = name_of(run)
        st.rerun()
    if loaded := state.pop("finetune.model.loaded", None):
        st.toast(t("Loaded: {name}", name=plain(loaded)), icon=":material/check:")
    with st.popover(t("Import a model"), icon=":material/upload:", key="finetune.model", on_change="rerun"):
        st.write(
            t(
                "A Hugging Face folder of a Llama, GPT-2, BERT, DistilBERT, RoBERTa or ELECTRA model: "
                "config.json, model.safetensors, and tokenizer.json or vocab.txt."
            )
        )
        run_upload.uploader("finetune.model", t("A zip file of it"))
        st.caption(t("Or in a terminal on the machine of the app: `python -m playground import FOLDER`"))
