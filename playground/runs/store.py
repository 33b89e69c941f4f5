"""All runs of one person: made, found, renamed, copied, thrown away and brought back."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.core.atomic import disk_errors
from playground.core.errors import Message, PlaygroundError
from playground.core.paths import home
from playground.runs import archive, checkpoints, examples, gallery, naming, queue, snapshots
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.integrity import problem


@dataclass(frozen=True)
class Trashed:
    """A run in the trash; ``key`` brings it back."""

    key: str
    id: str
    name: str
    deleted: float  # seconds since 1970


@dataclass(frozen=True)
class Damaged:
    """A run that cannot be opened: what is wrong, and what to do."""

    run: RunFolder
    message: str
    hint: str


class RunStore:
    """The folder of all runs. Holds nothing in memory: any number of processes may use it at once.

    Args:
        root: where the runs are; ``home()/runs`` unless told. The trash is beside it.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = Path(root) if root else home() / "runs"
        self.trash_root = self.root.parent / "trash"
        try:
            with disk_errors("making the folder of runs"):
                self.root.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise PlaygroundError(
                "There is a file where the folder {root} has to be.", "Move the file away.", root=self.root
            ) from error

    def create(self, config: RunConfig, **about: Any) -> RunFolder:
        """A new run folder with ``run.json`` in it, in the state "created".

        Raises:
            PlaygroundError: when the disk is full; no half-made run is left.
        """
        run = self._reserve(config.name)
        try:
            run.write_config(config, **about)
        except BaseException:
            shutil.rmtree(run.path, ignore_errors=True)
            raise
        return run

    def _reserve(self, name: str) -> RunFolder:
        while True:
            path = self.root / naming.new_id(name)
            try:
                with disk_errors("making a run"):
                    path.mkdir()
                return RunFolder(path)
            except FileExistsError:
                continue

    def list(self) -> "list[RunFolder]":
        """All runs that can be opened, the newest first; the others are those `damaged`."""
        found = []
        for run in self._folders():
            if problem(run) is None:
                with suppress(PlaygroundError):  # deleted just now
                    found.append((float(run.about().get("created") or 0), run.id, run))
        return [run for _, _, run in sorted(found, key=lambda item: item[:2], reverse=True)]

    def damaged(self) -> "list[Damaged]":
        """The runs that cannot be opened, by id, with what is wrong. They can be deleted."""
        found = ((run, problem(run)) for run in sorted(self._folders(), key=lambda run: run.id))
        return [Damaged(run, *wrong) for run, wrong in found if wrong]

    def _folders(self) -> "Iterator[RunFolder]":
        for entry in os.scandir(self.root):
            if naming.is_id(entry.name) and entry.is_dir():
                yield RunFolder(Path(entry.path))

    def get(self, which: str) -> RunFolder:
        """The run with this id, the start of an id, or a name; "latest" is the one made last.

        Runs that ship with the app are found too, by their whole id or name; a person's own go first.

        Raises:
            PlaygroundError: when there is none, or several that fit; or its run.json is gone.
        """
        if naming.is_id(which) and (self.root / which).is_dir():
            run = RunFolder(self.root / which)
            if not run.exists and (wrong := problem(run)):
                raise PlaygroundError(*wrong)
            return run
        runs = self.list()
        if which == "latest" and runs:
            return runs[0]
        fitting = [run for run in runs if run.name == which] or [
            run for run in runs if which and run.id.startswith(which)
        ]
        if not fitting:
            fitting = [run for run in gallery.runs() if which in (run.id, run.name)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise PlaygroundError(
                "{n_fitting} runs are called {which!r}.",
                "Choose by id: {fitting}.",
                n_fitting=len(fitting),
                which=which,
                fitting=", ".join(run.id for run in fitting[:5]),
            )
        known = ", ".join(run.id for run in runs[:5])
        raise PlaygroundError(
            "There is no run {which!r}.",
            Message("Newest: {known}.", known=known) if known else "Train one first.",
            which=which[:80],
        )

    def own(self, which: str) -> RunFolder:
        """As ``get``, for what changes a run: those that ship with the app are refused."""
        run = self.get(which)
        if gallery.holds(run):
            raise PlaygroundError("{name} ships with the app and stays as it is.", "Duplicate it first.", name=run.name)
        return run

    def rename(self, which: str, name: str) -> RunFolder:
        """Gives a run another name; its id, and all that points to it, stay."""
        run = self.own(which)
        run.write_config(run.config().replace(name=name.strip()))
        return run

    def duplicate(self, which: str, name: str | None = None, weights: bool = False) -> RunFolder:
        """A new run with the same settings, to be changed or trained again.

        Args:
            weights: copy the tokenizer, the newest checkpoint, the snapshots and the curves too; it then resumes from there.
        """
        run = self.get(which)
        config = run.config()
        config = config.replace(name=name or naming.numbered(config.name, [other.name for other in self.list()]))
        copy = self.create(config)
        try:
            if weights:
                self._copy_progress(run, copy)
        except BaseException:
            shutil.rmtree(copy.path, ignore_errors=True)
            raise
        return copy

    def _copy_progress(self, run: RunFolder, copy: RunFolder) -> None:
        newest = run.latest_checkpoint()
        if newest is None:
            raise PlaygroundError("{name} has no checkpoint to copy.", "Copy its settings alone.", name=run.name)
        checkpoints.check_sums(newest)  # else a damaged one would get checksums of its own
        step = int(newest.name.removeprefix("step-"))
        names = [path for path in sorted(newest.iterdir()) if path.name != checkpoints.SUMS]
        files = {path.name: (lambda to, path=path: shutil.copyfile(path, to)) for path in names}
        checkpoints.save(copy.path, step, files)
        with disk_errors("copying the run"):
            for name in ("tokenizer.json", "labels.json", "metrics.jsonl", "samples.jsonl"):
                if (run.path / name).exists():
                    shutil.copyfile(run.path / name, copy.path / name)
            snapshots.copy(run.path, copy.path, step, shutil.copyfile)
            examples.copy(run.path, copy.path)
        copy.rewind(step)
        copy.update_status(state="paused", step=step, steps=run.status().steps)

    def delete(self, which: str) -> Trashed:
        """Moves a run to the trash, from which ``undelete`` brings it back.

        Raises:
            PlaygroundError: when the run is being trained, or ships with the app.
        """
        run = RunFolder(self.root / which) if naming.is_id(which) and (self.root / which).is_dir() else self.own(which)
        if run.status().is_active:
            raise PlaygroundError("{title} is being trained.", "Stop it first, then delete it.", title=run.title)
        queue.withdraw(run.id)
        trashed = Trashed(f"{run.id}--{time.time_ns() // 1_000_000}", run.id, run.title, time.time())
        self.trash_root.mkdir(parents=True, exist_ok=True)
        with disk_errors("deleting the run"):
            os.rename(run.path, self.trash_root / trashed.key)
        return trashed

    def trash(self) -> "list[Trashed]":
        """What is in the trash, the last deleted first."""
        found = []
        for path in self.trash_root.glob("*--*"):
            id, _, milliseconds = path.name.rpartition("--")
            if naming.is_id(id) and re.fullmatch(r"[0-9]{1,15}", milliseconds) and path.is_dir():
                title = id if RunFolder(path).title == path.name else RunFolder(path).title
                found.append(Trashed(path.name, id, title, int(milliseconds) / 1000))
        return sorted(found, key=lambda trashed: trashed.deleted, reverse=True)

    def undelete(self, which: "Trashed | str") -> RunFolder:
        """Brings back a run, by what ``delete`` returned, its key or its id (then the last one deleted).

        Raises:
            PlaygroundError: when it is not in the trash.
        """
        wanted = which if isinstance(which, str) else which.key
        for trashed in self.trash():
            if wanted in (trashed.key, trashed.id):
                target = self.root / trashed.id
                if target.exists():
                    target = self.root / naming.new_id(trashed.name)
                os.rename(self.trash_root / trashed.key, target)
                return RunFolder(target)
        raise PlaygroundError(
            "There is no run {wanted!r} in the trash.", "It may have been emptied.", wanted=wanted[:80]
        )

    def empty_trash(self, older_than: float = 0.0) -> int:
        """Removes for good what was deleted more than ``older_than`` seconds ago; how many runs that was."""
        doomed = [trashed for trashed in self.trash() if time.time() - trashed.deleted >= older_than]
        for trashed in doomed:
            shutil.rmtree(self.trash_root / trashed.key, ignore_errors=True)
        return len(doomed)

    def export_zip(self, which: str, path: Path, export: bool = True) -> Path:
        """Packs a run, with its newest and kept checkpoints, into a zip file, which `playground.finetune.sandboxed_import.bring` reads."""
        return archive.pack(self.get(which), Path(path), export=export)
