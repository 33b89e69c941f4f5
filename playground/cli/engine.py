"""``--with`` and ``--device``: what runs a model at the command line. Its export where there is one, else PyTorch."""

import argparse
import sys
from typing import Any

from playground.core.errors import PlaygroundError
from playground.inference.exports import exported, opened
from playground.runs.folder import RunFolder

LONGEST = 80  # characters of a reason


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with",
        dest="engine",
        choices=("auto", "onnx", "torch"),
        default="auto",
        help="what runs the model: its export (onnx) or PyTorch (torch); auto takes the export if this step has one",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="device; auto takes a GPU if there is one",
    )


def engine_of(run: RunFolder, step: int | None, options: argparse.Namespace) -> Any:
    """The export that shall run, an `Engine` or an `OnnxEncoder`; None: PyTorch does the work.

    Args:
        step: which checkpoint; None takes the latest.
        options: what `add` asked for.

    Raises:
        PlaygroundError: when it must be the export, and there is none of this step, or it cannot be used.
    """
    if options.engine == "torch":
        return None
    steps = run.checkpoints()
    step = steps[-1] if step is None and steps else step
    made = exported(run)
    is_of_step = made is not None and made.report.get("step") == step
    if options.engine == "onnx" and not is_of_step:
        if step is None:
            raise PlaygroundError(f"{run.name} has no checkpoint yet.", "Let it train for a few seconds first.")
        run.checkpoint(step)  # says which there are: what is not there cannot be exported either
        command = f"python -m playground export {run.id}" + (f" --step {step}" if steps and step != steps[-1] else "")
        there = (
            "has no export" if made is None else f"is exported at step {made.report.get('step')}, not at step {step}"
        )
        raise PlaygroundError(f"{run.name} {there}.", f"Make one: {command}")
    if made is None or not is_of_step:
        return None
    try:
        return opened(made.folder, options.device)
    except (OSError, PlaygroundError) as error:
        if options.engine == "onnx":
            raise
        print(f"The export cannot be used: {error} Going on with PyTorch.", file=sys.stderr)
        return None


def ran_by(model: Any) -> str:
    """What ran, such as "ONNX Runtime (CUDA, fp16, CUDA graph)"; on CUDA also why a step was not replayed as a graph."""
    why = getattr(model, "uncaptured_reason", "") if getattr(model, "provider", "") == "CUDA" else ""
    return model.ran_by + (
        f"; no CUDA graph: {why if len(why) <= LONGEST else why[: LONGEST - 1] + '…'}" if why else ""
    )
