"""Why positions are needed, as a picture: the words in another order, and what the model makes of it."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.stage import open_drawer
from tests.support.views import SMALL, share_of_window
from tests.support.waiting import PHONE, wait_idle

TEXT = "text=And+God+saw+that+the+light+was+good+and+the"
TILES = ".rows g.tile text"


def words(page) -> tuple[list[str], list[str]]:
    """The words of both rows, from left to right."""
    tiles = page.locator(TILES).all_text_contents()
    return tiles[: len(tiles) // 2], tiles[len(tiles) // 2 :]


def test_it_opens_on_the_words_that_are_shuffled(new_page):
    page = new_page(f"/explore?run=bible-decoder&view=positions&{TEXT}")
    page.locator(TILES).first.wait_for()
    given, mixed = words(page)
    assert given == ["And", "God", "saw", "that", "the", "light", "was", "good", "and", "the"]
    assert sorted(mixed) == sorted(given) and mixed != given, "words are shuffled, not pieces of them"
    assert mixed[0] == given[0] and mixed[-1] == given[-1]
    expect(page.locator(".rows path.link")).to_have_count(10)
    expect(page.locator(".panels section.panel .head b")).to_have_text(
        ["The next token: with its positions", "The next token: the same weights, positions switched off"]
    )
    changed = [
        int(re.match(r"\d+", text)[0]) for text in page.locator(".panels section.panel .changed").all_inner_texts()
    ]
    assert changed[0] > changed[1] > 0, "a decoder's mask tells it some of the order"
    assert page.locator(".panels section.panel .gap").count() > 2, "the change is marked"


def test_they_are_shuffled_again(new_page):
    page = new_page(f"/explore?run=bible-decoder&view=positions&{TEXT}")
    page.locator(TILES).first.wait_for()
    before = words(page)[1]
    page.get_by_role("button", name="Shuffle again").click()
    page.wait_for_url("**seed=1**")
    wait_idle(page)
    assert words(page)[1] != before
    page.locator(".rows").click()
    page.keyboard.press(" ")
    page.wait_for_url("**seed=2**")


def test_an_encoder_without_positions_sees_a_bag_of_words(new_page):
    page = new_page(f"/explore?run=bible-encoder&view=positions&{TEXT}")
    page.locator(".st-key-stage-notice", has_text="bag of words").wait_for()
    expect(page.locator(".panels section.panel .changed").nth(1)).to_have_text(re.compile(r"^(0|< 0.1 %) changed$"))
    expect(page.locator(".rows rect[stroke-dasharray]")).to_have_count(2), "the word that it has to tell"


def test_one_box_opens_all_other_aspects(new_page):
    page = new_page(f"/explore?run=bible-decoder&view=positions&{TEXT}")
    page.locator(TILES).first.wait_for()
    box = page.locator(".st-key-stage-command [data-testid=stSelectbox]")
    box.click()
    page.get_by_role("option", name="Rotary").click()
    page.wait_for_url("**look=rotary**")
    page.locator(".st-key-stage-picture .js-plotly-plot").first.wait_for()
    slider = open_drawer(page).get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    page.locator(".st-key-stage-notice", has_text="at position 6").wait_for()


def test_an_old_link_opens_the_encoding_that_it_spoke_of(new_page):
    page = new_page("/explore?run=bible-decoder&view=positions&m=20")
    page.locator(".st-key-stage-notice", has_text="at position 20").wait_for()


@pytest.mark.parametrize("presented", ["", "&present=1"])
def test_the_words_and_bars_fill_the_window(new_page, presented):
    page = new_page(f"/explore?run=bible-decoder&view=positions&{TEXT}{presented}", size={"width": 1280, "height": 720})
    page.locator(TILES).first.wait_for()
    wait_idle(page)
    share, whole = share_of_window(page)
    assert whole and share >= 0.6
    picture = page.locator(".st-key-stage-picture").bounding_box()
    last = page.locator(".panels section.panel li").last.bounding_box()
    end = last["y"] + last["height"]
    assert picture["y"] + 0.85 * picture["height"] <= end <= picture["y"] + picture["height"] + 1
    assert not page.evaluate(SMALL, 20 if presented else 13)
    tiles = [box.bounding_box() for box in page.locator(".rows g.tile rect").all()]
    assert max(box["x"] + box["width"] for box in tiles) <= 1280


def test_nothing_is_wider_than_a_phone(new_page):
    page = new_page(f"/explore?run=bible-decoder&view=positions&{TEXT}", size=PHONE)
    page.locator(TILES).first.wait_for()
    wait_idle(page)
    boxes = [page.locator(".panels section.panel").nth(i).bounding_box() for i in (0, 1)]
    assert all(box["x"] + box["width"] <= PHONE["width"] for box in boxes) and boxes[1]["y"] > boxes[0]["y"]
