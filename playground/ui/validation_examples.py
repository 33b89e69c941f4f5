"""Under a run's stage, where it is trained or fine-tuned: held-out examples with what the model gets right and wrong, at every evaluation."""

from pathlib import Path

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.runs.examples import History, RunExamples
from playground.runs.folder import RunFolder
from playground.runs.gallery import holds
from playground.ui.cached import tokenizer
from playground.ui.components.examples import examples
from playground.ui.language import t, translated
from playground.ui.live_runs import LIVE
from playground.ui.messages import plain


@st.cache_resource(max_entries=20, show_spinner=False)
def _examples(path: str) -> RunExamples:
    return RunExamples(Path(path))


def validation_examples(run: RunFolder, colour: str) -> None:
    """Draws them; where there are none, says when there will be some. Runs that ship with the app have none."""
    found = _examples(str(run.path))
    found.update()
    if not found.history and not found.problem and holds(run):
        return
    st.subheader(t("Validation examples: right and wrong"), anchor=False)
    if found.problem:
        st.warning(plain(translated(found.problem)))
    if not found.history:
        if not found.problem:
            st.caption(_when(run))
        return
    try:
        pieces, choices = _names(run, found.history)
    except PlaygroundError:
        st.warning(
            t("The examples do not fit this run's tokenizer, so they cannot be shown. The run itself is not affected.")
        )
        return
    examples("train.examples", found.history, pieces, choices, colour)


def _when(run: RunFolder) -> str:
    if run.status().state in LIVE:
        training = run.config().training
        step = min(training.eval_every, training.steps)
        return t(
            "The first evaluation is at step {step:,}; then held-out texts are shown here, token by token.", step=step
        )
    return t(
        "This run has no evaluation with examples. Train its settings again, until the first evaluation, to see them."
    )


def _names(run: RunFolder, history: History) -> tuple[dict[int, str], dict[int, str]]:
    """The texts' tokens and what is chosen from, by id.

    Raises:
        PlaygroundError: when an id is none of the run's tokens or labels.
    """
    known = tokenizer(run)
    ids = sorted({id for row in history.texts.rows for id in row.ids})
    pieces = dict(zip(ids, known.pieces(ids), strict=True))
    named = history.vocabulary
    if history.texts.kind not in ("label", "tag"):
        return pieces, dict(zip(named, known.pieces(named), strict=True))
    from playground.training.load_model import labels_of  # torch: seconds, where it is not there yet

    labels = labels_of(run)
    if named[-1] >= len(labels):
        raise PlaygroundError("The labels of the text have changed since this run was trained.")
    return pieces, {id: labels[id] for id in named}
