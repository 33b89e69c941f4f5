"""Seconds of training are honest also where the device works behind the loop."""

import math
from types import SimpleNamespace

import pytest
import torch

from playground.training import run_logger
from playground.training.run_logger import RunLogger
from playground.training.train_state import Progress


@pytest.fixture
def logger(monkeypatch):
    """``logger(kind)``: one whose every look at the device takes three seconds."""
    clock = [100.0]
    monkeypatch.setattr(run_logger.time, "perf_counter", lambda: clock[0])
    original = torch.stack

    def slow(tensors):
        clock[0] += 1.5  # losses, then norms
        return original(tensors)

    monkeypatch.setattr(run_logger.torch, "stack", slow)

    def make(kind: str, dtype: torch.dtype = torch.float32) -> RunLogger:
        folder = SimpleNamespace(append_metrics=lambda *lines: None, update_status=lambda **fields: None)
        return RunLogger(folder, SimpleNamespace(kind=kind, dtype=dtype))

    return make


def take(logger: RunLogger, progress: Progress, steps: int) -> None:
    for _ in range(steps):
        progress.step += 1
        progress.tokens += 100
        progress.seconds += 0.5  # that the loop itself took
        logger.step(progress, torch.tensor(1.0), 0.1, torch.tensor(1.0))


def test_waiting_for_the_device_is_time_of_the_steps_it_was_waited_for(logger):
    logger, progress = logger("cuda"), Progress(step=10, seconds=7.0)
    logger.measured_seconds = 7.0
    take(logger, progress, 4)
    logger.fetch_pending()
    assert progress.seconds == pytest.approx(7 + 4 * 0.5 + 3)
    assert [line["seconds"] for line in logger.lines] == pytest.approx([8.25, 9.5, 10.75, 12.0])
    take(logger, progress, 2)
    logger.fetch_pending()
    assert progress.seconds == pytest.approx(16.0)
    assert [line["seconds"] for line in logger.lines[4:]] == pytest.approx([14.0, 16.0])
    assert logger.lines[3]["tokens_per_second"] == pytest.approx(300 / 3.75)


def test_on_a_cpu_a_step_takes_what_the_loop_took(logger):
    logger, progress = logger("cpu"), Progress()
    take(logger, progress, 3)
    logger.fetch_pending()
    assert progress.seconds == 1.5 and [line["seconds"] for line in logger.lines] == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("loss, norm", [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_a_run_has_diverged_where_the_loss_or_its_gradient_is_no_number(logger, loss, norm):
    """Scaled for float16, a gradient overflows now and then: that step is left out, and the scale is halved."""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        told, progress = logger("cuda", dtype), Progress()
        take(told, progress, 2)
        progress.step += 1
        told.step(progress, torch.tensor(loss), 0.1, torch.tensor(norm))
        take(told, progress, 1)
        told.fetch_pending()
        overflow = dtype is torch.float16 and math.isfinite(loss)
        assert told.diverged_at == (None if overflow else 3)
