"""What is asked for before a model is taught: from whom, to what, how; the result are the runs to train, the main one first."""

from typing import Any

import streamlit as st

from playground.core.errors import UserError
from playground.finetune.plan import LR, STEPS, baseline_run, plan, with_train_fraction
from playground.pages.finetune.data_choice import changed, choose_text, sample_rows, take_up_dropped
from playground.pages.finetune.own_files import import_model
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import TARGET_MODULES, FineTuneSpec, LabelledSpec
from playground.runs.folder import RunFolder
from playground.text.spec import DataSpec
from playground.ui import url_state
from playground.ui.controls import control
from playground.ui.language import language, t
from playground.ui.messages import no_model_yet, show_notes
from playground.ui.number_inputs import BATCHES, RATES, pick
from playground.ui.run_picker import check, describe, known_runs, speaks, told_of_damage
from playground.ui.select import keep, select
from playground.ui.stage import Stage

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
USUAL_PARENT = {"en": "bible-encoder", "zh": "three-kingdoms"}
"""The model to start from at first, by language: it knows the labelled text that is offered first."""


def form(place: Stage) -> list[RunConfig]:
    """Asks for everything: the text in the command line, all else in the drawer.

    Returns:
        The runs to train; none while something is missing.
    """
    with place.drawer, control("finetune", "parent"):
        parent = choose_parent()
    if parent is None:
        with place.picture:
            no_model_yet()
        return []
    take_up_dropped(tasks_of(parent.config()))
    with place.drawer, control("finetune", "task"):
        task = choose_task(parent)
    with place.command, control("finetune", "text"), st.container(horizontal=True, wrap=False):
        labelled, data = choose_text(place, task, parent)
    if labelled is None and data is None:
        return []
    with place.drawer:
        tuned = choose_method(parent.config(), task, labelled)
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
        usual = USUAL_PARENT.get(language(), USUAL_PARENT["en"])
        st.session_state["finetune.parent"] = usual if usual in runs else next(iter(runs))
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
    if config.model.reads_pairs:
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
) -> list[RunConfig]:
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
    return plans


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
