"""torchrun with two gloo processes trains the run that one process trains."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from playground.runs.store import RunStore

SETTINGS = [
    "data.max_bytes=60000",
    "training.eval_every=6",
    "training.eval_batches=2",
    "training.threads=1",
    "training.warmup_steps=2",
    "model.d_model=32",
    "model.n_layers=1",
    "model.n_heads=2",
    "model.context_length=16",
]
TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--nproc-per-node=2",
    "--rdzv-backend=c10d",
    "--rdzv-endpoint=localhost:0",
]


def train(launcher: list[str], preset: str, batch_size: int, name: str, settings: list[str]):
    return start(
        launcher,
        "train",
        "--data",
        "python-docs",
        "--tokenizer",
        "char",
        "--steps",
        "12",
        "--preset",
        preset,
        "--batch-size",
        str(batch_size),
        "--name",
        name,
        "--set",
        *SETTINGS,
        *settings,
    )


def tune(launcher: list[str], table: Path):
    settings = [
        "training.eval_every=6",
        "training.warmup_steps=2",
        "training.threads=1",
        "model.dropout=0",
        "finetune.head_dropout=0",
    ]
    return start(
        launcher,
        "finetune",
        "bible-encoder",
        "--task",
        "classify",
        "--data",
        str(table),
        "--compare",
        "lora",
        "--steps",
        "6",
        "--batch-size",
        "16",
        "--set",
        *settings,
    )


def start(launcher: list[str], *words: str):
    command = [sys.executable, *launcher, "-m", "playground", *words, "--quiet"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)


def rows(name: str, kind: str) -> dict[int, dict]:
    return {row["step"]: row for row in RunStore().get(name).metrics()[0] if row["kind"] == kind}


@pytest.mark.parametrize(
    "preset, settings",
    [("gpt2-tiny", []), ("bert-tiny", []), ("modern-tiny", ["training.gradient_accumulation_steps=2"])],
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


def test_two_processes_fine_tune_a_model_and_its_rival_as_one_does(tmp_path):
    made, table = [], tmp_path / "said.csv"
    kinds = (("king", "rules"), ("shepherd", "leads sheep"))
    lines = [f"{who} number {n} {does},{who}" for n in range(80) for who, does in kinds]
    table.write_text("\n".join(["text,label", *lines]))
    for launcher in ([], TORCHRUN):
        result = tune(launcher, table)
        assert result.returncode == 0, result.stderr[-3000:]
        assert "low-rank adapters" in result.stdout and result.stdout.count("Finished at step 6") == 2
        made.append(re.findall(r"The run is ([\w-]+)", result.stdout))
    for one, two in zip(*made, strict=True):
        for kind, number in (("train", "loss"), ("eval", "val_loss"), ("eval", "val_accuracy")):
            expected, found = rows(one, kind), rows(two, kind)
            assert expected.keys() == found.keys() and expected
            for step, row in expected.items():
                assert found[step][number] == pytest.approx(row[number], rel=1e-3), (one, step, number)
                assert found[step]["tokens"] == row["tokens"]


def test_a_batch_that_does_not_divide_is_said():
    result = train(TORCHRUN, "gpt2-tiny", 3, "odd", [])
    assert result.returncode != 0
    assert "does not divide among 2 processes" in result.stderr
