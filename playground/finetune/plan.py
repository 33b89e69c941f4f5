"""Fine-tuned runs to be trained: from a parent and a task, with twins that show what each choice is worth."""

from collections.abc import Sequence

from models.spec import ModelSpec, SpecError
from playground.errors import PlaygroundError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import LABELLED_TASKS, FineTuneSpec
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text.spec import DataSpec

STEPS = {"classify": 300, "tag": 400, "language": 500, "answer": 500}
LR = {"all": 1e-3, "last": 1e-3, "head": 1e-2, "lora": 4e-3}
DROPOUT = 0.1  # labelled sets are small: models that never dropped anything learn to here (Devlin et al. 2019)
RIVALS = ("scratch", *LR)


def recipe(tuned: FineTuneSpec, parent: RunConfig, **changes) -> TrainingSpec:
    """Measured starting points for a task and a method, with ``changes`` on top."""
    steps = changes.get("steps", STEPS[tuned.task])
    plain = TrainingSpec(
        objective=parent.training.objective, steps=steps, batch_size=32, lr=LR[tuned.method], beta2=0.98,
        weight_decay=0.01, schedule="linear", warmup_steps=max(1, steps // 10), final_lr=0.0,
        eval_every=max(1, steps // 10), sample_every=max(1, steps // 5), mask_rate=parent.training.mask_rate,
        threads=parent.training.threads,
    )  # fmt: skip
    if tuned.task == "answer":
        plain = plain.replace(**_answering(parent.model))
    return plain.replace(**changes)


def _answering(model: ModelSpec) -> dict[str, str]:
    if model.architecture == "encoder-decoder":
        return {"objective": "seq2seq"}
    if "clm" not in model.objectives():
        raise SpecError(
            "A model that fills in hidden words cannot write answers.",
            "Start from a run trained with CLM or seq2seq, or choose labels as the task.",
        )
    return {"objective": "clm", "loss_on": "answer"}


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
        raise PlaygroundError(f"{config.name} has no checkpoint yet.", "Let it train for a few seconds first.")
    step = steps[-1] if step is None else step
    parent.checkpoint(step)
    labelled = tuned.task in LABELLED_TASKS
    if labelled and config.model.architecture == "encoder-decoder":
        raise SpecError(
            "An encoder–decoder reads two texts, so it takes no head for labels.",
            "Start from an encoder, a decoder or a recurrent model; or choose the task answer.",
        )
    if not labelled and data is None:
        raise PlaygroundError("No text was chosen.", "Give a corpus or a file to go on with.")
    dropout = {"dropout": DROPOUT} if labelled and not config.model.dropout else {}
    return RunConfig(
        name=name or name_of(tuned, data, config),
        model=config.model.replace(**{**dropout, **(model or {})}),
        data=config.data if labelled else data,
        training=recipe(tuned, config, **training),
        preset=config.preset,
        parent={"run": parent.id, "step": step},
        finetune=tuned,
    )


def name_of(tuned: FineTuneSpec, data: DataSpec | None, parent: RunConfig) -> str:
    """A name a person would give: the text, from whom, and how."""
    if tuned.labelled:
        text = tuned.labelled.dataset if tuned.labelled.dataset != "file" else tuned.labelled.path
    else:
        text = data.corpus if data.corpus != "file" else data.path
    text = (text or "").replace("\\", "/").rpartition("/")[2]
    if tuned.from_scratch:
        return f"{text}, from scratch"
    share = "" if tuned.labelled is None or tuned.labelled.share == 1 else f", {tuned.labelled.share:.0%} of the labels"
    how = {"all": "", "head": ", head only", "last": f", last {tuned.last_layers}", "lora": f", LoRA {tuned.rank}"}
    return f"{text} ← {parent.name}{how[tuned.method]}{share}"


def rival(config: RunConfig, which: str, parent: RunConfig) -> RunConfig:
    """The same task and budget another way: "scratch", or another method.

    From scratch, every weight is trained, from fresh ones; the learning rate is that of the method's recipe.
    """
    tuned = config.finetune
    if which == "scratch":
        tuned = tuned.replace(method="all", from_scratch=True, layer_decay=1.0)
    elif which in LR:
        tuned = tuned.replace(method=which, from_scratch=False)
    else:
        raise PlaygroundError(f"There is nothing to compare called {which!r}.", f"Choose among {', '.join(RIVALS)}.")
    training = config.training
    if tuned.method != config.finetune.method:
        training = training.replace(lr=LR[tuned.method])
    return config.replace(name=name_of(tuned, config.data, parent), finetune=tuned, training=training)


def with_share(config: RunConfig, share: float, parent: RunConfig) -> RunConfig:
    """The same with a share of the labels, for a data-efficiency curve; the test stays the same."""
    tuned = config.finetune.replace(labelled=config.finetune.labelled.replace(share=share))
    return config.replace(name=name_of(tuned, config.data, parent), finetune=tuned)


def with_seed(config: RunConfig, seed: int) -> RunConfig:
    """The same from another seed: other fresh weights, another order; the same split."""
    return config.replace(name=f"{config.name}, seed {seed}", training=config.training.replace(seed=seed))


def family(config: RunConfig, runs: Sequence[RunFolder]) -> list[tuple[RunFolder, RunConfig]]:
    """The runs that answer the same question: the same task, text, split and parent, whatever the method and share."""
    asked, found = _question(config), []
    for run in runs:
        try:
            other = run.config()
        except (PlaygroundError, SpecError):
            continue
        if other.finetune and _question(other) == asked:
            found.append((run, other))
    return found


def _question(config: RunConfig) -> tuple:
    tuned = config.finetune
    labelled = tuned.labelled.replace(share=1.0, limit=0) if tuned.labelled else None
    data = None if labelled else config.data
    return tuned.task, labelled, data, (config.parent or {}).get("run")


def parent_of(config: RunConfig) -> RunFolder:
    """The run that a fine-tuned one started from.

    Raises:
        PlaygroundError: when it is gone.
    """
    return RunStore().get(config.parent["run"])
