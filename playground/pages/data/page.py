"""Data: choose a text, see what it is made of, and how it is cut into tokens."""

import secrets
from pathlib import Path

import streamlit as st

from playground.pages.data import own_text, text_views
from playground.pages.data.text_choice import HUB, choose_text
from playground.text import prepare_job
from playground.text.catalogue import CORPORA
from playground.text.prepare import Prepared, find, load
from playground.text.spec import DataSpec, TokenizerSpec
from playground.ui import controls, links, package_offer, tokens_per_parameter, url_state
from playground.ui.frame import into_sight, page_title
from playground.ui.language import t
from playground.ui.messages import empty, fragment, show, shown_errors
from playground.ui.places import place_tabs
from playground.ui.select import select
from playground.ui.stage import Stage, stage

VIEWS = {
    "sample": "Sample",
    "numbers": "Statistics",
    "vocabulary": "Vocabulary",
    "compare": "Compare tokenizers",
}


def page() -> None:
    """The text, seen as the model sees it; which text and how it is cut in the drawer."""
    page_title(
        t("Look at the text"),
        t("Choose the training text, and see it as the model does: as tokens."),
    )
    place = stage()
    with place.tabs:
        place_tabs("data")
    spec = choose_text(place)
    with shown_errors():
        if own_text.is_open():
            writing(spec, place)
        else:
            own_text.close()
            looking(spec, place)


def writing(spec: DataSpec | None, place: Stage) -> None:
    """The box that a text is written in fills the stage; what was kept of it last stands below."""
    with place.picture:
        own_text.editor(st.session_state.get("data.cut") or TokenizerSpec())
    if spec is None:
        return
    with place.rest, shown_errors():
        st.container(key="data-kept").caption(t("As it was last kept:"))
        if prepared := ready(spec):
            text_views.headline(prepared)
            text_views.show_sample(prepared, st.container(), st.container())
            if st.session_state.pop("own.look.asked", False):
                into_sight("data-kept")


def looking(spec: DataSpec | None, place: Stage) -> None:
    """One view of the text fills the stage."""
    prepared = None
    with place.picture, shown_errors():
        if spec is None:
            empty(
                t("No text yet"),
                t("Type the name of a dataset, or choose one of the texts that come with the app.")
                if st.session_state.get("data.corpus") == HUB
                else t("Choose one of the texts that come with the app, or bring a file of your own."),
            )
            return
        if spec.corpus in CORPORA and package_offer.to_install(CORPORA[spec.corpus]):
            package_offer.offer(CORPORA[spec.corpus])
            return
        prepared = ready(spec)
    if prepared is not None:
        look(prepared, place)


def ready(spec: DataSpec) -> Prepared | None:
    """The text, prepared; else its preparation is started and shown."""
    state = st.session_state
    job = state.get("data.job")
    if job is not None and job.spec != spec:
        prepare_job.leave(job, _me())
        job = state["data.job"] = None
    if folder := _found(spec):
        return opened(str(folder))
    if job is None:
        job = state["data.job"] = prepare_job.start(spec, _me())
    waiting(job)
    return None


def _found(spec: DataSpec) -> Path | str | None:
    """Where the prepared text is; a dataset of the hub is looked up by its preparation alone, which may wait."""
    known, folder = st.session_state.get("data.found", (None, ""))
    if known == spec and (Path(folder) / "info.json").exists():
        return folder
    return None if spec.corpus.startswith("hf:") else find(spec)


@st.cache_resource(max_entries=8, show_spinner=False)
def opened(folder: str) -> Prepared:
    """A prepared text, opened once for everybody."""
    return load(folder)


def _me() -> str:
    """Who waits: this session."""
    return st.session_state.setdefault("data.me", secrets.token_hex(8))


@fragment(run_every=0.3)
def waiting(job: prepare_job.Job) -> None:
    """How far the preparation is; it can be stopped, and begun again."""
    if not job.done:
        st.progress(job.fraction, t(job.stage))
        if st.button(t("Stop"), icon=":material/stop:", key="data.stop"):
            job.stop()
        return
    if job.error:
        show(job.error)
    elif job.stopped:
        st.info(t("Stopped. Nothing was kept."), icon=":material/info:")
    else:
        st.session_state["data.job"] = None
        st.session_state["data.found"] = (job.spec, job.folder)
        st.rerun()
    if st.button(t("Try again"), icon=":material/refresh:", key="data.again"):
        st.session_state["data.job"] = None
        st.rerun()


def look(prepared: Prepared, place: Stage) -> None:
    """One view of it; its size and all else below."""
    with place.command:
        with controls.control("data", "view", "content"):
            view = choose_view()
        if st.button(t("Train on this"), type="primary", icon=":material/play_arrow:", key="data.train"):
            links.go("train")
    with shown_errors():
        if view == "numbers":
            text_views.show_numbers(prepared, place)
        elif view == "vocabulary":
            text_views.show_vocabulary(prepared, place)
        elif view == "compare":
            corpus = CORPORA.get(prepared.spec.corpus)
            text_views.show_comparison(prepared, corpus.language if corpus else "", place)
        else:
            with place.picture:
                text_views.show_sample(prepared, place.drawer, place.rest)
            place.say(text_views.sample_sentence(prepared))
    with place.rest:
        text_views.headline(prepared)
        tokens_per_parameter.show_gauge("data.gauge", tokens_per_parameter.of(prepared))


def choose_view() -> str:
    """Which view, kept in the address."""
    wanted = url_state.read("data", "view")
    view = select(
        t("View"),
        list(VIEWS),
        list(VIEWS).index(wanted if wanted in VIEWS else "sample"),
        format_func=lambda name: t(VIEWS[name]),
        key="data.view",
        label_visibility="collapsed",
        width=210,
    )
    url_state.remember("data", view=view)
    return view
