"""The text that a model is taught from: built in or brought, chosen in the command line, drawn as it will be read."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import UserError
from playground.labelled.builtin_datasets import DATASETS
from playground.pages.finetune import data_picture
from playground.pages.finetune.own_files import choose_brought, dropped
from playground.runs.finetuning import LABELLED_TASKS, LabelledSpec
from playground.runs.folder import RunFolder
from playground.text import conll, uploads
from playground.text.catalogue import CORPORA, for_reader
from playground.text.documents import DOCUMENT_SUFFIXES
from playground.text.files import columns
from playground.text.spec import QUESTION, DataSpec, TokenizerSpec
from playground.text.tables import TABLE_SUFFIXES as TABLES
from playground.text.tables import usual_pair, usual_text
from playground.text.zip_archives import TEXT_SUFFIXES
from playground.ui import package_offer, url_state
from playground.ui.encoding_choice import FOUND, choose_encoding, key_of
from playground.ui.language import joined, language, t, translated
from playground.ui.messages import show_notes
from playground.ui.number_format import share as share_of
from playground.ui.package_offer import to_install
from playground.ui.select import select
from playground.ui.stage import Stage
from playground.ui.table_columns import offered, tell_of_more

SAMPLED, LONGEST_SAMPLE = 20_000, 1 << 27  # rows, and characters of them, looked at to show the labels
SHOWN = 300  # characters of a text or a label
ROWS = 20
FILE = "file"
USUAL = {"en": ("bible-unread", "bible-punctuation"), "zh": ("three-kingdoms-speakers", "three-kingdoms-punctuation")}
"""The labelled text to begin with, by language: of books that the model to start from knows (`form.USUAL_PARENT`)."""
TABLE = "finetune.table"
"""The key of the boxes for a table with labels."""


def take_up_dropped(there: Sequence[str]) -> None:
    """A file that was brought a moment ago is the text; one with a word and its tag on each line is read as such.

    Args:
        there: the tasks that the model can be taught.
    """
    state = st.session_state
    if not (path := dropped()):
        return
    task = state.get("finetune.task") or there[0]
    if task == "classify" and "tag" in there and Path(path).suffix.lower() in conll.SUFFIXES:
        task = state["finetune.task"] = "tag"
    state[TABLE + ".file" if task in LABELLED_TASKS else f"finetune.{task}.file"] = path
    state[f"finetune.{'data' if task in LABELLED_TASKS else 'text'}.{task}"] = FILE


def choose_text(place: Stage, task: str, parent: RunFolder) -> tuple[LabelledSpec | None, DataSpec | None]:
    """The text, with labels or without, by the task; what is wrong with a file is told in the place of its rows."""
    try:
        if task in LABELLED_TASKS:
            return choose_labelled(place, task), None
        return None, choose_unlabelled(place, task, parent)
    except UserError as error:
        data_picture.wrong(place, error, drop_of(task))
        return None, None


def drop_of(task: str) -> data_picture.Drop:
    """Where a file for the task is dropped, and what it may be."""
    if task in LABELLED_TASKS:
        return data_picture.Drop(TABLE, (*TABLES, ".txt"))
    kinds = TABLES if task == "answer" else (*TEXT_SUFFIXES, *TABLES, *DOCUMENT_SUFFIXES)
    return data_picture.Drop(f"finetune.{task}", kinds)


# Labelled text


def choose_labelled(place: Stage, task: str) -> LabelledSpec | None:
    """Built-in labelled text, or a table of the person's own with its two columns.

    Raises:
        UserError: what is wrong with the person's table.
    """
    order = list(for_reader(language()))
    fitting = sorted(
        (n for n, each in DATASETS.items() if each.task == task), key=lambda n: order.index(DATASETS[n].corpus)
    )
    corpora = {name: CORPORA[DATASETS[name].corpus] for name in fitting}
    known = [name for name, corpus in corpora.items() if corpus.available or to_install(corpus)]
    wanted = url_state.text("finetune", "data")
    options = [*known, FILE]
    key = f"finetune.data.{task}"
    if key not in st.session_state:
        there = [name for name in known if corpora[name].available] or known
        usual = next((name for name in USUAL.get(language(), ()) if name in there), there[0])
        st.session_state[key] = wanted if wanted in options else usual
    title = lambda name: (
        t("Your own table") if name == FILE else package_offer.title(t(DATASETS[name].title), corpora[name])
    )
    name = select(t("Labelled text"), options, format_func=title, key=key, label_visibility="collapsed")
    url_state.remember("finetune", data=name)
    if name != FILE:
        url_state.remember("finetune", file=None, encoding=None)
        spec, about = LabelledSpec(name), DATASETS[name]
        with place.drawer:
            st.caption(
                joined(
                    t(about.summary), translated(about.provenance), t("Licence: {licence}.", licence=t(about.licence))
                )
            )
        if to_install(corpora[name]):
            with place.picture:
                package_offer.offer(corpora[name])
            return None
    else:
        spec = table_spec(place, task)
    if spec is not None:
        show_labelled(place, spec, task)
    return spec


def table_spec(place: Stage, task: str) -> LabelledSpec | None:
    """The uploaded table and the columns that were found in it.

    Raises:
        PlaygroundError: when it is no table.
    """
    from playground.labelled.table import guess_columns, open_table

    take_up_file(TABLE)
    path = choose_brought(TABLE, TABLES, (".txt",))
    if path is None:
        data_picture.drop_alone(place, drop_of(task))
        place.say(
            t("Upload a table with a column of texts and a column of labels: .csv, .tsv, .jsonl or .parquet.")
            if task == "classify"
            else t(
                "Upload a file with one word and its tag per line (.conll, .iob, .bio or .txt), or a table with a column of words and a column of tags (.csv, .tsv, .jsonl or .parquet)."
            )
        )
        return None
    with place.drawer:
        encoding = remember_file(path, choose_encoding(path, "finetune."))
        names, _ = open_table(path, encoding)
        found = guess_columns(path, encoding)
        tell_of_more(names)
        chosen = choose_columns(path, offered(names, found), found)
    if None in chosen:
        data_picture.drop_alone(place, drop_of(task))
        place.say(t("Choose the two columns."))
        return None
    return LabelledSpec("file", path=path, text_column=chosen[0], label_column=chosen[1], encoding=encoding)


def choose_columns(path: str, names: Sequence[str], found: tuple[str | None, str | None]) -> list[str | None]:
    """The columns of text and label, at first those that were found."""
    return [
        st.selectbox(title, names, index=names.index(one) if one in names else None, key=f"finetune.{kind}.{path}")
        for kind, title, one in (
            ("text", t("Column with the text"), found[0]),
            ("label", t("Column with the label"), found[1]),
        )
    ]


def take_up_file(key: str) -> None:
    """The file and the encoding that the address asks for, into their boxes, if that file is here."""
    state, wanted = st.session_state, (url_state.text("finetune", "file"), url_state.text("finetune", "encoding"))
    kept = {upload.path.parent.name: str(upload.path) for upload in uploads.uploads()}
    if wanted[0] in kept and wanted != state.get("finetune.file.link"):
        state[f"{key}.file"] = path = kept[wanted[0]]
        state[f"finetune.{key_of(path)}"] = wanted[1] or FOUND


def remember_file(path: str, encoding: str | None) -> str | None:
    """A file, named by its content, and its encoding into the address; returns the encoding."""
    st.session_state["finetune.file.link"] = Path(path).parent.name, encoding or ""
    url_state.remember("finetune", file=Path(path).parent.name, encoding=encoding)
    return encoding


def show_labelled(place: Stage, spec: LabelledSpec, task: str) -> None:
    """What the text says of itself: how often each label is there, some rows, and a sentence on both.

    Raises:
        UserError: what is wrong with the person's table.
    """
    with st.spinner(t("Reading the labels")):
        rows, counts, of, notes = sample_rows(spec.to_dict(), task, changed(spec))
    with place.rest:
        show_notes(notes)
    if not rows:
        data_picture.drop_alone(place, drop_of(task))
        place.say(t("No row has both a text and a label: look at the two columns."))
        return
    heads = t("Text"), t("Label") if task == "classify" else t("Labels")
    data_picture.labelled(place, counts, rows, heads, drop_of(task))
    place.say(told_of(task, counts, of))


def told_of(task: str, counts: Counter, of: int) -> str:
    """What a text says of itself, in a sentence.

    Args:
        counts: how often each label is there.
        of: the rows that were read, 0 for all of them.
    """
    n, most = sum(counts.values()), counts.most_common(1)[0]
    values = {"n": n, "labels": len(counts), "most": most[0], "share": share_of(most[1] / n), "rows": of}
    if task != "classify":
        said = t("{n:,} labelled words, {labels:,} labels: looks like tagging, one label per word.", **values)
    elif len(counts) > max(20, n / 2):
        return t("{n:,} rows, {labels:,} labels: nearly every row has its own. Is it the right column?", **values)
    else:
        said = t("{n:,} rows, {labels:,} labels: looks like classification, one label per text.", **values)
    said = joined(said, t("Most frequent: “{most}” ({share}).", **values))
    return joined(said, t("Counted in the first {rows:,} rows.", **values) if of else "")


def changed(spec: LabelledSpec) -> float:
    """When the person's table was written, so that another one is read anew."""
    return Path(spec.path).stat().st_mtime if spec.path else 0.0


@st.cache_data(max_entries=64, show_spinner=False)
def sample_rows(values: dict, task: str, when: float) -> tuple[list[tuple[str, str]], Counter, int, list[str]]:
    """Some rows, and the counts of labels, from the first `SAMPLED` rows at most; how many rows these are (0 for all), and
    what is unusual so far.
    """
    from playground.labelled.table import read_table

    spec = LabelledSpec.from_dict(values)
    read, notes = read_table(spec, task) if spec.dataset == "file" else (DATASETS[spec.dataset].rows, list)
    usable: list[tuple[str, str]] = []
    counts: Counter[str] = Counter()
    left, of = LONGEST_SAMPLE, 0
    for number, row in enumerate(read()):
        if number == SAMPLED or left < 0:
            of = number
            break
        labels = [row.label] if task == "classify" else list(row.tags)
        left -= len(row.text) + sum(map(len, labels))
        if row.text.strip() and any(labels):
            counts.update(label[:SHOWN] for label in labels if label)
            shown = labels[0] if task == "classify" else " · ".join(tag or "–" for tag in labels[:SHOWN])
            usable.append((row.text[:SHOWN], shown[:SHOWN]))
    return usable[:: max(1, len(usable) // ROWS)][:ROWS], counts, of, notes()


# Text without labels


def choose_unlabelled(place: Stage, task: str, parent: RunFolder) -> DataSpec | None:
    """Another text, or pairs, to go on with; cut in the parent's tokens.

    Raises:
        UserError: what is wrong with the person's file.
    """
    pairs = task == "answer"
    there = {name: corpus for name, corpus in for_reader(language()).items() if corpus.available or to_install(corpus)}
    fitting = [name for name, corpus in there.items() if (corpus.kind != "text") == pairs]
    own = parent.config().data.corpus
    key, options = f"finetune.text.{task}", [*fitting, FILE]
    if st.session_state.get(key) not in options:
        wanted = url_state.text("finetune", "data")
        st.session_state[key] = wanted if wanted in options else next((n for n in fitting if n != own), FILE)
    title = lambda name: (
        t("A file of yours") if name == FILE else package_offer.title(t(CORPORA[name].title), CORPORA[name])
    )
    name = select(t("Pairs") if pairs else t("Text"), options, format_func=title, key=key, label_visibility="collapsed")
    url_state.remember("finetune", data=name)
    values: dict[str, Any] | None = {"corpus": name}
    if name == FILE:
        values = file_values(place, task)
        if values is None:
            return None
    else:
        url_state.remember("finetune", file=None, encoding=None)
        corpus = CORPORA[name]
        with place.drawer:
            licence = t("Licence: {licence}.", licence=t(corpus.licence))
            st.caption(joined(t(corpus.summary), translated(corpus.provenance), licence))
        if to_install(corpus):
            with place.picture:
                package_offer.offer(corpus)
            return None
    with place.drawer:
        if pairs:
            values["template"] = st.text_input(
                t("Prompt template"),
                QUESTION,
                key="finetune.template",
                help=t("{question} stands for the question: “Q: {question} A:”."),
            )
        st.caption(t("It is tokenized with the tokenizer of the model it starts from."))
    tokenizer = TokenizerSpec(CORPORA[name].tokenizer) if name in CORPORA else TokenizerSpec()
    spec = DataSpec(**values, tokenizer=tokenizer)
    show_unlabelled(place, spec, task)
    return spec


def file_values(place: Stage, task: str) -> dict[str, Any] | None:
    """The person's file, its encoding and its columns; None while there is no file.

    Raises:
        PlaygroundError: when it cannot be read.
    """
    key, pairs = f"finetune.{task}", task == "answer"
    take_up_file(key)
    path = choose_brought(key, drop_of(task).kinds)
    if path is None:
        data_picture.drop_alone(place, drop_of(task))
        place.say(
            t("Upload a table with a column of questions and a column of answers.")
            if pairs
            else t("Upload a file with text.")
        )
        return None
    values: dict[str, Any] = {"corpus": FILE, "path": path}
    with place.drawer:
        values["encoding"] = remember_file(path, choose_encoding(path, "finetune."))
        names = columns(DataSpec("file", path=path, encoding=values["encoding"]))
        tell_of_more(names)
        names = offered(names, [*usual_pair(names), usual_text(names)] if names else ())
        if pairs:
            question, answer = map(names.index, usual_pair(names))
            values["source_column"] = st.selectbox(t("Question"), names, index=question, key=f"finetune.q.{path}")
            values["target_column"] = st.selectbox(t("Answer"), names, index=answer, key=f"finetune.a.{path}")
        elif names:
            index = names.index(usual_text(names))
            values["text_column"] = st.selectbox(
                t("Column with the text"), names, index=index, key=f"finetune.c.{path}"
            )
    return values


def show_unlabelled(place: Stage, spec: DataSpec, task: str) -> None:
    """The first texts, or questions and answers, as they will be read.

    Raises:
        UserError: what is wrong with the person's file.
    """
    path = Path(spec.path) if spec.path else None
    with st.spinner(t("Reading the text")):
        rows = first_texts(spec.to_dict(), path.stat().st_mtime if path else 0.0)
    heads = (t("Question"), t("Answer")) if task == "answer" else (t("Text"),)
    data_picture.unlabelled(place, rows, heads, drop_of(task))
    place.say(
        t("The model learns to answer each question; the loss is computed on the answer alone.")
        if task == "answer"
        else t("The model goes on with its own objective, on this text.")
    )


@st.cache_data(max_entries=64, show_spinner=False)
def first_texts(values: dict, when: float) -> list[tuple[str, ...]]:
    """The beginning of a text: its first documents, or pairs."""
    from playground.text.corpora import open_source

    found = islice(open_source(DataSpec.from_dict(values)).documents(), ROWS)
    return [tuple(part[:SHOWN] for part in ((one,) if isinstance(one, str) else one)) for one in found if any(one)]
