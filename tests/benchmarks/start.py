"""(d) From the request to the first loss: with nothing running yet, and with the warm process that the app keeps."""

import statistics
import time

from models.presets import PRESETS
from playground.runs import queue
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.runs.submit import retire, submit
from playground.training.recipes import recipe
from tests.benchmarks.text import characters

REPEATS = 5


def measure() -> list[tuple]:
    first_loss("gpt2-tiny")  # the text is prepared once, before anything is timed
    retire()
    gone()
    cold = first_loss("gpt2-tiny")
    warm = {
        preset: [first_loss(preset) for _ in range(REPEATS)] for preset in ("gpt2-tiny", "lstm-tiny", "modern-tiny")
    }
    rows = [("request → first loss, nothing running", f"{cold:.2f} s", "", None)]
    for preset, seconds in warm.items():
        middle, worst = statistics.median(seconds), max(seconds)
        rows.append(
            (
                f"request → first loss, warm, {preset}",
                f"{middle:.2f} s (worst of {REPEATS}: {worst:.2f} s)",
                "median < 1 s",
                middle < 1,
            )
        )
    return rows


def gone() -> None:
    """Waits until the dispatcher has ended."""
    from playground.core.process import is_alive
    from playground.runs.submit import dispatcher

    said = dispatcher()
    while is_alive(said.get("pid"), said.get("birth")):
        time.sleep(0.05)


def first_loss(preset: str, device: str = "auto", patience: float = 300) -> float:
    """Seconds from the request to the first line of the curve.

    Raises:
        RuntimeError: when the run fails, or nothing is trained for so many seconds.
    """
    training = recipe(preset, steps=20, sample_every=0, eval_batches=1, device=device)
    folder = RunStore().create(RunConfig(f"start {preset}", PRESETS[preset].spec, characters(), training, preset))
    began = time.perf_counter()
    submit(folder)
    while not (rows := folder.metrics()[0]):
        if folder.status().state == "failed":
            raise RuntimeError(folder.status().message)
        if time.perf_counter() - began > patience:
            raise RuntimeError(f"nothing was trained for {patience:g} s; {_last_words()}")
        time.sleep(0.002)
    seconds = time.perf_counter() - began
    assert rows[0]["kind"] == "train" and rows[0]["loss"] > 0
    while (state := folder.status().state) != "finished":
        if state == "failed":
            raise RuntimeError(folder.status().message)
        time.sleep(0.01)
    return seconds


def _last_words() -> str:
    """The end of what the dispatcher wrote."""
    try:
        lines = (queue.root() / "dispatcher.log").read_text(errors="replace").split("\n")
    except OSError:
        lines = []
    return f"the dispatcher's last words: {next((line for line in reversed(lines) if line.strip()), 'none')}"
