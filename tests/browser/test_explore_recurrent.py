"""The play head over the tokens, and the heads that are switched off, as a hand and a keyboard work them."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.stage import open_drawer
from tests.support.views import FILLED, share_of_window
from tests.support.waiting import eventually, wait_idle

ADDRESS = "/explore?run=bible-lstm&view=recurrent&text=And+God+said,+Let+there+be+light"


def head(page):
    return page.locator(".tapes")


def place(page) -> int:
    return int(re.search(r"\d+", page.locator(".count").inner_text())[0])


def test_the_play_head_moves_by_keys_by_hand_and_by_itself(new_page):
    page = new_page(ADDRESS)
    expect(head(page)).to_have_attribute("role", "slider")
    first = place(page)
    head(page).focus()
    page.keyboard.press("Home")
    assert place(page) == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert place(page) == 3 and page.locator(".token").inner_text().startswith("·")
    page.wait_for_url("**place=2**")
    box = head(page).bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    last = int(head(page).get_attribute("aria-valuemax"))
    assert place(page) == last >= first
    page.mouse.move(5, 5)
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    eventually(page, lambda: place(page) >= 3)
    page.keyboard.press(" ")
    stopped = place(page)
    page.wait_for_timeout(1500)
    assert place(page) == stopped


def test_it_plays_before_a_room_and_the_arrows_there_are_its_own(new_page):
    page = new_page(ADDRESS + "&present=1")
    expect(head(page)).to_have_attribute("role", "img")
    wait_idle(page)
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press(" ")
    page.locator(".play[aria-label=Pause]").wait_for()
    page.keyboard.press(" ")
    head(page).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert place(page) == 2 and "view=recurrent" in page.url


def test_pointing_previews_and_asks_nobody(new_page):
    page = new_page(ADDRESS)
    wait_idle(page)
    kept = place(page)
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.asked = 0;"
        " WebSocket.prototype.send = function (...x) { window.asked++; return send.apply(this, x); }; }"
    )
    box = head(page).bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + box["height"] / 2)
    eventually(page, lambda: place(page) == 1)
    page.mouse.move(5, 5)
    eventually(page, lambda: place(page) == kept)
    assert page.evaluate("() => window.asked") == 0


def test_the_tab_brings_a_model_that_has_gates(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=And+God+said,+Let")
    page.get_by_role("radio", name="Gates and states").click()
    head(page).wait_for()
    page.wait_for_url("**run=bible-lstm**")
    assert "And+God+said" in page.url or "And%20God" in page.url
    expect(page.get_by_role("radio", name="Attention")).to_have_count(0)


def test_one_click_shows_all_units(new_page):
    page = new_page(ADDRESS)
    head(page).wait_for()
    open_drawer(page).get_by_role("combobox", name="Show").click()
    page.get_by_role("option", name="All units").click()
    page.locator("canvas[data-shape^='16 ×']").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("All 128 units").click()
    page.locator("canvas[data-shape^='128 ×']").wait_for()


def test_a_long_text_stays_inside_its_box(new_page):
    page = new_page("/explore?run=bible-lstm&view=recurrent&text=" + "And+God+said+" * 35)
    expect(head(page)).to_have_attribute("aria-valuemax", re.compile(r"\d{3}"))
    found = page.evaluate(FILLED)
    assert not found["cut"] and found["share"] > 0.9


@pytest.mark.parametrize("address", [ADDRESS, "/explore?run=induction&view=intervene&off=1.3"])
def test_the_picture_follows_the_window(new_page, address):
    page = new_page(address)
    wait_idle(page)
    for width, height in ((1440, 900), (1280, 720), (1600, 1000)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(400)
        share, whole = share_of_window(page)
        found = page.evaluate(FILLED)
        assert whole and share >= 0.6 and found["share"] > 0.75 and not found["cut"], (width, found)


def test_beside_the_heads_stands_what_the_model_would_say(new_page):
    page = new_page("/explore?run=induction&view=intervene")
    rows = page.locator(".row")
    rows.first.wait_for()
    expect(page.locator(".keys")).not_to_contain_text("changed", use_inner_text=True)
    page.get_by_role("button", name=re.compile("^Layer 1, Head 3")).click()
    expect(page.locator(".keys")).to_contain_text("changed", use_inner_text=True)
    expect(page.locator(".written p")).to_have_count(2)
    before, after = (page.locator(".written p").nth(i).inner_text() for i in range(2))
    assert before != after, "without its induction head the copier copies something else"
    page.locator(".st-key-stage-notice").get_by_text("nats per token instead of").wait_for()
