"""Other people's software in environments of its own: onnxruntime-genai brings another onnxruntime, which would break
ours, and transformers is heavy.
"""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

TRANSFORMERS, GENAI = "transformers==5.23.0", "onnxruntime-genai==0.18.0"
TRANSFORMERS_JS, ONNXRUNTIME_WEB = "@huggingface/transformers@4.3.1", "onnxruntime-web@1.30.0"


@dataclass(frozen=True)
class Tool:
    """What runs a script of ours.

    Attributes:
        program: the interpreter.
        env: what it is started with.
    """

    program: str
    env: dict[str, str]

    def command(self, script: Path, *arguments: str) -> list[str]:
        return [self.program, str(script), *arguments]


def python_with(place: Path, *packages: str, torch: bool = False) -> Tool | None:
    """An environment with these packages, or None where they cannot be had.

    Args:
        place: a new folder.
        torch: whether it sees our packages too, behind its own: a second copy of torch would be large.
    """
    venv.create(place, with_pip=True)
    python = str(place / "bin/python")
    if not _done([python, "-m", "pip", "install", "-q", *packages]):
        return None
    if torch:
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        theirs = next((place / "lib").glob("python*/site-packages"))
        (theirs / "ours.pth").write_text(f"{ours}\n")
    return Tool(python, {name: value for name, value in os.environ.items() if name != "PYTHONPATH"})


def node_with(place: Path, *packages: str) -> Tool | None:
    """A folder with these npm packages; scripts put into it find them."""
    place.mkdir(parents=True)
    # without their scripts, one of which would fetch libraries for GPUs
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    return Tool("node", dict(os.environ)) if _done(install, place) else None


def _done(command: list[str], where: Path | None = None) -> bool:
    try:
        return subprocess.run(command, cwd=where, capture_output=True, timeout=400).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
