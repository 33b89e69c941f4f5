"""A browser eight times slower than this machine: what Streamlit calls again before it has drawn stays one, and moves."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.charts import loss, said, step, wait_for_step
from tests.support.made_runs import live_run
from tests.support.waiting import eventually, wait_idle

SLOWER = 8
PANELS = """(selector) => {
    const count = (root) => [...root.querySelectorAll("*")].reduce(
        (n, node) => n + node.matches(selector) + (node.shadowRoot ? count(node.shadowRoot) : 0), 0);
    return count(document);
}"""


@pytest.fixture
def slow_page(new_page) -> Iterator:
    """``slow_page(path)``: a page of a browser whose processor is throttled, before its first script runs."""

    def open_page(path: str):
        page = new_page("/build")
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto(path)
        return page

    yield open_page


def is_one_and_moves(page) -> None:
    """One panel of the loss and one of moments, at once and some updates later; the one that is there goes on."""
    wait_for_step(page, 1)
    for _ in range(3):
        assert page.evaluate(PANELS, ".panel.main") == 1
        wait_for_step(page, step(page) + 5)
    assert [page.evaluate(PANELS, name) for name in (".panel.main", ".moments")] == [1, 1]


def test_one_curve_that_moves_through_reloads_and_page_changes(slow_page, home):
    with live_run(home, "one of it", seed=11) as run:
        page = slow_page(f"/train?run={run.id}")
        is_one_and_moves(page)
        page.reload()
        is_one_and_moves(page)
        page.get_by_role("link", name="All runs").click()
        page.wait_for_url("**/runs**")
        wait_idle(page, 60)
        page.go_back()
        page.wait_for_url("**/train**")
        page.locator(".st-key-train-progress").wait_for()
        wait_idle(page, 60)  # the curves of that page are gone
        is_one_and_moves(page)


def test_at_the_end_of_a_run_the_curve_says_what_the_numbers_say(slow_page, home):
    # 5 steps a second: the curve has a point for every step while there are at most 600
    with live_run(home, "to its end", seed=12, steps_per_second=5) as run:
        page = slow_page(f"/train?run={run.id}")
        is_one_and_moves(page)
    last = [row for row in run.metrics()[0] if row["kind"] == "train"][-1]
    page.locator(".st-key-train-progress").get_by_text("stopped").wait_for(timeout=60_000)
    wait_for_step(page, last["step"])
    wait_idle(page, 60)
    assert page.evaluate(PANELS, ".panel.main") == 1
    page.locator(".st-key-train-right button.menu").click()
    smoothing = page.locator(".st-key-train-right").get_by_role("slider", name="smoothing")
    smoothing.fill("0")  # the numbers are not smoothed
    expect(smoothing).to_have_attribute("aria-valuetext", "0 %")
    eventually(page, lambda: said(page).startswith(f"step {last['step']}: Training "))
    # four digits are said of the six that travel: 3.00650253 travels as 3.0065, and is said as 3.006 or 3.007
    eventually(page, lambda: loss(page) == pytest.approx(last["loss"], abs=0.00051))
    expect(page.locator(".train-numbers dd").first).to_have_text(f"{last['loss']:.3f}")
