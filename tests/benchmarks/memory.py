"""(c) Peak memory of preparing and training on a 10 MB and on a 500 MB text: the text must not be held in memory."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (10_000_000, 500_000_000)
CHILD = """
import json, sys, resource
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training import worker
from playground.training.recipes import recipe
from models.presets import PRESETS
training = recipe("gpt2-tiny", steps=300, sample_every=0, eval_batches=20)
data = DataSpec("file", path=sys.argv[1], tokenizer=TokenizerSpec("byte"))
folder = RunStore().create(RunConfig("memory", PRESETS["gpt2-tiny"].spec, data, training, "gpt2-tiny"))
state = worker.run(folder)
assert state == "finished", folder.status().message
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"peak": peak, "tokens": folder.about()["data_info"]["tokens"]}))
"""


def measure() -> list[tuple]:
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder) / f"{size}.txt"
            _write_text(path, size)
            result = subprocess.run(
                [sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, env=os.environ
            )
            if result.returncode:
                raise RuntimeError(result.stderr)
            peaks.append(json.loads(result.stdout.splitlines()[-1])["peak"])
            path.unlink()
    small, large = (peak / 1e6 for peak in peaks)
    rows = [
        (f"peak memory, {size // 10**6} MB of text", f"{peak / 1e6:.0f} MB", "", None)
        for size, peak in zip(SIZES, peaks, strict=True)
    ]
    return [
        *rows,
        ("peak memory, difference", f"{large - small:+.0f} MB", "within 50 MB", abs(large - small) <= 50),
    ]


def _write_text(path: Path, size: int) -> None:
    """Lines of made-up words, different all the way, so that nothing can be shared or cached."""
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(5000)]
    with open(path, "w") as file:
        written = 0
        while written < size:
            lines = "".join(" ".join(chance.choices(words, k=12)) + "\n" for _ in range(2000))
            written += file.write(lines)
