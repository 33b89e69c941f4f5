"""Hand a run over to be trained in the background, and return at once."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import playground
from playground.core import locks, process
from playground.core.paths import code_path
from playground.runs import queue
from playground.runs.folder import RunFolder

DISPATCHER = "playground.training.dispatcher"
_PARTS = (
    "playground/core",
    "playground/text",
    "playground/labelled",
    "playground/runs",
    "playground/inference",
    "playground/training",
    "models",
)
"""The folders of the code that trains: a dispatcher that was started before one of them changed is replaced."""
SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",  # else numpy starts threads on import, which a fork loses
    # OpenMP threads wait for work by spinning. With the default (unbounded), one training beside another busy
    # process on two cores is 10 to 100 times slower; this bound costs a training alone nothing.
    "GOMP_SPINCOUNT": "1000",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asking for CUDA must not start it: it would not survive the fork
}
"""Read by the libraries when they are loaded, so set before Python starts; what a person set goes first."""

_LOG_LIMIT = 2**20  # bytes
_AGAIN = 10.0  # seconds
_started: list[subprocess.Popen] = []
_revived = -_AGAIN  # when a dispatcher was last started for runs that waited


def submit(run: RunFolder) -> int:
    """Puts a new, paused, stopped, failed or interrupted run into its device's queue.

    Takes some milliseconds; the first time, a process that trains is started besides (in the background too).

    Returns:
        The run's place in the queue: 1 is next, 0 that it already trains.

    Raises:
        SpecError, PlaygroundError: when its settings are not valid or the disk is full.
    """
    config = run.config()
    with locks.locked(run.path / ".submit.lock"):
        status = run.status()
        if not status.is_active and not status.queue_place:
            run.clear_requests()
            device = queue.device_for(config.training.device)
            run.update_status(state="queued", device=device, steps=config.training.steps, message="", hint="")
            queue.enqueue(run.id, device, run.path)
    keep_warm()
    return queue.place(run.id) or 0


def withdraw(run: RunFolder) -> bool:
    """Takes a waiting run out of the queue; False when it does not wait (any more)."""
    with locks.locked(run.path / ".submit.lock"):
        if not queue.withdraw(run.id):
            return False
        run.update_status(state="paused" if run.checkpoints() else "created")
        return True


def halt(run: RunFolder, how: str = "stop") -> None:
    """Stops ("stop") or pauses ("pause") a run, whether it waits or trains."""
    if not withdraw(run):
        run.request(how)


def keep_warm() -> None:
    """Makes sure that a dispatcher of this code is alive, and tells it to look and to stay; about 1 ms.

    Call it when the app starts: the first run then begins as fast as every other.
    """
    _started[:] = [child for child in _started if child.poll() is None]  # no zombies
    if not is_alive():
        launch()
    elif _is_outdated():
        retire()
        launch()
    wake()


def revive() -> bool:
    """Starts a dispatcher where runs wait for one and none lives: it was killed, or the machine was switched off.

    Whoever looks at runs that wait calls this, as often as they look (a fraction of a millisecond while one lives); the
    order of the queue is in its tickets and stays. Of several that start one at once, the first to hold the lock stays.

    Returns:
        Whether one was started now. One that ends at once is not started again for some seconds.
    """
    global _revived
    if is_alive() or time.monotonic() - _revived < _AGAIN or not queue.has_waiting():
        return False
    _revived = time.monotonic()
    keep_warm()
    return True


def is_alive() -> bool:
    """Whether a dispatcher is there, or just starting."""
    return is_listening() or any(child.poll() is None for child in _started)


def is_listening() -> bool:
    """Whether a dispatcher holds its lock: it looks at the queue, or will as soon as it has imported what it needs."""
    return locks.is_locked(lock_path())


def launch() -> None:
    """Starts a dispatcher that outlives this process; a second one ends by itself."""
    log = queue.root() / "dispatcher.log"
    fresh = not log.exists() or log.stat().st_size > _LOG_LIMIT
    with open(log, "wb" if fresh else "ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", DISPATCHER],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            start_new_session=True,
        )
    _started.append(child)


def environment() -> dict[str, str]:
    """This environment, in which a new Python finds this very code and torch is fit for forks."""
    return {**SETTINGS, **os.environ, "PYTHONPATH": code_path()}


def retire() -> None:
    """Ends the dispatcher; the runs that it started go on."""
    said = dispatcher()
    if process.is_alive(said.get("pid"), said.get("birth")):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(said["pid"], signal.SIGTERM)
    _started.clear()


def dispatcher() -> dict:
    """What the last dispatcher said of itself: pid, birth, version."""
    try:
        said = json.loads(lock_path().with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _is_outdated() -> bool:
    said = dispatcher()
    return process.is_alive(said.get("pid"), said.get("birth")) and said.get("version") != version()


def version() -> str:
    """A mark of the Python and of the code that would train, as they are on the disk now."""
    mark = hashlib.sha256(f"{sys.executable}\n{sys.prefix}\n".encode())
    with suppress(metadata.PackageNotFoundError):
        mark.update(metadata.version("torch").encode())
    here = Path(playground.__file__).parents[1]
    for part in _PARTS:
        for entry in sorted(os.scandir(here / part), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                about = entry.stat()
                mark.update(f"{part}/{entry.name} {about.st_mtime_ns} {about.st_size}\n".encode())
    return mark.hexdigest()[:16]


def lock_path() -> Path:
    """Held by the one dispatcher there is."""
    return queue.root() / "dispatcher.lock"


def wake_path() -> Path:
    """A pipe on which the dispatcher listens."""
    return queue.root() / "wake"


def wake() -> bool:
    """Tells the dispatcher to look at the queue now; False when none listens."""
    try:
        handle = os.open(wake_path(), os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return False
        raise
    try:
        os.write(handle, b"!")
    except BlockingIOError:
        pass  # it has enough to read already
    except BrokenPipeError:
        return False
    finally:
        os.close(handle)
    return True
