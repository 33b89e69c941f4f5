"""The names in a checkpoint's trainer.json are those of Progress: they are a file format, and must not change."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from playground.training.train_state import Progress

OLD = json.loads((Path(__file__).parents[1] / "runs" / "old_home.json").read_text())


def test_progress_starts_at_nothing():
    assert Progress() == Progress(0, 0, 0.0, math.inf, 0, 0, 1.0)


def test_progress_of_earlier_versions_is_read():
    for run in OLD.values():
        assert asdict(Progress(**run["trainer.json"])) == run["trainer.json"]
