"""A run over time: one text, seen by the weights of several steps, a frame for each (see `playground.runs.frames`)."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.hyperparameters import PAIRED
from models.language_model import LanguageModel
from playground.core.errors import PlaygroundError
from playground.inspection.capture import capture
from playground.inspection.prediction_task import prediction_task
from playground.runs.folder import RunFolder
from playground.runs.frames import MAX_TOKENS, WHOLE_LOGITS, Frame, to_bytes
from playground.runs.snapshots import steps_of
from playground.text.targets import IGNORE_INDEX
from playground.training.load_model import body_of, model_at

if TYPE_CHECKING:
    from playground.text.tokenizers import Tokenizer

KINDS = ("values", "change", "weights", "weights_change")
MOST_FRAMES = 15
N_LIKELIEST = 16
LARGEST = float(np.finfo(np.float16).max)
SHOWN = (
    "embeddings",
    "attention.weights",
    "attention.output",
    "cross.weights",
    "cross.output",
    "mlp.hidden",
    "output",
    "final",
    "cell",
    "hidden",
    "logits",
)
"""How the names end of the tensors that a frame of values has: what the picture draws; gates besides."""
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
        PlaygroundError: when an encoder–decoder has no source.
    """
    config = run.config()
    objective, pairs = config.training.objective, run.about().get("data_shape") == "pairs"
    most = MAX_TOKENS if config.model.is_recurrent else min(MAX_TOKENS, config.model.context_length)
    answer_from, sources = 0, None
    if config.model.architecture in PAIRED:
        ids, sources = [tokenizer.bos_id, *tokenizer.encode(text)], tokenizer.encode(source)[:most]
        if not sources:
            raise PlaygroundError("This model answers a text, and there is none.", "Type one.")
    elif pairs and objective == "clm":
        question = tokenizer.encode(source)
        answer_from = len(question)
        ids = [*question, tokenizer.bos_id, *tokenizer.encode(text)]
    else:
        before, after = tokenizer.frame if objective == "mlm" else (tokenizer.frame[0], ())
        inside = tokenizer.encode(text, specials=objective == "mlm")[: most - len(before) - len(after)]
        ids = [*before, *inside, *after] or [tokenizer.eos_id]
    return _asked(config, tokenizer, ids[:most], sources, answer_from)


def _asked(
    config: Any, tokenizer: "Tokenizer", ids: list[int], source_ids: list[int] | None, answer_from: int
) -> ReadText:
    """The tokens with what is to be predicted of them; a mask that a person typed has no known target."""
    last = len(ids) - 1
    if config.finetune and config.finetune.reads_labels:
        return ReadText(ids, source_ids, None, last)
    if config.training.objective == "mlm" and tokenizer.mask_id in ids:
        return ReadText(ids, source_ids, None, ids.index(tokenizer.mask_id))
    mask = (tokenizer.mask_id, tokenizer.size, tokenizer.special_ids)
    try:
        task = prediction_task(ids, config.training.objective, source_ids, answer_from, mask)
    except PlaygroundError:  # too short to predict anything
        return ReadText(ids, source_ids, None, last)
    at = int(task.target_positions[0]) if config.training.objective == "mlm" else last
    return ReadText(task.inputs.tolist(), source_ids, task.targets.tolist(), at)


def frame_of(
    model: LanguageModel,
    tokenizer: "Tokenizer",
    read: ReadText,
    names: Sequence[str] = (),
    **about: Any,
) -> Frame:
    """The values of one text in a model, as float16, with what it predicts.

    Args:
        model: in evaluation mode, on the CPU.
        names: which tensors, by the names of the hooks; () for those that the picture draws.
        about: such as ``step``, ``tokens``, ``seconds`` and ``train_loss``.

    Returns:
        The frame of kind "values". Besides what every frame has, ``about`` tells under "right" for each target whether it
        was the likeliest token.
    """
    held = capture(model, read.ids, read.source_ids, keep=lambda name: name in names if names else is_drawn(name))
    logits = held.pop("logits").astype(np.float64)
    spec, pieces = model.spec, lambda ids: None if ids is None else tokenizer.pieces(ids)
    logs = logits - logits.max(-1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(-1, keepdims=True))
    tensors = {name: half(value) for name, value in held.items()}
    if not names or "logits" in names:
        tensors["logits"] = half(logits if spec.vocab_size <= WHOLE_LOGITS else logits[[read.position]])
    best = np.argsort(-logs[read.position], kind="stable")[:N_LIKELIEST]
    told = {
        "kind": "values",
        "architecture": spec.architecture,
        "n_layers": spec.n_layers,
        "n_heads": spec.n_heads,
        "ids": read.ids,
        "pieces": pieces(read.ids),
        "source_ids": read.source_ids,
        "source_pieces": pieces(read.source_ids),
        "position": read.position,
        "likeliest": [
            [int(i), piece, float(np.exp(logs[read.position, i]))]
            for i, piece in zip(best, tokenizer.pieces(best.tolist()), strict=True)
        ],
        "targets": read.targets,
        **_judged(logs, read.targets),
        **about,
    }
    return Frame(told, tensors)


def is_drawn(name: str) -> bool:
    """Whether a picture of the model draws a tensor, by its hook's name."""
    return ".gates." in name or (name.endswith(SHOWN) and not name.endswith("mlp.output"))


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
) -> list[bytes]:
    """One frame for each step of a run, the first step first.

    Args:
        text: at most MAX_TOKENS tokens of it are read; of a model of pairs the target.
        source: of a model of pairs, the source.
        steps: which; None: at most MOST_FRAMES of `steps_of`, evenly spread.
        progress: told how many frames are made, and of how many, before each and after the last; what it raises ends the
            work.
        kind: "values"; "change", minus the values of the frame before (of the first one: 0); "weights", by the names of the
            state dict; "weights_change", minus those of the frame before.
        names: which tensors; () for all weights, and of values for those that the picture draws.

    Raises:
        PlaygroundError: when the run has no such step, or a file is damaged.
    """
    return list(each_frame(run, text, source, steps, progress, kind, names))


def each_frame(
    run: RunFolder,
    text: str,
    source: str = "",
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
    kind: str = "values",
    names: Sequence[str] = (),
) -> Iterator[bytes]:
    """The frames of `frames_of` one after the other, as they are made."""
    from playground.text.tokenizers import Tokenizer

    if kind not in KINDS:
        raise PlaygroundError("A timeline has no frames of the kind {kind!r}.", kind=kind)
    chosen = spread_out(steps_of(run)) if steps is None else sorted(set(steps))
    tokenizer = Tokenizer.load(run.tokenizer_path)
    read, measured, before = read_text(run, tokenizer, text, source), Measured(run), None
    for done, step in enumerate(chosen):
        if progress:
            progress(done, len(chosen))
        model = body_of(model_at(run, step))
        frame = frame_of(
            model, tokenizer, read, NO_TENSORS if "weights" in kind else names, step=step, **measured(step)
        )
        exact = _weights(model, names) if "weights" in kind else frame.tensors
        shown = _minus(exact, before) if kind.endswith("change") else exact
        before = exact
        yield to_bytes(Frame({**frame.about, "kind": kind}, {name: half(value) for name, value in shown.items()}))
    if progress:
        progress(len(chosen), len(chosen))


def _weights(model: LanguageModel, names: Sequence[str]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items() if not names or name in names}


def _minus(now: dict[str, np.ndarray], before: dict[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    """What changed, in float32; nothing has before the first frame."""
    before = before or now
    return {name: value.astype(np.float32) - before[name].astype(np.float32) for name, value in now.items()}


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
