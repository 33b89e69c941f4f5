"""What the stage promises: pictures whole and large, the stories of `tests.support.stories`, and from place to place."""

import csv
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from playground.runs.store import RunStore
from tests.browser.conftest import FLAGS, chromium
from tests.support import stories
from tests.support.serving import serve
from tests.support.views import (
    FORMS,
    LEAST_SHARE,
    LEAST_TEXT,
    RECORD,
    SIZES,
    SMALL,
    VIEWS,
    presented,
    share_of_window,
)
from tests.support.waiting import wait_idle

ROUNDS, TURNS, SMALL_WINDOW = 4, 3, {"width": 1280, "height": 720}
PLACES = ("lab", "inside", "ship", "learn")
SENTENCE = "And the king said, Let the sheep go to the sea."


def measure() -> list[tuple]:
    path = chromium()
    if path is None:
        return [("the stage", "not measured: no Chromium here", "", None)]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        serve(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            opened = lambda act: _in_page(browser, server.address, act)
            return [*_stories(opened, Path(home)), *_walks(opened, Path(home)), *_pictures(opened)]
        finally:
            browser.close()


def _in_page(browser: Any, address: str, act: Any) -> Any:
    """What is done on an opened home page."""
    context = browser.new_context(base_url=address, viewport=SMALL_WINDOW, reduced_motion="reduce")
    try:
        page = context.new_page()
        page.goto("/")
        wait_idle(page)
        page.locator(".st-key-stage-picture").wait_for()
        return act(page)
    finally:
        context.close()


# Stories


def _stories(opened: Any, home: Path) -> list[tuple]:
    opened(stories.positions)  # the first opens pages and models for all
    attention = opened(lambda page: stories.attention(page, SENTENCE))
    gates, positions = opened(stories.gates), opened(stories.positions)
    learns = [_learns(opened, home) for _ in range(TURNS)]
    made = opened(lambda page: stories.csv_to_onnx(page, table(home), home, home))
    return [
        _told(
            "a model visibly learns",
            max(learns, key=lambda story: story.seconds["text"]),
            2,
            {"curve": 3.0, "text": 5.0},
        ),
        _told("own sentence → its attention", attention, 1, {"attention": 2.0}),
        _told("gates of an LSTM", gates, 2, {}),
        _told("why positions", positions, 2, {}),
        _told("own CSV of 300 rows → tried → ONNX zip", made, 4, {"beyond training": 15.0}),
    ]


def _learns(opened: Any, home: Path) -> stories.Story:
    story = opened(stories.learns)
    _stop_training(home)
    return story


def _stop_training(home: Path) -> None:
    """Runs go on when their pages are closed: what is measured next has the processors to itself."""
    active = [run for run in RunStore(home / "runs").list() if run.status().is_active]
    for run in active:
        run.request("stop")
    end = time.monotonic() + 60
    while any(run.status().is_active for run in active):
        assert time.monotonic() < end, "the run does not stop"
        time.sleep(0.1)


def _told(what: str, story: stories.Story, clicks: int, limits: dict[str, float]) -> tuple:
    seconds = ", ".join(f"{name} {value:.1f} s" for name, value in story.seconds.items())
    goal = ", ".join([f"≤ {clicks} clicks", *(f"{name} ≤ {limit:g} s" for name, limit in limits.items())])
    met = story.clicks <= clicks and all(story.seconds[name] <= limit for name, limit in limits.items())
    return (f"story: {what}", f"{story.clicks} clicks; {seconds}", goal, met)


def table(home: Path) -> Path:
    """300 rows of two labels that can be told apart."""
    path, parts = home / "support.csv", (("invoice", "billing"), ("password", "account"))
    with path.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file)
        write.writerow(("text", "label"))
        for i in range(300):
            word, label = parts[i % 2]
            write.writerow((f"Message {i}: my {word} is wrong since day {i % 7}, please help me.", label))
    return path


# From place to place

ARRIVED = """([before]) => {
  const title = document.querySelector("h1"), picture = document.querySelector(".st-key-stage-picture");
  if (!title || title.textContent === before || !picture || picture.closest("[data-stale=true]")) return false;
  const box = picture.getBoundingClientRect();
  return box.height > 1 && picture.querySelector("*") !== null;
}"""


def _walks(opened: Any, home: Path) -> list[tuple]:
    quiet = opened(_walk)
    opened(stories.learns)  # it goes on training when its page is closed
    busy = opened(_walk)
    _stop_training(home)
    p95 = statistics.quantiles(busy, n=20, method="inclusive")[-1]
    return [
        (
            "place → place",
            f"{statistics.median(quiet):.2f} s (worst of {len(quiet)}: {max(quiet):.2f} s)",
            "median ≤ 0.4 s",
            statistics.median(quiet) <= 0.4,
        ),
        (
            "the same while a run trains, p95",
            f"{p95:.2f} s (worst of {len(busy)}: {max(busy):.2f} s)",
            "p95 ≤ 0.7 s",
            p95 <= 0.7,
        ),
    ]


def _walk(page: Page) -> list[float]:
    seconds = []
    for turn in range(ROUNDS + 1):
        for place in PLACES:
            before = page.locator("h1").first.text_content()
            start = time.perf_counter()
            page.locator(f"[class*='st-key-frame-place-{place}'] a").click()
            page.wait_for_function(ARRIVED, arg=[before], polling=10)
            if turn:  # the first round imports the pages
                seconds.append(time.perf_counter() - start)
            wait_idle(page)
    return seconds


# Pictures


def _pictures(opened: Any) -> list[tuple]:
    """The smallest picture of all views in each window; views that need a trained run are left to the tests."""
    paths = [path for path in VIEWS.values() if "{" not in path]
    return [
        opened(lambda page, size=size, window=window, presents=presents: _window(page, paths, size, window, presents))
        for size, (window, presents) in SIZES.items()
    ]


def _window(page: Page, paths: list[str], size: str, window: dict, presents: bool) -> tuple:
    page.set_viewport_size(window)
    page.add_init_script(f"({RECORD})()")
    least, whole, small = 1.0, True, 0
    for path in paths:
        page.goto(presented(path) if presents else path)
        wait_idle(page)
        page.locator(".st-key-stage-picture").wait_for()
        share, is_whole = share_of_window(page)
        least, whole = min(least, share), whole and is_whole
        small += len(page.evaluate(SMALL, LEAST_TEXT)) + len(page.evaluate(FORMS)) if presents else 0
    said = f"{least:.0%} of the window, {'all' if whole else 'not all'} whole"
    said += f", {small} small letters or forms" if presents else ""
    goal = "≥ 60 %, whole" + (", none under 20 px, no form" if presents else "")
    return (f"smallest picture of {len(paths)} views, {size}", said, goal, least >= LEAST_SHARE and whole and not small)
