"""Finding the export of a run, checking that it is of the wanted step, and opening it: all without torch."""

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.core.errors import PlaygroundError, from_json
from playground.core.paths import home
from playground.runs.folder import RunFolder
from playground.runs.gallery import holds

log = logging.getLogger("playground")
REPORT = "report.json"
DAMAGE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError)
"""Errors of opening files that do not fit together, besides those that are PlaygroundErrors already."""


@dataclass(frozen=True)
class Exported:
    """An export, which was compared with torch when it was made.

    Attributes:
        folder: where it is.
        report: results of the comparison and sizes of the files, as in its ``report.json``.
    """

    folder: Path
    report: dict[str, Any]


def folder_of(run: RunFolder) -> Path:
    """The folder of a run's export: inside the run, or in the user's home for a run that ships with the app."""
    return home() / "exports" / run.id if holds(run) else run.export_path


def exported(run: RunFolder) -> Exported | None:
    """The export of a run; None if there is none or its report is damaged."""
    folder = folder_of(run)
    try:
        if _came_with_it(run, folder / REPORT):
            return None
        report = from_json(json.loads((folder / REPORT).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, PlaygroundError):
        return None
    return Exported(folder, report) if is_report(report) else None


def _came_with_it(run: RunFolder, report: Path) -> bool:
    """Whether an export came with a loaded run, as earlier versions took it over; a graph from elsewhere is not run."""
    arrived = run.about().get("imported")
    return isinstance(arrived, int | float) and report.stat().st_mtime <= arrived


def is_report(report: Any) -> bool:
    """Whether something is a report as `onnx_export.export` writes it: all that is read of it is there, of the right types."""
    if not isinstance(report, dict):
        return False
    said = {"task": "", "shrunk": {}, **report}
    number = lambda value: isinstance(value, (int, float)) and abs(value) < 1e300  # NaN is not
    whole = lambda value: type(value) is int and number(value)
    checked = lambda row: isinstance(row, dict) and number(row.get("error")) and number(row.get("scale"))
    kinds = {
        "step": whole,
        "worst": number,
        "seconds": number,
        "greedy": lambda value: value is None or whole(value),
        "loaders": lambda value: isinstance(value, str),
        "task": lambda value: isinstance(value, str),
        "checks": lambda rows: (
            isinstance(rows, list) and all(checked(row) and isinstance(row.get("what"), str) for row in rows)
        ),
        "sizes": lambda sizes: isinstance(sizes, dict) and all(map(whole, sizes.values())) and sizes.get("fp32", 0) > 0,
        "shrunk": lambda shrunk: isinstance(shrunk, dict) and all(map(checked, shrunk.values())),
    }
    return all(name in said and fits(said[name]) for name, fits in kinds.items())


def exported_at(run: RunFolder, at_step: int | None) -> Exported | None:
    """The export of this step, or None: one of another step is of other weights."""
    made = exported(run)
    return made if made is not None and made.report.get("step") == at_step else None


def opened(folder: Path | str, device: str = "auto") -> Any:
    """What runs an export: an `Engine` for a model that generates, an `OnnxEncoder` for one that reads whole texts.

    Args:
        device: "auto", "cuda" or "cpu".

    Raises:
        PlaygroundError: when the folder or a file of it cannot be used, or there is no such device.
    """
    from playground.inference.engine import Engine
    from playground.inference.export_manifest import ExportManifest
    from playground.inference.onnx_encoder import OnnxEncoder

    about = ExportManifest.load(Path(folder))
    with fitting(Path(folder)):
        made = (OnnxEncoder if about.task or about.objective == "mlm" else Engine)(folder, device=device)
    if device == "cuda" and made.provider != "CUDA":  # ONNX Runtime goes to the CPU by itself, and says so in a log
        raise PlaygroundError("ONNX Runtime could not start on the CUDA GPU here.", "Choose device 'auto' or 'cpu'.")
    return made


@contextlib.contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Opens files that somebody may have changed or mixed with another model's.

    Raises:
        PlaygroundError: when they do not fit together.
    """
    try:
        yield
    except DAMAGE as error:
        log.info("The export in %s cannot be used", folder, exc_info=True)  # the sentence does not say where
        reason = (str(error).strip() or "?").splitlines()[0][:200].rstrip(".")
        raise PlaygroundError(
            "The files of {name} do not fit together ({error_type}: {reason}).",
            "Export the run again.",
            name=folder.name,
            error_type=type(error).__name__,
            reason=reason,
        ) from error
