"""``python -m playground bench gallery``: makes shipped models again from their recipes, and compares the losses.

The recipe is the code block of a model's README.md: one command a line, run one after the other in a home that holds
nothing else, so that "latest" means the run before.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playground.runs import gallery

WITHIN = 0.02  # of the shipped loss
NOTHING = 0.002  # nats: of a loss near 0 no ratio means anything
MOST_BYTES = 20_000_000  # of all shipped models together
NOT_INSTALLED = re.compile(r"[^\n]*\bnot installed\b[^\n]*(?:\n[^\n]+)?")
COMMAND = re.compile(r"(?:\.venv/bin/)?python3? -m playground (.*)")
ABLE = ("train", "finetune")

Runner = Callable[[list[str], Path], tuple[int, str]]


class NoRecipe(ValueError):
    """A README.md from which a model cannot be made."""


@dataclass(frozen=True)
class Made:
    """A model beside itself.

    Args:
        name: of its folder.
        shipped: its validation loss (nats).
        again: that of the model made anew; None where it could not be made.
        seconds: all commands together.
        size: of the shipped folder, in bytes.
        reason: why it could not be made; "" where it was.
        excused: whether that is no fault of the recipe.
    """

    name: str
    shipped: float
    again: float | None
    seconds: float
    size: int
    reason: str = ""
    excused: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the losses agree; None where that cannot be known here."""
        if self.again is None:
            return None if self.excused else False
        apart = abs(self.again - self.shipped)
        return apart <= WITHIN * self.shipped or apart <= NOTHING


def recipe(text: str) -> list[list[str]]:
    """The arguments of each command in the code blocks of a README.md.

    Args:
        text: Markdown; code is indented by four spaces or fenced. A backslash joins lines, ``#`` begins a comment.

    Raises:
        NoRecipe: when there is no command, or one that is not ``python -m playground train`` or ``finetune``.
    """
    lines, fenced = [], False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    commands = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [_arguments(each) for each in commands if each and not each.startswith("#")] or _none()


def _none() -> list[list[str]]:
    raise NoRecipe("There is no command in a code block.")


def _arguments(command: str) -> list[str]:
    found = COMMAND.fullmatch(command)
    words = shlex.split(found[1], comments=True) if found else []
    if not words or words[0] not in ABLE:
        raise NoRecipe(f"This is no command that makes a model: {command}")
    return words


def make(folder: Path, run: Runner) -> Made:
    """A shipped model made again, in a home of its own that is removed afterwards."""
    shipped = json.loads((folder / "status.json").read_text())["val_loss"]
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    began = time.monotonic()
    failed = lambda reason, excused=False: Made(
        folder.name, shipped, None, time.monotonic() - began, size, reason, excused
    )
    try:
        commands = recipe((folder / "README.md").read_text(encoding="utf-8"))
    except (NoRecipe, OSError, ValueError) as error:
        return failed(str(error))
    with tempfile.TemporaryDirectory(prefix="playground-gallery-", ignore_cleanup_errors=True) as home:
        for command in commands:
            code, said = run(command, Path(home))
            if code:
                missing = NOT_INSTALLED.search(said)
                return failed(" ".join((missing[0] if missing else said[-200:]).split()), bool(missing))
        again = _newest_loss(Path(home))
    return Made(folder.name, shipped, again, time.monotonic() - began, size, "" if again is not None else "no loss")


def _newest_loss(home: Path) -> float | None:
    """The last validation loss of the run that the last command made."""
    runs = sorted((home / "runs").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    return json.loads((runs[-1].parent / "status.json").read_text()).get("val_loss") if runs else None


def run_command(words: list[str], home: Path) -> tuple[int, str]:
    """The exit status of ``python -m playground …`` in this home, and what it said."""
    environment = {**os.environ, "PLAYGROUND_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "playground", *words],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def main(names: Sequence[str], root: Path | None = None, run: Runner = run_command) -> int:
    """Makes the models named (all without names) and prints a table; 0 when every loss agrees and all are small enough."""
    folders = {path.parent.name: path.parent for path in sorted((root or gallery.FOLDER).glob("*/run.json"))}
    if unknown := [name for name in names if name not in folders]:
        print(f"No model is called {', '.join(unknown)}; there are: {', '.join(folders)}.", file=sys.stderr)
        return 2
    print("| model | shipped | made anew | ratio | seconds | kB | |\n|---|---|---|---|---|---|---|", flush=True)
    made = []
    for name in names or folders:
        made.append(make(folders[name], run))
        print(_row(made[-1]), flush=True)
    total = sum(file.stat().st_size for folder in folders.values() for file in folder.rglob("*") if file.is_file())
    fits = total <= MOST_BYTES
    print(
        f"\n{len(folders)} models, {total / 1e6:.1f} MB of {MOST_BYTES / 1e6:.0f} MB: {'met' if fits else 'MISSED'}. "
        f"A loss agrees within {WITHIN:.0%}, or within {NOTHING} nats where it is near 0."
    )
    return 0 if fits and all(each.met is not False for each in made) else 1


def _row(made: Made) -> str:
    again, ratio = "–", "–"
    if made.again is not None:
        again, ratio = f"{made.again:.4f}", f"{made.again / made.shipped:.3f}" if made.shipped else "–"
    verdict = {True: "met", False: "MISSED", None: "not made"}[made.met] + (f": {made.reason}" if made.reason else "")
    return (
        f"| {made.name} | {made.shipped:.4f} | {again} | {ratio} | {made.seconds:.0f} | {made.size / 1e3:.0f} "
        f"| {verdict.replace('|', '/')} |"
    )
