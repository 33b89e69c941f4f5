"""The gate: whatever a stranger's file does to the process that opens it, a sentence comes of it, and the server goes on."""

import os
import signal
import sys
import time

import psutil
import pytest

from models.spec import SpecError
from playground.core import limited_process
from playground.core.errors import PlaygroundError

HERE = __name__


# What the children do


def answer(*values):
    print("a library prints this")
    os.write(1, b"and this\n")
    return list(values)


def raise_ours() -> None:
    raise PlaygroundError("The table has no rows.", "Bring another one.")


def raise_spec() -> None:
    raise SpecError("A model cannot have 0 layers.")


def raise_theirs() -> None:
    raise KeyError("dtype")


def raise_base() -> None:
    raise type("PanicException", (BaseException,), {})("a panic of Rust")


def take_memory() -> int:
    return len(bytearray(2 * 2**30))


def take_memory_in_numpy() -> int:
    import numpy as np

    return int(np.ones(2 * 2**30, np.uint8).sum())


def take_time() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def abort() -> None:
    os.abort()


def segfault() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    os._exit(0)


def stages() -> int:
    for number in range(3):
        limited_process.stage(f"Stage {number}")
    return 3


def told(function, **limits) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as caught:
        limited_process.in_child(f"{HERE}:{function.__name__}", what="x.zip", **limits)
    return caught.value


def test_a_child_gives_its_value_whatever_libraries_print():
    assert limited_process.in_child(f"{HERE}:answer", 1, "zwei", None, what="x.zip") == [1, "zwei", None]
    assert limited_process.in_child("os:getpid", what="x.zip") != os.getpid()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (raise_ours, "The table has no rows."),
        (raise_spec, "A model cannot have 0 layers."),
        (raise_theirs, "x.zip cannot be opened: what is in it does not fit together."),
        (raise_base, "x.zip cannot be opened: what is in it does not fit together."),
        (take_memory, "memory"),
        (take_memory_in_numpy, "memory"),
        (abort, "memory"),
        (segfault, "fell over it"),
        (leave, "fell over it"),
    ],
)
def test_what_goes_wrong_there_is_a_sentence_here(function, said):
    error = told(function)
    assert said in error.message and (error.hint or function is raise_spec)


@pytest.mark.parametrize("function", [take_time, sleep])
def test_a_child_ends_when_its_time_is_over(function):
    assert "takes longer than 1 seconds" in told(function, seconds=1).message


def test_a_child_can_be_stopped():
    opening = limited_process.LimitedProcess(f"{HERE}:sleep", what="x.zip")
    child = psutil.Process(opening._process.pid)
    opening.stop()
    with pytest.raises(PlaygroundError, match="stopped"):
        opening.result()
    assert opening.done and not child.is_running()


def test_it_says_what_is_being_done():
    opening = limited_process.LimitedProcess(f"{HERE}:stages", what="x.zip")
    assert opening.result() == 3 and opening.stage == "Stage 2"


def test_a_child_has_one_thread_and_no_gpu_and_cannot_lift_its_limits():
    found = limited_process.in_child(f"{HERE}:limits", what="x.zip", memory=600 * 2**20, seconds=7)
    assert (
        found["cuda"] == ""
        and found["omp"] == "1"
        and found["code"] == limited_process.environment()["PYTHONPATH"].split(os.pathsep)[0]
    )
    if sys.platform == "linux":
        assert found["data"] == [600 * 2**20] * 2 and found["core"] == [0, 0] and found["cpu"] == [8, 8]


def limits() -> dict:
    import resource

    return {
        "cuda": os.environ["CUDA_VISIBLE_DEVICES"],
        "omp": os.environ["OMP_NUM_THREADS"],
        "code": os.environ["PYTHONPATH"].split(os.pathsep)[0],
        **{name: resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}")) for name in ("data", "core", "cpu")},
    }
