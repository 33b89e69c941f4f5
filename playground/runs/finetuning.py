"""What a fine-tuned run adds to a run's settings: the task, the labelled text, and what may change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from models.spec import SpecError
from playground.core.errors import Message, meant, plain, sentences
from playground.text.encodings import check_encoding

TASKS = {
    "classify": "one label for each text",
    "tag": "one label for each word of a text",
    "language": "the same objective on another text",
    "answer": "a text for a text, with the loss on the answer alone",
}
LABELLED_TASKS = ("classify", "tag")
METHODS = {
    "all": "every weight",
    "head": "the head alone",
    "last": "the head and the last layers",
    "lora": "low-rank adapters beside chosen matrices",
}
TARGET_MODULES = ("query", "key", "value", "output", "up", "down")
POOLINGS = ("auto", "mean", "first", "last")


def known_fields(kind: type, values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Only the fields that ``kind`` has; refuses others by name."""
    names = [f.name for f in fields(kind)]
    if not isinstance(values, Mapping):
        raise SpecError(
            "{what} is described by names and values.", "It has: {names}.", what=what, names=", ".join(names)
        )
    if unknown := sorted(map(str, set(values) - set(names))):
        hint = sentences(meant(unknown, names), Message("It has: {names}.", names=", ".join(names)))
        raise SpecError("{what} has no setting called {unknown}.", hint, what=what, unknown=", ".join(unknown))
    return dict(values)


def _within(value: Any, low: float, high: float, what: str, whole: bool = False) -> None:
    numeric = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not numeric or not low <= value <= high:
        raise SpecError(
            "{name} cannot be {value!r}.",
            "Choose {low} to {high}.",
            name=what,
            value=value,
            low=plain(low),
            high=plain(high),
        )


def _one_of(value: Any, allowed: Mapping | tuple, what: str) -> None:
    if value not in allowed:
        raise SpecError(
            "{name} cannot be {value!r}.",
            "Choose one of: {allowed}.",
            name=what,
            value=value,
            allowed=", ".join(allowed),
        )


@dataclass(frozen=True)
class LabelledSpec:
    """Which labelled text to learn from, and how it is split.

    Args:
        dataset: a name in ``playground.labelled.builtin_datasets.DATASETS``, or "file".
        path: of the table, for "file": .csv, .tsv, .json, .jsonl, .parquet, or words with tags (see `playground.text.conll`).
        text_column, label_column: of the table; None finds them where there is no doubt.
        validation_fraction: the share watched while training.
        test_fraction: the share looked at once, at the end.
        share: how much of the training side is used, for data-efficiency curves; above 0, up to 1.
        limit: the most training examples; 0: all.
        seed: of the split and of which examples ``train_fraction`` and ``limit`` keep.
        encoding: of the file; None detects it.
    """

    dataset: str
    path: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    train_fraction: float = 1.0
    limit: int = 0
    seed: int = 0
    encoding: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, str) or not self.dataset:
            raise SpecError("No labelled text was chosen.", "Give the name of a built-in set, or a file.")
        if self.dataset == "file" and not self.path:
            raise SpecError("No file was chosen.", "Give the path of a .csv, .jsonl or .parquet file.")
        for name in ("path", "text_column", "label_column"):
            if not isinstance(getattr(self, name), str | None):
                raise SpecError("{name} must be a text, not {value!r}.", name=name, value=getattr(self, name))
        check_encoding(self.encoding)
        _within(self.validation_fraction, 0.01, 0.5, "The share for validation")
        _within(self.test_fraction, 0.01, 0.5, "The share for the test")
        _within(self.train_fraction, 1e-6, 1, "The share of the labels")
        _within(self.limit, 0, 10**9, "The number of training examples", whole=True)
        _within(self.seed, 0, 2**31 - 1, "A seed", whole=True)

    @property
    def file(self) -> str:
        """The path of the table, for "file"."""
        assert self.path is not None, "a built-in set is no file"
        return self.path

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(**known_fields(cls, values, "Labelled text"))

    def replace(self, **changes: Any) -> Self:
        return replace(self, **known_fields(type(self), changes, "Labelled text"))


@dataclass(frozen=True)
class FineTuneSpec:
    """How a run starts from another one (its ``parent``) and what of it may change.

    Args:
        task: one of TASKS.
        labelled: for "classify" and "tag"; the other tasks read the run's own ``data``.
        method: one of METHODS.
        last_layers: for "last": how many.
        rank, alpha, target_modules: for "lora" (Hu et al. 2021): W + alpha/rank·BA beside each of these matrices.
        layer_decay: learning rate of a layer over that of the layer above it (Howard & Ruder 2018); the head, or
            what is above the last layer, learns with the run's own. 1: all alike.
        class_weights: "none", or "balanced": a rare class counts as much as a frequent one.
        pooling: what the class is read from: the "mean" of all tokens, the "first" or the "last" one; "auto" is the
            mean for models that read both ways and the last token for those that read forward.
        head_dropout: of the pooled vector while training.
        from_scratch: start from fresh weights all the same, to see what the parent's are worth.
    """

    task: str = "classify"
    labelled: LabelledSpec | None = None
    method: str = "all"
    last_layers: int = 1
    rank: int = 8
    alpha: float = 16.0
    target_modules: tuple[str, ...] = TARGET_MODULES
    layer_decay: float = 1.0
    class_weights: str = "none"
    pooling: str = "auto"
    head_dropout: float = 0.1
    from_scratch: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_modules", tuple(self.target_modules))
        _one_of(self.task, TASKS, "The task")
        _one_of(self.method, METHODS, "The method")
        _one_of(self.class_weights, ("none", "balanced"), "The weight of classes")
        _one_of(self.pooling, POOLINGS, "Pooling")
        for module in self.target_modules:
            _one_of(module, TARGET_MODULES, "A matrix for LoRA")
        _within(self.last_layers, 1, 10_000, "The number of last layers", whole=True)
        _within(self.rank, 1, 4096, "The rank", whole=True)
        _within(self.alpha, 1e-3, 1e5, "Alpha")
        _within(self.layer_decay, 0.01, 1, "The learning rate from layer to layer")
        _within(self.head_dropout, 0, 0.9, "Dropout before the head")
        if not isinstance(self.from_scratch, bool) or not isinstance(self.labelled, LabelledSpec | None):
            raise SpecError("The settings of fine-tuning are of kinds that cannot be.", "The file run.json is damaged.")
        if self.method == "lora" and not self.target_modules:
            raise SpecError(
                "LoRA has no matrix to work on.", "Choose among {rivals}.", rivals=", ".join(TARGET_MODULES)
            )
        if self.method == "head" and self.from_scratch:
            raise SpecError("Training the head alone needs a trained model under it.", "Choose another method.")
        if (self.task in LABELLED_TASKS) != (self.labelled is not None):
            wants = "needs labelled text" if self.labelled is None else "takes no labelled text"
            raise SpecError("The task {task} ({tasks}) {wants}.", task=self.task, tasks=TASKS[self.task], wants=wants)

    @property
    def reads_labels(self) -> bool:
        """Whether a head of its own is trained, for classes or tags."""
        return self.task in LABELLED_TASKS

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "target_modules": list(self.target_modules)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        values = known_fields(cls, values, "Fine-tuning")
        if isinstance(values.get("labelled"), Mapping):
            values["labelled"] = LabelledSpec.from_dict(values["labelled"])
        return cls(**values)

    def replace(self, **changes: Any) -> Self:
        return replace(self, **known_fields(type(self), changes, "Fine-tuning"))
