"""A run over time: one text, seen by the weights of several steps, a frame for each (see `playground.runs.frames`)."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.language_model import AnyModel
from playground.core.errors import PlaygroundError
from playground.inspection.capture import capture
from playground.inspection.prediction_task import prediction_task
from playground.runs.folder import RunFolder
from playground.runs.frames import MAX_TOKENS, WHOLE_LOGITS, Frame, to_bytes
from playground.runs.snapshots import steps_of
from playground.text.targets import IGNORE_INDEX
from playground.training.load_model import body_of, labels_of, model_at
from playground.training.look_tensors import is_default, shown_weights, weights_of, within_room

if TYPE_CHECKING:
    from playground.text.tokenizers import Tokenizer

KINDS = ("values", "change", "weights", "weights_change")
MOST_FRAMES = 15
N_LIKELIEST = 16
LARGEST = float(np.finfo(np.float16).max)
NO_TENSORS = ("",)
"""No tensor has this name: a frame with these names alone is about the text only."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReadText:
    """A text as a run's model is fed it.

    Attributes:
        ids: the ``n`` tokens; of an encoder–decoder the target, <bos> first; of a masked language model with some hidden.
        source_ids: the source of an encoder–decoder; None of other models.
        targets: the right token at each of the ``n`` positions, or IGNORE_INDEX; None where there is nothing to predict.
        position: the one whose likeliest tokens are told: the last, or the first that is hidden.
    """

    ids: list[int]
    source_ids: list[int] | None
    targets: list[int] | None
    position: int


def read_text(run: RunFolder, tokenizer: "Tokenizer", text: str, source: str = "") -> ReadText:
    """What a run's model reads of a text: at most MAX_TOKENS tokens, in the form that it was trained on.

    Args:
        text: of a model of pairs, the target (what it writes).
        source: of a model of pairs, the source (what it reads).

    Raises:
        PlaygroundError: when a model of pairs has no source.
    """
    config = run.config()
    most = MAX_TOKENS if config.model.is_recurrent else min(MAX_TOKENS, config.model.context_length)
    if config.finetune and config.finetune.reads_labels:
        ids = tokenizer.with_special_tokens(tokenizer.encode(text), most) or [tokenizer.eos_id]
        return ReadText(ids, None, None, 0 if config.finetune.task == "classify" else len(ids) - 1)
    if run.about().get("data_shape") == "pairs" and config.training.objective != "mlm":
        return _read_pair(tokenizer, tokenizer.encode(source), tokenizer.encode(text), config.model.reads_pairs, most)
    if config.training.objective == "mlm":
        return _read_to_fill(tokenizer, text, most)
    ids = [*tokenizer.frame[0], *tokenizer.encode(tokenizer.to_continue(text))][:most] or [tokenizer.eos_id]
    return ReadText(ids, None, _asked([*ids[1:], IGNORE_INDEX]), len(ids) - 1)


def _read_pair(tokenizer: "Tokenizer", question: list[int], answer: list[int], is_apart: bool, most: int) -> ReadText:
    """A question and its answer, each token of which is predicted, the <eos> after it too.

    Args:
        is_apart: whether an encoder reads the question; else one text holds both, with <bos> between.
    """
    if not question:
        raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
    before = [] if is_apart else question
    ids = [*before, tokenizer.bos_id, *answer]
    targets = [*[IGNORE_INDEX] * len(before), *answer, tokenizer.eos_id]
    if not answer:
        targets = [IGNORE_INDEX] * len(ids)
    ids, targets = ids[:most], targets[:most]
    return ReadText(ids, question[:most] if is_apart else None, _asked(targets), len(ids) - 1)


def _read_to_fill(tokenizer: "Tokenizer", text: str, most: int) -> ReadText:
    """A text with masks: those that a person typed, whose targets nobody knows, or 20 % of the tokens, always the same."""
    ids = tokenizer.with_special_tokens(tokenizer.encode(text, specials=True), most) or [tokenizer.eos_id]
    if tokenizer.mask_id in ids:
        return ReadText(ids, None, None, ids.index(tokenizer.mask_id))
    try:
        task = prediction_task(ids, "mlm", mask=(tokenizer.mask_id, tokenizer.size, tokenizer.special_ids))
    except PlaygroundError:  # nothing to hide
        return ReadText(ids, None, None, len(ids) - 1)
    return ReadText(task.inputs.tolist(), None, task.targets.tolist(), int(task.target_positions[0]))


def _asked(targets: list[int]) -> list[int] | None:
    """The targets; None where none counts."""
    return targets if any(target != IGNORE_INDEX for target in targets) else None


@dataclass(frozen=True)
class Seen:
    """One pass of a model over a text.

    Attributes:
        values: name → float32, without the batch axis; "logits" among them, as a frame has them.
        about: what a frame tells of the text and the predictions.
    """

    values: dict[str, np.ndarray]
    about: dict[str, Any]


def see(
    model: AnyModel, tokenizer: "Tokenizer", read: ReadText, names: Sequence[str] = (), labels: Sequence[str] = ()
) -> Seen:
    """What a model makes of a text.

    Args:
        model: in evaluation mode, on the CPU.
        names: which tensors, by the names of the hooks; () for those that a picture draws.
        labels: what the logits stand for, of a model that gives labels.
    """
    held = capture(model, read.ids, read.source_ids, keep=lambda name: name in names if names else is_default(name))
    logits = np.atleast_2d(held.pop("logits"))
    if not names or "logits" in names:
        held["logits"] = logits if logits.shape[-1] <= WHOLE_LOGITS else logits[[read.position]]
    exact = logits.astype(np.float64)
    logs = exact - exact.max(-1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(-1, keepdims=True))
    best = np.argsort(-logs[read.position], kind="stable")[:N_LIKELIEST].tolist()
    pieces = [labels[i] for i in best] if labels else tokenizer.pieces(best)
    likeliest = [[i, piece, float(np.exp(logs[read.position, i]))] for i, piece in zip(best, pieces, strict=True)]
    about = {"likeliest": likeliest, **_judged(logs, read.targets), **_told_of(model, tokenizer, read)}
    return Seen(held if names else within_room(held), about)


def _told_of(model: AnyModel, tokenizer: "Tokenizer", read: ReadText) -> dict[str, Any]:
    """What a frame says of the model and the text."""
    spec = body_of(model).spec
    return {
        "architecture": spec.architecture,
        "n_layers": spec.n_layers,
        "n_heads": spec.n_heads,
        "ids": read.ids,
        "pieces": tokenizer.pieces(read.ids),
        "source_ids": read.source_ids,
        "source_pieces": None if read.source_ids is None else tokenizer.pieces(read.source_ids),
        "position": read.position,
        "targets": read.targets,
    }


def _judged(logs: np.ndarray, targets: list[int] | None) -> dict[str, Any]:
    """The mean loss over the targets (nats), and which of them are the likeliest token."""
    at = [i for i, target in enumerate(targets or ()) if target != IGNORE_INDEX]
    if targets is None or not at:
        return {"loss": None, "right": []}
    right = [int(logs[i].argmax()) == targets[i] for i in at]
    loss = float(-np.mean([logs[i, targets[i]] for i in at]))
    return {"loss": loss if np.isfinite(loss) else None, "right": right}


def half(values: np.ndarray) -> np.ndarray:
    """Numbers as float16; those beyond its range as its largest."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float16)


def spread_out(steps: Sequence[int], most: int = MOST_FRAMES) -> list[int]:
    """At most so many of the steps, evenly by their place in the list, with the first and the last."""
    if len(steps) <= most:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def frames_of(
    run: RunFolder,
    text: str,
    source: str = "",
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
    kind: str = "values",
    names: Sequence[str] = (),
    damaged: list[int] | None = None,
) -> list[bytes]:
    """One frame for each step of a run, the first step first.

    Args:
        text: at most MAX_TOKENS tokens of it are read; of a model of pairs the target.
        source: of a model of pairs, the source.
        steps: which; None: at most MOST_FRAMES of `steps_of`, evenly spread.
        progress: told how many frames are made, and of how many, before each and after the last; what it raises ends the
            work.
        kind: "values"; "change", minus the values of the frame before (of the first one: 0; "since" tells its step);
            "weights", by the names of the state dict, large matrices as the means of blocks (see
            `playground.training.look_tensors.block_means`; "sampled" tells their sizes); "weights_change", minus those of
            the frame before.
        names: which tensors; () for all weights, and of values for those that the picture draws.
        damaged: takes the steps whose weights cannot be read, which then have no frame; None: the first of them is an error.

    Raises:
        PlaygroundError: when the run has no such step, or a file is damaged.
    """
    return list(each_frame(run, text, source, steps, progress, kind, names, damaged))


def each_frame(
    run: RunFolder,
    text: str,
    source: str = "",
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
    kind: str = "values",
    names: Sequence[str] = (),
    damaged: list[int] | None = None,
) -> Iterator[bytes]:
    """The frames of `frames_of` one after the other, as they are made."""
    from playground.text.tokenizers import Tokenizer

    if kind not in KINDS:
        raise PlaygroundError("A timeline has no frames of the kind {kind!r}.", kind=kind)
    chosen = spread_out(steps_of(run)) if steps is None else sorted(set(steps))
    tokenizer, of_weights = Tokenizer.load(run.tokenizer_path), kind.startswith("weights")
    tuned, measured, before = run.config().finetune, Measured(run), None
    read, labels = read_text(run, tokenizer, text, source), labels_of(run) if tuned and tuned.reads_labels else ()
    for done, step in enumerate(chosen):
        if progress:
            progress(done, len(chosen))
        try:
            model = model_at(run, step)
        except PlaygroundError:
            if damaged is None:
                raise
            damaged.append(step)
            continue
        seen = see(model, tokenizer, read, NO_TENSORS if of_weights else names, labels)
        now = {name: value.detach().numpy() for name, value in weights_of(model, names).items()}
        exact = now if of_weights else seen.values
        about = {"kind": kind, "step": step, **measured(step)}
        if kind.endswith("change"):
            about["since"] = step if before is None else before[0]
        shown = _minus(exact, before[1] if before else exact) if kind.endswith("change") else exact
        before = step, exact
        if of_weights:
            shown, about["sampled"] = shown_weights(shown)
        yield to_bytes(Frame(seen.about | about, {name: half(value) for name, value in shown.items()}))
    if progress:
        progress(len(chosen), len(chosen))


def _minus(now: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value - before[name] for name, value in now.items()}


class Measured:
    """What was measured of a run at a step: call it with the step.

    Tokens and seconds of steps between two rows lie on the line between them: of shipped runs not every row is there. The
    loss is told only where that very step has one.
    """

    def __init__(self, run: RunFolder) -> None:
        rows = [row for row in run.each_metric() if row.kind == "train"]
        self.steps = [0, *(row.step for row in rows)]
        self.tokens = [0.0, *(float(row.tokens or 0) for row in rows)]
        self.seconds = [0.0, *(row.seconds or 0.0 for row in rows)]
        self.losses = {row.step: row.loss for row in rows}

    def __call__(self, step: int) -> dict[str, Any]:
        return {
            "tokens": round(self._between(self.tokens, step)),
            "seconds": self._between(self.seconds, step),
            "train_loss": self.losses.get(step),
        }

    def _between(self, values: list[float], step: int) -> float:
        if step in self.losses:
            return values[bisect_right(self.steps, step) - 1]
        after = bisect_left(self.steps, step)
        if after == 0 or after == len(self.steps):
            return values[min(after, len(values) - 1)]
        x0, x1 = self.steps[after - 1], self.steps[after]
        return values[after - 1] + (values[after] - values[after - 1]) * (step - x0) / max(1, x1 - x0)
