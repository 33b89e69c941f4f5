"""Every view on the stage: its picture whole and large in every window, readable in a room, in one language at a time."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError

from playground.ui.frame import PRESENTING
from playground.ui.locale import update
from tests.support.views import (
    FILLED,
    FORMS,
    LEAST_SHARE,
    LEAST_TEXT,
    LEFT,
    SIZES,
    SMALL,
    TABS,
    VIEWS,
    WIDER,
    presented,
    share_of_window,
)
from tests.support.waiting import PHONE, eventually, wait_idle

FULL = 0.75
"""Of the picture's box, for what is drawn in it."""
ENGLISH = {
    english
    for english, chinese in update.translations("zh").items()
    if english != chinese and re.search("[一-鿿]", chinese) and len(english) > 2 and "{" not in english
}
"""What the app says in English and not in Chinese."""
A_SENTENCE = r"(?:\b[A-Za-z]{2,}\b[ ,]+){4}"
"""Words in a row: more than a name."""
CHINESE = r"[\u4e00-\u9fff]"


def address(name: str, trained: dict[str, str], tuned: str) -> str:
    return VIEWS[name].format(**trained, tuned=tuned)


def drawn(page, full: float = 0.0) -> None:
    """Waits until the picture is there, and filled so far, and nothing is drawn anew."""
    wait_idle(page)
    page.locator(".st-key-stage-picture").wait_for(timeout=20_000)
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    with suppress(TimeoutError):  # then the test says what is missing
        page.wait_for_function(f"(full) => ({FILLED})().share >= full", arg=full, polling=100, timeout=20_000)


@pytest.mark.parametrize("name", VIEWS)
def test_the_picture_is_whole_and_large(new_page, trained, tuned, name):
    """In every window, presenting or not; on a phone nothing is wider than the screen. All of it in English."""
    path, wrong = address(name, trained, tuned), []
    page = new_page(path)
    for size, (window, presents) in SIZES.items():
        if presents:
            page.set_viewport_size(PHONE)
            drawn(page)
            wrong += [f"phone: {wider} px wider than the screen" for wider in [page.evaluate(WIDER)] if wider > 0]
            page.goto(presented(path))
        page.set_viewport_size(window)
        drawn(page, FULL)
        wrong += [f"{size}: {each}" for each in faults(page, presents)]
    wrong += [f"not English: {each}" for each in page.evaluate(LEFT, [[], CHINESE])]
    assert not wrong, "\n".join(wrong)


def faults(page, presents: bool) -> list[str]:
    share, whole = share_of_window(page)
    found = [f"the picture takes {share:.0%} of the window"] if share < LEAST_SHARE else []
    found += [] if whole else ["the picture is not whole in the window"]
    filled = page.evaluate(FILLED)
    found += [f"what is drawn fills {filled['share']:.0%} of the picture"] if filled["share"] < FULL else []
    found += [f"cut off: {each}" for each in filled["cut"]]
    found += [f"{rows} rows of tabs" for rows in [page.evaluate(TABS)] if rows > 1]
    if presents:
        found += [f"too small to read: {each}" for each in page.evaluate(SMALL, LEAST_TEXT)]
        found += [f"a form: {each}" for each in page.evaluate(FORMS)]
    return found


@pytest.mark.parametrize("name", ["learn", "build", "attention-bible-decoder", "steps", "positions-shuffle"])
def test_a_picture_that_is_there_before_the_presentation_follows_it(new_page, trained, tuned, name):
    """A slow browser draws before it has the presentation's letters."""
    page = new_page(address(name, trained, tuned))
    drawn(page)
    style = "(css) => document.body.append(Object.assign(document.createElement('style'), {textContent: css}))"
    page.evaluate(style, PRESENTING)  # after the app's own
    eventually(page, lambda: not page.evaluate(SMALL, LEAST_TEXT) and not page.evaluate(FORMS))


@pytest.mark.parametrize("name", VIEWS)
def test_no_english_is_left_in_chinese(new_page, trained, tuned, name):
    page = new_page(address(name, trained, tuned), locale="zh-CN")
    drawn(page)
    assert not page.evaluate(LEFT, [sorted(ENGLISH), A_SENTENCE])
