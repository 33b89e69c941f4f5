"""Curves for charts: few points, no spike lost, the right mean, and right again after a resume."""

import json
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.core import jsonl
from playground.runs import curves as curves_module
from playground.runs.curves import Downsampled, RunCurves, evenly_spaced
from playground.runs.folder import RunFolder
from playground.runs.rows import Metric


def row(step: int, loss: float | None, **more) -> dict:
    return {
        "kind": "train",
        "step": step,
        "loss": loss,
        "lr": 1e-3,
        "grad_norm": 1.0,
        "tokens": step * 64,
        "seconds": step * 0.01,
        "tokens_per_second": 6400.0,
        **more,
    }


def thinned(losses: list[float], limit: int) -> Downsampled:
    found = Downsampled(("loss",), limit)
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
    found, before, stride = Downsampled(("loss",), 100), [], 1
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
    found = Downsampled(("loss", "lr", "grad_norm", "tokens_per_second"))
    for step in range(1, 20_001):
        found.add(row(step, rng.random(), grad_norm=rng.random()))
    assert len(json.dumps(found.table())) < 70_000


@given(st.integers(0, 500), st.integers(2, 50))
def test_spread_keeps_the_ends(n, limit):
    chosen = evenly_spaced(list(range(n)), limit)
    assert len(chosen) == min(n, limit) and chosen == sorted(set(chosen))
    if n:
        assert chosen[0] == 0 and chosen[-1] == n - 1


VALUES = st.none() | st.floats(-1e100, 1e100) | st.sampled_from([0.1, 1 / 3, 1e-17, 5.0])
STEPS = st.one_of(
    st.integers(1, 300).map(lambda n: list(range(1, n + 1))),
    st.lists(st.integers(0, 400), max_size=200),  # as of a run that was resumed, and of one from anybody
    st.lists(st.integers(0, 10**12), max_size=100),
)


@settings(deadline=None, max_examples=300)
@given(STEPS, st.data(), st.integers(2, 40), st.lists(st.integers(0, 300), max_size=5))
def test_many_rows_at_once_give_exactly_what_they_give_one_by_one(steps, data, limit, cuts):
    names = ("loss", "grad_norm")
    values = data.draw(st.lists(st.tuples(VALUES, VALUES), min_size=len(steps), max_size=len(steps)))
    rows = [
        Metric(step, "train", tokens=step, seconds=i / 7, loss=loss, grad_norm=norm)
        for i, (step, (loss, norm)) in enumerate(zip(steps, values))
    ]
    alone, together = Downsampled(names, limit), Downsampled(names, limit)
    for each in rows:
        alone.add(each.told())
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves_module, "FEW", 1)
        for start, end in zip(edges, edges[1:]):
            together.add_all(rows[start:end])
    assert together.bins == alone.bins and together.stride == alone.stride
    assert together.table() == alone.table()


def steps_and_evaluations(n: int, seed: int = 0) -> list[dict]:
    rng, rows = random.Random(seed), []
    for step in range(1, n + 1):
        rows.append(
            row(step, rng.choice([None, rng.random(), rng.random()]), grad_norm=rng.choice([None, rng.random()]))
        )
        if step % 3 == 0:
            rows.append(
                {"kind": "eval", "step": step, "tokens": step, "val_loss": rng.random(), "probe": [rng.random()] * 3}
            )
    return rows


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 200), st.integers(0, 5), st.integers(40, 2000))
def test_a_run_looked_at_once_is_as_one_watched_from_the_beginning(tmp_path_factory, n, seed, part):
    run, rows = RunFolder(tmp_path_factory.mktemp("run")), steps_and_evaluations(n, seed)
    watched = RunCurves(run)
    for each in rows:
        run.append_metrics(each)
        watched.update()
    once = RunCurves(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "PART", part)
        once.update()
    assert once.table() == watched.table()
    for name in ("newest", "evaluated", "best", "not_finite"):
        assert getattr(once, name) == getattr(watched, name)
    evaluations = [row for row in rows if row["kind"] == "eval"]
    best = min(evaluations, key=lambda row: row["val_loss"], default=None)
    assert once.best == (best and (best["step"], best["val_loss"]))


def test_of_many_evaluations_the_first_the_last_and_the_best_are_drawn(tmp_path):
    run = RunFolder(tmp_path)
    losses = [2 + random.Random(i).random() for i in range(5000)]
    losses[3331] = 0.5
    run.append_metrics(
        *({"kind": "eval", "step": i, "val_loss": loss, "probe": [0.5]} for i, loss in enumerate(losses))
    )
    curves = RunCurves(run)
    curves.update()
    told, probe = curves.table()["validation"], curves.table()["probe"]
    assert 150 <= len(told["step"]) <= 300 and told["step"] == sorted(set(told["step"]))
    assert told["step"][0] == 0 and told["step"][-1] == 4999 and told["val_loss"][told["step"].index(3331)] == 0.5
    assert curves.best == (3331, 0.5) and 50 <= len(probe["step"]) <= 100


def test_what_a_long_run_keeps_in_memory_does_not_grow_with_it(tmp_path):
    """Of 10 MB of steps and evaluations with probes, some MB while it is read and less than one for good."""
    run = RunFolder(tmp_path)
    with open(tmp_path / "metrics.jsonl", "w") as file:
        for step in range(1, 15_001):
            file.write(json.dumps(row(step, 1 / step)) + "\n")
            probe = [round((step * i) % 97 / 97, 4) for i in range(60)]
            file.write(json.dumps({"kind": "eval", "step": step, "val_loss": 1.0, "probe": probe}) + "\n")
    curves = RunCurves(run)
    tracemalloc.start()
    try:
        curves.update()
        curves.table()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "metrics.jsonl").stat().st_size > 9e6
    assert kept < 2e6 and peak < 16e6
