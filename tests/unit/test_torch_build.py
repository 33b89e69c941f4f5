"""Which PyTorch a machine gets: no gigabytes of CUDA where there is no GPU, and a person's word goes first."""

import subprocess
import sys
from pathlib import Path

import pytest

from playground import torch_build
from playground.torch_build import choose

SCRIPT = Path(torch_build.__file__)


@pytest.mark.parametrize(
    ("asked", "platform", "found", "build", "said"),
    [
        ("auto", "linux", "", "cpu", "no NVIDIA driver"),
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
    done = subprocess.run([sys.executable, "-I", "-S", SCRIPT, "cuda"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "pypi\n") and done.stderr.count("\n") == 1
    wrong = subprocess.run([sys.executable, "-I", "-S", SCRIPT, "gpu"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "not 'gpu'" in wrong.stderr
