"""Where a run's export is, whether it is of the step that is asked for, and what runs it: all without torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError
from playground.paths import home
from playground.runs.folder import RunFolder
from playground.runs.gallery import holds

REPORT = "report.json"


@dataclass(frozen=True)
class Exported:
    """An export that agrees with torch.

    Attributes:
        folder: where it is.
        report: what was proved and how large everything is, as in its ``report.json``.
    """

    folder: Path
    report: dict[str, Any]


def folder_of(run: RunFolder) -> Path:
    """Where a run's export belongs: in its folder; of a run that ships with the app, in the person's home."""
    return home() / "exports" / run.id if holds(run) else run.export_path


def exported(run: RunFolder) -> Exported | None:
    """The export that is there already, or None."""
    folder = folder_of(run)
    try:
        return Exported(folder, json.loads((folder / REPORT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def exported_at(run: RunFolder, step: int | None) -> Exported | None:
    """The export of this step, or None: one of another step is of other weights."""
    made = exported(run)
    return made if made is not None and made.report.get("step") == step else None


def opened(folder: Path | str, device: str = "auto") -> Any:
    """What runs an export: an `Engine` of what writes, a `Reader` of what reads.

    Args:
        device: "auto", "cuda" or "cpu".

    Raises:
        PlaygroundError: when the folder or a file of it cannot be used, or there is no such device.
    """
    from playground.inference.about import About
    from playground.inference.engine import Engine
    from playground.inference.reader import Reader

    about = About.read(Path(folder))
    made = (Reader if about.task or about.objective == "mlm" else Engine)(folder, device=device)
    if device == "cuda" and made.provider != "CUDA":  # ONNX Runtime goes to the CPU by itself, and says so in a log
        raise PlaygroundError("ONNX Runtime could not start on the CUDA GPU here.", "Choose device 'auto' or 'cpu'.")
    return made
