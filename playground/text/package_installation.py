"""Installs a package that holds text, in the background: one of the catalogue, in one version, with one checksum."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from playground.core.background_job import BackgroundJob
from playground.core.errors import PlaygroundError
from playground.text.catalogue import PACKAGES, Package, installed_version

PATIENCE = 900.0
"""Seconds after which an installation that does not end is stopped."""
DOWNLOADING = 0.9
"""The share of the progress that the download is."""
UNREACHED = ("ConnectionError", "NewConnectionError", "Temporary failure", "timed out", "Retrying (", "ProxyError")
_running: dict[str, "Installation"] = {}
_lock = threading.Lock()


class Installation(BackgroundJob):
    """A package on its way; ``what`` and ``share`` say how far it is."""

    def __init__(self, package: Package) -> None:
        self.package, self.what, self.share = package, "Downloading", 0.0
        super().__init__(f"install-{package.name}")

    def work(self) -> None:
        with tempfile.TemporaryDirectory(prefix="lm-playground-install-") as folder:
            status, said = self._pip(Path(folder))
        if self.is_stopped():
            return
        importlib.invalidate_caches()
        if status or installed_version(self.package.name) != self.package.version:
            raise failure(self.package, said)
        self.share = 1.0

    def _pip(self, folder: Path) -> tuple[int, str]:
        """Runs pip, which keeps what it downloads in our folder; its status, and all that it says."""
        wanted, log, parts = folder / "wanted.txt", folder / "log.txt", folder / "parts"
        parts.mkdir()
        wanted.write_text(f"{self.package.requirement} --hash=sha256:{self.package.sha256}\n")
        began = time.monotonic()
        with open(log, "wb") as file:
            pip = subprocess.Popen(
                command(wanted),
                cwd=folder,
                env={**os.environ, "TMPDIR": str(parts)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while pip.poll() is None and not self._stop.wait(0.2):
                    self._look(parts, log)
                    if time.monotonic() - began > PATIENCE:
                        break
            finally:
                _end(pip)
        return pip.returncode, log.read_text(errors="replace")

    def _look(self, parts: Path, log: Path) -> None:
        """How far it is: by the bytes that are there, then by what pip says."""
        if "Installing" in (said := log.read_text(errors="replace")) or "Building" in said:
            self.what, self.share = "Installing", DOWNLOADING
            return
        self.share = min(DOWNLOADING, max(self.share, DOWNLOADING * _size(parts) / self.package.size))


def command(wanted: Path) -> list[str]:
    """What is run: this Python's own pip, for nothing but what the file names with its checksum.

    ``-I`` keeps modules of the present folder from standing in for pip's.
    """
    options = ["--require-hashes", "--no-deps", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    patience = ["--retries", "1", "--timeout", "20"]
    return [sys.executable, "-I", "-m", "pip", "install", *options, *patience, "--requirement", str(wanted)]


def _end(pip: subprocess.Popen) -> None:
    """Nothing of it goes on: neither pip nor what it started."""
    if pip.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pip.pid, signal.SIGTERM)
        try:
            pip.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pip.pid, signal.SIGKILL)
            pip.wait()


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone since it was listed
            total += path.stat().st_size
    return total


def failure(package: Package, said: str) -> PlaygroundError:
    """Why pip failed, by what it said."""
    if "No module named pip" in said:
        return PlaygroundError(
            "This Python has no pip.",
            "Install it yourself, by the means that made this Python: {requirement}.",
            requirement=package.requirement,
        )
    if any(word in said for word in UNREACHED):
        return PlaygroundError(
            "The server of packages (pypi.org) cannot be reached.",
            "Connect this machine to the internet, and try again.",
        )
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in said:
        return PlaygroundError(
            "What was downloaded is not {requirement} as this app knows it, so it was not installed.",
            "Try another network; somebody on the way may have changed it.",
            requirement=package.requirement,
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "")
    return PlaygroundError(
        "{requirement} could not be installed: {error}",
        "Install it yourself: pip install {requirement}",
        requirement=package.requirement,
        error=last[:300],
    )


def running(name: str) -> Installation | None:
    """The last installation of this package that somebody began here, also after its end."""
    return _running.get(name)


def begin(name: str) -> Installation:
    """Begins to install a package of the catalogue; where that is going on already, it is the same installation.

    Raises:
        PlaygroundError: for a package that the catalogue does not offer.
    """
    if name not in PACKAGES:
        raise PlaygroundError("The package {name!r} is not offered.", name=name[:80])
    with _lock:
        job = _running.get(name)
        if job is None or job.is_over:
            job = _running[name] = Installation(PACKAGES[name])
            job.start()
        return job
