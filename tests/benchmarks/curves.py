"""The curves of a run of a million steps: seconds to the first picture, and memory, beside reading line by line."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = 1_000_000
REPEATS = 3
CHILD = """
import gc, json, sys, time
from pathlib import Path
import numpy, psutil
from playground.runs import lines
from playground.runs.curves import TRAIN, RunCurves, Downsampled
from playground.runs.folder import RunFolder
from tests.benchmarks.curves import row
folder, process = RunFolder(Path(sys.argv[1])), psutil.Process()
numpy.bincount([1])  # what is loaded at the first use is not counted
gc.collect()
before = process.memory_info().rss
clock, began = time.process_time(), time.perf_counter()
if sys.argv[2] == "in parts":
    curves = RunCurves(folder)
    curves.update()
    table = curves.table()["train"]
else:
    curves = Downsampled(TRAIN)
    with open(folder.path / "metrics.jsonl") as file:
        rows = [json.loads(line) for line in file]
    for each in rows:
        curves.add(each)
    table = curves.table()
found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - clock, "table": table}
if sys.argv[2] == "in parts":
    found["stay"] = process.memory_info().rss - before
    spent = []
    for step in range(1_000_001, 1_000_101):  # as it is watched live
        folder.append_metrics(row(step))
        began = time.perf_counter()
        curves.update()
        curves.table()
        spent.append(time.perf_counter() - began)
    found["live"] = sorted(spent)[len(spent) // 2]
else:
    found["stay"] = process.memory_info().rss - before
print(json.dumps(found))
"""


def row(step: int) -> dict:
    """A line as training writes it."""
    return {
        "kind": "train",
        "step": step,
        "loss": 2 + (step * 7919 % 100_003) / 100_003,
        "lr": 1 / (1000 + step),
        "grad_norm": (step * 31 % 1009) / 1009,
        "tokens": step * 64,
        "seconds": round(step / 97, 4),
        "tokens_per_second": 6200.1 + step % 13,
    }


def measure() -> list[tuple]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        found: dict[str, list[dict]] = {"in parts": [], "line by line": []}
        for repeat in range(REPEATS):
            for way in found if repeat == 0 else ["in parts"]:
                _write(path)
                found[way].append(_measure(path.parent, way))
    ours, plain = found["in parts"], found["line by line"][0]
    if ours[0]["table"] != plain["table"]:
        raise RuntimeError("both ways must give the same curves")
    seconds, stay = min(each["seconds"] for each in ours), max(each["stay"] for each in ours)
    return [
        (
            f"curves of {STEPS:,} steps, line by line",
            f"{plain['seconds']:.1f} s, {plain['stay'] / 1e6:,.0f} MB",
            "",
            None,
        ),
        (f"curves of {STEPS:,} steps, first view", f"{seconds:.2f} s", "≤ 2 s", seconds <= 2),
        ("memory that stays", f"{stay / 1e6:.0f} MB", "within 100 MB", stay <= 100e6),
        ("one step more, seen live", f"{1000 * min(each['live'] for each in ours):.2f} ms", "", None),
    ]


def _measure(folder: Path, way: str) -> dict:
    command = [sys.executable, "-c", CHILD, str(folder), way]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=Path(__file__).parents[2])
    if result.returncode:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])


def _write(path: Path) -> None:
    with open(path, "w") as file:
        for step in range(1, STEPS + 1):
            file.write(json.dumps(row(step)) + "\n")
