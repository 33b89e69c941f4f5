"""The first page in a real browser: type and see, click and append, and the ways on."""

import re

from playwright.sync_api import expect

from tests.support.waiting import PHONE, wait_idle

FRESH = ".root:not(.stale)"


def wait_fresh(page) -> None:
    page.locator(f".st-key-home-demo {FRESH} .bars li").first.wait_for()


def test_typing_changes_what_is_expected_and_a_click_appends_it(new_page, trained):
    page = new_page(f"/?run={trained['clm']}")
    box = page.get_by_role("textbox", name="Your text")
    box.fill("The ")
    wait_fresh(page)
    page.wait_for_function(
        """() => [...document.querySelectorAll("*")].some((e) => e.shadowRoot?.querySelector(".root:not(.stale) .bars li"))"""
    )
    shares = page.locator(".bars .share").all_text_contents()
    assert len(shares) == 10
    assert all(re.fullmatch(r"(< )?\d+(\.\d)? %", share) for share in shares), shares
    first = page.locator(".bars li button").first
    piece = first.locator(".piece").text_content().replace("·", " ").replace("↵", "\n")
    first.click()
    expect(box).to_have_value("The " + piece)
    wait_fresh(page)
    box.press_sequentially("x(", delay=30)
    wait_fresh(page)
    assert page.locator(".bars .piece").all_text_contents()


def test_without_a_server_answer_the_bars_are_marked_stale(new_page, trained):
    page = new_page(f"/?run={trained['clm']}")
    wait_fresh(page)
    page.get_by_role("textbox", name="Your text").fill("An entirely other text")
    expect(page.locator(".st-key-home-demo .root.stale")).to_have_count(1)
    wait_fresh(page)


def test_the_ways_on_lead_somewhere(new_page, trained):
    page = new_page("/")
    page.locator(".st-key-home-way-explore").get_by_role("link").click()
    page.wait_for_url("**/explore**")
    wait_idle(page)
    expect(page.get_by_role("heading", name="Explore").first).to_be_visible()


def test_on_a_phone_nothing_is_cut_off(new_page, trained):
    page = new_page("/", size=PHONE, scheme="dark")
    wait_fresh(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.locator(".bars .share").first).to_be_visible()
