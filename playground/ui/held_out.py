"""Passages of the text that a run was validated on, for views that need more than the person types."""

import math
from typing import Any

import streamlit as st

from models.spec import ModelSpec
from playground.text.catalogue import CORPORA
from playground.text.spec import DataSpec
from playground.ui import cached
from playground.ui.language import joined, t
from playground.ui.messages import fragment, show
from playground.ui.package_offer import offer, to_install
from playground.ui.scene import Scene

LONGEST = 4097  # tokens of a passage
MOST_NUMBERS = 2**27  # of the attention weights of one layer


def windows_of(scene: Scene, n: int, key: str, length: int | None = None, at_least: int = 0) -> Any:
    """Passages spread evenly over the held-out text, int64 ``[n, length]``; None while it is not there.

    Preparing the text anew takes seconds: where it is not prepared yet that begins by itself, and says how far it is.

    Args:
        n: how many, at most.
        length: tokens of each; the model's context unless told.
        at_least: a shorter context is lengthened to so many.
    """
    import numpy as np

    spec = scene.run.config().data
    if scene.is_pairs:
        st.info(t("This run was trained on pairs, not on running text: there are no passages to search."))
        return None
    if not is_there(scene, key):
        return None
    with st.spinner(t("Preparing the text …")):
        held = text_of(spec, scene.tokenizer().fingerprint, scene.tokenizer())
    before, after = scene.tokenizer().frame if scene.objective == "mlm" else ((), ())
    model = scene.model().spec
    length = min(length or max(model.context_length, at_least), _most(model)) - len(before) - len(after)
    length = max(1, min(length, len(held)))
    starts = np.linspace(0, len(held) - length, num=max(1, min(n, len(held) // length))).astype(int)
    return np.stack([[*before, *held[start : start + length], *after] for start in starts])


def _most(model: ModelSpec) -> int:
    """Tokens of a passage for which there is memory: a context may be said to be 100 million."""
    return LONGEST if model.is_recurrent else max(64, min(LONGEST, math.isqrt(MOST_NUMBERS // model.n_heads)))


def pairs_of(scene: Scene, n: int, key: str) -> Any:
    """Held-out questions and their answers with <eos>, as ids, spread evenly; None while they are not there."""
    if not is_there(scene, key):
        return None
    with st.spinner(t("Preparing the text …")):
        return _pairs(scene.run.config().data, scene.tokenizer().fingerprint, scene.tokenizer(), scene.model().spec, n)


@st.cache_data(
    max_entries=4,
    show_spinner=False,
    hash_funcs={DataSpec: lambda spec: repr(spec.to_dict()), ModelSpec: lambda spec: repr(spec.to_dict())},
)
def _pairs(
    spec: DataSpec, fingerprint: str, _tokenizer: Any, model: ModelSpec, n: int
) -> list[tuple[list[int], list[int]]]:
    """As trained on (`Sampler`): a question too long for the model loses its beginning, an answer its end."""
    import numpy as np

    prepared = cached.prepared(spec)
    known = prepared.tokenizer.fingerprint == fingerprint
    own = (
        (lambda ids: ids.tolist()) if known else lambda ids: _tokenizer.encode(prepared.tokenizer.decode(ids.tolist()))
    )
    found, held = [], prepared.validation
    apart = model.reads_pairs
    for i in np.linspace(0, len(held) - 1, num=min(n, len(held))).astype(int):
        source, target = (own(ids) for ids in held[int(i)])
        length = model.context_length
        target = [*target, _tokenizer.eos_id][: length - (0 if apart else min(len(source), length // 2))]
        room = length if apart else length - len(target)
        found.append((source[-room:] if room else [], target))
    return [(source, target) for source, target in found if source]


def is_there(scene: Scene, key: str) -> bool:
    """Whether the run's text is prepared; else it is being prepared, and this says how far it is."""
    from playground.text import prepare_job
    from playground.text.prepare import find

    spec, name = scene.run.config().data, f"{key}.{scene.run.id}"
    if spec.corpus in CORPORA and to_install(CORPORA[spec.corpus]):
        offer(CORPORA[spec.corpus])
        return False
    if find(spec) is not None:
        return True
    job = st.session_state.get(name)
    if job is None:
        job = st.session_state[name] = prepare_job.start(spec, name)
    if not job.done:
        fragment(_wait, run_every=0.3, key=f"{key}.preparing")(key, job)
        return False
    if job.error:
        show(job.error)
    else:
        st.info(t("Stopped. Nothing was kept."), icon=":material/info:")
    if st.button(t("Try again"), icon=":material/refresh:", key=f"{key}.prepare"):
        del st.session_state[name]
        st.rerun()
    return False


def _wait(key: str, job: Any) -> None:
    """How far the preparation is; it can be stopped."""
    if job.done:
        st.rerun()
    st.progress(job.fraction, joined(t("Preparing the text …"), t(job.stage)))
    st.button(t("Stop"), icon=":material/stop:", key=f"{key}.stop", on_click=job.stop)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs={DataSpec: lambda spec: repr(spec.to_dict())})
def text_of(spec: DataSpec, fingerprint: str, _tokenizer: Any) -> Any:
    """The held-out tokens, at most the first 200,000, in the run's own vocabulary."""
    from playground.text.statistics import text_of as words

    prepared = cached.prepared(spec)
    if prepared.tokenizer.fingerprint == fingerprint:
        return prepared.validation[:200_000]
    import numpy as np

    return np.array(_tokenizer.encode(words(prepared, "validation", 600_000)))
