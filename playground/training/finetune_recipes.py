"""Measured starting points for fine-tuning: how long and how fast, by task and method."""

from models.spec import ModelSpec, SpecError
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.finetuning import FineTuneSpec

STEPS = {"classify": 300, "tag": 400, "language": 500, "answer": 500}
LR = {"all": 1e-3, "last": 1e-3, "head": 1e-2, "lora": 4e-3}
DROPOUT = 0.1  # labelled sets are small: models that never dropped anything learn to here (Devlin et al. 2019)


def recipe(tuned: FineTuneSpec, parent: RunConfig, **changes) -> TrainingSpec:
    """How a run is trained for a task with a method, with ``changes`` on top."""
    steps = changes.get("steps", STEPS[tuned.task])
    plain = TrainingSpec(
        objective=parent.training.objective,
        steps=steps,
        batch_size=32,
        lr=LR[tuned.method],
        beta2=0.98,
        weight_decay=0.01,
        schedule="linear",
        warmup_steps=min(max(1, steps // 10), max(0, steps - 1)),
        final_lr_fraction=0.0,
        eval_every=max(1, steps // 10),
        sample_every=max(1, steps // 5),
        mask_rate=parent.training.mask_rate,
        threads=parent.training.threads,
    )
    if tuned.task == "answer":
        plain = plain.replace(**_answering(parent.model))
    return plain.replace(**changes)


def _answering(model: ModelSpec) -> dict[str, str]:
    if model.reads_pairs:
        return {"objective": "seq2seq"}
    if "clm" not in model.objectives():
        raise SpecError(
            "A model that fills in hidden words cannot write answers.",
            "Start from a run trained with CLM or seq2seq, or choose labels as the task.",
        )
    return {"objective": "clm", "loss_on": "completion"}
