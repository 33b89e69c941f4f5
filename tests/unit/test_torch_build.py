"""Which PyTorch a machine gets: no gigabytes of CUDA where there is no GPU, and a person's word goes first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from playground import torch_build
from playground.torch_build import choose, install, installed, is_settled

SCRIPT = Path(torch_build.__file__)


@pytest.mark.parametrize(
    ("asked", "platform", "found", "build", "said"),
    [
        ("auto", "linux", "", "cpu", "no NVIDIA driver"),
        ("", "linux", "", "cpu", "no NVIDIA driver"),
        ("auto", "linux", "/dev/nvidiactl", "pypi", "/dev/nvidiactl"),
        ("cpu", "linux", "/dev/nvidiactl", "cpu", "as asked for"),
        ("cuda", "linux", "", "pypi", "as asked for"),
        ("auto", "darwin", "", "pypi", "Mac"),
        ("cpu", "darwin", "", "pypi", "Mac"),
    ],
)
def test_the_build_and_why(asked, platform, found, build, said):
    chosen, reason = choose(asked, platform, lambda: found)
    assert chosen == build and said in reason


def test_another_word_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="auto, cpu, cuda, not 'gpu'"):
        choose("gpu")


def test_a_program_of_nvidias_that_fails_is_no_driver(monkeypatch, tmp_path):
    """Left over from a card that is gone, ``nvidia-smi`` is there and ends with an error."""
    monkeypatch.setattr(torch_build, "SIGNS", (str(tmp_path / "gone"),))
    monkeypatch.setattr(torch_build.ctypes.util, "find_library", lambda name: None)
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert torch_build.driver() == ""
    for status, found in ((9, ""), (0, str(program))):
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)
        assert torch_build.driver() == found
    (tmp_path / "gone").touch()
    assert torch_build.driver() == str(tmp_path / "gone")


def test_it_runs_before_anything_is_installed():
    """As `make setup` runs it: alone, with the standard library. One word for the Makefile, one line for the person."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, "choose", "cuda"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "pypi\n") and done.stderr.count("\n") == 1
    wrong = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, "choose", "gpu"], capture_output=True, text=True, timeout=60
    )
    assert wrong.returncode == 2 and "not 'gpu'" in wrong.stderr


# What is installed

PYPI = ("2.13.0", ["filelock", "cuda-bindings<14,>=13.0.3; platform_system == 'Linux'", "nvidia-cudnn-cu13==9.19"])
CPU = ("2.13.0+cpu", ["filelock"])
ARM = ("2.13.0", ["filelock"])


def metadata(version: str, requires: list[str]) -> str:
    lines = [
        "Metadata-Version: 2.1",
        "Name: torch",
        f"Version: {version}",
        *(f"Requires-Dist: {each}" for each in requires),
    ]
    return "\n".join(lines) + "\n"


def put(packages: Path, text: str) -> None:
    (packages / "torch-2.13.0.dist-info").mkdir(exist_ok=True)
    (packages / "torch-2.13.0.dist-info" / "METADATA").write_text(text)


@pytest.mark.parametrize(
    ("found", "platform", "build"),
    [
        (None, "linux", ""),
        (PYPI, "linux", "pypi"),
        (CPU, "linux", "cpu"),
        (ARM, "linux", "cpu"),
        (ARM, "darwin", "pypi"),
    ],
)
def test_which_build_is_there_is_told_by_what_pip_keeps_beside_it(found, platform, build, tmp_path):
    if found:
        put(tmp_path, metadata(*found))
    assert installed([str(tmp_path)], platform) == build


@pytest.mark.parametrize(
    ("build", "there", "tried", "settled"),
    [
        ("cpu", "cpu", "", True),
        ("pypi", "pypi", "cpu cpu\n", True),
        ("pypi", "cpu", "", False),
        ("cpu", "", "cpu ", False),
        ("pypi", "cpu", "pypi cpu\n", True),
        ("cpu", "pypi", "cpu pypi\n", True),
        ("pypi", "cpu", "pypi pypi\n", False),
        ("cpu", "pypi", "cpu\n", False),  # as it was written before: what was wanted, not what came of it
    ],
)
def test_a_build_that_is_there_or_cannot_be_had_is_settled(build, there, tried, settled):
    assert is_settled(build, there, tried) == settled


class Pip:
    """pip, where some indexes cannot be reached and PyPI may give another build than the usual one."""

    def __init__(self, there: str, cpu_index: bool = True, pypi: str = "pypi", online: bool = True) -> None:
        self.there, self.cpu_index, self.pypi, self.online = there, cpu_index, pypi, online

    def __call__(self, *arguments: str, quiet: bool = False) -> bool:
        source = ("cpu" if self.cpu_index else "") if "--index-url" in arguments else self.pypi if self.online else ""
        if self.there and "--force-reinstall" not in arguments:
            return True  # 2.13.0+cpu is 2.13.0
        self.there = source or self.there
        return bool(source)


@pytest.mark.parametrize(
    ("build", "pip", "now", "said"),
    [
        ("cpu", Pip(""), "cpu", ""),
        ("cpu", Pip("cpu", cpu_index=False), "cpu", ""),
        ("cpu", Pip("pypi"), "cpu", ""),
        ("pypi", Pip(""), "pypi", ""),
        ("pypi", Pip("cpu"), "pypi", ""),
        ("pypi", Pip("pypi", online=False), "pypi", ""),
        ("cpu", Pip("", cpu_index=False), "pypi", "cannot be reached: taking PyPI's build"),
        ("cpu", Pip("pypi", cpu_index=False), "pypi", "cannot be reached: taking PyPI's build"),
        ("pypi", Pip("", pypi="cpu"), "cpu", "a CPU build all the same"),
        ("pypi", Pip("cpu", pypi="cpu"), "cpu", "a CPU build all the same"),
        ("pypi", Pip("cpu", online=False), "", ""),
        ("cpu", Pip("", cpu_index=False, online=False), "", "cannot be reached"),
    ],
)
def test_another_build_is_replaced_and_what_came_of_it_is_said(build, pip, now, said, capsys):
    was = pip.there
    assert install(build, pip, lambda: pip.there) == now
    told = capsys.readouterr().out
    assert said in told if said else not told
    assert pip.there == (now or was), "what was there stays until there is another"


# The Makefile

FAKE_PIP = """
import json, os, pathlib, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
there = pathlib.Path(__file__).parents[1] / "torch-2.13.0.dist-info" / "METADATA"
if any(word.startswith("torch==") for word in sys.argv) and ("--force-reinstall" in sys.argv or not there.exists()):
    has_index = "--index-url" in sys.argv
    if has_index and os.environ.get("NO_INDEX"):
        sys.exit(1)
    there.parent.mkdir(exist_ok=True)
    there.write_text(os.environ["CPU" if has_index or os.environ.get("ONLY_CPU") else "PYPI"])
"""
on_linux = pytest.mark.skipif(sys.platform != "linux" or not shutil.which("make"), reason="needs Linux and make")


@pytest.fixture
def setup(tmp_path):
    """`make setup` into an environment whose pip only writes down: what it said, how often pip was asked for PyTorch."""
    venv, calls = tmp_path / "venv", tmp_path / "calls"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    packages = next(venv.glob("lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__main__.py").write_text(FAKE_PIP)
    own = {"CALLS": str(calls), "CPU": metadata(*CPU), "PYPI": metadata(*PYPI)}

    def run(*words: str, **more: str) -> tuple[str, int]:
        calls.write_text("")
        done = subprocess.run(
            ["make", "setup", f"VENV={venv}", f"PYTHON={sys.executable}", *words],
            cwd=torch_build.ROOT,
            timeout=60,
            env={**os.environ, **own, **more},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr, sum("torch==" in line for line in calls.read_text().splitlines())

    run.packages, run.venv = packages, venv
    return run


@on_linux
def test_an_environment_from_before_gets_the_other_build_when_it_is_asked_for(setup):
    """Without a word of what was installed then."""
    put(setup.packages, metadata(*CPU))
    (setup.venv / ".ready").touch()
    assert setup("TORCH=cpu")[1] == 0, "it is there"
    said, asked = setup("TORCH=cuda")
    assert "the CUDA build, as asked for" in said and asked and installed([str(setup.packages)]) == "pypi"
    assert setup("TORCH=cuda")[1] == 0
    assert setup("TORCH=cpu")[1] and installed([str(setup.packages)]) == "cpu"


@on_linux
def test_a_build_that_pip_does_not_find_is_looked_for_once(setup):
    said, asked = setup("TORCH=cuda", ONLY_CPU="1")
    assert "pip found a CPU build all the same" in said and asked
    said, asked = setup("TORCH=cuda", ONLY_CPU="1")
    assert "TORCH=cuda found no other build before" in said and not asked
    (setup.venv / ".torch").unlink()
    assert setup("TORCH=cuda")[1] and installed([str(setup.packages)]) == "pypi"


@on_linux
def test_without_the_cpu_index_pypis_build_is_not_called_the_cpus(setup):
    said, _ = setup("TORCH=cpu", NO_INDEX="1")
    assert "cannot be reached" in said and installed([str(setup.packages)]) == "pypi"
    assert (setup.venv / ".torch").read_text() == "cpu pypi\n"
    (setup.venv / ".ready").unlink()
    assert setup("TORCH=cpu")[1] and installed([str(setup.packages)]) == "cpu", "the next setup finds it"


@on_linux
def test_an_empty_word_is_none(setup):
    """`make TORCH=$TORCH` of somebody who has no such variable."""
    put(setup.packages, metadata(*PYPI))
    (setup.venv / ".ready").touch()
    assert setup("TORCH=")[1] == 0 and setup()[1] == 0
