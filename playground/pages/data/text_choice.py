"""Choosing a text on the Data page: a corpus, a file, a dataset; how much of it; how it is cut.

Every control gets its value twice, in the session and as its default: a browser that is still loading a
control when the page runs again would otherwise show the lowest value.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError, UserError
from playground.pages.data import own_text
from playground.text import uploads
from playground.text.catalogue import CORPORA, Corpus, for_reader
from playground.text.files import columns
from playground.text.options import Option
from playground.text.spec import BASE_SIZE, DataSpec, TokenizerSpec
from playground.text.tables import usual_pair
from playground.ui import package_offer, text_address, url_state
from playground.ui.controls import control
from playground.ui.encoding_choice import choose_encoding, key_of
from playground.ui.language import language, t
from playground.ui.messages import plain, show, show_notes
from playground.ui.model_draft import usual_data
from playground.ui.number_format import bytes_of
from playground.ui.package_offer import to_install
from playground.ui.select import keep, select
from playground.ui.stage import Stage
from playground.ui.table_columns import offered, tell_of_more
from playground.ui.text_address import FILE
from playground.ui.titles import KIND_NAMES
from playground.ui.uploaded_file import take

HUB = "hub"
LIMITS = {"all": None, "100 kB": 100_000, "1 MB": 1_000_000, "10 MB": 10_000_000, "100 MB": 100_000_000}
LARGE = 50_000_000  # bytes from which only a part is read at first
SIZES = [260, 300, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536]
KIND_WORDS = {
    "bpe": "Frequent strings become tokens, learned from the text. Used by GPT and Llama.",
    "char": "One token per character. Long sequences, nothing to learn first.",
    "byte": "One token per UTF-8 byte. 256 of them can write every text.",
    "word": "One token per frequent word; all other words are spelled in bytes.",
}
PAIR = "pair"


def choose_text(place: Stage) -> DataSpec | None:
    """The text described by the controls; None while one is missing or wrong, with a sentence that says why.

    Args:
        place: which text is asked for in the line of commands, how it is read and cut in the drawer.
    """
    _begin()
    names = _names()
    keep("data.corpus", names)
    if st.session_state.get("data.corpus") not in names:
        st.session_state["data.corpus"] = names[0]
    with place.command:
        with control("data", "corpus", "content"):
            name = _pick(
                t("Text"),
                names,
                "data.corpus",
                _title,
                on_change=_corpus_changed,
                label_visibility="collapsed",
                width=300,
            )
        if name == FILE:  # opens the drawer, where files are brought
            st.html(
                f'<button type="button" class="data-bring" data-drawer-handle>{escape(t("Bring a file"))}</button>'
                "<style>.data-bring { font: inherit; color: inherit; background: none; cursor: pointer; height: 2.5rem;"
                " padding: 0 .9rem; border: 1px solid rgb(128 128 128 / 40%); border-radius: .5rem; }</style>",
                width="content",
            )
    try:
        with place.drawer:
            spec = _described(name)
    except UserError as error:
        with place.picture:
            show(error)
        return None
    if spec is None and own_text.is_open():
        url_state.remember("data", file=None, column=None, source=None, target=None, limit=None)
    if spec is not None:
        if spec.path:
            own_text.take(spec.path)
        st.session_state["draft.data"] = st.session_state["data.seen"] = spec.to_dict()
        _remember(spec)
    return spec


def _names() -> list[str]:
    return [
        *(name for name, corpus in for_reader(language()).items() if corpus.available or to_install(corpus)),
        FILE,
        HUB,
    ]


def _pick(label: str, options: Sequence[Any], key: str, title: Callable[[Any], str] = str, **more: Any) -> Any:
    """A box to choose from, showing what the session holds."""
    keep(key, options)
    index = list(options).index(st.session_state.setdefault(key, options[0]))
    return select(label, options, index, key=key, format_func=title, **more)


def _title(name: str) -> str:
    if name == FILE:
        return t("A text of yours")
    if name == HUB:
        return t("A Hugging Face dataset")
    corpus = CORPORA[name]
    return package_offer.title(t(corpus.title), corpus)


def _begin() -> None:
    """Takes up the address, or what another page has changed, into the controls."""
    state = st.session_state
    wanted, drafted = url_state.text("data", "corpus"), state.get("draft.data")
    if wanted and wanted != state.get("data.link"):
        state["data.link"] = wanted
        _take(_from_address(wanted))
    elif "data.corpus" not in state or drafted not in (None, state.get("data.seen")):
        changed = drafted not in (None, state.get("data.seen"))
        _take(drafted or usual_data().to_dict())
        if own_text.is_being_written() and not changed:
            _take({"corpus": FILE, "path": own_text.NEW, "tokenizer": state["data.cut"].to_dict()})
    state["data.seen"] = drafted


def _from_address(wanted: str) -> dict[str, Any]:
    """What a link asks for; a sentence where there is no such text."""
    try:
        return text_address.asked("data", wanted)
    except UserError as error:
        show(error)
        return usual_data().to_dict()


def _take(values: dict[str, Any]) -> None:
    """Sets the controls."""
    state = st.session_state
    corpus = values["corpus"]
    state["data.corpus"] = HUB if corpus.startswith("hf:") else corpus
    if corpus.startswith("hf:"):
        state["data.hub"] = corpus.removeprefix("hf:")
    if values.get("path"):
        state["data.file"] = state["data.sized"] = values["path"]
        state[key_of(values["path"])] = values.get("encoding")
    state["data.column"] = PAIR if values.get("source_column") else values.get("text_column")
    state["data.source"], state["data.target"] = values.get("source_column"), values.get("target_column")
    for name, value in (values.get("options") or {}).items():
        state[f"data.option.{corpus}.{name}"] = value
    tokenizer = values.get("tokenizer") or {}
    state["data.kind"] = tokenizer.get("kind", "bpe")
    state["data.size"] = tokenizer.get("vocab_size", 1024)
    limit = values.get("max_bytes")
    state["data.limit.asked"] = limit if limit not in LIMITS.values() else None
    state["data.limit"] = next(name for name, size in _limits().items() if size == limit)


def _corpus_changed() -> None:
    state = st.session_state
    if keep("data.corpus", _names()):
        return
    corpus = CORPORA.get(state["data.corpus"])
    state["data.kind"] = corpus.tokenizer if corpus else "bpe"
    state["data.size"] = 1024
    state["data.limit"] = "all"


def _described(name: str) -> DataSpec | None:
    values: dict[str, Any] = {"corpus": name}
    if name == FILE:
        path = _file()
        if path is None:
            _tokenizer()  # what is being written will be cut, too
            return None
        try:
            with control("data", "encoding"):
                encoding = choose_encoding(path)
            values |= {"path": path, "encoding": encoding, **_columns(path, encoding)}
        except PlaygroundError as error:
            show(error)
            _tokenizer()  # a box that is not drawn would forget its choice
            return None
    elif name == HUB:
        dataset = st.text_input(t("Name, as on huggingface.co"), key="data.hub", placeholder="roneneldan/TinyStories")
        if not dataset.strip():
            st.caption(t("Needs the internet and the package datasets. A configuration follows after a colon."))
            _tokenizer()
            return None
        values["corpus"] = f"hf:{dataset.strip()}"
    else:
        values["options"] = _about(CORPORA[name])
    limit = None
    if not own_text.is_open() and (name not in CORPORA or CORPORA[name].kind != "task"):
        with control("data", "limit"):
            limits = _limits()
            limit = limits[_pick(t("Read"), list(limits), "data.limit", _limit_title)]
    return DataSpec(**values, tokenizer=_tokenizer(), max_bytes=limit)


def _limits() -> dict[str, int | None]:
    """How much can be read, by name: the usual parts, and the one that a link or another page asked for."""
    asked = st.session_state.get("data.limit.asked")
    return LIMITS | ({str(asked): asked} if asked else {})


def _limit_title(name: str) -> str:
    if name == "all":
        return t("All of it")
    return t("The first {size}", size=bytes_of(int(name)) if name.isdecimal() else name)


def _about(corpus: Corpus) -> dict[str, Any]:
    """What the corpus is, and its options."""
    st.caption(t(corpus.summary))
    return {option.name: _option(corpus.name, option) for option in corpus.options}


def _option(corpus: str, option: Option) -> int | str:
    key = f"data.option.{corpus}.{option.name}"
    st.session_state.setdefault(key, option.default)
    if option.choices:
        return _pick(t(option.title), option.choices, key)
    if option.maximum - option.minimum <= 200:
        return st.slider(t(option.title), option.minimum, option.maximum, st.session_state[key], key=key)
    return st.number_input(t(option.title), option.minimum, option.maximum, st.session_state[key], key=key)


def _tokenizer() -> TokenizerSpec:
    with control("data", "tokenizer"):
        st.session_state["data.cut"] = _chosen_tokenizer()
    return st.session_state["data.cut"]


def _chosen_tokenizer() -> TokenizerSpec:
    kind = _pick(t("Tokenizer"), list(KIND_NAMES), "data.kind", lambda name: t(KIND_NAMES[name]))
    st.caption(t(KIND_WORDS[kind]))
    if kind == "byte":
        return TokenizerSpec("byte")
    now = st.session_state.setdefault("data.size", 1024)
    sizes = sorted({*SIZES, now})
    size = st.select_slider(t("Vocabulary (at most)"), sizes, now, key="data.size", format_func=lambda n: f"{n:,}")
    return TokenizerSpec(kind, max(BASE_SIZE, size))


# A text of one's own


def _file() -> str | None:
    """The uploader, and the files that were brought before."""
    state = st.session_state
    own_text.take_up()
    turn = state.setdefault("data.upload.turn", 0)
    brought = st.file_uploader(
        t("Bring a file"),
        key=f"data.upload.{turn}",
        help=t(
            ".txt, .md, PDF and Word (.docx) as one text; .csv, .tsv, .json, .jsonl, .parquet and .conll with one text per row; .zip of texts and documents."
        ),
    )
    if brought is not None:
        take("data.upload", brought, lambda: _keep(brought))
    if error := state.get("data.upload.error"):
        show(error)
    kept = {str(upload.path): upload for upload in uploads.uploads()}
    if not kept:
        st.caption(t("Or write in the box. Nothing leaves this machine: your text is kept in the app's own folder."))
        state["data.file"] = own_text.NEW
        return None
    if st.button(t("Write or paste a text"), icon=":material/edit:", key="data.write", width="stretch"):
        own_text.begin()
    keep("data.file", (*kept, own_text.NEW))
    if state.get("data.file") not in (*kept, own_text.NEW):
        state["data.file"] = next(iter(kept))
    named = lambda path: f"{kept[path].name} · {bytes_of(kept[path].size)}" if path in kept else t("A new text")
    path = _pick(t("Your files"), [*kept, own_text.NEW], "data.file", named)
    if path == own_text.NEW:
        return None
    if path != state.get("data.sized"):
        state["data.sized"] = path
        if kept[path].size > LARGE:
            state["data.limit"] = "10 MB"
    show_notes(state.get("data.upload.notes", {}).get(path, ()))
    return path


def _keep(brought: Any) -> None:
    """Copies the upload to disk, and chooses it."""
    state, upload = st.session_state, uploads.keep(brought, brought.name)
    state["data.file"] = str(upload.path)
    state["data.upload.notes"] = {str(upload.path): upload.notes}
    state["data.limit"] = "all"
    state["data.sized"] = None


def _columns(path: str, encoding: str | None) -> dict[str, str]:
    """Which columns of a table to read. One that the file does not have stays chosen, and is told."""
    names = columns(DataSpec("file", path=path, encoding=encoding))
    state = st.session_state
    if not names:
        state["data.column"] = None
        return {}
    chosen, usual = state.get("data.column"), usual_pair(names)
    tell_of_more(names)
    names = offered(names, [chosen, state.get("data.source"), state.get("data.target"), *usual])
    known = [None, *names, *([PAIR] if len(names) > 1 else [])]
    options = known if chosen in known else [*known, chosen]
    column = _pick(t("Column with the text"), options, "data.column", _column_title, placeholder=_column_title(None))
    if column != PAIR:
        return {} if column is None else {"text_column": column}
    for name, column in zip(("data.source", "data.target"), usual, strict=True):
        if state.get(name) not in names:
            state[name] = column
    with st.container(horizontal=True):
        source = _pick(t("From"), names, "data.source")
        target = _pick(t("To"), names, "data.target")
    return {"source_column": source, "target_column": target}


def _column_title(column: str | None) -> str:
    return t("Find it") if column is None else t("Two columns: question and answer") if column == PAIR else column


def _remember(spec: DataSpec) -> None:
    """The choices into the address."""
    url_state.remember("data", **text_address.said(spec))
    st.session_state["data.link"] = spec.corpus


__all__ = ["KIND_NAMES", "choose_text", "plain"]
