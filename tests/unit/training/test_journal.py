"""Seconds of training are honest also where the device works behind the loop."""

import math
from types import SimpleNamespace

import pytest
import torch

from playground.training import journal as journal_module
from playground.training.journal import Journal
from playground.training.trainer import Progress


@pytest.fixture
def journal(monkeypatch):
    """``journal(kind)``: one whose every look at the device takes three seconds."""
    clock = [100.0]
    monkeypatch.setattr(journal_module.time, "perf_counter", lambda: clock[0])
    original = torch.stack

    def slow(tensors):
        clock[0] += 1.5  # losses, then norms
        return original(tensors)

    monkeypatch.setattr(journal_module.torch, "stack", slow)

    def make(kind: str, dtype: torch.dtype = torch.float32) -> Journal:
        folder = SimpleNamespace(append_metrics=lambda *lines: None, update_status=lambda **fields: None)
        return Journal(folder, SimpleNamespace(kind=kind, dtype=dtype))

    return make


def take(journal: Journal, progress: Progress, steps: int) -> None:
    for _ in range(steps):
        progress.step += 1
        progress.tokens += 100
        progress.seconds += 0.5  # that the loop itself took
        journal.step(progress, torch.tensor(1.0), 0.1, torch.tensor(1.0))


def test_waiting_for_the_device_is_time_of_the_steps_it_was_waited_for(journal):
    journal, progress = journal("cuda"), Progress(step=10, seconds=7.0)
    journal.measured = 7.0
    take(journal, progress, 4)
    journal.measure()
    assert progress.seconds == pytest.approx(7 + 4 * 0.5 + 3)
    assert [line["seconds"] for line in journal.lines] == pytest.approx([8.25, 9.5, 10.75, 12.0])
    take(journal, progress, 2)
    journal.measure()
    assert progress.seconds == pytest.approx(16.0)
    assert [line["seconds"] for line in journal.lines[4:]] == pytest.approx([14.0, 16.0])
    assert journal.lines[3]["tokens_per_second"] == pytest.approx(300 / 3.75)


def test_on_a_cpu_a_step_takes_what_the_loop_took(journal):
    journal, progress = journal("cpu"), Progress()
    take(journal, progress, 3)
    journal.measure()
    assert progress.seconds == 1.5 and [line["seconds"] for line in journal.lines] == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("loss, norm", [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_a_run_has_diverged_where_the_loss_or_its_gradient_is_no_number(journal, loss, norm):
    """Scaled for float16, a gradient overflows now and then: that step is left out, and the scale is halved."""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        told, progress = journal("cuda", dtype), Progress()
        take(told, progress, 2)
        progress.step += 1
        told.step(progress, torch.tensor(loss), 0.1, torch.tensor(norm))
        take(told, progress, 1)
        told.measure()
        overflow = dtype is torch.float16 and math.isfinite(loss)
        assert told.diverged_at == (None if overflow else 3)
