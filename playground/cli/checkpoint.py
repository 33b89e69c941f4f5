"""RUN or RUN@STEP: a run, and which of its checkpoints or snapshots."""

import argparse

from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder
from playground.runs.snapshots import weights_of
from playground.runs.store import RunStore

TARGET = "a run's id, the beginning of its id, its name, or latest; with @STEP one of its checkpoints or snapshots"


def run_at(which: str, store: RunStore) -> tuple[RunFolder, int | None]:
    """The run of RUN or RUN@STEP, and the step; None: the newest.

    Raises:
        PlaygroundError: when there is no such run.
    """
    name, _, step = which.rpartition("@")
    if name and step.isascii() and step.isdigit():
        return store.get(name), int(step)
    return store.get(which), None


def at_step(options: argparse.Namespace) -> tuple[RunFolder, int | None]:
    """What `run_at` says of the target, or of the target and ``--step``.

    Raises:
        PlaygroundError: when both say a step, or the run has no weights of this step.
    """
    run, step = run_at(options.target, RunStore())
    said = getattr(options, "step", None)
    if step is None:
        return run, said
    if said is not None:
        raise PlaygroundError("RUN@STEP and --step both name a checkpoint.", "Give one of the two.")
    weights_of(run, step)
    return run, step
