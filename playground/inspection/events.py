"""What happened while a run learned, found in its frames and its metrics: marks for a timeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from models.hyperparameters import PAIRED
from playground.core.errors import Message
from playground.inspection.heads import RECOGNISED, HeadScores, score_heads
from playground.runs.folder import RunFolder
from playground.runs.frames import Frame
from playground.runs.rows import Metric

RISE = 0.15
"""So much of its attention more than at first: a head has learned to do this."""
LEAST_POINTS = 8
"""Measurements of the loss without which no plateau is told."""
BINS = 40
LONG, FLAT, FALL = 0.15, 0.03, 0.1
"""A plateau: at least this share of the steps, in which the loss falls by at most this share of its whole fall; then it falls
by at least this share of it."""
BORN = {
    "previous": Message("Head {head} learns to look one token back ({before:.2f} → {score:.2f} of its attention)."),
    "next": Message("Head {head} learns to look one token ahead ({before:.2f} → {score:.2f} of its attention)."),
    "first": Message("Head {head} learns to look at the first token ({before:.2f} → {score:.2f} of its attention)."),
    "last": Message("Head {head} learns to look at the last token ({before:.2f} → {score:.2f} of its attention)."),
    "itself": Message("Head {head} learns to look at the token itself ({before:.2f} → {score:.2f} of its attention)."),
    "same": Message(
        "Head {head} learns to look at copies of the same token ({before:.2f} → {score:.2f} of its attention)."
    ),
    "induction": Message("Head {head} becomes an induction head ({before:.2f} → {score:.2f} of its attention)."),
}


@dataclass(frozen=True)
class Event:
    """Something that happened at a step.

    Attributes:
        step: where it stands on the timeline; of heads and answers the first step looked at where it is so.
        kind: "head", "answer", "plateau" or "best".
        what: a sentence, a `Message` that can be translated.
    """

    step: int
    kind: str
    what: str


def events_of(run: RunFolder, frames: Sequence[Frame]) -> list[Event]:
    """All that is found, by step.

    Args:
        frames: of kind "values", in the order of their steps, of one text; heads and answers are judged by it. A text that is
            shorter than `playground.inspection.heads.LEAST_TOKENS` names no heads.
    """
    rows = list(run.each_metric())
    found = [*head_events(frames), *answer_events(frames, rows), *plateaus(rows), *best_validation(rows)]
    return sorted(found, key=lambda event: event.step)


def head_events(frames: Sequence[Frame]) -> list[Event]:
    """Of each kind of head the strongest one: the frame at which its score has come more than half the way from its first to
    its highest value. (A score rises over many steps; half the way is where it rises fastest.)
    """
    frames = [frame for frame in frames if frame.about["kind"] == "values"]
    scored = [scores for frame in frames if (scores := scores_of(frame)) is not None]
    if len(scored) < 2 or len(scored) < len(frames):
        return []
    found = (_birth(kind, scored) for kind in scored[0].scores)
    return [Event(frames[at].about["step"], "head", what) for at, what in filter(None, found)]


def _birth(kind: str, scored: list[HeadScores]) -> tuple[int, Message] | None:
    """At which frame the strongest head of a kind came to be, and the sentence on it."""
    table = np.stack([np.nan_to_num(scores.scores[kind]) for scores in scored])  # [frames, layers, heads]
    peak, layer, head = (int(i) for i in np.unravel_index(table.argmax(), table.shape))
    label = scored[peak].label(layer, head)
    course = table[:, layer, head]
    if label is None or label[0] != kind or course[peak] < RECOGNISED or course[peak] - course[0] < RISE:
        return None
    at = int(np.argmax(course >= (course[0] + course[peak]) / 2))
    said = {"head": f"{layer}.{head}", "before": float(course[at - 1]), "score": float(course[at])}
    return at, Message(BORN[kind].template, **said)


def scores_of(frame: Frame) -> HeadScores | None:
    """The scores of the heads that look at their own text; of an encoder–decoder the decoder's. None without attention."""
    about = frame.about
    pairs = about["architecture"] in PAIRED
    names = [f"{'decoder.' if pairs else ''}layers.{i}.attention.weights" for i in range(about["n_layers"])]
    if not names or any(name not in frame.tensors for name in names):
        return None
    weights = np.stack([frame.tensors[name].astype(np.float32) for name in names])
    return score_heads(weights, about["ids"], causal=about["architecture"] != "encoder")


def answer_events(frames: Sequence[Frame], rows: Iterable[Metric]) -> list[Event]:
    """When the model first says what is right: of this text, and (of pairs) of the answers to validation questions."""
    found = []
    right = [frame.about.get("right") or [] for frame in frames]
    whole = [bool(each) and all(each) for each in right]
    last = [bool(each) and each[-1] for each in right]
    if True in whole[1:] and not whole[0]:
        at = whole.index(True)
        found.append(
            Event(frames[at].about["step"], "answer", Message("Every token of this text is right for the first time."))
        )
    if True in last[1:] and not last[0] and (not any(whole) or last.index(True) < whole.index(True)):
        at = last.index(True)
        found.append(
            Event(
                frames[at].about["step"], "answer", Message("The last token of this text is right for the first time.")
            )
        )
    return [*found, *_exact_events([(row.step, row.val_exact) for row in rows if row.val_exact is not None])]


def _exact_events(exact: Sequence[tuple[int, float]]) -> list[Event]:
    found = []
    first = next((step for step, share in exact if share > 0), None)
    half = next((step for step, share in exact if share > 0.5), None)
    if first is not None and first != half:
        found.append(Event(first, "answer", Message("The first answer to a validation question is right.")))
    if half is not None:
        found.append(Event(half, "answer", Message("More than half of the answers to validation questions are right.")))
    return found


def plateaus(rows: Iterable[Metric]) -> list[Event]:
    """The longest stretch in which the loss hardly falls though it falls again afterwards; it is marked at its beginning."""
    curve = loss_curve(rows)
    if len(curve) < LEAST_POINTS:
        return []
    steps = [step for step, _ in curve]
    lowest = np.minimum.accumulate([loss for _, loss in curve])
    whole, length = lowest[0] - lowest[-1], steps[-1] - steps[0]
    if whole <= 0 or not length:
        return []
    best: tuple[int, int] | None = None
    for start in range(len(steps)):
        end = int(np.flatnonzero(lowest[start] - lowest <= FLAT * whole)[-1])  # `lowest` never rises
        falls_again = lowest[end] - lowest[-1] >= FALL * whole
        if falls_again and (best is None or steps[end] - steps[start] > steps[best[1]] - steps[best[0]]):
            best = (start, end)
    if best is None or steps[best[1]] - steps[best[0]] < LONG * length:
        return []
    begins, ends = steps[best[0]], steps[best[1]]
    what = Message("Plateau: from step {begins:,} to {ends:,} the loss hardly falls.", begins=begins, ends=ends)
    return [Event(begins, "plateau", what)]


def loss_curve(rows: Iterable[Metric]) -> list[tuple[int, float]]:
    """The validation loss by step; where it was measured too seldom, the training loss as medians of at most BINS bins."""
    rows = list(rows)
    measured = [(row.step, row.val_loss) for row in rows if row.kind == "eval" and row.val_loss is not None]
    if len(measured) >= LEAST_POINTS:
        return measured
    trained = [(row.step, row.loss) for row in rows if row.kind == "train" and row.loss is not None]
    size = max(1, -(-len(trained) // BINS))
    bins = [trained[i : i + size] for i in range(0, len(trained), size)]
    return [(each[len(each) // 2][0], median(loss for _, loss in each)) for each in bins]


def best_validation(rows: Iterable[Metric]) -> list[Event]:
    """The evaluation with the lowest loss, where there are several."""
    measured = [(row.val_loss, row.step) for row in rows if row.kind == "eval" and row.val_loss is not None]
    if len(measured) < 2:
        return []
    loss, step = min(measured)
    return [Event(step, "best", Message("Lowest validation loss: {loss:.4g} nats per token.", loss=loss))]
