"""A home folder of its own for every test, a small config, and waiting without sleeping blindly."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.presets import PRESETS
from playground.core import process
from playground.runs import submit
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path, monkeypatch):
    path = tmp_path / "home"
    monkeypatch.setenv("PLAYGROUND_HOME", str(path))
    return path


@pytest.fixture
def store(home):
    return RunStore()


@pytest.fixture
def config():
    return make_config()


def make_config(name="first try", preset="lstm-tiny", **training):
    return RunConfig(
        name=name,
        model=PRESETS[preset].spec.replace(vocab_size=8, d_model=8, n_layers=1),
        data=DataSpec(corpus="python-docs"),
        training=TrainingSpec(device="cpu", **training),
        preset=preset,
    )


@pytest.fixture
def until():
    """``until(condition)`` returns its first true value; fails after a minute."""

    def wait(condition, seconds=60.0, what=""):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.005)
        raise AssertionError(f"not within {seconds} s: {what or condition}")

    return wait


@pytest.fixture
def python(home):
    """``python(code, *arguments)`` starts a process with this code on its path; killed at the end."""
    started = []

    def start(code, *arguments):
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.fixture
def stub_worker(home, monkeypatch):
    """Makes the dispatcher call a function of ``tests/support/stub_workers.py``; ends the dispatcher after the test."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PLAYGROUND_DISPATCHER_IDLE", "30")

    def use(name, module="tests.support.stub_workers"):
        monkeypatch.setenv("PLAYGROUND_WORKER", f"{module}:{name}")

    yield use
    said = submit.dispatcher()
    if process.is_alive(said.get("pid"), said.get("birth")):
        os.kill(said["pid"], signal.SIGKILL)
    submit._started.clear()
    submit._revived = -submit._AGAIN


@pytest.fixture
def checkpoint_files():
    """A whole checkpoint's files; the weights are a safetensors file: header length, header, data."""
    data = struct.pack("<1000f", *range(1000))  # at least as many as the model of `config` has
    header = json.dumps({"w": {"dtype": "F32", "shape": [1000], "data_offsets": [0, len(data)]}}).encode()
    return {"model.safetensors": struct.pack("<Q", len(header)) + header + data, "trainer.json": "{}"}
