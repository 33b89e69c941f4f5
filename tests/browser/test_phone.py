"""On a phone, with a finger: the four places below, the picture first, options in a sheet; nothing is wider than the screen."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.stage import DRAWER, HANDLE
from tests.support.waiting import PHONE, wait_idle

PAGES = ("/", "/train", "/explore?run=bible-decoder")  # widths of all views: test_stage.py


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
        page.set_default_timeout(30_000)
        page.goto(path)
        wait_idle(page)
        return page

    yield open_page
    context.close()


def places(page):
    return page.locator(".st-key-frame-places")


def go(page, name: str, heading: str) -> None:
    places(page).get_by_role("link", name=name).tap()
    page.get_by_role("heading", name=heading).first.wait_for()


def test_the_bar_below_leads_and_presses_nothing_else(phone):
    page = phone("/explore?run=bible-decoder")
    before = page.evaluate("getComputedStyle(document.documentElement).fontSize")
    bar = places(page).bounding_box()
    assert bar["x"] == 0 and bar["width"] == PHONE["width"] and bar["y"] + bar["height"] == PHONE["height"]
    assert places(page).get_by_role("link").count() == 4
    go(page, "Learn", "A language model predicts what comes next.")
    page.go_back()
    page.get_by_role("heading", name="Explore").first.wait_for()
    go(page, "Ship", "Fine-tune")
    wait_idle(page)
    assert "present" not in page.url
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == before


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_the_screen_and_the_tabs_are_one_row(phone, path):
    page = phone(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    header = page.locator(".st-key-frame-header")
    for part in (".st-key-frame-model .open", ".st-key-frame-language", ".st-key-frame-share"):
        box = header.locator(part).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] and box["height"] <= 44, part
    tabs = page.locator(".st-key-stage-views button, .st-key-stage-views a").all()
    tops = [tab.bounding_box()["y"] for tab in tabs if tab.is_visible()]
    assert max(tops, default=0) - min(tops, default=0) < 12


@pytest.mark.parametrize("path", ["/", "/explore?run=bible-decoder", "/runs?runs=bible-decoder,bible-lstm"])
def test_the_picture_comes_first_and_is_large(phone, path):
    page = phone(path)
    picture, bar = page.locator(".st-key-stage-picture").bounding_box(), places(page).bounding_box()
    assert picture["y"] + picture["height"] <= bar["y"], "nothing of it is behind the bar"
    assert picture["width"] * picture["height"] >= 0.5 * PHONE["width"] * PHONE["height"]


def test_the_options_are_a_sheet_that_closes_by_its_own_handle(phone):
    page = phone("/explore?run=bible-decoder")
    page.locator(HANDLE).tap()
    sheet, bar = page.locator(DRAWER), places(page).bounding_box()
    expect(sheet).to_be_visible()
    box = sheet.bounding_box()
    assert box["x"] == 0 and box["width"] == PHONE["width"] and box["y"] + box["height"] <= bar["y"] + 1
    page.locator(HANDLE).tap()
    expect(sheet).to_be_hidden()


def test_a_model_is_chosen_from_a_panel_as_wide_as_the_screen(phone):
    page = phone("/explore?run=bible-decoder")
    page.locator(".st-key-frame-model .open").tap()
    panel = page.get_by_role("dialog", name="Models")
    box = panel.bounding_box()
    assert box["x"] == 0 and box["width"] == PHONE["width"]
    panel.get_by_role("button", name="An LSTM that read the Bible").tap()
    page.wait_for_url("**run=bible-lstm**")
    expect(panel).to_be_hidden()


def test_the_language_is_chosen_in_the_header(phone):
    page = phone("/explore?run=bible-decoder")
    page.locator(".st-key-lang").get_by_text("中").tap()
    page.wait_for_url("**lang=zh**")
    expect(places(page).get_by_role("link", name="看内部")).to_be_visible()


def test_the_link_is_shown_without_the_presentation(phone):
    page = phone("/build?preset=gpt2-tiny")
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
    tools, table = page.get_by_test_id("stElementToolbar").last, page.get_by_test_id("stDataFrame").last
    tools.wait_for()
    wait_idle(page)
    above = page.get_by_text("Shipped with the app", exact=True).last.bounding_box()
    assert above["y"] + above["height"] <= tools.bounding_box()["y"]
    assert tools.bounding_box()["y"] < table.bounding_box()["y"]


def test_a_presentation_on_a_phone_can_be_walked_through_and_left(phone):
    page = phone("/explore?run=bible-decoder&present=1")
    go(page, "Learn", "A language model predicts what comes next.")
    assert "present=1" in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="End").tap()
    page.wait_for_url(lambda url: "present" not in url)
    go(page, "Look inside", "Explore")


def test_heads_that_have_no_room_for_their_names_are_named_under_the_grid(phone):
    page = phone("/explore?run=stories-decoder&view=attention")
    legend = page.locator(".st-key-stage-picture .legend")
    expect(legend).to_contain_text("it → noun")
    expect(legend).to_contain_text("previous token")
    box, notice = legend.bounding_box(), page.locator(".st-key-stage-notice").bounding_box()
    last = page.locator("button.head").last.bounding_box()
    assert last["y"] + last["height"] <= box["y"] + 1 and box["y"] + box["height"] <= notice["y"] + 1
