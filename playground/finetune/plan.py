"""Fine-tuned runs to be trained: from a parent and a task, with twins that show what each choice is worth."""

from collections.abc import Sequence

from models.spec import SpecError
from playground.core.errors import PlaygroundError, UserError
from playground.runs.config import RunConfig
from playground.runs.finetuning import LABELLED_TASKS, FineTuneSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text import uploads
from playground.text.spec import DataSpec
from playground.training.finetune_recipes import DROPOUT, LR, recipe
from playground.training.finetune_recipes import STEPS as STEPS

BASELINES = ("scratch", *LR)


def plan(
    parent: RunFolder,
    tuned: FineTuneSpec,
    data: DataSpec | None = None,
    step: int | None = None,
    name: str = "",
    model: dict | None = None,
    **training,
) -> RunConfig:
    """The run that fine-tunes a parent.

    Args:
        parent: the run to start from.
        tuned: the task and the method.
        data: the text to go on with, for tasks without labels.
        step: which of the parent's checkpoints; None: the newest.
        name: of the run; "" makes one.
        model: choices of the model that differ from the parent's; those that change no weight, such as dropout.
        training: choices that differ from the `recipe`.

    Raises:
        SpecError, PlaygroundError: when the task does not go with the parent, or the parent has no weights yet.
    """
    config = parent.config()
    steps = parent.checkpoints()
    if not steps:
        raise PlaygroundError(
            "{name} has no checkpoint yet.", "Let it train for a few seconds first.", name=config.name
        )
    step = steps[-1] if step is None else step
    parent.checkpoint(step)
    labelled = tuned.task in LABELLED_TASKS
    if labelled and config.model.reads_pairs:
        raise SpecError(
            "A model of pairs reads two texts, so it takes no head for labels.",
            "Start from an encoder, a decoder or a recurrent model; or choose the task answer.",
        )
    text = config.data if labelled else data
    if text is None:
        raise PlaygroundError("No text was chosen.", "Give a corpus or a file to continue with.")
    chosen = recipe(tuned, config, **training)
    if not labelled:
        _check_pairs(tuned, text, chosen.objective)
        text = text.replace(tokenizer=config.data.tokenizer)  # the weights know no other tokens
    dropout = {"dropout": DROPOUT} if labelled and not config.model.dropout else {}
    return RunConfig(
        name=name or run_name(tuned, text, config),
        model=config.model.replace(**{**dropout, **(model or {})}),
        data=text,
        training=chosen,
        preset=config.preset,
        parent={"run": parent.id, "step": step},
        finetune=tuned,
    )


def _check_pairs(tuned: FineTuneSpec, data: DataSpec, objective: str) -> None:
    if tuned.task != "answer" and objective != "seq2seq":
        return
    if not data.gives_pairs:
        raise SpecError(
            "This needs questions with answers, and the text has none.",
            "Name a column of questions and a column of answers, or choose a text of pairs.",
        )


def run_name(tuned: FineTuneSpec, data: DataSpec, parent: RunConfig) -> str:
    """A name a person would give: the text, from whom, and how."""
    if tuned.labelled:
        text = uploads.text_title(tuned.labelled.path, tuned.labelled.dataset)
    else:
        text = uploads.text_title(data.path, data.corpus)
    if tuned.from_scratch:
        return f"{text}, from scratch"
    share = (
        ""
        if tuned.labelled is None or tuned.labelled.train_fraction == 1
        else f", {tuned.labelled.train_fraction:.0%} of the labels"
    )
    how = {"all": "", "head": ", head only", "last": f", last {tuned.last_layers}", "lora": f", LoRA {tuned.rank}"}
    return f"{text} ← {parent.name}{how[tuned.method]}{share}"


def _finetuning(config: RunConfig) -> FineTuneSpec:
    assert config.finetune is not None, "only a fine-tuned run has twins"
    return config.finetune


def baseline_run(config: RunConfig, which: str, parent: RunConfig) -> RunConfig:
    """The same task and budget another way: "scratch", or another method.

    From scratch, every weight is trained, from fresh ones; the learning rate is that of the method's recipe.
    """
    own = tuned = _finetuning(config)
    if which == "scratch":
        tuned = tuned.replace(method="all", from_scratch=True, layer_decay=1.0)
    elif which in LR:
        tuned = tuned.replace(method=which, from_scratch=False)
    else:
        raise PlaygroundError(
            "There is nothing to compare called {which!r}.",
            "Choose among {rivals}.",
            which=which,
            rivals=", ".join(BASELINES),
        )
    training = config.training
    if tuned.method != own.method:
        training = training.replace(lr=LR[tuned.method])
    return config.replace(name=run_name(tuned, config.data, parent), finetune=tuned, training=training)


def with_train_fraction(config: RunConfig, fraction: float, parent: RunConfig) -> RunConfig:
    """The same with a share of the labels, for a data-efficiency curve; the test stays the same."""
    own = _finetuning(config)
    assert own.labelled is not None
    tuned = own.replace(labelled=own.labelled.replace(train_fraction=fraction))
    return config.replace(name=run_name(tuned, config.data, parent), finetune=tuned)


def with_seed(config: RunConfig, seed: int) -> RunConfig:
    """The same from another seed: other fresh weights, another order; the same split."""
    return config.replace(name=f"{config.name}, seed {seed}", training=config.training.replace(seed=seed))


def comparable_runs(config: RunConfig, runs: Sequence[RunFolder]) -> list[tuple[RunFolder, RunConfig]]:
    """The runs that answer the same question: the same task, text, split and parent, whatever the method and share."""
    asked, found = _question(config), []
    for run in runs:
        try:
            other = run.config()
        except UserError:
            continue
        if other.finetune and _question(other) == asked:
            found.append((run, other))
    return found


def _question(config: RunConfig) -> tuple:
    tuned = _finetuning(config)
    labelled = tuned.labelled.replace(train_fraction=1.0, limit=0) if tuned.labelled else None
    data = None if labelled else config.data
    return tuned.task, labelled, data, (config.parent or {}).get("run")


def parent_of(config: RunConfig) -> RunFolder:
    """The run that a fine-tuned one started from.

    Raises:
        PlaygroundError: when it is gone.
    """
    assert config.parent is not None
    try:
        return RunStore().get(config.parent["run"])
    except PlaygroundError as error:
        raise PlaygroundError(
            "The run that this one started from is not on this machine, so what changed since cannot be shown.",
            "Train it again, or import it: its id is {run}.",
            run=config.parent["run"],
        ) from error
