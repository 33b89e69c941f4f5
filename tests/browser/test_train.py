"""The main story in a real browser: plan, train, watch the curve move, reload, stop, go on, generate."""

import re

import pytest
from playwright.sync_api import expect

from playground.runs.store import RunStore
from tests.support.charts import FIND, WATCHED, loss, said, step, wait_for_step
from tests.support.made_runs import live_run, make_run
from tests.support.stage import close_drawer, open_drawer
from tests.support.waiting import eventually, wait_idle

LOOKS_AGAIN = """() => new Promise(done =>
    new MutationObserver(() => done()).observe(
        document.querySelector("[data-testid=stApp]"), {attributeFilter: ["data-test-script-state"]}))"""


def start_training(page) -> None:
    """From the form to the first point of the curve."""
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**run=**")
    wait_for_step(page, 1)


def stop_training(page) -> None:
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume").wait_for()


def test_build_train_reload_stop_generate(new_page):
    page = new_page("/build?preset=lstm-tiny")
    page.get_by_role("button", name="Train this").click()
    page.wait_for_url("**/train**")
    wait_idle(page)
    expect(page.get_by_text("LSTM, 2 layers")).not_to_have_count(0)
    expect(
        page.locator(".st-key-stage-picture").locator(".main svg"), "before it starts, the model and the text"
    ).to_be_visible()
    start_training(page)
    wait_for_step(page, 5)
    before, first = step(page), loss(page)
    wait_for_step(page, before + 5)
    page.reload()
    wait_for_step(page, before + 5)
    again = step(page)
    wait_for_step(page, again + 5)
    assert loss(page) < first
    stop_training(page)
    expect(page.get_by_text("stopped")).not_to_have_count(0)
    wait_idle(page)
    page.get_by_role("link", name="Type here").click()
    page.wait_for_url("**/generate?**run=**")
    wait_idle(page)
    assert page.locator("h1").inner_text()


def test_two_people_see_the_same_and_leaving_changes_nothing(new_page, home):
    page = new_page("/train?preset=gru-tiny")
    start_training(page)
    address = page.url[page.url.index("/train") :]
    other = new_page(address)
    wait_for_step(other, 3)
    page.close()
    before = step(other)
    wait_for_step(other, before + 5)
    other.get_by_role("button", name="Pause", exact=True).click()
    other.get_by_role("button", name="Resume").wait_for()
    run = RunStore(home / "runs").get(re.search(r"run=([\w-]+)", other.url)[1])
    paused = run.status().step  # the buttons are drawn before the curve
    wait_for_step(other, paused)
    other.get_by_role("button", name="One step").click()
    wait_for_step(other, paused + 1)
    other.get_by_role("button", name="Resume").wait_for()
    assert step(other) == run.status().step == paused + 1
    other.get_by_role("button", name="Resume").click()
    wait_for_step(other, paused + 3)
    stop_training(other)


def test_the_learning_rate_can_be_moved_while_it_trains(new_page):
    page = new_page("/train?preset=gru-tiny")
    start_training(page)
    open_drawer(page)
    slider = page.locator(".st-key-train-instruments").get_by_role("slider", name="Learning rate ×")
    slider.wait_for()
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    rate = lambda: float(re.search(r"Training ([\d.e-]+)", said(page, "Learning rate"))[1])
    eventually(page, lambda: rate() < 0.0039 * 0.5)
    close_drawer(page)
    stop_training(page)


def test_a_changed_plan_is_the_next_run_and_the_last_one_stays_pale(new_page, home):
    page = new_page("/train?preset=rnn-tiny&corpus=python-docs")
    start_training(page)
    first = re.search(r"run=([\w-]+)", page.url)[1]
    rate = open_drawer(page).get_by_role("slider", name="Learning rate").first
    rate.focus()
    rate.press("ArrowRight")
    again = page.get_by_role("button", name=re.compile(r"Train with these changes \(learning rate 0.002 → "))
    again.wait_for()
    close_drawer(page)
    again.click()
    page.wait_for_url(re.compile(f"with={first}"))
    wait_for_step(page, 1)
    eventually(page, lambda: RunStore(home / "runs").get(first).status().state == "stopped")
    assert RunStore(home / "runs").get(first).checkpoints(), "it is kept"
    stop_training(page)


@pytest.fixture
def finished(home):
    """A run with curves, samples and probes, made without training."""
    return make_run(home, "made for the chart", seed=1)


def test_zoom_cursor_and_keys(new_page, finished):
    page = new_page(f"/train?run={finished.id}")
    wait_for_step(page, 400)
    plot = page.locator(".panel.main .plot")

    def points_at_the_middle() -> bool:
        """Where it is now: what else arrives on the page can still move it."""
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
        return 150 < step(page) < 250

    eventually(page, points_at_the_middle)
    box, middle = plot.bounding_box(), step(page)
    eventually(
        page, lambda: step(page, "Gradient norm") == middle
    )  # one cursor for all charts, those of the drawer too
    expect(page.locator(".written li").first).to_contain_text(
        "hello at 160", use_inner_text=True
    )  # the last one before
    expect(page.locator(".panel.main .tip")).to_contain_text(f"step {middle}", use_inner_text=True)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 100, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="whole curve").wait_for()
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    eventually(page, lambda: 180 < step(page) < 300)  # the left end of what is zoomed into
    page.evaluate(LOOKS_AGAIN)  # the page looks at the run again by itself; the zoom is the reader's
    wait_idle(page)
    assert 180 < step(page) < 300
    plot.dblclick()
    plot.focus()
    plot.press("Home")
    eventually(page, lambda: step(page) == 1)
    plot.press("ArrowRight")
    eventually(page, lambda: step(page) == 2)


def test_choices_stay_after_a_reload(new_page, finished):
    page = new_page(f"/train?run={finished.id}")
    wait_for_step(page, 400)
    chart = page.locator(".st-key-train-right")
    chart.locator("button.menu").click()
    chart.get_by_role("button", name="perplexity").click()
    chart.get_by_role("button", name="tokens", exact=True).click()
    expect(page.get_by_text("Perplexity, exp(loss)")).not_to_have_count(0)
    page.reload()
    chart.locator("button.menu").click()
    expect(chart.get_by_role("button", name="perplexity")).to_have_attribute("aria-pressed", "true")
    expect(chart.get_by_role("button", name="tokens", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_token_tells_when_it_was_learned(new_page, finished):
    page = new_page(f"/train?run={finished.id}")
    token = page.locator(".strip button", has_text="beta")
    token.wait_for()
    token.hover()
    expect(page.locator(".told")).to_contain_text("beta", use_inner_text=True)
    expect(page.locator(".samples li")).to_have_count(5)
    expect(page.locator(".samples li.now")).to_contain_text("hello at 400", use_inner_text=True)


def test_a_loss_that_is_no_number_is_mended_with_one_click(new_page, home):
    broken = make_run(home, "too fast", seed=2, breaks=True)
    page = new_page(f"/train?run={broken.id}")
    page.get_by_text("stopped being a number").first.wait_for()
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)
    page.get_by_role("button", name=re.compile("third of the learning rate")).click()
    page.wait_for_url(re.compile(f"with={broken.id}"))
    page.get_by_text(re.compile(r"Step [1-9]\d* of")).wait_for()  # its own steps: the broken curve is drawn beside it
    open_drawer(page)
    slider = page.locator(".st-key-train-instruments").get_by_role("slider", name="Learning rate ×")
    expect(slider, "nobody has touched it").to_have_attribute("aria-valuetext", "1")
    close_drawer(page)
    stop_training(page)


def test_a_race_draws_both(new_page, finished):
    page = new_page(f"/train?run={finished.id}")
    wait_for_step(page, 400)
    open_drawer(page)
    page.get_by_role("button", name="Start the comparison").click()
    page.wait_for_url(re.compile(f"with={finished.id}"))
    close_drawer(page)
    page.locator(".st-key-train-right .legend .entry").nth(1).wait_for(state="attached")
    page.wait_for_function(f"() => !(({FIND})(['Loss', 'aria-valuetext']) || '400').includes('step 400')")
    wait_for_step(page, 1)
    stop_training(page)


def test_it_moves_without_flicker(new_page, home):
    """A run that this test writes itself, so that only the showing is looked at."""
    with live_run(home, "alive", seed=5) as run:
        page = new_page(f"/train?run={run.id}")
        wait_for_step(page, 1)
        steps, opacities = page.evaluate(WATCHED, [FIND, 5000])
    assert opacities == [1]
    assert len(steps) >= 2
