"""The form of the Train page: which model, on what, and how; the result is a RunConfig."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from models.parameter_counts import parameter_counts
from models.presets import PRESETS, nearest_preset
from models.spec import ModelSpec
from playground.core.errors import UserError
from playground.pages.train import names, training_address
from playground.pages.train.names import text_name
from playground.pages.train.training_address import KEEP, Begun, began, begun_with, said_of
from playground.runs import branch, naming, snapshots
from playground.runs.config import DEVICES, RunConfig, TrainingSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.runs.throughput import expected, measured
from playground.text.catalogue import CORPORA, for_reader
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training.recipes import recipe, warmup_for
from playground.training.schedule import lr_curve, warmup_warning
from playground.ui import links, model_costs, model_draft, number_inputs, text_address, tokens_per_parameter, url_state
from playground.ui.colours import ARCHITECTURE
from playground.ui.components.curves import Panel, Series, curves
from playground.ui.controls import control
from playground.ui.language import language, t, translated
from playground.ui.messages import plain, show
from playground.ui.number_format import bytes_of, duration
from playground.ui.number_inputs import BATCHES, RATES, number, pick
from playground.ui.run_picker import check, named
from playground.ui.select import select
from playground.ui.stage import Stage
from playground.ui.titles import KIND_NAMES, TITLES

STEPS = [50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10_000, 20_000, 50_000, 100_000]
KEPT, KEPT_WHILE = 5, 3_000_000  # checkpoints to look back at, for models of so many parameters
WATCHED = ("eval_every", "sample_every")
EVERY = [5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000]


@dataclass(frozen=True)
class Choice:
    """A model or a text to choose, where it comes from and what goes with it."""

    title: str
    value: Any
    preset: str | None = None
    training: TrainingSpec = TrainingSpec()
    begun: bool = False  # of the run that is looked at or branched from: its settings hold as they are


def plan(run: RunFolder | None, place: Stage) -> RunConfig:
    """Asks for everything about a run: model and text in the line of commands, all else in the drawer.

    Args:
        run: the one that is looked at; its settings are what stands there at first.
        place: where the page draws.

    Raises:
        SpecError, PlaygroundError: when the choices do not go together.
    """
    base = run.config().replace(finetune=None) if run else base_config()
    of = run.id if run else ""
    with place.command:
        with control("train", "model", "content"):
            model = choose_model(base, of)
        with control("train", "text", "content"):
            text = choose_text(base, model.value, of)
    with place.drawer:
        told_of_choices(model, text)
        training = choose_training(model, text.value, of)
        config = RunConfig("?", model.value, text.value, training, model.preset, parent_of(base))
        config = config.replace(name=choose_name(config, base))
        show_schedule(model.value, text.value, training)
    return config


def base_config() -> RunConfig | None:
    """The run to start from: ``?parent=RUN@STEP`` with its weights, ``?like=RUN`` with its settings alone."""
    if wanted := url_state.text("train", "parent"):
        name, _, step = wanted.partition("@")
        run = named(name)
        check(run)
        return branch.branch(run, url_state.whole(step))
    if wanted := url_state.text("train", "like"):
        return named(wanted).config().replace(parent=None, finetune=None)
    return None


def parent_of(base: RunConfig | None) -> dict[str, Any] | None:
    return base.parent if base else None


# What is trained, on what


def choose_model(base: RunConfig | None, of: str) -> Choice:
    """Which model; the address and the session keep it.

    Args:
        base: what is begun with.
        of: the run that is looked at; each has a box of its own.
    """
    model_draft.take_link()
    options: dict[str, Choice] = {}
    if base:
        options["base"] = Choice(model_title(base), base.model, base.preset, base.training, begun=True)
    if not parent_of(base):
        if draft := drafted_model():
            options["draft"] = draft
        options |= {
            name: Choice(translated(preset.title), preset.spec, name, recipe(name))
            for name, preset in PRESETS.items()
            if not (base and as_shipped(base, name))
        }
    made = (st.session_state.get("draft.preset"), st.session_state.get("draft.model"))
    asked = url_state.text("train", "preset") or made[0] or model_draft.START
    start = begun_with("model", made, options, asked if asked in options else next(iter(options)), of)
    key = f"train.model.{of}.{start}"
    chosen = select(
        t("Model"),
        list(options),
        index=list(options).index(start),
        format_func=lambda name: options[name].title,
        key=key,
        disabled=len(options) == 1,
        label_visibility="collapsed",
        width=230,
    )
    choice = options[chosen]
    model_draft.remember_model(choice.value if chosen == "draft" else None, choice.preset if chosen != "base" else None)
    began("model", Begun(start, key, made, said_of("model"), chosen), of)
    return choice


def as_shipped(config: RunConfig, name: str) -> bool:
    """Whether a run has a preset's model as it stands; the text makes the size of its vocabulary."""
    return config.preset == name and config.model.replace(vocab_size=0) == PRESETS[name].spec.replace(vocab_size=0)


def model_title(config: RunConfig) -> str:
    """What the model of a run is called."""
    if config.preset in PRESETS:
        title = translated(PRESETS[config.preset].title)
        return title if as_shipped(config, config.preset) else t("{model}, changed", model=title)
    return t(TITLES[config.model.architecture])


def drafted_model() -> Choice | None:
    """What was built on the Build page, when it is no preset as it stands."""
    said = st.session_state.get("draft.model")
    if not said:
        return None
    spec, preset = ModelSpec.from_dict(said), st.session_state.get("draft.preset")
    if preset in PRESETS and PRESETS[preset].spec == spec:
        return None
    known = preset if preset in PRESETS else None
    return Choice(t("The model drawn under Model"), spec, known, recipe(known or nearest_preset(spec)))


def summary(spec: ModelSpec) -> str:
    return t(
        "{kind}, {layers} layers, {width:,} channels, context of {context:,} tokens"
        if spec.n_layers != 1
        else "{kind}, 1 layer, {width:,} channels, context of {context:,} tokens",
        kind=t(TITLES[spec.architecture]),
        layers=spec.n_layers,
        width=spec.d_model,
        context=spec.context_length,
    )


def choose_text(base: RunConfig | None, model: ModelSpec, of: str) -> Choice:
    """Which text; the address and the session keep it.

    Args:
        base: what is begun with.
        model: the one that reads it.
        of: the run that is looked at; each has a box of its own.
    """
    pairs = model.reads_pairs
    wanted = url_state.text("train", "corpus")
    if wanted and wanted != st.session_state.get("train.text.link"):
        take_text(wanted)
    made = st.session_state.get("draft.data")
    options = offered_texts(base, made, pairs)
    first = "task-reversal" if pairs and "task-reversal" in options else next(iter(options))
    begins = next((name for name in ("usual", model_draft.usual_data().corpus) if name in options), first)
    fallback = wanted if wanted in options and made != model_draft.usual_data().to_dict() else begins
    start = begun_with("text", made, options, fallback, of)
    key = f"train.text.{of}.{start}.{pairs}"
    chosen = select(
        t("Text"),
        list(options),
        index=list(options).index(start),
        format_func=lambda name: options[name].title,
        key=key,
        label_visibility="collapsed",
        width=260,
    )
    remember_text(None if chosen == "base" else options[chosen].value)
    began("text", Begun(start, key, made, said_of("text"), chosen), of)
    return options[chosen]


def offered_texts(base: RunConfig | None, made: dict[str, Any] | None, pairs: bool) -> dict[str, Choice]:
    """The texts that a model can read: the one begun with, the one from the Text page, the usual one, and all others."""
    options: dict[str, Choice] = {}
    if base:
        options["base"] = Choice(text_title(base.data), base.data)
    usual, drafted = model_draft.usual_data(), DataSpec.from_dict(made) if made else None
    if drafted and drafted != usual and not (base and drafted == base.data):
        options["draft"] = Choice(t("The text chosen under Text") + f": {text_title(drafted)}", drafted)
    if not pairs and not (base and base.data == usual) and usual != text_address.usual(usual.corpus):
        options["usual"] = Choice(text_title(usual), usual)
    for name, corpus in for_reader(language()).items():
        spec = DataSpec(name, tokenizer=TokenizerSpec(corpus.tokenizer))
        if corpus.available and (not pairs or corpus.kind != "text") and not (base and spec == base.data):
            options[name] = Choice(t(corpus.title), spec)
    return options


def told_of_choices(model: Choice, text: Choice) -> None:
    """What was chosen, and where it is changed."""
    spec: DataSpec = text.value
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(summary(model.value), width="stretch")
        links.link("build", t("Change it under Model"), icon=":material/account_tree:", **built(model))
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = t(KIND_NAMES[spec.tokenizer.kind])
        st.caption(
            t("Tokenizer: {kind}, at most {size:,} tokens", kind=kind, size=spec.tokenizer.vocab_size), width="stretch"
        )
        links.link("data", t("Change it under Text"), icon=":material/dataset:", **text_address.said(spec))


def built(model: Choice) -> dict[str, str]:
    """A model as the address of the Build page says it."""
    preset = nearest_preset(model.value, model.preset)
    return {"preset": preset, **model_draft.differences(model.value, preset)}


def take_text(corpus: str) -> None:
    """The text of the address: a corpus as it is, or one cut in another way, which stands as the text from Data."""
    try:
        data = DataSpec.from_dict(text_address.asked("train", corpus))
    except UserError as error:
        show(error)
        return
    plain_corpus = data.corpus in CORPORA and data == text_address.usual(data.corpus)
    st.session_state["draft.data"] = None if plain_corpus else data.to_dict()
    st.session_state["train.text.link"] = corpus


def remember_text(spec: DataSpec | None) -> None:
    """The text into the address; nothing of it where it is the one of the run that is begun from."""
    address = text_address.said(spec) if spec else dict.fromkeys(text_address.said(text_address.usual("python-docs")))
    if spec and spec.corpus in CORPORA and spec == text_address.usual(spec.corpus):
        address = {name: value if name == "corpus" else None for name, value in address.items()}
    url_state.remember("train", **address)
    st.session_state["train.text.link"] = address["corpus"]


def text_title(data: DataSpec) -> str:
    """What a text is called, and how much of it is read, or how, where that is not the usual way."""
    name = text_name(data)
    if data.max_bytes:
        return f"{name} · {t('the first {size}', size=bytes_of(data.max_bytes).replace('.00', ''))}"
    if data.corpus in CORPORA and data.tokenizer != text_address.usual(data.corpus).tokenizer:
        return f"{name} · {t(KIND_NAMES[data.tokenizer.kind])}"
    return name


# How it is trained


def choose_training(model: Choice, data: DataSpec, of: str) -> TrainingSpec:
    """The settings, beginning with the recipe or the address; each beginning's widgets keep their own values."""
    told = training_address.linked(model.training)
    start = model.training.replace(**{name: value for name, value in told.items() if name != KEEP})
    place = f"train.{of}.{model.preset}.{hash((start, told.get(KEEP))) % 10**8}"
    objective = model.value.objectives()[0]
    st.caption(objective_sentence(objective))
    with control("train", "steps"):
        steps = pick(t("Steps"), STEPS, start.steps, f"{place}.steps", "{:,}")
    with st.container(horizontal=True):
        with control("train", "lr"):
            rate = pick(t("Learning rate"), RATES, start.lr, f"{place}.lr", "{:.3g}")
        with control("train", "batch"):
            batch = pick(t("Batch size (sequences per step)"), BATCHES, start.batch_size, f"{place}.batch", "{:,}")
    warmup = warmup_for(model.training, steps)
    changes = {"objective": objective, "steps": steps, "lr": rate, "batch_size": batch}
    changes["warmup_steps"] = told.get("warmup_steps", warmup)
    before = model.training
    if start.optimizer == "muon" and rate != before.lr:
        scaled = before.muon_lr * rate / before.lr if before.lr else before.muon_lr
        changes["muon_lr"] = number_inputs.within(scaled, "muon_lr")
    parameters = parameters_of(model.value, data)
    keep = len(before.keep_steps) if model.begun else kept_by_default(parameters)
    same = model.begun and steps == before.steps
    watched = {name: getattr(before, name) for name in WATCHED} if same else often(before.replace(steps=steps))
    with control("train", "more"):
        changes |= more_settings(
            start.replace(**changes), place, data, model.value, {**watched, KEEP: keep, **told}, parameters
        )
    chosen = start.replace(**changes)
    n_kept = len(chosen.keep_steps)
    training_address.remember(
        chosen,
        model.training.replace(**watched, warmup_steps=warmup),
        n_kept if n_kept != keep else None,
        f"{place}.steps",
    )
    return chosen


def objective_sentence(objective: str) -> str:
    return {
        "clm": t("Causal language modelling (CLM): it learns to predict the next token."),
        "mlm": t("Masked language modelling (MLM): it learns to fill in masked tokens from both sides."),
        "seq2seq": t("Sequence to sequence: it reads one text and learns to write another."),
    }[objective]


def more_settings(
    start: TrainingSpec, place: str, data: DataSpec, model: ModelSpec, watched: dict[str, Any], parameters: int
) -> dict[str, Any]:
    with st.expander(t("More settings")):
        changes: dict[str, Any] = schedule_settings(start, place)
        changes |= optimizer_settings(start.replace(optimizer=changes["optimizer"]), place)
        changes |= watching_settings(start, place, watched, parameters)
        if start.objective == "mlm":
            hidden = t("Fraction of tokens masked")
            changes["mask_rate"] = number_inputs.slider(hidden, 0.05, 0.6, start.mask_rate, 0.05, key=f"{place}.mask")
        elif data.corpus in CORPORA and CORPORA[data.corpus].kind != "text" and not model.reads_pairs:
            changes["loss_on"] = st.segmented_control(
                t("Loss is computed on"),
                ["all", "completion"],
                default=start.loss_on,
                required=True,
                key=f"{place}.loss_on",
                format_func={"all": t("every token"), "completion": t("only the answer")}.get,
            )
    return changes


def schedule_settings(start: TrainingSpec, place: str) -> dict[str, Any]:
    shapes = {"cosine": t("cosine"), "linear": t("linear"), "constant": t("constant")}
    slider = number_inputs.slider
    return {
        "optimizer": one_of(t("Optimizer"), model_costs.OPTIMIZERS, start.optimizer, f"{place}.optimizer"),
        "schedule": one_of(t("Decay"), shapes, start.schedule, f"{place}.schedule"),
        "warmup_steps": warmup_box(start, f"{place}.warmup"),
        "constant_fraction": slider(
            t("Constant until (fraction of all steps)"), 0.0, 1.0, start.constant_fraction, 0.05, key=f"{place}.hold"
        ),
        "final_lr_fraction": slider(
            t("Final learning rate (fraction of the peak)"),
            0.0,
            1.0,
            start.final_lr_fraction,
            0.01,
            key=f"{place}.final",
        ),
        "weight_decay": number(t("Weight decay"), start, "weight_decay", 0.01, key=f"{place}.decay"),
        "gradient_accumulation_steps": number(
            t("Gradient accumulation (micro-batches per step)"),
            start,
            "gradient_accumulation_steps",
            most=start.batch_size,
            key=f"{place}.pieces",
        ),
        "grad_clip": number(t("Clip gradients at norm (0: off)"), start, "grad_clip", 0.5, key=f"{place}.clip"),
    }


def warmup_box(start: TrainingSpec, key: str) -> int:
    """The steps of the warm-up; they follow the number of steps until the person says how many."""
    usual = f"{key}.usual"
    if st.session_state.get(key) in (None, st.session_state.get(usual)):
        st.session_state[key] = start.warmup_steps
    st.session_state[usual] = start.warmup_steps
    return st.number_input(t("Warm-up (steps)"), *number_inputs.of_training("warmup_steps"), step=10, key=key)


def optimizer_settings(start: TrainingSpec, place: str) -> dict[str, Any]:
    """What the chosen optimizer has besides; SGD and Muon look back by momentum, Adam by two averages."""
    changes = {}
    if start.optimizer != "adamw":
        changes["momentum"] = number(t("Momentum"), start, "momentum", 0.01, key=f"{place}.momentum")
    if start.optimizer != "sgd":
        told = t("Adam's β₁ and β₂: how much of the running average of gradients, and of squared gradients, is kept")
        with st.container(horizontal=True):
            for name, label in (("beta1", "Adam β₁"), ("beta2", "Adam β₂")):
                changes[name] = number(label, start, name, 0.01, key=f"{place}.{name}", help=told)
    return changes


def machine_settings(start: TrainingSpec, place: str) -> dict[str, Any]:
    """Where it runs and in which numbers."""
    kinds = {"auto": t("what suits the device"), "float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
    ways = {"auto": t("where it pays (CUDA)"), "on": t("yes"), "off": t("no")}
    return {
        "device": one_of(t("Device"), {name: name for name in DEVICES}, start.device, f"{place}.device"),
        "dtype": one_of(t("Precision of the forward pass"), kinds, start.dtype, f"{place}.dtype"),
        "compile": one_of(t("Compile the model first"), ways, start.compile, f"{place}.compile"),
        "threads": number(t("CPU threads (0: all cores)"), start, "threads", key=f"{place}.threads"),
    }


def often(start: TrainingSpec) -> dict[str, int]:
    """How often a run is looked at when nobody says: at least twenty times, however short it is."""
    most = next((n for n in EVERY if n * 20 >= start.steps), start.eval_every)
    return {"eval_every": min(start.eval_every, most), "sample_every": min(start.sample_every, most)}


def watching_settings(start: TrainingSpec, place: str, watched: dict[str, Any], parameters: int) -> dict[str, Any]:
    """How often it is looked at, by what, and what stays of it."""
    own = f"{place}.{start.steps}"
    evaluate, sample = watched["eval_every"], watched["sample_every"]
    return {
        "eval_every": pick(t("Evaluate every (steps)"), EVERY, evaluate, f"{own}.eval", "{:,}"),
        "sample_every": pick(t("Write a sample every (steps)"), EVERY, sample, f"{own}.sample", "{:,}"),
        "sample_prompt": st.text_input(t("The sample begins with"), start.sample_prompt, key=f"{place}.prompt"),
        "patience": number(
            t("Early stopping: patience, in evaluations without progress (0: off)"),
            start,
            "patience",
            key=f"{place}.early",
        ),
        "keep_steps": kept(start, own, watched[KEEP]),
        "snapshots": snapshots_box(start, f"{place}.{parameters <= snapshots.USUAL_WHILE}", parameters),
        "seed": number(t("Seed"), start, "seed", key=f"{place}.seed"),
        **machine_settings(start, place),
    }


def parameters_of(model: ModelSpec, data: DataSpec) -> int:
    """How many parameters the model has with a vocabulary as large as the tokenizer may make it."""
    return sum(parameter_counts(model.replace(vocab_size=data.tokenizer.vocab_size)).values())


def kept_by_default(parameters: int) -> int:
    """How many checkpoints a run keeps when nobody says: some, while they are small (three times the weights each)."""
    return KEPT if parameters <= KEPT_WHILE else 0


def snapshots_box(start: TrainingSpec, place: str, parameters: int) -> int:
    """How many snapshots; as the model's size decides, until somebody says otherwise."""
    usual = snapshots.usual(parameters)
    told = t("Snapshots of the weights along the way, to see how it learned")
    first = usual if start.snapshots < 0 else start.snapshots
    count = number_inputs.slider(told, 0, 30, first, 1, key=f"{place}.snapshots")
    return -1 if count == usual and start.snapshots < 0 else count


def kept(start: TrainingSpec, place: str, usual: int) -> tuple[int, ...]:
    """The steps whose weights stay for good, closer together at the beginning, where most is learned."""
    told, own = t("Checkpoints to keep along the way, to look back at and to branch from"), start.keep_steps
    count = number_inputs.slider(told, 0, 20, usual, 1, key=f"{place}.kept")
    if count == len(own) and own and own[-1] <= start.steps:
        return own
    return tuple(sorted({round(start.steps * (n / count) ** 2) for n in range(1, count + 1)}))


def one_of(label: str, names: dict[str, str], value: str, key: str) -> str:
    return select(label, list(names), list(names).index(value), key=key, format_func=names.get)


def choose_name(config: RunConfig, base: RunConfig | None) -> str:
    """What the person calls it, else what it does: "GPT-2 tiny reads the Bible · 1,000 steps"; of a branch, its parent."""
    taken = [run.name for run in RunStore().list()]
    suggested = names.proposed(config)
    if config.parent and base:
        suggested = " · ".join([base.name, *names.changes(config, base)[: names.MOST]])
    suggested = naming.numbered(suggested, taken)
    with control("train", "name"):
        return st.text_input(t("Name"), placeholder=suggested, key=f"train.name.{len(taken)}").strip() or suggested


def show_schedule(model: ModelSpec, data: DataSpec, training: TrainingSpec) -> None:
    """What the learning rate will be at every step, and how much text that is."""
    steps, rates = zip(*lr_curve(training), strict=True)
    table = {"step": steps, "tokens": steps, "seconds": steps, "lr": rates}
    whole = model.replace(vocab_size=data.tokenizer.vocab_size)
    if warning := model_costs.warning(whole, training):
        st.warning(warning, icon=":material/memory:")
    if warning := warmup_warning(training):
        st.warning(translated(warning), icon=":material/trending_up:")
    with st.container(border=True):
        curves(
            "train.schedule",
            [Series("schedule", t("Learning rate"), ARCHITECTURE[model.architecture], train=table)],
            [
                Panel(
                    "lr",
                    t("Learning rate, before it starts"),
                    "lr",
                    zero=True,
                    smooth=False,
                    logs=False,
                    top=True,
                    height=190,
                )
            ],
            alt=t(
                "The learning rate rises over {warmup} steps to {top:g} and ends at {last:g}.",
                warmup=training.warmup_steps,
                top=max(rates),
                last=rates[-1],
            ),
            bare=True,
        )
        st.caption(
            t(
                "{steps:,} steps × {batch:,} sequences × {context:,} tokens = {total:,} tokens. Warm-up keeps early large gradients from disturbing the weights; the decay lets the weights settle.",
                steps=training.steps,
                batch=training.batch_size,
                context=model.context_length,
                total=training.steps * training.batch_size * model.context_length,
            ),
        )
        if planned := snapshots.planned(training, parameters := sum(parameter_counts(whole).values())):
            size = bytes_of(snapshots.size(len(planned), parameters))
            st.caption(t("{n} snapshots of the weights along the way, {size}.", n=len(planned), size=size))
        if told_enough := tokens_per_parameter.line(model, data, training):
            st.caption(told_enough)
        guess = expected(whole, training, measured(RunStore().list()))
        if guess:
            seconds, like = guess
            st.caption(
                t(
                    "About {time} on this machine, as “{name}” was trained.",
                    time=duration(seconds),
                    name=plain(like.name),
                )
            )
