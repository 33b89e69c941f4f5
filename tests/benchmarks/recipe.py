"""(a) How soon does modern-tiny know what gpt2-tiny knows after nanoGPT's 2,000 iterations?

Both are trained by the real worker, alternating in short turns (train a few steps, pause, let the other go on), so that
both see the same machine. Validation is the same set of places; its time is not counted for either.
"""

from models.presets import PRESETS
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.training.recipes import recipe
from tests.benchmarks.text import characters, title

REFERENCE_STEPS = 2000
FAST_STEPS = 380  # 19 % of the reference's tokens: the schedule is told to arrive in time
TURNS = 10


def measure() -> list[tuple]:
    from playground.training import worker

    common = {
        "eval_batches": 145,
        "sample_every": 0,
        "checkpoint_seconds": 1e6,
    }  # 145 × 12 × 64: all of the validation text
    reference = _run("gpt2-tiny", REFERENCE_STEPS, eval_every=REFERENCE_STEPS, **common)
    fast = _run("modern-tiny", FAST_STEPS, eval_every=20, **common)
    for turn in range(1, TURNS + 1):
        for folder, steps in ((reference, REFERENCE_STEPS), (fast, FAST_STEPS)):
            _until(worker, folder, steps * turn // TURNS, steps)
    goal = _evaluations(reference)[-1]
    reached = next((row for row in _evaluations(fast) if row["val_loss"] <= goal["val_loss"]), None)
    last = _evaluations(fast)[-1]
    what = f"gpt2-tiny, nanoGPT's recipe, {title()}"
    rows = [
        (
            what,
            f"val. loss {goal['val_loss']:.3f} after {goal['tokens']:,} tokens, {goal['seconds']:.0f} s",
            "",
            None,
        ),
        (
            "modern-tiny at its end",
            f"val. loss {last['val_loss']:.3f} after {last['tokens']:,} tokens, {last['seconds']:.0f} s",
            "",
            None,
        ),
    ]
    if reached is None:
        return [
            *rows,
            ("modern-tiny to the same loss", "not reached", "≤ 1/5 of tokens, ≤ 1/3 of time", False),
        ]
    tokens, seconds = reached["tokens"] / goal["tokens"], reached["seconds"] / goal["seconds"]
    where = f"step {reached['step']} of {FAST_STEPS}, val. loss {reached['val_loss']:.3f}"
    return [
        *rows,
        ("modern-tiny to the same loss: tokens", f"{tokens:.3f} × ({where})", "≤ 0.200 ×", tokens <= 0.2),
        (
            "modern-tiny to the same loss: seconds",
            f"{seconds:.3f} × ({reached['seconds']:.1f} s)",
            "≤ 0.333 ×",
            seconds <= 1 / 3,
        ),
    ]


def _run(preset: str, steps: int, **changes):
    config = RunConfig(preset, PRESETS[preset].spec, characters(), recipe(preset, steps=steps, **changes), preset)
    return RunStore().create(config)


def _until(worker, folder, step: int, steps: int) -> None:
    """Trains on to ``step`` and pauses there."""

    def pause(kind, value) -> None:
        if kind == "metrics" and value[-1]["step"] >= step and step < steps:
            folder.request("pause")

    folder.clear_requests()
    if folder.status().step < step and worker.run(folder, pause) == "failed":
        raise RuntimeError(folder.status().message)


def _evaluations(folder) -> list[dict]:
    return [row for row in folder.metrics()[0] if row["kind"] == "eval"]
