"""The gate: what comes from elsewhere is opened once in a process of its own, with limits, before it is believed.

A run, a model, a table or a tokenizer may be damaged, or made to do harm. Code that reads it is largely compiled, and can
take all memory, run for ever, or fall: there, nothing worse than a sentence comes of it, and the server goes on.
``python -m playground.core.limited_process`` reads what to call as JSON, and writes JSON lines: the stages of the work, and how it ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import math
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from playground.core.errors import PlaygroundError, UserError, from_json, to_json
from playground.core.paths import code_path

MEMORY = 768 * 2**20  # bytes of data that a child may hold; with the libraries' code it stays below 1 GB
SECONDS = 20.0
_LOOK = 0.1  # seconds between two looks at a child
_LONGEST_LINE = 1 << 20
_HINT = "It may be damaged, or made to do harm. Get it again from where it comes from."
_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAYON_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONIOENCODING": "utf-8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""One thread, and no GPU: a stranger's file has no business there."""

log = logging.getLogger("playground")


class LimitedProcess:
    """Something from elsewhere while it is being opened, in a process of its own.

    Args:
        target: what does it there, as "package.module:function"; it takes JSON values and gives one back.
        args: for it.
        what: the thing's name, for sentences.
        memory: bytes of data that the process may hold.
        seconds: that it may take.

    Attributes:
        stage: what is being done, a sentence of the core; "" at first.
        done: it has ended, in whichever way.
        error: why it was not opened; None otherwise.
        stopped: somebody stopped it.
        most_memory: bytes that it was seen to hold at most (resident).
    """

    def __init__(self, target: str, *args: Any, what: str, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self.what, self.memory, self.seconds = what, memory, seconds
        self.stage, self.stopped, self.most_memory = "", False, 0
        self.error: PlaygroundError | None = None
        self._last: dict[str, Any] = {}
        self._too_much = ""
        self._ended = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "playground.core.limited_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            start_new_session=True,
        )
        order = {"target": target, "args": args, "memory": memory, "seconds": seconds}
        with contextlib.suppress(BrokenPipeError):
            assert self._process.stdin
            self._process.stdin.write(json.dumps(order).encode())
            self._process.stdin.close()
        for work in (self._listen, self._watch):
            threading.Thread(target=work, name="gate", daemon=True).start()

    @property
    def done(self) -> bool:
        return self._ended.is_set()

    def stop(self) -> None:
        """Ends it; nothing of it is kept."""
        self.stopped = True
        self._process.kill()

    def result(self) -> Any:
        """Waits for the end, and gives what the function gave.

        Raises:
            PlaygroundError: what the function raised; or that it took too much memory or time, fell, or was stopped.
        """
        self._ended.wait()
        if self.error:
            raise self.error
        return self._last["result"]

    def _watch(self) -> None:
        """Ends a child that holds too much or takes too long; where the system has limits, they come first."""
        end, child = time.monotonic() + self.seconds, None
        with contextlib.suppress(psutil.Error):
            child = psutil.Process(self._process.pid)
        while True:
            with contextlib.suppress(psutil.Error):
                self.most_memory = max(self.most_memory, child.memory_info().rss if child else 0)
            if self.most_memory > 1.35 * self.memory + 2**28:
                self._too_much = self._too_much or "memory"
            if time.monotonic() > end:
                self._too_much = self._too_much or "time"
            if self._too_much:
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK)
                return

    def _listen(self) -> None:
        assert self._process.stdout
        while line := self._process.stdout.readline(_LONGEST_LINE):
            with contextlib.suppress(ValueError, RecursionError):
                said = from_json(json.loads(line))
                if isinstance(said, dict):
                    self._last = said
                    self.stage = str(said.get("stage", self.stage))
        self._process.wait()
        self._process.stdout.close()
        if "result" not in self._last:
            self.error = self._why()
        self._ended.set()

    def _why(self) -> PlaygroundError:
        """Why there is no result, in a sentence."""
        if self.stopped:
            return PlaygroundError("Opening {what} was stopped.", "Nothing of it was kept.", what=self.what)
        if "message" in self._last:
            texts = (self._last["message"], self._last.get("hint", ""))
            return PlaygroundError(*(text if isinstance(text, str) else str(text) for text in texts))
        if "bug" in self._last:
            log.error("Opening %s failed:\n%s", self.what, self._last["bug"])
            return PlaygroundError(
                "{what} cannot be opened: what is in it does not fit together.", _HINT, what=self.what
            )
        signal = -(self._process.returncode or 0)
        if self._too_much == "time" or signal == 24:  # SIGXCPU
            return PlaygroundError(
                "Opening {what} takes longer than {seconds:,.0f} seconds.", _HINT, what=self.what, seconds=self.seconds
            )
        if (
            self._too_much == "memory" or "memory" in self._last or signal in (6, 9)
        ):  # Rust and C++ abort where none is left
            return PlaygroundError(
                "Opening {what} takes more than {memory:.1f} GiB of memory.",
                _HINT,
                what=self.what,
                memory=self.memory / 2**30,
            )
        return PlaygroundError(
            "{what} cannot be opened: the program that reads it fell over it.", _HINT, what=self.what
        )


def in_child(target: str, *args: Any, what: str, memory: int = MEMORY, seconds: float = SECONDS) -> Any:
    """Calls a function in a process of its own, see `LimitedProcess`, and waits for what it gives.

    Raises:
        PlaygroundError: as `LimitedProcess.result`.
    """
    return LimitedProcess(target, *args, what=what, memory=memory, seconds=seconds).result()


def environment() -> dict[str, str]:
    """This environment, in which a new Python finds this very code, has one thread and sees no GPU."""
    return {**os.environ, **_QUIET, "PYTHONPATH": code_path()}


# In the child

_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "bad_alloc",
    "out of memory",
    "malloc of size",
    "not enough memory",
)

_out: BinaryIO | None = None


def stage(text: str) -> None:
    """Tells whoever waits what is being done now; nothing where nobody waits."""
    _say(stage=text)


def _say(**what: Any) -> None:
    if _out is not None:
        _out.write(json.dumps(to_json(what)).encode() + b"\n")
        _out.flush()


def limit(memory: int, seconds: float | None, nice: int = 5, first: int = 900) -> None:
    """Limits this process, for good: its data, its time on the CPU, no core dumps.

    Args:
        seconds: None: any time.
        nice: how far it steps back for others.
        first: how soon it goes where memory is short, up to 1000; the server has 0.
    """
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(first))
    with contextlib.suppress(ImportError):
        import resource

        most_of = {resource.RLIMIT_DATA: memory, resource.RLIMIT_CORE: 0}
        if seconds is not None:
            most_of[resource.RLIMIT_CPU] = math.ceil(seconds) + 1
        for kind, most in most_of.items():
            with contextlib.suppress(OSError, ValueError):  # macOS knows no limit of data: there the parent looks
                resource.setrlimit(kind, (most, most))


def serve(order: dict[str, Any]) -> None:
    """Does what was ordered and tells how it ended, whatever happens."""

    try:
        module, _, function = order["target"].partition(":")
        _say(result=getattr(importlib.import_module(module), function)(*order["args"]))
    except UserError as error:
        _say(message=error.message, hint=error.hint)
    except MemoryError:
        _say(memory=True)
    except BaseException as error:  # also a panic of Rust, which is no Exception
        if is_memory(error):
            _say(memory=True)
        else:
            _say(bug=traceback.format_exc()[-20_000:])


def is_memory(error: BaseException) -> bool:
    """Whether an error says, in one of the libraries' ways, that memory did not suffice."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _NO_MEMORY)


@contextlib.contextmanager
def _alone_on_stdout() -> Iterator[None]:
    """Keeps standard output for what is told: what libraries print goes nowhere."""
    global _out
    _out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    yield
    _out.close()


def main() -> None:
    order = json.load(sys.stdin)
    with _alone_on_stdout():
        limit(order["memory"], order["seconds"])
        serve(order)


if __name__ == "__main__":
    from playground.core import limited_process  # the module that others import: `stage` has to be its

    limited_process.main()
