"""What the pictures of numbers are sent: nothing looks like something, and what may not be seen is no value."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest

from models.presets import PRESETS
from playground.pages.explore.attention import tokens_of, way_sentence
from playground.pages.explore.predictions import expected_tokens
from playground.runs.curves import RunCurves
from playground.runs.folder import RunFolder
from playground.runs.store import RunStore
from playground.training.recipes import recipe
from playground.training.schedule import lr_curve
from playground.ui.attention_weights import on_paper
from playground.ui.colours import ABOVE, ARCHITECTURE, BELOW, DIVERGING, RUNS, SEQUENTIAL, above_floor
from playground.ui.components import heads_grid as grid_module
from playground.ui.components import heatmap as map_module
from playground.ui.live_runs import colours_for
from playground.ui.run_progress import notice
from playground.ui.scene import Scene


class Answer:
    clicked = None


@pytest.fixture
def sent(monkeypatch):
    """The data of every component that is drawn."""
    found = []

    def component(*names):
        return lambda key, data, **more: found.append(data) or Answer()

    for module in (map_module, grid_module):
        monkeypatch.setattr(module, "component", component)
    return found


def drawn(sent, values, **options):
    labels = [str(i) for i in range(len(values))]
    map_module.heatmap(values, "a.b", labels, labels[: len(values[0])], ("r", "c", "v"), "alt", **options)
    return sent[-1]


@pytest.mark.parametrize("largest", [0.0, 1e-9, 1e-4, 0.0099])
def test_next_to_nothing_does_not_fill_a_scale_with_a_floor(sent, largest):
    data = drawn(sent, [[largest, -largest / 2]], diverging=True, floor=0.1)
    assert data["span"] == [-0.1, 0.1]


def test_a_scale_around_zero_reaches_as_far_to_both_sides(sent):
    low, high = drawn(sent, [[0.25, -2.0], [np.nan, 1.0]], diverging=True, floor=0.1)["span"]
    assert (low, high) == (-2, 2)


def test_signed_maps_have_the_page_in_their_middle(sent):
    colours = drawn(sent, [[1.0, -1.0]], diverging=True)["colours"]
    assert all(len(colours[when]) % 2 and colours[when][len(colours[when]) // 2] is None for when in ("day", "night"))
    unsigned = drawn(sent, [[1.0, 0.0]])["colours"]
    assert all(unsigned[when][0] is None and None not in unsigned[when][1:] for when in ("day", "night"))
    warm = drawn(sent, [[1.0, -1.0]], diverging=True, warm=True)["colours"]
    assert warm["day"] == DIVERGING["day"][::-1], "harm is orange"
    assert BELOW in DIVERGING["day"][:4] and ABOVE in DIVERGING["day"][5:]


def luminance(colour: str) -> float:
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2


def lightness(colour: str) -> float:
    """As OKLab has it: equal steps look equal."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.array([[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]) @ linear
    return float(np.array([0.2105, 0.7936, -0.0041]) @ np.cbrt(cones))


PAGES = (("day", "#fdfcf9", -1), ("night", "#12161b", 1))


def test_a_stronger_value_is_further_from_the_page_by_day_and_night():
    for when, page, sign in PAGES:
        steps = np.diff([lightness(colour or page) for colour in SEQUENTIAL[when]])
        assert (sign * steps > 0).all() and np.ptp(steps) < 0.01, "from the page to ink, in even steps"
        scale = [colour or page for colour in DIVERGING[when]]
        middle = len(scale) // 2
        for side in (scale[middle:], scale[middle::-1]):
            steps = np.diff([luminance(colour) for colour in side])
            assert (sign * steps > 0).all(), (when, side)


@pytest.mark.parametrize("colour", RUNS)
def test_the_colours_of_runs_are_seen_by_day_and_night_and_belong_to_no_architecture(colour):
    assert colour not in ARCHITECTURE.values()
    for _, page, _ in PAGES:
        low, high = sorted([luminance(colour), luminance(page)])
        assert (high + 0.05) / (low + 0.05) > 3


def test_runs_beside_each_other_have_colours_of_their_own():
    runs = [RunFolder(Path(f"run-{i}")) for i in range(len(RUNS) + 1)]
    found = list(colours_for(runs).values())
    assert len(set(found[:-1])) == len(RUNS) and found[-1] == found[0]


def test_what_is_below_the_floor_is_about_nothing(sent):
    assert drawn(sent, [[0.25, -2.0]], diverging=True, floor=0.1)["floor"] == 0.1
    assert drawn(sent, [[0.25, 2.0]])["floor"] == 0, "a share is never about nothing"
    assert above_floor([[0.05, -0.05, 0.2, np.nan]], 0.1).tolist()[0][:3] == pytest.approx([0, 0, 0.2])
    assert np.isnan(above_floor([np.nan], 0.1)).all()


def test_small_pictures_keep_a_byte_for_what_may_not_be_seen(sent):
    shares = np.array([-1.0, 0.0, 1.0, np.nan]).reshape(1, 4, 1, 1)
    names = [["a", "b", "c", "d"]]
    grid_module.heads_grid(shares, "a.b", names, names, None, diverging=True)
    assert list(base64.b64decode(sent[-1]["values"])) == [1, 128, 255, 0], "128 is the middle of 1 … 255"
    grid_module.heads_grid(np.abs(shares), "a.b", names, names, None)
    assert list(base64.b64decode(sent[-1]["values"])) == [255, 1, 255, 0]


def test_weights_are_drawn_on_paper_where_a_token_may_not_look():
    weights = np.full((2, 3, 3), 0.25)
    assert np.isnan(on_paper(weights, "self", causal=True)).sum() == 6
    assert not np.isnan(on_paper(weights, "self", causal=False)).any()
    assert not np.isnan(on_paper(np.zeros((3, 5)), "cross", causal=False)).any()


# What rows are called


def dates(target: str) -> Scene:
    run = RunStore().get("dates")
    return Scene(run, run.checkpoints()[-1], "March 5, 2031 =", target)


def test_rows_of_cross_attention_are_named_by_what_comes_out():
    rows, columns = tokens_of(dates("2031-03-05"), "cross")
    assert [row.removeprefix("→\N{NO-BREAK SPACE}") for row in rows] == [*"2031-03-05", "<eos>"]
    assert columns == [*"March", " ", "5", ",", " ", *"2031", " ", "="] and "<bos>" not in "".join(rows)


def test_the_last_row_is_what_the_model_would_write_next():
    rows, _ = tokens_of(dates("2031-0"), "cross")
    assert rows[-1].endswith("3") and len(rows) == 7


def test_the_decoder_looks_at_itself_as_what_it_reads():
    rows, columns = tokens_of(dates("2031"), "decoder")
    assert rows == columns == ["<bos>", *"2031"]


# What is said


@pytest.mark.parametrize("way", ["head", "mean", "max", "rollout"])
@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(("part", "causal"), [("self", True), ("self", False), ("encoder", False), ("cross", False)])
def test_no_sentence_speaks_of_what_the_drawing_cannot_have(way, lines, part, causal):
    said = way_sentence(way, part, causal, lines)
    assert said and ("induction" not in said or causal)
    assert "Hatched" not in said or (causal and not lines)
    if lines:
        assert not any(word in said for word in ("column", "cells", "row", "diagonal")), said
    if way == "max":
        assert "sums to 1" not in said


class Found:
    top = np.array([[7, 5, 9], [1, 2, 3]])
    top_p = np.array([[0.5, 0.2, 0.1], [0.4, 0.3, 0.2]])
    p = np.array([0.2, 0.001])
    rank = np.array([1, 41])


def test_the_token_that_stands_there_has_a_bar_in_any_case():
    assert expected_tokens(Found, 0, 5) == ([7, 5, 9], [0.5, 0.2, 0.1], 2)
    assert expected_tokens(Found, 1, 8) == ([1, 2, 3, 8], [0.4, 0.3, 0.2, 0.001], 42)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name.endswith("tiny")])
def test_the_drawn_schedule_reaches_the_rate_that_was_chosen(preset):
    training = recipe(preset)
    assert max(rate for _, rate in lr_curve(training)) == pytest.approx(training.lr)


def measured(folder, train, validation) -> RunCurves:
    rows = [
        {"kind": "train", "step": step, "loss": train(step), "lr": 1.0, "grad_norm": 1.0} for step in range(1, 1001)
    ]
    rows += [{"kind": "eval", "step": step, "val_loss": validation(step)} for step in range(50, 1001, 50)]
    rows.sort(key=lambda row: (row["step"], row["kind"] == "eval"))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    curves = RunCurves(RunFolder(folder))
    curves.update()
    return curves


def test_diverging_curves_are_reported_as_overfitting(tmp_path):
    falling = lambda step: 3 + 3 * np.exp(-step / 100)
    said = notice(None, measured(tmp_path, lambda step: falling(step) - step * 0.0023, falling))
    assert "Overfitting" in said and "2.3 nats and grows" in said
    assert "Overfitting" not in notice(None, measured(tmp_path / ".", falling, lambda step: falling(step) + 0.05))


def test_no_dashed_line_is_spoken_of_before_there_is_one(tmp_path):
    """While the first evaluation is still to come, there is one line."""
    rows = [
        {"kind": "train", "step": step, "loss": 5.0 - step / 100, "lr": 1.0, "grad_norm": 1.0} for step in range(1, 20)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    curves = RunCurves(RunFolder(tmp_path))
    curves.update()
    assert "From the first evaluation on" in notice(None, curves)
    falling = lambda step: 5 - step / 1000
    assert "The dashed line with points" in notice(None, measured(tmp_path / ".", falling, falling))


def test_two_losses_that_rise_are_told_as_too_high_a_rate(tmp_path):
    up = lambda step: 3 + step / 500
    assert "learning rate may be too high" in notice(None, measured(tmp_path, up, up))


def test_a_download_says_what_its_rows_are(monkeypatch):
    from playground.pages.explore import attention
    from playground.ui.figure import packed

    taken = {}
    monkeypatch.setattr(attention, "downloads", lambda name, data, table: taken.update(data))
    scene = dates("2031-03-05")
    attention.head_table(scene, scene.step, "cross", attention.weights_of(scene, scene.step)["cross"])
    held = np.load(io.BytesIO(packed(taken)))  # without pickle
    for part in ("cross", "decoder", "encoder"):
        rows, columns = attention.tokens_of(scene, part)
        assert held[f"{part}.rows"].tolist() == rows and held[f"{part}.columns"].tolist() == columns
        assert held[part].shape[2:] == (len(rows), len(columns))
