"""The first page in a real browser: type and see, click and append, and the ways on."""

import re

import pytest
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
    assert all(re.fullmatch(r"([<>] )?\d+(\.\d)? %", share) for share in shares), shares
    first = page.locator(".bars li button").first
    piece = first.locator(".piece").text_content().replace("·", " ").replace("↵", "\n")
    first.click()
    expect(box).to_have_value("The " + (piece.removeprefix(" ") or piece))  # the space is there already
    wait_fresh(page)
    box.press_sequentially("x(", delay=30)
    wait_fresh(page)
    assert page.locator(".bars .piece").all_text_contents()
    expect(page.locator(".st-key-stage-notice")).to_contain_text("It was surprised most by")


def test_without_a_server_answer_the_bars_are_marked_stale(new_page, trained):
    page = new_page(f"/?run={trained['clm']}")
    wait_fresh(page)
    page.get_by_role("textbox", name="Your text").fill("An entirely other text")
    expect(page.locator(".st-key-home-demo .root.stale")).to_have_count(1)
    wait_fresh(page)


def test_ones_own_sentence_is_looked_into_with_one_click(new_page):
    page = new_page("/")
    page.get_by_role("textbox", name="Your text").fill("And the king said")
    page.wait_for_url("**text=And**")
    wait_fresh(page)
    page.locator(".st-key-home-way-explore").get_by_role("link").click()
    page.wait_for_url("**/explore**view=attention**")
    wait_idle(page)
    expect(page.get_by_role("textbox", name="Your text")).to_have_value("And the king said")


def test_a_teacher_is_two_clicks_from_every_lesson(new_page):
    from playground.pages.home.ways import LESSONS

    page = new_page("/")
    page.get_by_role("button", name="I teach").click()
    lessons = page.get_by_test_id("stPopoverBody")
    for title, models, _ in LESSONS:
        expect(lessons.get_by_role("link", name=title, exact=True)).to_have_attribute(
            "href", re.compile(f"run={models['en']}")
        )
    lessons.get_by_role("link", name="Why positions").click()
    page.wait_for_url("**/explore**view=positions**")
    wait_idle(page)
    page.locator(".st-key-stage-picture").wait_for()


@pytest.mark.parametrize("held", [0, 150])
def test_who_types_and_goes_on_at_once_arrives_with_the_text(new_page, held):
    """The page of before still asks for its bars while the new one is on its way.

    Args:
        held: milliseconds for which the mouse is pressed; without any, what was typed last stays behind.
    """
    page = new_page("/")
    place = page.locator("[class*='st-key-frame-place-inside'] a").bounding_box()
    page.get_by_role("textbox", name="Your text").fill("the shepherd kept the sheep")
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2, delay=held)
    page.wait_for_url("**/explore**")
    page.locator("g.token").first.wait_for()
    wait_idle(page)
    page.locator("g.token").first.wait_for()
    if held:
        expect(page.locator("textarea").first).to_have_value("the shepherd kept the sheep")


def test_data_leads_to_labels(new_page):
    page = new_page("/")
    page.locator(".st-key-home-way-finetune").get_by_role("link").click()
    page.wait_for_url("**/finetune**")
    wait_idle(page)


def test_on_a_phone_nothing_is_cut_off(new_page, trained):
    page = new_page("/", size=PHONE, scheme="dark")
    wait_fresh(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.locator(".bars .share").first).to_be_visible()
