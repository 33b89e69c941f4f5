"""Small trained runs that ship with the app, read-only, in ``playground/gallery``."""

from pathlib import Path

import playground
from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder

FOLDER = Path(playground.__file__).parent / "gallery"


def runs() -> list[RunFolder]:
    """The shipped runs, by id. None of them is trained on in place: duplicate one first."""
    return [RunFolder(path.parent) for path in sorted(FOLDER.glob("*/run.json"))]


def get(which: str) -> RunFolder:
    """The shipped run with this id.

    Raises:
        PlaygroundError: when there is none.
    """
    for run in runs():
        if run.id == which:
            return run
    raise PlaygroundError("There is no run {which!r} in the gallery.", which=which[:80])


def holds(run: RunFolder) -> bool:
    """Whether a run ships with the app, and so may be read but not changed."""
    return run.path.parent == FOLDER
