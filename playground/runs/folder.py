"""A run is a folder. Whoever trains it writes there; everybody else reads it and leaves requests."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from playground.core import jsonl, locks, paths
from playground.core.atomic import write_json
from playground.core.errors import PlaygroundError, from_json, to_json
from playground.runs import checkpoints, examples, queue, rows, snapshots
from playground.runs.config import FORMAT, RunConfig, relocated, shown_name
from playground.runs.old_keys import with_present_groups
from playground.runs.samples import RunSamples
from playground.runs.status import ACTIVE, SETTLING, STORED, WRITTEN, Status, lives, signature, stored

Request = str | dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. Cheap to make; nothing is read before it is asked for."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def tokenizer_path(self) -> Path:
        return self.path / "tokenizer.json"

    @property
    def export_path(self) -> Path:
        return self.path / "export"

    @property
    def log_path(self) -> Path:
        """What the process that trained printed: for the tracebacks of bugs."""
        return self.path / "worker.log"

    @property
    def exists(self) -> bool:
        return (self.path / "run.json").is_file()

    # What was asked for: run.json

    def about(self) -> dict[str, Any]:
        """All of run.json: the config, and when, with what and on which machine the run was made.

        Settings that an earlier version wrote under other names have their present names here.

        Raises:
            PlaygroundError: when the run is gone, the file is damaged, or of a newer version of the app.
        """
        path = self.path / "run.json"
        try:
            now = path.stat()
            about = _read(str(path), (now.st_ino, now.st_mtime_ns, now.st_size))
        except FileNotFoundError as error:
            raise PlaygroundError("There is no run {id} any more.", "It may be in the trash.", id=self.id) from error
        except OSError as error:
            raise PlaygroundError(
                "The file run.json of {name} cannot be read: {reason}.", _LOST, name=self.id, reason=error.strerror
            ) from error
        except (ValueError, RecursionError) as error:
            raise PlaygroundError("The file run.json of {id} is damaged.", _LOST, id=self.id) from error
        if not isinstance(about, dict):
            raise PlaygroundError("The file run.json of {id} is damaged.", _LOST, id=self.id)
        check_format(about)
        about = dict(about)
        if "name" in about:
            about["name"] = shown_name(about["name"])
        return about

    def config(self) -> RunConfig:
        return relocated(RunConfig.from_dict(self.about()), paths.here)

    def data_folder(self) -> str | None:
        """The folder of its text as it was prepared, in this home; None where run.json names none."""
        named = self.about().get("data_folder")
        return str(paths.prepared(named)) if named and isinstance(named, str) else None

    @property
    def name(self) -> str:
        return str(self.about().get("name") or self.id)

    @property
    def title(self) -> str:
        """The name, or of a run that is damaged the id: never an error."""
        with suppress(PlaygroundError):
            return self.name
        return self.id

    def write_config(self, config: RunConfig, **about: Any) -> None:
        """Writes run.json; what it said besides the config stays, unless given anew in ``about``."""
        before = self.about() if self.exists else {"created": time.time(), "versions": versions()}
        write_json(self.path / "run.json", {**before, **config.to_dict(), **about, "format": FORMAT})

    # Where it stands: status.json

    def status(self) -> Status:
        """What status.json says, checked against the living: a dead process's run is "interrupted"."""
        path = self.path / "status.json"
        try:
            said = json.loads(path.read_text())
            beat = path.stat().st_mtime
            status = replace(stored(said), heartbeat=beat)
        except FileNotFoundError:
            status = Status()  # none yet
        except (OSError, ValueError, TypeError, RecursionError):
            status = self._torn()
        if status.state == "queued":
            return self._queued(status)
        if status.state in ACTIVE and not lives(status):
            return replace(status, state="interrupted", pid=None)
        return status

    def _torn(self) -> Status:
        """Of a status that a power cut tore: the run goes on from its checkpoint, where there is one."""
        steps = self.checkpoints()
        return Status("interrupted", step=steps[-1]) if steps else Status()

    def _queued(self, status: Status) -> Status:
        place = queue.place(self.id)
        if place or status.silence < SETTLING:
            return replace(status, queue_place=place or None)
        return replace(status, state="interrupted" if self.checkpoints() else "created")

    def update_status(self, **changes: Any) -> Status:
        """Writes status.json, and with it a heartbeat. Only whoever works on the run calls this.

        A change to an active state signs it with this process; to another one, takes the signature off.

        Raises:
            PlaygroundError: when a new state cannot be written, not even over the old one (a full disk has room for that).
        """
        unknown = sorted(set(changes) - set(STORED))
        if unknown or changes.get("state", "created") not in WRITTEN:
            raise ValueError(f"unknown in a status: {unknown or changes['state']}")
        before = self._stored_status()
        if "state" in changes:
            changes = {**signature(changes["state"], before), **changes}
        status = replace(before, **changes)
        stored = {name: to_json(value) for name, value in asdict(status).items() if name in STORED}
        if status.state == before.state:
            self._write_unflushed("status.json", stored)
            return replace(status, heartbeat=time.time())
        try:
            write_json(self.path / "status.json", stored)
        except PlaygroundError:
            if not _overwritten(self.path / "status.json", stored):
                raise
        return replace(status, heartbeat=time.time())

    def _stored_status(self) -> Status:
        try:
            return stored(json.loads((self.path / "status.json").read_text()))
        except (OSError, ValueError, TypeError, RecursionError):
            return Status()

    def _write_unflushed(self, name: str, value: Any) -> None:
        """Atomic for every reader, but not flushed: 0.1 ms instead of several, for what is soon rewritten."""
        temporary = self.path / f".{name}.{os.getpid()}"
        try:
            temporary.write_text(json.dumps(value))
            os.replace(temporary, self.path / name)
        except OSError:
            temporary.unlink(missing_ok=True)  # told again soon; a full disk shows at the checkpoint

    def beat(self) -> None:
        """A sign of life without news (5 µs)."""
        with suppress(OSError):
            os.utime(self.path / "status.json")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Makes this process the only one that trains the run; released even by kill -9.

        Raises:
            PlaygroundError: when another process trains it.
        """
        handle = locks.try_lock(self.path / ".lock")
        if handle is None:
            raise PlaygroundError(
                "{name} is being trained by another process.", "Stop or pause it there first.", name=self.name
            )
        try:
            yield
        finally:
            os.close(handle)

    # What happened: metrics.jsonl, samples.jsonl

    def append_metrics(self, *rows: jsonl.Row) -> None:
        jsonl.append(self.path / "metrics.jsonl", *rows)

    def append_sample(self, row: jsonl.Row) -> None:
        jsonl.append(self.path / "samples.jsonl", row)

    def metrics(self, since_offset: int = 0) -> tuple[list[jsonl.Row], int]:
        """Rows after ``since_offset`` (0, or what the last call returned) and the offset for the next call.

        Take the offset as opaque: it notices that the run was resumed from an earlier step, and then the rows
        begin again with the first one. ``follow()`` keeps the whole list right by itself.
        """
        found, offset, _ = jsonl.read(self.path / "metrics.jsonl", since_offset)
        return rows.metrics_that_fit(found), offset

    def each_metric(self) -> Iterator[rows.Metric]:
        """The rows one after the other: of a long run, never all in memory."""
        return rows.each_metric(self.path / "metrics.jsonl")

    def samples(self) -> list[jsonl.Row]:
        """What the model wrote, the oldest first; of very many, some hundreds (see `playground.runs.samples`)."""
        found = RunSamples(self.path)
        found.update()
        return found.rows()

    def follow(self) -> "Follower":
        return Follower(self.path / "metrics.jsonl")

    def rewind(self, step: int) -> None:
        """Forgets what came after ``step`` (metrics, samples, examples, checkpoints, snapshots): training goes on from there."""
        for name in ("metrics.jsonl", "samples.jsonl"):
            jsonl.keep_only(self.path / name, lambda row: row.get("step", 0) <= step)
        examples.rewind(self.path, step)
        checkpoints.rewind(self.path, step)
        snapshots.rewind(self.path, step)

    # What was learnt: checkpoint/

    def checkpoints(self) -> list[int]:
        return checkpoints.steps(self.path)

    def latest_checkpoint(self) -> Path | None:
        return checkpoints.latest(self.path)

    def checkpoint(self, step: int) -> Path:
        """The folder of one step's checkpoint.

        Raises:
            PlaygroundError: when there is none, or it is not whole.
        """
        path = checkpoints.path_of(self.path, step)
        if not checkpoints.is_whole(path):
            there = ", ".join(map(str, self.checkpoints())) or "none"
            raise PlaygroundError(
                "There is no checkpoint of step {step}.", "There are: {known}.", step=step, known=there
            )
        return path

    def save_checkpoint(
        self, step: int, files: Mapping[str, "checkpoints.FileContent"], keep: Iterable[int] = ()
    ) -> Path:
        return checkpoints.save(self.path, step, files, keep)

    # What is asked of it: control.json

    def request(self, what: Request) -> None:
        """Asks whoever trains for "pause", "stop", "step" or a change such as ``{"lr_scale": 0.5}``."""
        with locks.locked(self.path / ".control.lock"):
            write_json(self.path / "control.json", [*self._requests(), what])

    def read_request(self) -> Request | None:
        """Takes the oldest request that waits; 2 µs when there is none. A stop goes before all others."""
        path = self.path / "control.json"
        if not os.path.exists(path):
            return None
        with locks.locked(self.path / ".control.lock"):
            waiting = self._requests()
            taken = "stop" if "stop" in waiting else waiting[0] if waiting else None
            rest = [] if taken == "stop" else waiting[1:]
            if rest:
                write_json(path, rest)
            else:
                path.unlink(missing_ok=True)
        return taken

    def pending_requests(self) -> list[Request]:
        """What was asked and not yet taken: to show "stopping …"."""
        return self._requests()

    def clear_requests(self) -> None:
        """Drops requests meant for an earlier life of the run."""
        with locks.locked(self.path / ".control.lock"):
            (self.path / "control.json").unlink(missing_ok=True)

    def _requests(self) -> list[Request]:
        try:
            waiting = json.loads((self.path / "control.json").read_text())
        except (OSError, ValueError, RecursionError):
            return []
        waiting = waiting if isinstance(waiting, list) else [waiting]
        return [each for each in waiting if isinstance(each, str | dict)]


_LOST = "Delete the run: it goes into the trash."


@lru_cache(maxsize=1024)
def _read(path: str, version: tuple[int, int, int]) -> Any:
    """What a run.json says, read anew when the file is another one; a page asks for it at every key, dozens of times.

    Args:
        version: what tells this file from the one that replaces it.
    """
    about = from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    return with_present_groups(about) if isinstance(about, dict) else about


def check_format(about: Mapping[str, Any]) -> None:
    """
    Raises:
        PlaygroundError: when what ``run.json`` says was written by a newer version than this one.
    """
    said = about.get("format", 1)
    if type(said) is not int or said < 1:
        raise PlaygroundError(
            "The run does not say in which format it is written.",
            "The file run.json is damaged. {what_to_do}",
            what_to_do=_LOST,
        )
    if said > FORMAT:
        raise PlaygroundError(
            "This run was made by a newer LM Playground: its format is {said:,}, and this version reads up to {format}.",
            "Update the app (git pull, then make app).",
            said=said,
            format=FORMAT,
        )


def _overwritten(path: Path, value: Any) -> bool:
    """Writes over a file where it is, which takes no room on a full disk; says whether it could.

    What is shorter than before ends in spaces, so that one write does it; a longer one stays within the file's block.
    """
    try:
        handle = os.open(path, os.O_WRONLY)
        try:
            data = json.dumps(value).encode()
            return os.pwrite(handle, data.ljust(os.fstat(handle).st_size), 0) >= len(data)
        finally:
            os.close(handle)
    except OSError:
        return False


class Follower:
    """All rows of a growing file, each read once; right even after the run was resumed from earlier."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[jsonl.Row] = []
        self._cursor = 0

    def update(self) -> bool:
        """Reads what is new into ``rows``; says whether anything changed."""
        new, self._cursor, restarted = jsonl.read(self.path, self._cursor)
        if restarted:
            self.rows.clear()
        self.rows.extend(rows.metrics_that_fit(new))
        return bool(new) or restarted


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of what a run depends on, without importing any of it."""
    found = {"python": sys.version.split()[0]}
    for package in ("torch", "numpy", "tokenizers", "safetensors"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
