"""On a phone, with a finger: the menu opens, a page is chosen in it, it closes; nothing else is pressed on the way."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.waiting import PHONE, wait_idle


@pytest.fixture
def phone(browser, server) -> Iterator:
    """``phone("/build")``: a page on a small screen that is touched."""
    context = browser.new_context(
        base_url=server,
        viewport=PHONE,
        has_touch=True,
        is_mobile=True,
        locale="en-US",
        reduced_motion="reduce",
    )

    def open_page(path: str):
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(path)
        wait_idle(page)
        return page

    yield open_page
    context.close()


def menu(page):
    return page.get_by_test_id("stSidebar")


def is_shut(page) -> None:
    """The menu has left the screen, and the page's own heading is what a finger meets."""
    expect(menu(page)).not_to_be_in_viewport()
    at = page.locator("h1").first.bounding_box()
    there = "([x, y]) => document.elementFromPoint(x, y)?.closest('[data-testid=stSidebar]') === null"
    page.wait_for_function(there, arg=[at["x"] + 20, at["y"] + 10])


def unfold(page) -> None:
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(menu(page).get_by_role("link", name="Home")).to_be_in_viewport()


def fold(page) -> None:
    menu(page).get_by_role("button", name="Collapse sidebar").tap()
    is_shut(page)


def go(page, name: str, heading: str) -> None:
    unfold(page)
    menu(page).get_by_role("link", name=name).tap()
    page.get_by_role("heading", name=heading).first.wait_for()
    is_shut(page)


def test_the_menu_opens_leads_closes_and_presses_nothing_else(phone):
    page = phone("/build")
    before = page.evaluate("getComputedStyle(document.documentElement).fontSize")
    go(page, "Runs", "Runs")
    page.go_back()
    page.get_by_role("heading", name="Build a model").first.wait_for()
    is_shut(page)
    unfold(page)
    fold(page)
    wait_idle(page)
    assert "present" not in page.url
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == before


def test_the_logo_in_the_menu_leads_home_and_closes_it(phone):
    page = phone("/build")
    unfold(page)
    menu(page).get_by_test_id("stLogoLink").tap()
    page.get_by_role("heading", name="A language model predicts what comes next.").wait_for()
    is_shut(page)


def test_language_and_presentation_stand_in_the_foot_of_the_menu(phone):
    page = phone("/build")
    expect(page.locator(".st-key-frame-switches")).to_be_hidden()
    unfold(page)
    page.locator(".st-key-lang").get_by_text("中").tap()
    page.wait_for_url("**lang=zh**")
    expect(menu(page).get_by_role("link", name="首页")).to_be_in_viewport()
    wait_idle(page)
    foot, inside = page.locator(".st-key-frame-switches").bounding_box(), menu(page).bounding_box()
    links = menu(page).get_by_test_id("stSidebarNavItems").bounding_box()
    assert foot["y"] > links["y"] + links["height"] and foot["y"] + foot["height"] <= PHONE["height"]
    assert foot["x"] >= inside["x"] and foot["x"] + foot["width"] <= inside["x"] + inside["width"]


def test_the_link_is_shown_from_the_menu_and_without_the_presentation(phone):
    page = phone("/build?present=1&preset=gpt2-tiny")
    unfold(page)
    page.get_by_role("button", name="Share").tap()
    body = page.get_by_test_id("stPopoverBody")
    shown = body.locator("[data-testid=stCode] code")
    expect(shown).to_contain_text("preset=gpt2-tiny")
    expect(shown).not_to_contain_text("present", use_inner_text=True)
    box = body.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


def test_the_tools_of_a_table_lie_on_nothing_else(phone):
    """Where nothing hovers they are always there, above the table."""
    page = phone("/runs?runs=bible-decoder,bible-encoder")
    tools, table = page.get_by_test_id("stElementToolbar").first, page.get_by_test_id("stDataFrame").first
    tools.wait_for()
    page.get_by_text("Curves", exact=True).first.wait_for()
    wait_idle(page)
    above = page.locator("[data-testid=stSelectbox], [data-testid=stMultiSelect]").last.bounding_box()
    box, under = table.bounding_box(), page.get_by_text("Curves", exact=True).first.bounding_box()
    assert above["y"] + above["height"] <= tools.bounding_box()["y"]
    assert box["y"] + box["height"] <= under["y"]


def test_a_presentation_on_a_phone_can_be_walked_through_and_left(phone):
    page = phone("/build?present=1")
    go(page, "Runs", "Runs")
    assert "present=1" in page.url
    unfold(page)
    page.locator(".st-key-present label").first.tap()
    page.wait_for_url(lambda url: "present" not in url)
    fold(page)
    go(page, "Home", "A language model predicts what comes next.")
