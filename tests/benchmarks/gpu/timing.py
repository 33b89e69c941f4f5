"""Seconds of work that may still be going on when Python is done with it."""

import statistics
import time
from collections.abc import Callable

import torch


def wait(device: str) -> None:
    """Until the device has done all that it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(device: str, work: Callable[[], object]) -> float:
    """Wall time of ``work``, from an idle device to an idle device."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def median_seconds(device: str, work: Callable[[], object], times: int = 9, warm_up: int = 3) -> float:
    """The median time of ``work`` after some calls that are not counted; on a GPU by CUDA's events."""
    for _ in range(warm_up):
        work()
    if device != "cuda":
        return statistics.median(seconds(device, work) for _ in range(times))
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(times)]
    for begin, end in marks:
        begin.record()
        work()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(begin.elapsed_time(end) for begin, end in marks) / 1e3
