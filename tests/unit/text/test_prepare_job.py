"""Preparing text beside the server: it tells how far it is, fails in a sentence, and can be stopped."""

import json
import subprocess
import sys
import time

import psutil
import pytest

from playground.text import prepare_job
from playground.text.prepare import find, load
from playground.text.spec import DataSpec, TokenizerSpec


def wait(job, seconds: float = 60):
    end = time.monotonic() + seconds
    while not job.done:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def spec(tmp_path, prose):
    file = tmp_path / "text.txt"
    file.write_text(prose(2000), encoding="utf-8")
    return DataSpec("file", path=str(file), tokenizer=TokenizerSpec("bpe", 400))


def test_prepares_and_is_found(spec):
    assert find(spec) is None
    job = prepare_job.start(spec, "me")
    assert prepare_job.start(spec, "you") is job  # two who ask for the same wait for the same
    wait(job)
    assert job.error is None and job.fraction == 1.0
    assert str(find(spec)) == job.folder
    assert load(job.folder).tokenizer.size <= 400


def test_fails_in_a_sentence(tmp_path):
    file = tmp_path / "short.txt"
    file.write_text("a")
    job = prepare_job.start(DataSpec("file", path=str(file)), "me")
    wait(job)
    assert "too short" in job.error.message and job.error.hint


def test_the_last_to_leave_stops_it():
    job = prepare_job.start(DataSpec("python-code", tokenizer=TokenizerSpec("bpe", 4096)), "me")
    job.watchers.add("you")
    prepare_job.leave(job, "me")
    assert not job.stopped
    prepare_job.leave(job, "you")
    wait(job)
    assert job.stopped and job.error is None
    assert find(job.spec) is None


def test_memory_that_did_not_suffice_is_told(spec):
    job = prepare_job.start(spec, "me")
    job._process.kill()  # as the system does where there is no more
    wait(job)
    assert job.error.message == "There is not enough memory to prepare this text." and job.error.hint


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_it_may_take_a_part_of_the_memory_that_is_free():
    job = prepare_job.start(DataSpec("python-code", tokenizer=TokenizerSpec("bpe", 4096)), "me")
    process = psutil.Process(job._process.pid)
    while (most := process.rlimit(psutil.RLIMIT_DATA)[0]) == psutil.RLIM_INFINITY:
        assert not job.done
        time.sleep(0.01)
    job.stop()
    wait(job)
    assert 2**30 <= most <= psutil.virtual_memory().total


def test_what_a_library_says_of_memory_is_told_in_a_sentence(spec):
    code = (
        "import sys; from playground.text import prepare_job\n"
        "def prepare(*args): raise RuntimeError('std::bad_alloc')\n"
        "sys.modules['playground.text.prepare'].prepare = prepare; prepare_job.main()"
    )
    order = json.dumps(spec.to_dict())
    done = subprocess.run([sys.executable, "-c", code], input=order, capture_output=True, text=True)
    assert "There is not enough memory to prepare this text." in done.stdout
