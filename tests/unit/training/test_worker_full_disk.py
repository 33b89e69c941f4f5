"""A disk that is full, really: a small file system of its own, mounted for one process (Linux, where that is allowed)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SIZE = 24_000_000
MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1" && shift 2 && exec "$@"'


def mounted(home: Path, *command: str) -> subprocess.CompletedProcess:
    """Runs a command for which ``home`` is a disk of `SIZE` bytes."""
    unshare = [
        "unshare",
        "--user",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        MOUNT,
        "sh",
        str(home),
        str(SIZE),
        *command,
    ]
    environment = {**os.environ, "PLAYGROUND_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(unshare, capture_output=True, text=True, env=environment, timeout=240)


@pytest.fixture
def disk(tmp_path):
    if not shutil.which("unshare") or mounted(tmp_path, "true").returncode:
        pytest.skip("no file system can be mounted here")
    return tmp_path


BEGIN = """
import errno, json, os, sys
from pathlib import Path
from models.presets import PRESETS
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec

def fill():
    "Not a byte is left."
    with open(Path(os.environ["PLAYGROUND_HOME"]) / "filling", "ab", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
                size //= 2

spec = PRESETS["gru-tiny"].spec.replace(d_model=16, n_layers=1, context_length=16)
data = DataSpec("task-reversal", tokenizer=TokenizerSpec("byte"))
training = TrainingSpec(steps=100_000, batch_size=2, eval_every=1000, eval_batches=1, sample_every=0, checkpoint_seconds=0.2)
run = RunStore().create(RunConfig("full", spec, data, training))
"""
END = """
status = RunStore().get(run.id).status()
size = (run.path / "status.json").stat().st_size
print(json.dumps({"state": status.state, "message": status.message, "hint": status.hint, "pid": status.pid, "size": size}))
"""


def said(disk: Path, script: str) -> dict:
    done = mounted(disk, sys.executable, "-c", BEGIN + script + END)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_disk_that_fills_while_a_run_trains_is_told(disk):
    status = said(
        disk,
        """
from playground.training import worker
def told(kind, value):
    if kind == "metrics":
        fill()
assert worker.run(run, told) == "failed"
""",
    )
    assert status["state"] == "failed" and "disk is full" in status["message"] and "Free some space" in status["hint"]
    assert status["pid"] is None


def test_a_disk_that_was_full_before_the_training_began_is_told(disk):
    status = said(
        disk,
        """
from playground.training import dispatcher
run.update_status(state="queued")
fill()
out = os.dup(1)
dispatcher.train(run, "/")
os.dup2(out, 1)
""",
    )
    assert status["state"] == "failed" and "disk is full" in status["message"]


def test_each_status_stands_over_the_one_before(disk):
    """Longer and shorter ones, and the file stays whole JSON."""
    status = said(
        disk,
        """
run.update_status(state="preparing")
fill()
for message in ("m" * 900, "short"):
    run.update_status(state="failed", message=message)
    assert run.status().message == message
    run.update_status(state="preparing", message="x")
run.update_status(state="failed", message="the last")
""",
    )
    assert (status["state"], status["message"]) == ("failed", "the last")
    assert status["size"] > 900


def test_an_error_of_any_library_is_known_by_what_led_to_it():
    from playground.core.atomic import is_full_disk

    def raised(cause: BaseException) -> BaseException:
        try:
            try:
                raise cause
            except BaseException as error:
                raise RuntimeError("could not write") from error
        except RuntimeError as error:
            return error

    assert is_full_disk(raised(OSError(28, "No space left on device")))
    assert is_full_disk(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert not is_full_disk(raised(OSError(13, "Permission denied")))
