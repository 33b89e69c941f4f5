"""Many people at once: nobody sees an error, the queue is honest, and the server's memory comes back."""

import psutil
import pytest

from tests.support.serving import serve
from tests.support.waiting import PATIENCE, WIDE, eventually, wait_idle

SESSIONS = 30
VISITS = ("/", "/build", "/data", "/runs", "/generate", "/build?preset=lstm-tiny", "/train")
MEGABYTE = 1e6
NUMBERS = "() => /\\d/.test(document.querySelector('.train-numbers dd')?.textContent || '')"  # of a run that trains


@pytest.fixture
def crowd(browser, tmp_path):
    """A server of its own and ``visit(path)``: another person's page. All are tabs of one browser, which loads the app once;
    to the server they are strangers.
    """
    errors = []
    with serve(tmp_path) as server:
        context = browser.new_context(base_url=server.address, viewport=WIDE, reduced_motion="reduce")

        def visit(path: str):
            page = context.new_page()
            page.set_default_timeout(PATIENCE * 1000)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(path)
            return page

        yield server, visit
        context.close()
    assert not errors


def no_error(page) -> None:
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("[data-testid=stAlertContentError]").count() == 0, page.inner_text("body")


def test_ten_people_three_of_them_training(crowd):
    _, visit = crowd
    trainers = []
    for _ in range(3):
        page = visit("/train")
        wait_idle(page)
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_url("**run=**")
        trainers.append(page)
    first, second, third = trainers
    first.wait_for_function(NUMBERS)
    second.get_by_text("queued, position 1").first.wait_for()
    third.get_by_text("queued, position 2").first.wait_for()
    others = [visit(path) for path in VISITS]
    for page in [*others, *trainers]:
        page.locator("h1").first.wait_for()
        no_error(page)
    first.get_by_role("button", name="Stop").click()
    second.wait_for_function(NUMBERS)
    third.get_by_text("queued, position 1").first.wait_for()
    for page in (third, second):
        page.get_by_role("button", name="Stop").click()
    for page in [*others, *trainers]:
        no_error(page)


def test_memory_comes_back_after_thirty_visits(crowd):
    server, visit = crowd
    process = psutil.Process(server.process.pid)

    visitor = visit("/")  # a page that is loaded anew is a session of its own, and the one before is over

    def come_and_go(path: str) -> None:
        visitor.goto(path)
        visitor.locator("h1").first.wait_for()

    for path in VISITS:  # what is loaded once for everybody is loaded before the count begins
        come_and_go(path)
    page = visit("/")
    page.locator(".st-key-home-demo .root:not(.stale) .bars li").first.wait_for()
    before = process.memory_info().rss
    for number in range(SESSIONS):
        come_and_go(VISITS[number % len(VISITS)])
    eventually(page, lambda: (process.memory_info().rss - before) / MEGABYTE <= 100)
