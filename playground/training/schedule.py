"""The learning rate over the steps: warm-up, an optional plateau, decay."""

import math

from playground.core.errors import Message
from playground.runs.config import TrainingSpec


def lr_factor(training: TrainingSpec, step: int) -> float:
    """What to multiply every learning rate with at ``step`` (0-based); 1 at the top, ``final_lr_fraction`` at the last step.

    Warm-up is linear (Goyal et al. 2017), the decay a half cosine (Loshchilov & Hutter 2017) or a straight line,
    after the plateau of a warm-up-stable-decay schedule (Hu et al. 2024) when ``constant_fraction`` is above 0.
    """
    if step < training.warmup_steps:
        return (step + 1) / (training.warmup_steps + 1)
    if training.schedule == "constant":
        return 1.0
    start = max(training.warmup_steps, int(training.constant_fraction * training.steps))
    if step < start:
        return 1.0
    progress = min(1.0, (step - start) / max(1, training.steps - 1 - start))
    if training.schedule == "linear":
        return 1.0 - (1.0 - training.final_lr_fraction) * progress
    return training.final_lr_fraction + (1.0 - training.final_lr_fraction) * 0.5 * (1.0 + math.cos(math.pi * progress))


def warmup_warning(training: TrainingSpec) -> str:
    """A sentence where the warm-up is as long as the run, so that the learning rate is never what was chosen; else ""."""
    if training.warmup_steps < training.steps:
        return ""
    return Message(
        "The warm-up ({warmup_steps:,}) is not shorter than the run ({steps:,}), so the learning rate {lr:g} is never reached. Shorten the warm-up, or train for more steps.",
        warmup_steps=training.warmup_steps,
        steps=training.steps,
        lr=training.lr,
    )


def lr_curve(training: TrainingSpec, points: int = 200) -> list[tuple[int, float]]:
    """``(step, learning rate)`` at up to ``points`` steps, for drawing the schedule before training starts."""
    stride = max(1, (training.steps - 1) // max(1, points - 1))
    steps = sorted(
        {
            *range(0, training.steps, stride),
            min(training.warmup_steps, training.steps - 1),
            training.steps - 1,
        }
    )
    return [(step, training.lr * lr_factor(training, step)) for step in steps]
