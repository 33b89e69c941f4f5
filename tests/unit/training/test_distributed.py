"""torchrun with two gloo processes trains the run that one process trains."""

import os
import subprocess
import sys

import pytest

from playground.runs.store import RunStore

SETTINGS = [
    "data.max_bytes=60000", "training.eval_every=6", "training.eval_batches=2", "training.threads=1",
    "training.sample_tokens=4", "training.warmup_steps=2", "model.d_model=32", "model.n_layers=1", "model.n_heads=2",
    "model.context_length=16",
]  # fmt: skip
TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--nproc-per-node=2",
    "--rdzv-backend=c10d",
    "--rdzv-endpoint=localhost:0",
]


def train(launcher: list[str], preset: str, batch_size: int, name: str, settings: list[str]):
    command = [
        sys.executable, *launcher, "-m", "playground", "train", "--data", "python-docs", "--tokenizer", "char",
        "--quiet", "--steps", "12", "--preset", preset, "--batch-size", str(batch_size), "--name", name,
        "--set", *SETTINGS, *settings,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


def rows(name: str, kind: str) -> dict[int, dict]:
    return {row["step"]: row for row in RunStore().get(name).metrics()[0] if row["kind"] == kind}


@pytest.mark.parametrize(
    "preset, settings", [("gpt2-tiny", []), ("bert-tiny", []), ("modern-tiny", ["training.accumulate=2"])]
)
def test_two_processes_have_the_loss_curve_of_one(preset, settings):
    one, two = f"one {preset}", f"two {preset}"
    for launcher, name in (([], one), (TORCHRUN, two)):
        result = train(launcher, preset, 8, name, settings)
        assert result.returncode == 0, result.stderr[-3000:]
    for step, row in rows(one, "train").items():
        assert rows(two, "train")[step]["loss"] == pytest.approx(row["loss"], rel=1e-4), step
        assert rows(two, "train")[step]["tokens"] == row["tokens"]
    for step, row in rows(one, "eval").items():
        assert rows(two, "eval")[step]["val_loss"] == pytest.approx(row["val_loss"], rel=1e-4)


def test_a_batch_that_does_not_divide_is_said():
    result = train(TORCHRUN, "gpt2-tiny", 3, "odd", [])
    assert result.returncode != 0
    assert "does not divide among 2 processes" in result.stderr
