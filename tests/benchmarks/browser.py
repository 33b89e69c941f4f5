"""What a person waits for in the browser: the first page, the first point of a curve, a slider's effect."""

import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import FLAGS, chromium
from tests.support.charts import FIND, WATCHED, wait_for_step
from tests.support.living import DRAWN_IN
from tests.support.made_runs import live_run
from tests.support.serving import ROOT, serve
from tests.support.stage import open_drawer
from tests.support.waiting import WIDE, wait_idle

VISITS, STARTS, MOVES = 7, 5, 15
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def measure() -> list[tuple]:
    path = chromium()
    if path is None:
        return [("in the browser", "not measured: no Chromium here", "", None)]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        serve(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            return [*_all(browser, server.address, Path(home)), _living(browser)]
        finally:
            browser.close()


def _all(browser, address: str, home: Path) -> list[tuple]:
    visits = [_visit(browser, address) for _ in range(VISITS + 1)][1:]  # the first warms the server
    paint, first, again = ([visit[which] for visit in visits] for which in range(3))
    with_page = lambda action: _in_page(browser, address, action)
    quiet = with_page(lambda page: _move_slider(page, MOVES))
    starts = [with_page(_first_point) for _ in range(STARTS + 1)][1:]
    with live_run(home, "alive") as run:
        rate = with_page(lambda page: _updates(page, run.id))
    with_page(_start_long_run)
    busy = with_page(lambda page: _move_slider(page, 2 * MOVES))
    return [
        _row("first paint (FCP), warm server, new browser", statistics.median(paint), paint, "median < 1 s", 1.0),
        _row("address → predictions, new browser", statistics.median(first), first, "median < 2 s", 2.0),
        _row("address → predictions, known browser", statistics.median(again), again, "median < 1 s", 1.0),
        ("a growing curve, updates", f"{rate:.1f} a second", "≥ 2 a second", rate >= 2),
        _row(
            "click on Train → first loss on the page",
            statistics.median(starts),
            starts,
            "median < 1.5 s",
            1.5,
        ),
        _row("slider → new diagram", statistics.median(quiet), quiet, "median < 0.2 s", 0.2),
        _row(
            "the same while a run trains, p95",
            statistics.quantiles(busy, n=20, method="inclusive")[-1],
            busy,
            "p95 < 0.5 s",
            0.5,
        ),
    ]


def _living(browser) -> tuple:
    """How many pictures a second the living picture draws while it plays 6 layers × 6 heads × 64 tokens × 15 frames."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        serve(Path(home), script=ROOT / "tests/support/living_app.py") as server,
    ):
        page = browser.new_page(viewport=WIDE)
        page.goto(f"{server.address}/?show=large")
        page.locator(".living .tile").first.wait_for()
        page.get_by_role("slider").press("Home")
        page.get_by_role("button", name="Play").click()
        rate = page.evaluate(DRAWN_IN, 5000)
        page.close()
    return ("the living picture while it plays", f"{rate:.0f} pictures a second", "≥ 25 a second", rate >= 25)


def _row(what: str, seconds: float, measured: list[float], goal: str, limit: float) -> tuple:
    return (what, f"{seconds:.2f} s (worst of {len(measured)}: {max(measured):.2f} s)", goal, seconds < limit)


def _in_page(browser, address: str, action):
    context = browser.new_context(base_url=address, viewport=WIDE, reduced_motion="reduce")
    try:
        return action(context.new_page())
    finally:
        context.close()


def _visit(browser, address: str) -> tuple[float, float, float]:
    """Seconds to the first contentful paint and to the predictions of a browser that has nothing of the app yet, and to the
    predictions when it comes again.
    """

    def predictions(page: Page) -> float:
        start = time.perf_counter()
        page.goto("/", wait_until="commit")
        page.locator(".st-key-home-demo .root:not(.stale) .bars li").first.wait_for()
        return time.perf_counter() - start

    def visit(page: Page) -> tuple[float, float, float]:
        first = predictions(page)
        return page.evaluate(PAINT) / 1000, first, predictions(page)

    return _in_page(browser, address, visit)


def _first_point(page: Page) -> float:
    page.goto("/train")
    wait_idle(page)
    start = time.perf_counter()
    page.locator(".st-key-train-start button").click()
    wait_for_step(page, 1)
    seconds = time.perf_counter() - start
    page.get_by_role("button", name="Stop").click()
    page.locator(".st-key-train-progress").get_by_text("stopped").wait_for()
    return seconds


def _start_long_run(page: Page) -> None:
    page.goto("/train")
    wait_idle(page)
    page.locator(".st-key-train-start button").click()
    wait_for_step(page, 1)


def _updates(page: Page, run: str) -> float:
    """How often the curve of a run that grows 20 times a second shows something new."""
    page.goto(f"/train?run={run}")
    wait_for_step(page, 1)
    return len(page.evaluate(WATCHED, [FIND, 5000])[0]) / 5


def _move_slider(page: Page, moves: int) -> list[float]:
    """One layer more, one less: from the key to the picture that shows it."""
    page.goto("/build?preset=gpt2-tiny")
    wait_idle(page)
    open_drawer(page)
    handle = page.get_by_role("slider", name="Layers")
    handle.focus()
    seconds = []
    for move in range(moves + 1):
        key, count = ("ArrowRight", 5) if move % 2 == 0 else ("ArrowLeft", 4)
        start = time.perf_counter()
        page.keyboard.press(key)
        page.get_by_text(f"× {count}", exact=True).first.wait_for()
        seconds.append(time.perf_counter() - start)
        wait_idle(page)
    return seconds[1:]
