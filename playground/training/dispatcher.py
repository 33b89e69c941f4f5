"""The process behind background training: it waits with torch imported and forks a child for every run.

A Python that imports torch and builds its first optimizer needs seconds before the first training step; a
fork of one that has done so needs a few tenths of a second. For a fork to be safe this process must stay
simple: one thread (OpenMP, OpenBLAS and autograd start theirs in the children), no gradients, no CUDA. Every
child is a session of its own and holds its slot in the queue itself: it neither needs nor notices the end of
this one.

    python -m playground.training.dispatcher            # what submit() starts; one per home, ends when idle
    python -m playground.training.dispatcher --run DIR  # trains one run in this process (macOS: no fork)
"""

import gc
import importlib
import os
import pkgutil
import random
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from playground.core import locks, process
from playground.core.atomic import disk_errors, write_json
from playground.core.errors import Message, PlaygroundError
from playground.core.paths import on_guard
from playground.runs import queue, submit
from playground.runs.folder import RunFolder
from playground.runs.status import ACTIVE

WORKER = "playground.training.worker:run"
NICE = 10  # the page that a person looks at goes first
_LOOK = 0.25  # seconds between two looks while somebody waits for another process's slot
_PATIENCE = 10.0  # seconds to wait for the end of the dispatcher before this one


def idle_limit() -> float:
    """Seconds without any use after which the dispatcher ends: 900, or ``$PLAYGROUND_DISPATCHER_IDLE``."""
    return float(os.environ.get("PLAYGROUND_DISPATCHER_IDLE", "900"))


def worker():
    """The function that trains a run folder; ``$PLAYGROUND_WORKER`` ("module:function") stands in for it."""
    module, _, function = os.environ.get("PLAYGROUND_WORKER", WORKER).partition(":")
    return getattr(importlib.import_module(module), function)


def preload() -> None:
    """Imports all that a first training step needs, and no more than that.

    ``torch.optim`` imports torch._dynamo when the first optimizer is made (0.8 s): here, not in the child.
    """
    if "PLAYGROUND_WORKER" in os.environ:
        worker()
        return
    import safetensors.torch  # noqa: F401
    import tokenizers  # noqa: F401
    import torch

    import models
    import playground.text
    import playground.training

    for package in (models, playground.text, playground.training):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            if module.name != __name__:
                _import(module.name)
    torch.set_num_threads(1)
    torch.optim.AdamW([torch.zeros(1)], lr=1e-3, fused=True).zero_grad()


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # a run that needs it fails with the reason in its own log
        _say(f"cannot import {name}:\n{traceback.format_exc()}")


class Dispatcher:
    """One loop: reap the children that ended, start the runs whose turn it is, sleep until woken."""

    def __init__(self, lock: int, version: str) -> None:
        self.lock = lock
        self.lock_path = submit.lock_path()
        self.version = version
        self.children: dict[int, str] = {}  # pid → run id
        self.stopping = False
        self.last_use = time.monotonic()
        with suppress(FileExistsError):
            os.mkfifo(submit.wake_path(), 0o600)
        self.wake = os.open(submit.wake_path(), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.signals, self._signals_in = os.pipe()
        os.set_blocking(self.signals, False)
        os.set_blocking(self._signals_in, False)
        signal.set_wakeup_fd(self._signals_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopping", True))
        signal.signal(signal.SIGINT, lambda *_: setattr(self, "stopping", True))

    def serve(self) -> None:
        """Until it is told to end, is replaced by newer code, or nobody has used it for long."""
        while not self.stopping and self._is_the_one():
            self._reap()
            waiting = self._start_ready()
            if waiting or self.children:
                self.last_use = time.monotonic()
            left = self.last_use + idle_limit() - time.monotonic()
            if left <= 0 and not self._stays_after_all():
                return
            self._sleep(_LOOK if waiting else min(max(left, 0.0), 60.0))

    def _is_the_one(self) -> bool:
        """False once the home folder, and the lock in it, are gone."""
        try:
            return os.stat(self.lock_path).st_ino == os.fstat(self.lock).st_ino
        except OSError:
            return False

    def _stays_after_all(self) -> bool:
        """Gives the lock up, then looks again: who submits this moment sees the lock free or is seen here."""
        os.close(self.lock)
        if not any(queue.tickets(device) for device in queue.devices()):
            return False
        lock = locks.try_lock(self.lock_path)
        if lock is None:
            return False
        self.lock, self.last_use = lock, time.monotonic()
        return True

    def _sleep(self, seconds: float) -> None:
        ready, _, _ = select.select([self.wake, self.signals], [], [], seconds)
        for handle in ready:
            with suppress(BlockingIOError):
                while len(os.read(handle, 4096)) == 4096:
                    pass
        if self.wake in ready:
            self.last_use = time.monotonic()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                code = os.waitstatus_to_exitcode(status)
                _say(f"run {self.children.pop(pid, '?')} (process {pid}) ended with {code}")

    def _start_ready(self) -> bool:
        """Starts every run whose turn it is; whether others still wait."""
        waiting = False
        for device in queue.devices():
            while tickets := queue.tickets(device):
                if submit.version() != self.version:
                    _say("the code has changed: a new dispatcher takes over")
                    os.close(self.lock)
                    submit.launch()
                    self.stopping = True
                    return False
                if tickets[0].folder is None or not self._start(tickets[0]):
                    waiting = True
                    break
        return waiting

    def _start(self, ticket: queue.Ticket) -> bool:
        """Starts the run; False while no slot is free. A run that cannot start fails and gives way."""
        assert ticket.folder is not None  # the caller has left out tickets without a run
        run, slot = RunFolder(ticket.folder), None
        try:
            slot = queue.take(ticket.device, ticket, lambda: run.update_status(state="preparing"))
            if slot is None:
                return False
            pid = self._spawn(run, ticket, slot) if spawns() else self._fork(run, ticket)
            self.children[pid] = run.id
            _say(f"run {run.id} began as process {pid}")
        except Exception as error:  # a full disk, no more processes: the other runs may still be able to
            _say(f"run {run.id} cannot begin:\n{traceback.format_exc()}")
            queue.withdraw(run.id)
            with suppress(PlaygroundError, OSError):
                message = getattr(error, "message", Message("The training could not be started: {error}.", error=error))
                run.update_status(state="failed", message=message, hint=getattr(error, "hint", ""))
        finally:
            if slot is not None:
                os.close(slot)  # the child has it now
        return True

    def _fork(self, run: RunFolder, ticket: queue.Ticket) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            for handle in (self.lock, self.wake, self.signals, self._signals_in):
                os.close(handle)
            os.setsid()
            code = train(run, ticket.working_folder)
        except BaseException:
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):  # the disk that the log is on may be full
                    stream.flush()
            os._exit(code)  # not back into the loop

    def _spawn(self, run: RunFolder, ticket: queue.Ticket, slot: int) -> int:
        """Where forking is not safe (macOS), a new Python: slower to begin."""
        command = [sys.executable, "-m", submit.DISPATCHER, "--run", str(run.path), ticket.working_folder]
        child = subprocess.Popen(command, env=submit.environment(), pass_fds=[slot], start_new_session=True)
        child.returncode = 0  # _reap waits for it
        return child.pid


def spawns() -> bool:
    """Whether runs get a new Python rather than a fork: on macOS, or where ``$PLAYGROUND_FORK`` is 0."""
    return sys.platform == "darwin" or os.environ.get("PLAYGROUND_FORK") == "0"


def train(run: RunFolder, working_folder: str) -> int:
    """Trains ``run`` in this process with its output in the run's log; the exit code."""
    os.nice(NICE)
    with suppress(OSError):
        os.chdir(working_folder)
    try:
        with disk_errors("starting the training"):
            _log_into(run.log_path)
            run.update_status(state="preparing")  # signed by this process now
        random.seed()
        _set_threads_back()
        worker()(run)
        return 0
    except BaseException as error:
        with suppress(OSError):
            traceback.print_exc()
        if run.status().state in (*ACTIVE, "queued"):
            bug = Message("A bug stopped the training ({kind}).", kind=type(error).__name__)
            log = Message("The details are in {log}.", log=f"{run.path.parent.name}/{run.id}/{run.log_path.name}")
            message, hint = getattr(error, "message", bug), getattr(error, "hint", log)
            run.update_status(state="failed", message=message, hint=hint)
        return 1


def _log_into(path: Path) -> None:
    """From now on, what this process prints goes to the end of a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def _set_threads_back() -> None:
    if "torch" in sys.modules:
        import torch

        asked = os.environ.get("OMP_NUM_THREADS", "")
        torch.set_num_threads(int(asked) if asked.isascii() and asked.isdigit() and int(asked) else usable_cores())


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wait_for_lock() -> int | None:
    """The lock of the one dispatcher; an earlier one that was told to end gets some seconds for it."""
    until = time.monotonic() + _PATIENCE
    while (lock := locks.try_lock(submit.lock_path())) is None and time.monotonic() < until:
        time.sleep(0.05)
    return lock


def _say(text: str) -> None:
    with suppress(OSError):  # the disk that the log is on may be full
        print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def main(arguments: list[str]) -> int:
    """Runs as the dispatcher process.

    Args:
        arguments: of the command line.

    Returns:
        The exit code.
    """
    on_guard()
    if not submit.SETTINGS.keys() <= os.environ.keys():  # started by hand
        os.execve(sys.executable, [sys.executable, "-m", submit.DISPATCHER, *arguments], submit.environment())
    if arguments[:1] == ["--run"]:
        return train(RunFolder(Path(arguments[1])), arguments[2] if len(arguments) > 2 else os.getcwd())
    lock = _wait_for_lock()
    if lock is None:
        return 0
    version = submit.version()
    pid, birth = process.myself()
    os.ftruncate(lock, 0)
    write_json(submit.lock_path().with_suffix(".json"), {"pid": pid, "birth": birth, "version": version})
    server = Dispatcher(lock, version)
    began = time.monotonic()
    preload()
    gc.collect()
    gc.freeze()  # children share the memory of all that is alive now
    _say(f"ready after {time.monotonic() - began:.2f} s, process {pid}")
    server.serve()
    _say("ends")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
