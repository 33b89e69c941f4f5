"""How fast this machine is and how much room it has: from runs that it has trained, never from guesses."""

import math
import socket
from dataclasses import dataclass

import psutil

from models.costs import flops_per_token
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError
from playground.runs.config import TrainingSpec
from playground.runs.folder import RunFolder

ALIKE = 8.0  # a run with up to so many times more or less arithmetic a token tells something about another


@dataclass(frozen=True)
class Throughput:
    """What one run achieved here.

    Args:
        name: of the run.
        architecture: of its model.
        work: floating-point operations for each token it learnt from.
        tokens_per_second: as it measured.
    """

    name: str
    architecture: str
    work: int
    tokens_per_second: float


def measured(runs: list[RunFolder]) -> list[Throughput]:
    """The pace of every run that was trained on this machine."""
    paces = []
    for run in runs:
        try:
            status = run.status()
            speed = status.tokens_per_second if status.host == socket.gethostname() else None
            spec = ModelSpec.from_dict(run.about()["model"])
        except (PlaygroundError, SpecError, KeyError):
            continue
        if speed and spec.vocab_size:
            paces.append(Throughput(run.name, spec.architecture, flops_per_token(spec).training, speed))
    return paces


def expected(spec: ModelSpec, training: TrainingSpec, paces: list[Throughput]) -> tuple[float, Throughput] | None:
    """Seconds that training should take, and the run of the same architecture that tells; None without one.

    Args:
        spec: with its vocabulary size.
        training: says how many tokens are read.
        paces: from ``measured``.
    """
    work = flops_per_token(spec).training
    alike = [p for p in paces if p.architecture == spec.architecture and 1 / ALIKE <= p.work / work <= ALIKE]
    if not alike:
        return None
    nearest = min(alike, key=lambda p: abs(math.log(p.work / work)))
    tokens = training.steps * training.batch_size * spec.context_length
    return tokens * work / (nearest.work * nearest.tokens_per_second), nearest


def check_room(parameters: int) -> None:
    """Weights are held twice for a moment whenever a model is opened: as they are read, and in the model.

    Raises:
        PlaygroundError: when memory has no room for so many, in float32.
    """
    free = free_memory()
    if 2 * 4 * parameters > free:
        raise PlaygroundError(
            "This model has {count:,} parameters; opening it takes {need:.1f} GiB of memory, and {free:.1f} GiB are free.",
            "Choose a smaller one, or close other programs.",
            count=parameters,
            need=8 * parameters / 2**30,
            free=free / 2**30,
        )


def free_memory() -> int:
    """Bytes that programs can still have on this machine."""
    return psutil.virtual_memory().available
