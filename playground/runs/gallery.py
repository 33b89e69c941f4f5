"""Small trained runs that ship with the app, read-only, in ``playground/gallery``."""

import json
from functools import lru_cache
from pathlib import Path

import playground
from playground.core.errors import PlaygroundError
from playground.runs.folder import RunFolder

FOLDER = Path(playground.__file__).parent / "gallery"


@lru_cache(maxsize=8)
def _said(folder: Path) -> dict:
    """What ``order.json`` says: the ids of each language in order, and where some runs are opened."""
    return json.loads((folder / "order.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=8)
def _order(folder: Path, language: str) -> dict[str, int]:
    """The place of each run, by id, in a language."""
    ids = _said(folder)
    return {run_id: place for place, run_id in enumerate(ids.get(language, ids["en"]))}


def runs(language: str = "en") -> list[RunFolder]:
    """The shipped runs, those first that suit a language. None of them is trained on in place: duplicate one first."""
    found = [RunFolder(path.parent) for path in sorted(FOLDER.glob("*/run.json"))]
    order = _order(FOLDER, language) if found else {}
    return sorted(found, key=lambda run: order.get(run.id, len(order)))


def get(which: str) -> RunFolder:
    """The shipped run with this id.

    Raises:
        PlaygroundError: when there is none.
    """
    for run in runs():
        if run.id == which:
            return run
    raise PlaygroundError("There is no run {which!r} in the gallery.", which=which[:80])


def opens(run: RunFolder) -> str | None:
    """The page that shows best what a shipped run is there for, where that is not the usual one of its kind."""
    return _said(FOLDER).get("opens", {}).get(run.id) if holds(run) else None


def holds(run: RunFolder) -> bool:
    """Whether a run ships with the app, and so may be read but not changed."""
    return run.path.parent == FOLDER
