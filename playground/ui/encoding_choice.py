"""In which encoding a file is read: what was found, with the first lines as they are read, and other ones to choose."""

import codecs
from pathlib import Path

import streamlit as st

from playground.core.errors import PlaygroundError
from playground.text import archive_encodings, uploads
from playground.text.documents import DOCUMENT_SUFFIXES
from playground.text.encodings import COMMON, first_lines, guesses, telling_lines
from playground.text.tables import PARQUET
from playground.ui.language import t
from playground.ui.select import keep, select

SHOWN = 3  # lines
WIDTH = 60  # characters of each
FOUND = "found"


def key_of(path: str) -> str:
    """Where the session keeps the choice for a file; ``FOUND`` there is what is found."""
    return f"encoding.{path}"


def choose_encoding(path: str, key: str = "") -> str | None:
    """A box with the encoding that was found, the other likely ones, and the common ones by language; below, the lines.

    Args:
        path: of the file.
        key: tells two boxes for one file apart.

    Returns:
        The codec that was chosen; None for the one that is found.

    Raises:
        PlaygroundError: when its beginning is not in the encoding that was chosen, or in none that is known.
    """
    if Path(path).suffix.lower() in (*DOCUMENT_SUFFIXES, *PARQUET) or uploads.is_written(path) or _is_known(path):
        return None
    has_older_encodings = archive_encodings.has_older_encodings(path)
    try:
        likely, problem = (
            archive_encodings.most_frequent_guesses(path) if has_older_encodings else guesses(Path(path)),
            None,
        )
    except PlaygroundError as error:
        likely, problem = [], error
    state, key = st.session_state, f"{key}{key_of(path)}"
    if state.get(key) and not _is_codec(state[key]):
        keep(key, (FOUND, *likely[1:], *COMMON))
    chosen = state[key] = state.get(key) or FOUND
    options = list(dict.fromkeys([FOUND, *likely[1:], *COMMON, chosen]))
    guessed = likely if has_older_encodings else likely[:1]
    found = t("Found: {encoding}", encoding=", ".join(map(title, guessed))) if guessed else t("None was found")
    name = lambda option: found if option == FOUND else title(option)
    taken = select(t("Encoding"), options, options.index(chosen), key=key, format_func=name)
    if problem and taken == FOUND:
        raise problem
    encoding = None if taken == FOUND else taken
    if has_older_encodings:
        st.caption(
            t("For the files in it that are not Unicode: {n:,}.", n=len(archive_encodings.guessed_encodings(path)))
        )
        show_lines(telling_lines([archive_encodings.first_characters(path, encoding)], SHOWN, WIDTH))
    else:
        show_lines(first_lines(Path(path), encoding or likely[0], SHOWN, WIDTH))
    return encoding


def _is_known(path: str) -> bool:
    """Whether the app wrote the file itself: the texts of an archive in which all are Unicode."""
    return uploads.is_unpacked(path) and not archive_encodings.has_older_encodings(path)


def show_lines(shown: list[str]) -> None:
    """The beginning of the file, in which a person sees at once whether its letters are right."""
    st.code("\n".join(shown), language=None, wrap_lines=True)
    st.caption(t("Are the letters right? If not, choose another encoding."))


def title(encoding: str) -> str:
    """The encoding by the language it is for, if it is a common one."""
    usual = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
    said = COMMON.get(usual.get(encoding, encoding))
    return t(said) if said else encoding.upper().replace("ISO8859", "ISO 8859")


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
