"""Logs a run: losses, scores and samples, gathered without waiting for the device, written a few times per second."""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from playground.runs.folder import RunFolder
from playground.training.device import Device
from playground.training.train_state import Progress

FLUSH_SECONDS = 0.25
Listener = Callable[[str, Any], None]  # ("status", fields), ("notice", fields), ("metrics", lines), ("sample", line)


class RunLogger:
    """Keeps the numbers of each step as tensors until the next flush, so that a GPU is not waited for at every step.

    Attributes:
        diverged_at: the first step whose loss (or, without loss scaling, gradient) was not a finite number.
        measured: the seconds of training up to the last look at the device.
    """

    def __init__(self, folder: RunFolder, device: Device, listener: Listener | None = None) -> None:
        self.folder = folder
        self.listener = listener or (lambda kind, value: None)
        self.pending: list[tuple] = []
        self.lines: list[dict] = []
        self.diverged_at: int | None = None
        self.last_flush = -math.inf
        self.speed_window: deque[tuple[int, float]] = deque(maxlen=64)
        self.checks_gradient = device.dtype is not torch.float16
        self.runs_behind = device.kind != "cpu"
        self.progress: Progress | None = None
        self.measured_seconds = 0.0

    def step(self, progress: Progress, loss: Tensor, lr: float, grad_norm: Tensor) -> None:
        """Notes a step; ``progress`` (`playground.training.train_state.Progress`) has counted it already."""
        self.progress = progress
        self.pending.append((progress.step, loss, lr, grad_norm, progress.tokens, progress.seconds))

    def evaluation(
        self, progress: Progress, score, probe: list[float] | None, memory: int, trained: dict[str, float] | None = None
    ) -> None:
        """One line for the curves: mean validation loss (nats per token) and its perplexity, shares that were right.

        ``trained``: the same of examples that were trained on, where it is told.
        """
        targets = max(1, score.targets)
        self.fetch_pending()
        if not math.isfinite(score.loss):
            self.diverged_at = self.diverged_at or progress.step
            return
        line = {
            "kind": "eval",
            "step": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 4),
            "val_loss": score.loss / targets,
            "val_accuracy": score.correct / targets,
            "memory_bytes": memory,
            **score.extra_metrics(),
            **(trained or {}),
        }
        if probe is not None:
            line["probe"] = probe
        self.lines.append(line)

    def sample(self, line: dict) -> None:
        """Appends a sample to the run and tells it to the listener."""
        self.folder.append_sample(line)
        self.listener("sample", line)

    def flush_if_due(self) -> None:
        """Flushes if the last flush is longer ago than FLUSH_SECONDS."""
        if time.monotonic() - self.last_flush >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what has gathered, and the heartbeat."""
        self.fetch_pending()
        lines, self.lines = self.lines, []
        if lines:
            self.folder.append_metrics(*lines)
            self.listener("metrics", lines)
            self.folder.update_status(**self._latest_values(lines))
        self.last_flush = time.monotonic()

    def _latest_values(self, lines: list[dict]) -> dict:
        """What the status says: the newest numbers, for lists of runs that do not read every line."""
        found = {"step": max(line["step"] for line in lines)}
        for line in lines:
            if line["kind"] == "train":
                found |= {"loss": line["loss"], "tokens_per_second": line["tokens_per_second"]}
            else:
                found["val_loss"] = line["val_loss"]
        return found

    def fetch_pending(self) -> None:
        """Turns the waiting tensors into lines: one wait for the device however many steps there are."""
        pending, self.pending = self.pending, []
        if not pending:
            return
        began = time.perf_counter()
        losses = torch.stack([entry[1].float().reshape(()) for entry in pending]).tolist()
        norms = torch.stack([entry[3].float().reshape(()) for entry in pending]).tolist()
        times = self._step_times([entry[5] for entry in pending], time.perf_counter() - began)
        for (step, _, lr, _, tokens, _), seconds, loss, norm in zip(pending, times, losses, norms):
            finite = math.isfinite(loss) and (math.isfinite(norm) or not self.checks_gradient)
            if not finite and self.diverged_at is None:
                self.diverged_at = step
            self.speed_window.append((tokens, seconds))
            self.lines.append(
                {
                    "kind": "train",
                    "step": step,
                    "loss": loss if math.isfinite(loss) else None,
                    "lr": lr,
                    "grad_norm": norm if math.isfinite(norm) else None,
                    "tokens": tokens,
                    "seconds": round(seconds, 4),
                    "tokens_per_second": self._tokens_per_second(),
                }
            )

    def _step_times(self, started: list[float], waited: float) -> list[float]:
        """When each step was done, in seconds of training.

        A GPU works behind the loop, which has counted only the starting of its steps: waiting for them now is time of
        theirs, shared out among the steps since the last look.
        """
        if not self.runs_behind:
            return started
        before, counted = self.measured_seconds, started[-1] - self.measured_seconds
        assert self.progress is not None  # a step was noted
        self.progress.seconds += waited
        self.measured_seconds = started[-1] + waited
        stretch = (counted + waited) / counted if counted > 0 else 1.0
        return [before + (seconds - before) * stretch for seconds in started]

    def _tokens_per_second(self) -> float | None:
        """Over the last 64 steps, of training time alone (evaluation, sampling and saving are left out)."""
        (first_tokens, first_seconds), (tokens, seconds) = self.speed_window[0], self.speed_window[-1]
        if seconds <= first_seconds:
            return None
        return round((tokens - first_tokens) / (seconds - first_seconds), 1)
