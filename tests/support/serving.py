"""A server of the app with a home of its own, for tests and benchmarks."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    """A running app: its address, its process, and what it says."""

    address: str
    process: subprocess.Popen
    log: Path


@contextmanager
def serve(
    home: Path, listens: str = "127.0.0.1", names: tuple[str, ...] = (), script: Path = ROOT / "app.py"
) -> Iterator[Server]:
    """Starts the app on a free port with ``home`` as PLAYGROUND_HOME; ends it, and its trainers, afterwards.

    Args:
        listens: the address that the server listens on.
        names: those it answers to besides its own.
        script: what it serves, where that is not the app.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"server.port": port, "server.address": listens, "server.headless": "true"}
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    for name in names:
        command += ["--server.allowedHosts", name]
    environment = {**os.environ, "PLAYGROUND_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with open(home / "server.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/_stcore/health", process, Path(log.name))
            yield Server(address, process, Path(log.name))
        finally:
            process.terminate()
            process.wait(20)
            end_trainers(environment)


def end_trainers(environment: dict[str, str]) -> None:
    """Ends the dispatcher that a server started, and whatever still trains: nothing of a test lives on."""
    subprocess.run([sys.executable, "-c", _END], cwd=ROOT, env=environment, timeout=60)


_END = """
import os, signal
from playground.runs import submit
from playground.runs.store import RunStore
submit.retire()
for run in RunStore().list():
    status = run.status()
    if status.is_active and status.pid:
        os.kill(status.pid, signal.SIGKILL)
"""


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise TimeoutError(log.read_text())
