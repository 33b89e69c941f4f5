"""The form of the Fine-tune page: from whom, to what, how; the result are the runs to train, the main one first."""

from collections import Counter
from pathlib import Path
from typing import Any

import streamlit as st

from playground.core.errors import PlaygroundError, UserError
from playground.finetune.plan import LR, STEPS, baseline_run, plan, with_train_fraction
from playground.labelled.builtin_datasets import DATASETS
from playground.pages.finetune.own_files import choose_file, import_model
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import LABELLED_TASKS, TARGET_MODULES, FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.text import uploads
from playground.text.catalogue import CORPORA
from playground.text.documents import DOCUMENT_SUFFIXES
from playground.text.files import columns
from playground.text.spec import QUESTION, DataSpec, TokenizerSpec
from playground.text.tables import TABLE_SUFFIXES as TABLES
from playground.text.tables import usual_pair, usual_text
from playground.text.zip_archives import TEXT_SUFFIXES
from playground.ui import url_state
from playground.ui.controls import control
from playground.ui.encoding_choice import FOUND, choose_encoding, key_of
from playground.ui.language import t, translated
from playground.ui.messages import no_model_yet, plain, show, show_notes
from playground.ui.number_format import share as share_of
from playground.ui.number_inputs import BATCHES, RATES, pick
from playground.ui.run_picker import check, describe, known_runs, speaks, told_of_damage
from playground.ui.select import keep, select
from playground.ui.table_columns import offered, tell_of_more

TASK_TITLES = {
    "classify": "Label a text",
    "tag": "Label each word",
    "answer": "Answer a text",
    "language": "Continue with other text",
}
TASK_WORDS = {
    "classify": "One label per text: a topic, an author, a sentiment.",
    "tag": "One label per word: its part of speech, or the punctuation mark that follows it.",
    "answer": "A text for a text: question and answer. The loss is computed on the answer alone.",
    "language": "The same objective as in pre-training, on other text.",
}
METHOD_TITLES = {"all": "Every weight", "lora": "LoRA", "last": "The last layers", "head": "The head alone"}
METHOD_WORDS = {
    "all": "All weights are trained. The most accurate, and the most forgetting.",
    "lora": "Low-rank adapters beside chosen matrices are trained; the model's own weights are frozen.",
    "last": "The lower layers are frozen; the last layers and the head are trained.",
    "head": "The model is frozen; only the head is trained. A test of what the model already knows (probing).",
}
BUDGETS = [20, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000]
SHARES = (0.1, 0.3)
SAMPLED, LONGEST_SAMPLE = 20_000, 1 << 27  # rows, and characters of them, looked at to show the labels
SHOWN = 300  # characters of a text or a label
FILE = "file"


def form() -> tuple[list[RunConfig], Any]:
    """Asks for everything.

    Returns:
        The runs to train, none while something is missing; and the place where the button to start belongs.
    """
    left, right = st.columns([3, 2], gap="large")
    with left:
        with control("finetune", "parent"):
            parent = choose_parent()
        if parent is None:
            no_model_yet()
            return [], right.container()
        with control("finetune", "task"):
            task = choose_task(parent)
        with control("finetune", "text"):
            st.subheader(t("Training text"), anchor=False)
            labelled, data = (
                (choose_labelled(task), None) if task in LABELLED_TASKS else (None, choose_data(task, parent))
            )
        if labelled is None and data is None:
            return [], right.container()
        tuned = choose_method(parent.config(), task, labelled)
    with right:
        return choose_budget(parent, tuned, data, labelled)


def choose_parent() -> RunFolder | None:
    """The run to start from, bound to ``?parent=``."""
    runs = {run.id: run for run in known_runs(gallery_first=True) if usable(run)}
    if not runs:
        import_model()
        return None
    wanted = url_state.text("finetune", "parent")
    if wanted not in runs:
        told_of_damage(wanted)
    if wanted in runs and st.session_state.get("finetune.parent.link") != wanted:
        st.session_state["finetune.parent"] = wanted
    keep("finetune.parent", runs)
    if st.session_state.get("finetune.parent") not in runs:
        st.session_state["finetune.parent"] = "bible-encoder" if "bible-encoder" in runs else next(iter(runs))
    chosen = select(t("Start from"), list(runs), format_func=lambda id: describe(runs[id]), key="finetune.parent")
    url_state.remember("finetune", parent=chosen)
    st.session_state["finetune.parent.link"] = chosen
    import_model()
    check(runs[chosen])
    show_notes(runs[chosen].about().get("notes", []))  # where it differs from the model that was brought
    return runs[chosen]


def usable(run: RunFolder) -> bool:
    try:
        return speaks(run)
    except UserError:
        return False


def tasks_of(config: RunConfig) -> list[str]:
    """The tasks that a model can be taught."""
    if config.model.architecture == "encoder-decoder":
        return ["answer"]
    writes = "clm" in config.model.objectives()
    return ["classify", "tag", *(["answer"] if writes else []), "language"]


def choose_task(parent: RunFolder) -> str:
    there = tasks_of(parent.config())
    wanted = url_state.text("finetune", "task")
    if st.session_state.get("finetune.task") not in there:
        st.session_state["finetune.task"] = wanted if wanted in there else there[0]
    task = st.segmented_control(
        t("Task"), there, format_func=lambda name: t(TASK_TITLES[name]), key="finetune.task", required=True
    )
    url_state.remember("finetune", task=task)
    st.caption(t(TASK_WORDS[task]))
    return task


# Labelled text


def choose_labelled(task: str) -> LabelledSpec | None:
    """Built-in labelled text, or a table of the person's own with its two columns."""
    known = [name for name, each in DATASETS.items() if each.task == task and each.available]
    wanted = url_state.text("finetune", "data")
    options = [*known, FILE]
    key = f"finetune.data.{task}"
    if key not in st.session_state:
        usual = "bible-unread" if "bible-unread" in known else known[0]
        st.session_state[key] = wanted if wanted in options else usual
    title = lambda name: t("Your own table") if name == FILE else t(DATASETS[name].title)
    name = select(t("Labelled text"), options, format_func=title, key=key)
    url_state.remember("finetune", data=name)
    if name != FILE:
        url_state.remember("finetune", file=None, encoding=None)
        st.caption(
            f"{t(DATASETS[name].summary)} {translated(DATASETS[name].provenance)} {t('Licence: {licence}.', licence=DATASETS[name].licence)}"
        )
        spec = LabelledSpec(name)
    else:
        spec = table_spec(task)
    if spec is not None:
        try:
            show_labelled(spec, task)
        except UserError as error:
            show(error)
            return None
    return spec


def table_spec(task: str) -> LabelledSpec | None:
    """The uploaded table and the columns that were found in it."""
    from playground.labelled.table import guess_columns, open_table

    take_up_file("finetune.table")
    path = choose_file("finetune.table", TABLES, also=(".txt",))
    if path is None:
        st.info(
            t("Upload a table with a column of texts and a column of labels: .csv, .tsv, .jsonl or .parquet.")
            if task == "classify"
            else t(
                "Upload a file with one word and its tag per line (.conll, .iob, .bio or .txt), or a table with a column of words and a column of tags (.csv, .tsv, .jsonl or .parquet)."
            )
        )
        return None
    try:
        encoding = remember_file(path, choose_encoding(path, "finetune."))
        names, _ = open_table(path, encoding)
        text, label = guess_columns(path, encoding)
        tell_of_more(names)
        names = offered(names, (text, label))
    except PlaygroundError as error:
        show(error)
        return None
    with st.container(horizontal=True):
        chosen = [
            st.selectbox(
                title,
                names,
                index=names.index(found) if found in names else None,
                key=f"finetune.{kind}.{path}",
            )
            for kind, title, found in (
                ("text", t("Column with the text"), text),
                ("label", t("Column with the label"), label),
            )
        ]
    if None in chosen:
        st.info(t("Choose the two columns."))
        return None
    return LabelledSpec("file", path=path, text_column=chosen[0], label_column=chosen[1], encoding=encoding)


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


def show_labelled(spec: LabelledSpec, task: str) -> None:
    """The first rows and how often each label is among them."""
    import pandas as pd

    with st.spinner(t("Reading the labels")):
        rows, counts, of, notes = sample_rows(spec.to_dict(), task, changed(spec))
    show_notes(notes)
    if not rows:
        st.warning(t("No row has both a text and a label: look at the two columns."))
        return
    n = sum(counts.values())
    said = (
        t("{n:,} labels in the first {rows:,} rows", n=len(counts), rows=of)
        if of
        else t("{n:,} labels" if len(counts) != 1 else "1 label", n=len(counts))
    )
    shown = ", ".join(f"{plain(label)} {share_of(count / n)}" for label, count in counts.most_common(8))
    st.markdown(f"**{said}**: {shown}" + (" …" if len(counts) > 8 else ""))
    frame = pd.DataFrame(rows, columns=[t("Text"), t("Label") if task == "classify" else t("Labels")])
    st.dataframe(frame, hide_index=True, height=178 if len(rows) > 4 else "auto", key=f"finetune.rows.{task}")


def changed(spec: LabelledSpec) -> float:
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
    return usable[:: max(1, len(usable) // 20)][:20], counts, of, notes()


# Text without labels


def choose_data(task: str, parent: RunFolder) -> DataSpec | None:
    """Another text, or pairs, to go on with; cut in the parent's tokens."""
    pairs = task == "answer"
    fitting = [n for n, c in CORPORA.items() if c.available and ((c.kind != "text") if pairs else (c.kind == "text"))]
    own = parent.config().data.corpus
    key, options = f"finetune.text.{task}", [*fitting, FILE]
    if st.session_state.get(key) not in options:
        wanted = url_state.text("finetune", "data")
        st.session_state[key] = wanted if wanted in options else next((n for n in fitting if n != own), FILE)
    title = lambda name: t("A file of yours") if name == FILE else t(CORPORA[name].title)
    name = select(t("Pairs") if pairs else t("Text"), options, format_func=title, key=key)
    url_state.remember("finetune", data=name)
    values: dict[str, Any] = {"corpus": name}
    if name == FILE:
        take_up_file(f"finetune.{task}")
        path = choose_file(f"finetune.{task}", TABLES if pairs else (*TEXT_SUFFIXES, *TABLES, *DOCUMENT_SUFFIXES))
        if path is None:
            st.info(
                t("Upload a table with a column of questions and a column of answers.")
                if pairs
                else t("Upload a file with text.")
            )
            return None
        values["path"] = path
        try:
            values["encoding"] = remember_file(path, choose_encoding(path, "finetune."))
            names = columns(DataSpec("file", path=path, encoding=values["encoding"]))
            tell_of_more(names)
            names = offered(names, [*usual_pair(names), usual_text(names)] if names else ())
        except PlaygroundError as error:
            show(error)
            return None
        if pairs:
            question, answer = map(names.index, usual_pair(names))
            with st.container(horizontal=True):
                values["source_column"] = st.selectbox(t("Question"), names, index=question, key=f"finetune.q.{path}")
                values["target_column"] = st.selectbox(t("Answer"), names, index=answer, key=f"finetune.a.{path}")
        elif names:
            values["text_column"] = st.selectbox(
                t("Column with the text"), names, index=names.index(usual_text(names)), key=f"finetune.c.{path}"
            )
    else:
        url_state.remember("finetune", file=None, encoding=None)
        corpus = CORPORA[name]
        st.caption(
            f"{t(corpus.summary)} {translated(corpus.provenance)} {t('Licence: {licence}.', licence=corpus.licence)}"
        )
    if pairs:
        values["template"] = st.text_input(
            t("Prompt template"),
            QUESTION,
            key="finetune.template",
            help=t("{question} stands for the question: “Q: {question} A:”."),
        )
    st.caption(t("It is tokenized with the tokenizer of the model it starts from."))
    tokenizer = TokenizerSpec(CORPORA[name].tokenizer) if name in CORPORA else TokenizerSpec()
    return DataSpec(**values, tokenizer=tokenizer)


# How


def choose_method(config: RunConfig, task: str, labelled: LabelledSpec | None) -> FineTuneSpec:
    """Which weights may change, and how."""
    with control("finetune", "method"):
        values = ask_method(config)
    values |= {"task": task, "labelled": labelled}
    with control("finetune", "more"), st.expander(t("More settings")):
        values |= more_settings(values["method"], task, labelled)
    return FineTuneSpec(**values)


def ask_method(config: RunConfig) -> dict[str, Any]:
    methods = [m for m in METHOD_TITLES if not (m == "lora" and config.model.is_recurrent)]
    key = "finetune.method"
    st.subheader(t("Method"), anchor=False)
    if st.session_state.get(key) not in methods:
        st.session_state[key] = method if (method := url_state.read("finetune", "method")) in methods else "all"
    method = st.segmented_control(
        t("Method"), methods, format_func=lambda name: t(METHOD_TITLES[name]), key=key, required=True
    )
    url_state.remember("finetune", method=method)
    st.caption(t(METHOD_WORDS[method]))
    values: dict[str, Any] = {"method": method}
    if method == "lora":
        with st.container(horizontal=True):
            values["rank"] = st.select_slider(t("Rank"), [1, 2, 4, 8, 16, 32, 64], 8, key="finetune.rank")
            values["alpha"] = float(
                st.select_slider(t("Scaling (alpha)"), [1, 2, 4, 8, 16, 32, 64], 16, key="finetune.alpha")
            )
        values["target_modules"] = tuple(
            st.pills(
                t("Target matrices"),
                TARGET_MODULES,
                selection_mode="multi",
                default=TARGET_MODULES,
                key="finetune.matrices",
                format_func=lambda name: t(name),
            )
        )
    elif method == "last":
        layers = config.model.n_layers
        values["last_layers"] = st.slider(t("How many layers"), 1, max(2, layers), 1, key="finetune.last")
    return values


def more_settings(method: str, task: str, labelled: LabelledSpec | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if method in ("all", "last"):
        values["layer_decay"] = st.slider(
            t("Layer-wise learning-rate decay"),
            0.3,
            1.0,
            1.0,
            0.05,
            key="finetune.decay",
            help=t("The learning rate of each layer is that of the layer above times this factor."),
        )
    if labelled is not None:
        balanced = st.toggle(
            t("Mean F1 over the labels: rare ones count as much as frequent ones"), key="finetune.balanced"
        )
        values["class_weights"] = "balanced" if balanced else "none"
    if task == "classify":
        names = {
            "auto": "Default of the model",
            "mean": "The mean of all tokens",
            "first": "The first token",
            "last": "The last token",
        }
        values["pooling"] = select(
            t("Pooling: the label is read from"),
            list(names),
            format_func=lambda n: t(names[n]),
            key="finetune.pooling",
        )
    return values


def choose_budget(
    parent: RunFolder, tuned: FineTuneSpec, data: DataSpec | None, labelled: LabelledSpec | None
) -> tuple[list[RunConfig], Any]:
    """The budget, what to train beside it, what it will cost."""
    with control("finetune", "steps"):
        steps = pick(t("Steps"), BUDGETS, STEPS[tuned.task], f"finetune.steps.{tuned.task}", "{:,}")
    with st.container(horizontal=True):
        with control("finetune", "lr"):
            lr = pick(t("Learning rate"), RATES, LR[tuned.method], f"finetune.lr.{tuned.method}", "{:.3g}")
        with control("finetune", "batch"):
            batch = pick(t("Batch size (sequences per step)"), BATCHES, 32, "finetune.batch", "{:,}")
    with control("finetune", "seed"):
        seed = st.number_input(t("Seed"), 0, 2**31 - 1, 0, key="finetune.seed")
    main = plan(parent, tuned, data, steps=steps, lr=lr, batch_size=batch, seed=int(seed))
    trained_size(main, labelled)
    plans, config = [main], parent.config()
    if labelled is not None:
        names = {"scratch": t("from scratch"), **{m: t(METHOD_TITLES[m]) for m in ("all", "lora", "head")}}
        usual = [n for n in names if n != tuned.method and not (n == "lora" and config.model.is_recurrent)]
        with control("finetune", "beside"):
            beside = st.pills(
                t("Baselines, with the same budget"),
                usual,
                selection_mode="multi",
                default=["scratch"],
                format_func=lambda name: names[name],
                key=f"finetune.beside.{tuned.method}",
                help=t("“From scratch” shows what pre-training is worth."),
            )
        plans += [baseline_run(main, which, config) for which in beside]
        with control("finetune", "shares"):
            fewer = st.toggle(t("Also with 10 % and 30 % of the labels"), key="finetune.shares")
        if fewer:
            plans += [with_train_fraction(each, share, config) for each in list(plans) for share in SHARES]
    if len(plans) > 1:
        st.caption(t("{n} runs, one after another; the first is shown.", n=len(plans)))
    return plans, st.container()


def trained_size(config: RunConfig, labelled: LabelledSpec | None) -> None:
    """How many parameters are trained, of how many."""
    n_labels = 0
    if labelled is not None:
        n_labels = max(2, len(sample_rows(labelled.to_dict(), config.finetune.task, changed(labelled))[1]))
    trained, total = sizes(config.model.to_dict(), config.finetune.to_dict(), n_labels)
    st.metric(
        t("Trained parameters"), f"{trained:,}", help=t("All other weights are frozen: they stay the same, bit by bit.")
    )
    st.caption(t("{share:.1%} of the {total:,} parameters", share=trained / total, total=total))


@st.cache_data(max_entries=256, show_spinner=False)
def sizes(model: dict, tuned: dict, n_labels: int) -> tuple[int, int]:
    from models.spec import ModelSpec
    from playground.training.apply_finetuning import trained_parameters

    spec, how = ModelSpec.from_dict(model), FineTuneSpec.from_dict(tuned)
    training = TrainingSpec(objective=spec.objectives()[0])
    config = RunConfig("?", spec, DataSpec("python-docs"), training, parent={"run": "?"}, finetune=how)
    return trained_parameters(config, n_labels)
