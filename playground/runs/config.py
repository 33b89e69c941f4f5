"""What makes a run: the model, the text, and how it is trained. All of it fits in ``run.json``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from models.spec import ModelSpec, SpecError
from playground.core.errors import plain
from playground.core.terminal import TURNING
from playground.runs.finetuning import FineTuneSpec, known_fields
from playground.runs.old_keys import with_present_groups
from playground.text.byte_alphabet import clean
from playground.text.spec import DataSpec

OBJECTIVES = {
    "clm": "causal: predict the next token",
    "mlm": "masked: fill in hidden tokens",
    "seq2seq": "read one text, write another",
}
OPTIMIZERS = ("adamw", "muon", "sgd")
SCHEDULES = ("cosine", "linear", "constant")
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16", "float16")
FORMAT = 2  # of run.json; 1 had other names for some settings (`old_keys`), and may have no number
LAST_KEPT = 10**12
LONGEST_NAME = 200  # characters
WHOLE = (
    "steps",
    "batch_size",
    "gradient_accumulation_steps",
    "warmup_steps",
    "eval_every",
    "eval_batches",
    "patience",
    "sample_every",
    "sample_max_new_tokens",
    "snapshots",
    "threads",
    "seed",
)
_UNSEEN = re.compile(rf"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029{TURNING}]+")
NUMBERS = {
    "steps": (1, 10_000_000),
    "batch_size": (1, 1_000_000),
    "gradient_accumulation_steps": (1, 1_000_000),
    "lr": (0, 100),
    "muon_lr": (0, 100),
    "beta1": (0, 0.99999),
    "beta2": (0, 0.99999),
    "momentum": (0, 0.99999),
    "weight_decay": (0, 10),
    "warmup_steps": (0, 10_000_000),
    "constant_fraction": (0, 1),
    "final_lr_fraction": (0, 1),
    "grad_clip": (0, 1e9),
    "mask_rate": (0.01, 0.95),
    "eval_every": (1, 10_000_000),
    "eval_batches": (1, 100_000),
    "patience": (0, 10_000),
    "sample_every": (0, 10_000_000),
    "sample_max_new_tokens": (1, 100_000),
    "checkpoint_seconds": (0, 1e6),
    "snapshots": (-1, 200),
    "threads": (0, 1024),
    "seed": (0, 2**31 - 1),
}
"""The least and the most that each number of a TrainingSpec can be."""


@dataclass(frozen=True)
class TrainingSpec:
    """Every choice about training, with nanoGPT-like defaults.

    Args:
        objective: a key of OBJECTIVES.
        steps: optimizer steps.
        batch_size: sequences per optimizer step, over all processes.
        gradient_accumulation_steps: micro-batches that each process splits its part of the batch into.
        lr, muon_lr: the highest learning rates, reached after ``warmup_steps``.
        beta1, beta2, momentum, weight_decay: of the optimizer.
        schedule: how the learning rate falls, one of SCHEDULES.
        constant_fraction: fraction of all steps during which the learning rate stays at its highest.
        final_lr_fraction: the last step's learning rate as a fraction of ``lr``.
        grad_clip: the largest norm of all gradients together; 0: no limit.
        mask_rate: fraction of the tokens hidden (mlm).
        loss_on: "all" tokens, or "completion": only the answer of a (question, answer) pair.
        eval_every, eval_batches: steps between evaluations, and validation batches in each.
        patience: evaluations in a row without a lower loss that end the run; 0: never (early stopping).
        sample_every, sample_prompt, sample_max_new_tokens: steps between samples (0: none; else the first ones come
            earlier, see `playground.training.trainer.FIRST_SAMPLES`), and what each is.
        checkpoint_seconds: least time between checkpoints.
        keep_steps: steps whose checkpoint is never removed.
        snapshots: how many times its weights alone are kept, in half precision, to look back at (see
            `playground.runs.snapshots`); -1: 15 times where the model has at most 3 million parameters, else never.
        device, dtype, compile: where and how it is computed; "auto" decides by the machine.
        threads: of the CPU; 0: all cores.
        seed: of first weights, batches, masks and dropout.

    Raises:
        SpecError: for values that cannot be.
    """

    objective: str = "clm"
    steps: int = 2000
    batch_size: int = 12
    gradient_accumulation_steps: int = 1
    optimizer: str = "adamw"
    lr: float = 1e-3
    muon_lr: float = 0.02
    beta1: float = 0.9
    beta2: float = 0.99
    momentum: float = 0.95
    weight_decay: float = 0.1
    schedule: str = "cosine"
    warmup_steps: int = 100
    constant_fraction: float = 0.0
    final_lr_fraction: float = 0.1
    grad_clip: float = 1.0
    mask_rate: float = 0.15
    loss_on: str = "all"
    eval_every: int = 250
    eval_batches: int = 20
    patience: int = 0
    sample_every: int = 250
    sample_prompt: str = ""
    sample_max_new_tokens: int = 64
    checkpoint_seconds: float = 10.0
    keep_steps: tuple[int, ...] = field(default=())
    snapshots: int = -1
    device: str = "auto"
    dtype: str = "auto"
    compile: str = "auto"
    threads: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep_steps", tuple(self.keep_steps))
        self._check_kinds()
        self._check_choices()
        self._check_numbers()
        if self.batch_size % self.gradient_accumulation_steps:
            raise SpecError(
                "A batch of {batch} does not divide into {parts} micro-batches.",
                "Try a batch of {gradient_accumulation_steps}.",
                batch=self.batch_size,
                parts=self.gradient_accumulation_steps,
                gradient_accumulation_steps=self.gradient_accumulation_steps
                * max(1, self.batch_size // self.gradient_accumulation_steps),
            )

    def _check_kinds(self) -> None:
        for step in self.keep_steps:
            if type(step) is not int or not 0 <= step <= LAST_KEPT:
                raise SpecError(
                    "keep_steps cannot have {step!r}.",
                    "Write whole numbers from 0 to {most:,}, for example 100,200.",
                    step=step,
                    most=LAST_KEPT,
                )
        if not isinstance(self.sample_prompt, str):
            raise SpecError("sample_prompt must be a text, not {sample_prompt!r}.", sample_prompt=self.sample_prompt)

    def _check_choices(self) -> None:
        for name, allowed in (
            ("objective", tuple(OBJECTIVES)),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("loss_on", ("all", "completion")),
            ("device", DEVICES),
            ("dtype", DTYPES),
            ("compile", ("auto", "on", "off")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise SpecError(
                    "{name} cannot be {value!r}.",
                    "Choose one of: {allowed}.",
                    name=name,
                    value=value,
                    allowed=", ".join(allowed),
                )

    def _check_numbers(self) -> None:
        for name, (low, high) in NUMBERS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise SpecError("{name} must be a number, not {value!r}.", name=name, value=value)
            if name in WHOLE and not isinstance(value, int):
                raise SpecError("{name} must be a whole number, not {value!r}.", name=name, value=value)
            if not low <= value <= high:  # also refuses NaN
                raise SpecError(
                    "{name} is {value}, outside {low} to {high}.",
                    name=name,
                    value=plain(value),
                    low=plain(low),
                    high=plain(high),
                )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "keep_steps": list(self.keep_steps)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(**known_fields(cls, values, "Training"))

    def replace(self, **changes: Any) -> Self:
        return replace(self, **known_fields(type(self), changes, "Training"))


def shown_name(name: Any) -> str:
    """A run's name as it is shown: one line of text, not too long, read in one direction."""
    return _UNSEEN.sub(" ", clean(str(name)))[:LONGEST_NAME]


def is_parent(said: Any) -> bool:
    """Whether something says which run, and which step of it, another began with."""
    return (
        isinstance(said, dict)
        and isinstance(said.get("run"), str)
        and (said.get("step") is None or type(said["step"]) is int)
    )


_DAMAGED = "The file run.json is damaged."


@dataclass(frozen=True)
class RunConfig:
    """One run, whole: the same config and seed on the same machine give the same losses."""

    name: str
    model: ModelSpec
    data: DataSpec
    training: TrainingSpec = TrainingSpec()
    preset: str | None = None
    parent: dict[str, Any] | None = None  # {"run": id, "step": n}: where the weights came from
    finetune: FineTuneSpec | None = None  # what a run that adapts its parent to a task adds

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", shown_name(self.name))
        if not self.name.strip():
            raise SpecError("The run has no name.", "Give it one, for example 'my first LSTM'.")
        if not isinstance(self.preset, str | None) or not (self.parent is None or is_parent(self.parent)):
            raise SpecError("The run's settings do not say what it began with.", _DAMAGED)
        objective = self.training.objective
        if objective not in self.model.objectives():
            fitting = " or ".join(self.model.objectives())
            raise SpecError(
                "The architecture {architecture} cannot be trained with {objective} ({objectives}).",
                "Choose {fitting} for this model, or another architecture for {objective}.",
                architecture=self.model.architecture,
                objective=objective,
                objectives=OBJECTIVES[objective],
                fitting=fitting,
            )
        if self.finetune and not self.parent:
            raise SpecError("There is no run to fine-tune.", "Choose one that was trained before.")

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "preset": self.preset,
            "parent": self.parent,
            "model": self.model.to_dict(),
            "data": self.data.to_dict(),
            "training": self.training.to_dict(),
            **({"finetune": self.finetune.to_dict()} if self.finetune else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads ``run.json``, of earlier versions too; keys that describe the run's making (created, ...) are ignored.

        Raises:
            SpecError, PlaygroundError: for settings that cannot be, of any type.
        """
        try:
            values = with_present_groups(values)
            return cls(
                name=str(values["name"]),
                preset=values.get("preset"),
                parent=values.get("parent"),
                model=ModelSpec.from_dict(values["model"]),
                data=DataSpec.from_dict(values["data"]),
                training=TrainingSpec.from_dict(values["training"]),
                finetune=FineTuneSpec.from_dict(values["finetune"]) if values.get("finetune") else None,
            )
        except KeyError as error:
            raise SpecError("The run's settings have no {name!r}.", _DAMAGED, name=error.args[0]) from error
        except SpecError:
            raise
        except (TypeError, ValueError, AttributeError, RecursionError, ArithmeticError) as error:
            raise SpecError("The run's settings are of kinds that cannot be.", _DAMAGED) from error

    def replace(self, **changes: Any) -> Self:
        return replace(self, **changes)


def relocated(config: RunConfig, path: Callable[[str], str]) -> RunConfig:
    """The config with the paths of its texts as they are at another place."""
    changes = {}
    if config.data.path and (there := path(config.data.path)) != config.data.path:
        changes["data"] = config.data.replace(path=there)
    labelled = config.finetune.labelled if config.finetune else None
    if config.finetune and labelled and labelled.path and (there := path(labelled.path)) != labelled.path:
        changes["finetune"] = config.finetune.replace(labelled=labelled.replace(path=there))
    return config.replace(**changes) if changes else config
