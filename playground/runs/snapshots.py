"""Snapshots: the weights of a run at a few steps, in half precision, to look back at how it learned.

A checkpoint holds all that resuming needs (three times the weights, in float32) and older ones go. A snapshot is one
file, ``snapshots/step-00000100.safetensors``, of a sixth of that size, and stays. It is written under another name and
then renamed; its metadata hold the SHA-256 of what is in it.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from playground.core.atomic import write_bytes
from playground.core.errors import PlaygroundError
from playground.runs import checkpoints
from playground.runs.config import TrainingSpec

USUAL = 15
"""Snapshots of a run that does not say how many."""
USUAL_WHILE = 3_000_000
"""Parameters of the largest model that gets them without being asked."""
BYTES = 2
"""Of a number in float16."""
_FILE = re.compile(r"step-([0-9]{8,12})\.safetensors")


class Run(Protocol):
    """What is asked of a run folder here; `playground.runs.folder.RunFolder` asks this file in its turn."""

    @property
    def path(self) -> Path: ...


def grid(steps: int, n: int) -> tuple[int, ...]:
    """The steps of ``n`` snapshots, from 0 to ``steps``, closer together at the beginning, where most is learned.

    Step i is round(steps·(i / (n − 1))²). Of a short run several can be the same: each is there once.
    """
    if n < 2:
        return (0,) * max(0, n)
    return tuple(sorted({round(steps * (i / (n - 1)) ** 2) for i in range(n)}))


def usual(n_parameters: int) -> int:
    """How many snapshots a run makes when nobody says: some of a small model, none of a large one."""
    return USUAL if n_parameters <= USUAL_WHILE else 0


def planned(training: TrainingSpec, n_parameters: int) -> tuple[int, ...]:
    """The steps at which a run makes snapshots."""
    return grid(training.steps, usual(n_parameters) if training.snapshots < 0 else training.snapshots)


def size(n: int, n_parameters: int) -> int:
    """Bytes that ``n`` snapshots take on the disk, but for their headers (some kB)."""
    return n * n_parameters * BYTES


def folder_of(run: Path) -> Path:
    """Where the snapshots of the run folder ``run`` are."""
    return Path(run) / "snapshots"


def path_of(run: Path, step: int) -> Path:
    """The file of one step's snapshot, there or not."""
    return folder_of(run) / f"step-{step:08d}.safetensors"


def files(run: Path) -> dict[int, Path]:
    """The files of snapshots by their steps, whole or not."""
    try:
        entries = list(os.scandir(folder_of(run)))
    except OSError:
        return {}
    found = ((_FILE.fullmatch(entry.name), entry) for entry in entries if entry.is_file(follow_symlinks=False))
    named = {int(match[1]): Path(entry.path) for match, entry in found if match}
    return {step: path for step, path in named.items() if path.name == path_of(run, step).name}


def steps(run: Path) -> list[int]:
    """The steps that have a whole snapshot, in order."""
    return sorted(step for step, path in files(run).items() if checkpoints.header_of(path) is not None)


def steps_of(run: Run) -> list[int]:
    """All steps of a run whose weights can be looked at, in order: those of its checkpoints and of its snapshots."""
    return sorted({*checkpoints.steps(run.path), *steps(run.path)})


def weights_of(run: Run, step: int) -> Path:
    """The file with the weights of a step: of its checkpoint if there is one, else its snapshot.

    Raises:
        PlaygroundError: when there is neither.
    """
    checkpoint, snapshot = checkpoints.path_of(run.path, step), path_of(run.path, step)
    if checkpoints.is_whole(checkpoint):
        return checkpoint / "model.safetensors"
    if checkpoints.header_of(snapshot) is not None:
        return snapshot
    there = ", ".join(map(str, steps_of(run))) or "none"
    raise PlaygroundError("There is no checkpoint of step {step}.", "There are: {known}.", step=step, known=there)


def is_snapshot(weights: Path) -> bool:
    """Whether a file of weights is a snapshot, and not a checkpoint's."""
    return _FILE.fullmatch(weights.name) is not None


def save(run: Path, step: int, content: bytes) -> Path:
    """Writes the snapshot of ``step`` in one step; a crash leaves none, or the old one.

    Args:
        content: of the safetensors file.

    Raises:
        PlaygroundError, OSError: when it cannot be written.
    """
    folder = folder_of(run)
    folder.mkdir(exist_ok=True)
    for left in folder.glob(".step-*"):  # of a crash; only the process that trains the run writes here
        left.unlink(missing_ok=True)
    write_bytes(path_of(run, step), content)
    return path_of(run, step)


def digest(tensors: Iterable[tuple[str, bytes | memoryview]]) -> str:
    """The SHA-256 of the tensors' bytes in the order of their names, as a snapshot's metadata say it."""
    total = hashlib.sha256()
    for name, data in sorted(tensors, key=lambda pair: pair[0]):
        total.update(name.encode())
        total.update(data)
    return total.hexdigest()


def said_digest(path: Path) -> str:
    """The SHA-256 that a snapshot's metadata say; "" where they say none."""
    try:
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, checkpoints.LONGEST_HEADER)))
        said = header.get("__metadata__", {}).get("sha256", "")
        return said if isinstance(said, str) else ""
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""


def rewind(run: Path, step: int) -> None:
    """Removes the snapshots after ``step``: their future is about to be trained anew."""
    for later, path in files(run).items():
        if later > step:
            path.unlink(missing_ok=True)


def copy(run: Path, to: Path, last: int, copy_file: Callable[[Path, Path], object]) -> None:
    """Copies the snapshots up to the step ``last`` into another run's folder."""
    for step in steps(run):
        if step <= last:
            folder_of(to).mkdir(exist_ok=True)
            copy_file(path_of(run, step), path_of(to, step))
