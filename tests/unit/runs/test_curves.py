"""Curves for charts: few points, no spike lost, the right mean, and right again after a resume."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from playground.runs.curves import RunCurves, Thinned, spread
from playground.runs.folder import RunFolder


def row(step: int, loss: float | None, **more) -> dict:
    return {"kind": "train", "step": step, "loss": loss, "lr": 1e-3, "grad_norm": 1.0, "tokens": step * 64,
            "seconds": step * 0.01, "tokens_per_second": 6400.0, **more}  # fmt: skip


def thinned(losses: list[float], limit: int) -> Thinned:
    found = Thinned(("loss",), limit)
    for step, loss in enumerate(losses, 1):
        found.add(row(step, loss))
    return found


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=400), st.integers(2, 40))
def test_thinning_keeps_extremes_means_and_the_last_step(losses, limit):
    found = thinned(losses, limit)
    table = found.table()
    assert len(found.bins) <= limit
    assert table["step"][-1] == len(losses)
    low, high = table.get("loss_low", table["loss"]), table.get("loss_high", table["loss"])
    assert abs(min(low) - min(losses)) < 1e-4 * min(losses)
    assert abs(max(high) - max(losses)) < 1e-4 * max(losses)
    counts = [bin[2]["loss"][1] for bin in found.bins]
    mean = sum(n * value for n, value in zip(counts, table["loss"], strict=True)) / sum(counts)
    assert abs(mean - sum(losses) / len(losses)) < 1e-4 * max(losses)


def test_full_bins_stand_still_while_the_curve_grows():
    found, before, stride = Thinned(("loss",), 100), [], 1
    for step in range(1, 3001):
        found.add(row(step, random.Random(step).random()))
        now = found.table()["loss"][:-1] if step % 97 == 0 else before
        if found.stride == stride:
            assert now[: len(before)] == before
        before, stride = now if found.stride == stride else found.table()["loss"][:-1], found.stride
    assert 50 <= len(found.bins) <= 100


def test_a_short_run_is_shown_step_by_step():
    table = thinned([3.0, 2.0, 1.0], 600).table()
    assert table["step"] == [1, 2, 3] and table["loss"] == [3.0, 2.0, 1.0] and "loss_low" not in table


def test_a_loss_that_is_no_number_is_a_gap_with_a_name(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics(row(1, 2.0), row(2, None, grad_norm=None), row(3, None))
    curves = RunCurves(run)
    assert curves.update() and curves.not_finite == 2
    assert curves.table()["train"]["loss"] == [2.0, None, None]


def test_a_run_that_is_rewound_is_read_again(tmp_path):
    run = RunFolder(tmp_path)
    run.append_metrics(*(row(step, 5.0) for step in range(1, 21)))
    run.append_metrics({"kind": "eval", "step": 20, "val_loss": 4.0, "probe": [0.1]})
    curves = RunCurves(run)
    curves.update()
    assert curves.best == (20, 4.0) and curves.table()["probe"] == {"step": [20], "rows": [[0.1]]}
    run.rewind(10)
    run.append_metrics(row(11, 1.0))
    assert curves.update()
    table = curves.table()
    assert table["train"]["step"] == list(range(1, 12)) and table["train"]["loss"][-1] == 1.0
    assert table["validation"]["step"] == [] and curves.best is None
    assert not curves.update()


def test_what_travels_to_the_browser_is_small():
    rng = random.Random(0)
    found = Thinned(("loss", "lr", "grad_norm", "tokens_per_second"))
    for step in range(1, 20_001):
        found.add(row(step, rng.random(), grad_norm=rng.random()))
    assert len(json.dumps(found.table())) < 70_000


@given(st.integers(0, 500), st.integers(2, 50))
def test_spread_keeps_the_ends(n, limit):
    chosen = spread(list(range(n)), limit)
    assert len(chosen) == min(n, limit) and chosen == sorted(set(chosen))
    if n:
        assert chosen[0] == 0 and chosen[-1] == n - 1
