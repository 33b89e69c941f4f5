"""Stand-ins for training, called by the dispatcher in its children."""

import os
import time
from pathlib import Path

from playground.core.paths import home


def diary(line: str) -> None:
    """One line in a file that all processes of a test share."""
    handle = os.open(home() / "diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


def quick(run) -> str:
    run.update_status(state="running")
    diary(f"begin {run.id}")
    diary(f"end {run.id}")
    run.update_status(state="finished", step=10)
    return "finished"


def until_told(run) -> str:
    """Trains until the file ``go-<id>`` is there or it is asked to stop."""
    run.update_status(state="running")
    diary(f"begin {run.id} {os.getpid()} {os.nice(0)} {os.getsid(0)} {Path.cwd()}")
    print("said by the worker", flush=True)
    while not (home() / f"go-{run.id}").exists():
        if run.read_request() == "stop":
            run.update_status(state="stopped")
            return "stopped"
        time.sleep(0.01)
    diary(f"end {run.id}")
    run.update_status(state="finished")
    return "finished"


def buggy(run) -> str:
    run.update_status(state="running")
    raise ZeroDivisionError("a bug")
