"""Validation examples in a real browser: they come while a run trains, and a clicked token's chart shows the files' numbers."""

import json
import re

import numpy as np
import pytest
import safetensors.numpy
from playwright.sync_api import expect

from models.presets import PRESETS
from playground.runs import examples
from playground.runs.config import RunConfig, TrainingSpec
from playground.runs.store import RunStore
from playground.text.spec import DataSpec, TokenizerSpec
from playground.training import worker
from tests.support.waiting import PHONE, eventually, wait_idle

DATA = DataSpec("python-docs", tokenizer=TokenizerSpec("bpe", 400), max_bytes=60_000)


pytestmark = pytest.mark.usefixtures("leaves_no_runs")


def config(name: str, **training) -> RunConfig:
    spec = PRESETS["gru-tiny"].spec.replace(d_model=32, n_layers=1, context_length=32)
    return RunConfig(name, spec, DATA, TrainingSpec(**{"batch_size": 8, "eval_batches": 4, "threads": 1, **training}))


@pytest.fixture(scope="module")
def run(home):
    """Ten evaluations."""
    made = RunStore(home / "runs").create(config("ten evaluations", steps=100, eval_every=10, lr=5e-3))
    assert worker.run(made) == "finished"
    return made


def files(run) -> dict[int, dict[str, np.ndarray]]:
    return {step: safetensors.numpy.load_file(examples.path_of(run.path, step)) for step in examples.steps(run.path)}


def targets(run) -> list[int]:
    rows = json.loads((run.path / examples.FOLDER / examples.TEXTS).read_text())["rows"]
    return [target for row in rows for target in row["targets"]]


def opened(new_page, run, **how):
    page = new_page(f"/train?run={run.id}", **how)
    page.locator(".examples .rows").scroll_into_view_if_needed()
    return page


def tokens(page):
    return page.locator(".examples .rows button.token")


def test_right_and_wrong_are_those_of_the_files_at_every_evaluation(new_page, run):
    page, held, right = opened(new_page, run), files(run), np.array(targets(run))
    expect(tokens(page)).to_have_count(len(right))
    slider = page.locator(".examples input[type=range]")
    slider.focus()
    for press, step in (("End", 100), ("ArrowLeft", 90), ("Home", 10)):
        slider.press(press)
        wrong = held[step]["ids"][:, 0] != right
        title = f"{(~wrong).sum():,} of {len(right):,} right at step {step}"
        expect(page.locator(".examples .head h4")).to_have_text(title)
        marked = tokens(page).evaluate_all("boxes => boxes.map((box) => box.classList.contains('wrong'))")
        assert marked == wrong.tolist()
        assert slider.get_attribute("aria-valuetext") == f"step {step}"


def test_a_click_opens_the_sixteen_likeliest_over_all_evaluations(new_page, run):
    page, held = opened(new_page, run), files(run)
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", sent.append))
    for n in (7, 40):
        tokens(page).nth(n).click()
        target, newest = targets(run)[n], held[100]
        known = dict(zip(newest["ids"][n].tolist(), newest["p"][n].tolist()))
        known[target] = newest["p_target"][n].item()
        expect(page.locator(".names li")).to_have_count(len(known))
        told = page.locator(".names li").evaluate_all("items => items.map((li) => [+li.dataset.id, +li.dataset.p])")
        assert dict(told) == pytest.approx(known, abs=1e-7)
        assert [p for _, p in told] == sorted((p for _, p in told), reverse=True)
        assert int(page.locator(".names .target").get_attribute("data-id")) == target
    slider = page.locator(".examples input[type=range]")
    slider.focus()
    slider.press("Home")
    first = dict(zip(held[10]["ids"][40].tolist(), held[10]["p"][40].tolist())) | {
        target: held[10]["p_target"][40].item()
    }
    told = page.locator(".names li").evaluate_all("items => items.map((li) => [+li.dataset.id, li.dataset.p])")
    assert {id: p and float(p) for id, p in told} == pytest.approx({id: first.get(id, "") for id in known}, abs=1e-7)
    assert not sent, "nothing asks the server"
    page.keyboard.press("Escape")
    expect(page.locator(".examples .chart")).to_be_hidden()


def test_the_chart_is_pointed_at_and_the_keyboard_reaches_all(new_page, run):
    page = opened(new_page, run)
    first = tokens(page).first
    first.focus()
    expect(page.locator(".examples .tip")).to_contain_text(re.compile("(right|wrong) at step 100"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(tokens(page).nth(1)).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".examples .at")).to_contain_text("step 100")
    plot = page.locator(".examples .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 66, box["y"] + box["height"] / 2)
    expect(page.locator(".examples .at")).to_contain_text("step 10:")
    expect(page.locator(".examples .head h4")).to_contain_text("at step 10")
    page.mouse.move(0, 0)
    expect(page.locator(".examples .at")).to_contain_text("step 100")
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".examples .chart")).to_be_hidden()


def test_they_come_while_a_run_trains(new_page, home):
    from playground.runs.submit import submit

    run = RunStore(home / "runs").create(config("live", steps=100_000, eval_every=20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYGROUND_HOME", str(home))
        submit(run)
    page = new_page(f"/train?run={run.id}")
    tokens(page).first.wait_for()
    expect(tokens(page)).to_have_count(len(targets(run)))
    step = lambda: int(page.locator(".examples .head h4").inner_text().rpartition(" ")[2].replace(",", ""))
    tokens(page).nth(3).click()
    before = step()
    eventually(page, lambda: step() > before)
    expect(page.locator(".examples .chart")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume").wait_for()
    last = examples.steps(run.path)[-1]
    eventually(page, lambda: step() == last)
    told = page.locator(".names li").evaluate_all("items => items.map((li) => +li.dataset.p)")
    assert max(told) == pytest.approx(files(run)[last]["p"][3].max().item(), abs=1e-7)


def test_on_a_phone_nothing_is_wider_than_the_screen(new_page, run):
    page = opened(new_page, run)
    page.set_viewport_size(PHONE)
    wait_idle(page)
    tokens(page).nth(5).click()
    expect(page.locator(".examples .names li").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    names = page.locator(".examples .names li").evaluate_all(
        "items => items.map((li) => li.getBoundingClientRect().top)"
    )
    assert all(below - above >= 13 for above, below in zip(names, names[1:])), "no name covers another"
