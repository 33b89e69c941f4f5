"""Runs with curves, written down instead of trained: for tests of what is drawn."""

import json
import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.presets import PRESETS
from playground.runs.config import RunConfig
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.text.spec import DataSpec
from playground.training.recipes import recipe

TOKENS = ["alpha", " beta", " gamma", "\n"]


def make_run(home: Path, name: str, seed: int = 0, steps: int = 400, breaks: bool = False) -> RunFolder:
    """A finished LSTM of ``steps`` steps; with ``breaks``, one whose loss stopped being a number."""
    training = recipe("lstm-tiny").replace(steps=steps, seed=seed, lr=0.5 if breaks else 0.004)
    config = RunConfig(
        name,
        PRESETS["lstm-tiny"].spec.replace(vocab_size=0 if breaks else 1024),
        DataSpec("python-docs"),
        training,
        "lstm-tiny",
    )
    run = RunStore(home / "runs").create(config)
    rng, last = random.Random(seed), 30 if breaks else steps
    run.append_metrics(*(row for step in range(1, last + 1) for row in rows(step, rng, last if breaks else None)))
    if not breaks:
        for step in range(80, steps + 1, 80):
            run.append_sample({"kind": "text", "step": step, "prompt": "say ", "text": f"hello at {step}"})
    state = {
        "state": "failed" if breaks else "finished",
        "step": last,
        "steps": steps,
        "note": {"probe": TOKENS},
    }
    if not breaks:
        state |= {"loss": 2.0, "val_loss": 2.2, "tokens_per_second": 38400.0}
    if breaks:
        state |= {
            "message": "The loss stopped being a number at step 29.",
            "hint": "Try a lower learning rate.",
        }
    (run.path / "status.json").write_text(json.dumps(state))
    return run


def rows(step: int, rng: random.Random, broken_from: int | None) -> list[dict]:
    loss = 2 + 5 * math.exp(-step / 60) + rng.gauss(0, 0.1)
    if broken_from:
        loss = loss * 1.2**step if step < broken_from - 1 else None
    found = [
        {
            "kind": "train",
            "step": step,
            "loss": loss,
            "lr": 0.004,
            "grad_norm": None if loss is None else 1 + rng.random(),
            "tokens": step * 768,
            "seconds": step * 0.02,
            "tokens_per_second": 38400.0,
        }
    ]
    if step % 40 == 0:
        sure = 1 - math.exp(-step / 200)
        found.append(
            {
                "kind": "eval",
                "step": step,
                "tokens": step * 768,
                "seconds": step * 0.02,
                "val_loss": loss + 0.2,
                "val_accuracy": sure / 2,
                "memory_bytes": 4e8,
                "probe": [sure, sure**2, sure / 3, 0.9],
            }
        )
    return found


@contextmanager
def live_run(home: Path, name: str, seed: int = 0, steps_per_second: float = 20) -> Iterator[RunFolder]:
    """A run that grows while the block runs, as if it was trained by this process."""
    run, over, rng = make_run(home, name, seed, steps=1), threading.Event(), random.Random(seed)
    run.update_status(state="running", step=1, steps=100_000)

    def grow() -> None:
        step = 1
        while not over.wait(1 / steps_per_second):
            step += 1
            run.append_metrics(*rows(step, rng, None))
            run.update_status(step=step)

    thread = threading.Thread(target=grow, daemon=True)
    thread.start()
    try:
        yield run
    finally:
        over.set()
        thread.join()
        run.update_status(state="stopped")
