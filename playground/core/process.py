"""Is that still the same process? A number alone does not say: the system gives it out again."""

import os
import subprocess
from functools import lru_cache
from pathlib import Path

PROC = Path("/proc")


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


def birth_of(pid: int) -> str | None:
    """A mark of the living process ``pid`` (its boot and start time); None when it is dead or a zombie.

    Two processes that are given the same number at different times have different marks.
    """
    if pid <= 0:
        return None
    if not (PROC / "self/stat").exists():
        return _birth_by_ps(pid)
    try:
        # "4242 (a name) S 1 ...": the name may hold spaces and brackets, so read from its last bracket on.
        after_name = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    state, started = after_name[0], after_name[19]  # fields 3 and 22 of proc(5)
    return None if state in "ZX" else f"{_boot()}:{started}"


def _birth_by_ps(pid: int) -> str | None:
    asked = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, started = asked.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


def is_alive(pid: int | None, birth: str | None) -> bool:
    """Whether the process that had number ``pid`` and mark ``birth`` still lives."""
    return pid is not None and birth is not None and birth_of(pid) == birth


def myself() -> tuple[int, str | None]:
    """Number and mark of this process."""
    return os.getpid(), birth_of(os.getpid())
