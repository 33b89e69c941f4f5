"""Fifty times kill -9 at a random moment: nothing is lost and nothing changes."""

import json
import os
import random
import signal
import time

from safetensors.torch import load_file

from playground.runs.submit import dispatcher, submit

KILLS = 50
TRAINING = {
    "steps": 800,
    "eval_every": 100,
    "sample_every": 500,
    "checkpoint_seconds": 0.05,
    "warmup_steps": 20,
}
PATIENCE = 60.0  # seconds; nothing here takes more than one or two


def until(condition, folder):
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {folder.status()}"
        time.sleep(0.002)
    return value


def series(folder) -> list[tuple]:
    """Everything of the metrics that does not depend on the clock."""
    return [
        (row["kind"], row["step"], row.get("loss"), row.get("val_loss"), row.get("grad_norm"), row["tokens"])
        for row in folder.metrics()[0]
    ]


def working(folder):
    """The status once the worker itself has signed it (for an instant the dispatcher does), or the run is over."""
    status = folder.status()
    by_worker = status.is_active and status.pid != dispatcher().get("pid")
    return status if by_worker or status.state == "finished" else None


def kill_once(folder, chance: random.Random) -> bool:
    """Starts the run, waits until it works, kills it at a random moment. False when it finished before."""
    submit(folder)
    status = until(lambda: working(folder), folder)
    if status.state == "finished":
        return False
    time.sleep(chance.uniform(0.0, 0.25))  # the random moment: it may fall into a step, an evaluation, a checkpoint
    try:
        os.kill(status.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    state = until(lambda: (s := folder.status().state) in ("interrupted", "finished") and s, folder)
    if state == "interrupted":
        latest = folder.latest_checkpoint()
        if latest is not None:
            assert json.loads((latest / "trainer.json").read_text())["step"] == int(latest.name.split("-")[1])
            load_file(latest / "model.safetensors")
            load_file(latest / "optimizer.safetensors")
    return state == "interrupted"


def test_fifty_kills_change_nothing(new_run):
    whole = new_run({"dropout": 0.1}, TRAINING)
    submit(whole)
    until(lambda: whole.status().state == "finished", whole)
    expected, kills, chance = series(whole), 0, random.Random(0)
    assert [row[1] for row in expected if row[0] == "train"] == list(range(1, TRAINING["steps"] + 1))
    while kills < KILLS:
        cut = new_run({"dropout": 0.1}, TRAINING)
        while kills < KILLS and kill_once(cut, chance):
            kills += 1
        submit(cut)
        until(lambda run=cut: run.status().state == "finished", cut)
        assert series(cut) == expected
    assert kills == KILLS
