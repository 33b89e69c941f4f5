"""Preparing text in a process of its own, so that a page stays quick, shows how far it is, and can stop it.

``python -m playground.text.prepare_job`` reads a DataSpec as JSON and writes one JSON object per line: a stage and
a fraction, and at the end the folder or what went wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import psutil

from playground.core import limited_process
from playground.core.errors import PlaygroundError, UserError, from_json, to_json
from playground.text.spec import DataSpec

SHARE = 0.75  # of the memory that is free, for one preparation
LEAST_MEMORY = 1 << 30  # bytes of it, however little is free
NO_MEMORY = (signal.SIGKILL, signal.SIGABRT)  # by the system, or by Rust and C++ themselves, where there is none left


class Job:
    """One preparation.

    Attributes:
        spec: what is prepared.
        stage, fraction: what is being done, and how much of all is done, 0 to 1.
        done: it has ended, in whichever way.
        folder: of what was prepared, when it went well.
        error: why it failed; None otherwise.
        stopped: somebody stopped it.
    """

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec
        self.stage, self.fraction = "Reading the text", 0.0
        self.done = self.stopped = False
        self.folder: str | None = None
        self.error: PlaygroundError | None = None
        self.watchers: set[str] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "playground.text.prepare_job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(spec.to_dict()))
        self._process.stdin.close()
        threading.Thread(target=self._listen, name="preparing", daemon=True).start()

    def stop(self) -> None:
        """Ends it; what it had written goes with it, or with the next preparation of the same text."""
        self.stopped = True
        if self._process.poll() is None:
            self._process.terminate()

    def _listen(self) -> None:
        last: dict = {}
        assert self._process.stdout
        for line in self._process.stdout:
            try:
                last = from_json(json.loads(line))
            except ValueError:
                continue
            self.stage, self.fraction = last.get("stage", self.stage), last.get("fraction", self.fraction)
        ended = self._process.wait()
        self._process.stdout.close()
        self.folder = last.get("folder")
        if "message" in last:
            self.error = PlaygroundError(last["message"], last.get("hint", ""))
        elif not self.folder and not self.stopped and -ended in NO_MEMORY:
            self.error = not_enough_memory()
        elif not self.folder and not self.stopped:
            self.error = PlaygroundError(
                "The process that prepared the text ended without an error message.",
                "Try again; its memory may not have sufficed.",
            )
        self.done = True


_jobs: dict[str, Job] = {}
_lock = threading.Lock()


def start(spec: DataSpec, watcher: str = "") -> Job:
    """The preparation of a text: the one that is under way, or a new one.

    Args:
        spec: what to prepare.
        watcher: who asks; ``leave`` stops a preparation that nobody waits for any more.
    """
    key = json.dumps(spec.to_dict(), sort_keys=True)
    with _lock:
        for old in [name for name, job in _jobs.items() if job.done]:
            del _jobs[old]
        job = _jobs.get(key)
        if job is None:
            job = _jobs[key] = Job(spec)
        job.watchers.add(watcher)
        return job


def leave(job: Job, watcher: str) -> None:
    """The watcher waits no more; the last one to leave stops the work."""
    job.watchers.discard(watcher)
    if not job.watchers and not job.done:
        job.stop()


def main() -> None:
    """Prepares what standard input describes."""
    from playground.text.prepare import prepare

    memory = max(LEAST_MEMORY, int(SHARE * psutil.virtual_memory().available))
    limited_process.limit(
        memory, None, nice=10, first=800
    )  # where memory is short, this process ends, and not the server

    def say(**what: object) -> None:
        print(json.dumps(to_json(what), ensure_ascii=False), flush=True)

    told: list[Any] = [None, -1.0]

    def progress(stage: str, fraction: float) -> None:
        if stage != told[0] or fraction - told[1] > 0.005:
            told[:] = stage, fraction
            say(stage=stage, fraction=fraction)

    try:
        spec = DataSpec.from_dict(json.load(sys.stdin))
        say(folder=str(prepare(spec, progress).folder))
    except UserError as error:
        say(message=error.message, hint=error.hint)
    except Exception as error:
        if not limited_process.is_memory(error):
            raise
        short = not_enough_memory()
        say(message=short.message, hint=short.hint)


def not_enough_memory() -> PlaygroundError:
    return PlaygroundError("There is not enough memory to prepare this text.", "Read less of it.")


if __name__ == "__main__":
    main()
