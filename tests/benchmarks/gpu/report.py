"""The table and the JSON: kept on the disk from the first row on, so that a run that is killed leaves what it has."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playground.core.atomic import write_json
from tests.benchmarks.gpu.rows import Row

REHEARSAL = "Rehearsal on the CPU: figures mean nothing."
MARKS = {True: "met", False: "MISSED", None: ""}


@dataclass
class Part:
    """What came of one part.

    Attributes:
        state: "running", "done", "failed", "stopped" (its time was over) or "skipped".
        log: the end of what it printed, where it did not end well.
    """

    name: str
    state: str = "running"
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    log: str = ""


@dataclass
class Report:
    """All parts so far; `save` replaces the file in one step.

    Args:
        path: of the JSON; None keeps none.
    """

    path: Path | None = None
    rehearsal: bool = False
    machine: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    seconds: float = 0.0

    def rows(self) -> list[Row]:
        return [row for part in self.parts for row in part.rows]

    def save(self) -> None:
        if self.path:
            about = {"rehearsal": self.rehearsal, "machine": self.machine, "seconds": round(self.seconds, 1)}
            write_json(self.path, {**about, "parts": [asdict(part) for part in self.parts], "table": self.table()})

    def table(self) -> str:
        """All rows in Markdown, under a line that says what they were measured on."""
        lines = [f"**{REHEARSAL}**\n"] if self.rehearsal else []
        lines += [f"{self.headline()}; {self.seconds:.0f} s in all", ""]
        lines += ["| part | what | measured | goal | |", "|---|---|---|---|---|"]
        for part in self.parts:
            for row in part.rows:
                cells = [
                    part.name,
                    row.what,
                    row.measured,
                    row.goal,
                    "FAILED" if row.state == "failed" else MARKS[row.met],
                ]
                lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
        return "\n".join(lines)

    def headline(self) -> str:
        """The card, its driver and the versions."""
        about = self.machine
        driver = (about.get("nvidia_smi") or {}).get("driver_version")
        said = [
            about.get("name", "unknown machine"),
            f"driver {driver}" if driver else "",
            f"CUDA {about['cuda']}" if about.get("cuda") else "",
            f"torch {about.get('torch', '?')}",
            f"onnxruntime {about.get('onnxruntime', '?')}",
            f"Python {about.get('python', '?')}",
            about.get("date", ""),
        ]
        return ", ".join(filter(None, said))

    def ended_well(self) -> bool:
        """Whether no goal was missed and nothing failed."""
        return all(row.met is not False and row.state != "failed" for row in self.rows())
