"""The maps, grids and lines of attention on the stage: they fill it, answer to keys, keep what is clicked, can be saved."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.stage import save_drawing
from tests.support.waiting import PHONE, wait_idle

SMALL = {"width": 1280, "height": 720}
VIEW = "/explore?run=bible-decoder&view=attention&text=And+God+said+unto+Moses"
CELLS, LINES = f"{VIEW}&draw=cells", f"{VIEW}&draw=lines"
CHOSEN = "button.head[aria-pressed='true']"


def opened(new_page, address: str, **options):
    page = new_page(address, **options)
    page.locator("canvas[data-shape]" if "cells" in address else "g.token").first.wait_for()
    wait_idle(page)
    return page


@pytest.mark.parametrize("size", [SMALL, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("address", [CELLS, LINES], ids=["cells", "lines"])
def test_a_drawing_fills_its_place_and_is_not_cut_off(new_page, address, size):
    page = opened(new_page, address, size=size)
    picture = page.locator(".st-key-stage-picture").bounding_box()
    drawing = page.locator(".scroll > canvas, .scroll > svg").last
    held = drawing.evaluate("it => [it.parentNode.scrollHeight, it.parentNode.clientHeight, it.clientHeight]")
    assert held[2] <= held[0] <= held[1] and held[2] > 0.9 * held[1], held
    for part in (drawing, page.locator("button.head").first, page.locator("button.head").last):
        box = part.bounding_box()
        assert box["x"] >= picture["x"] and box["x"] + box["width"] <= picture["x"] + picture["width"] + 1
        assert box["y"] >= picture["y"] - 1 and box["y"] + box["height"] <= picture["y"] + picture["height"] + 1


def test_a_clicked_cell_stays_with_its_sentence_until_escape(new_page):
    page = opened(new_page, CELLS)
    canvas, told = page.locator("canvas[data-shape]").first, page.locator(".told").last
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 0.2 * box["width"], box["y"] + 0.95 * box["height"])
    expect(told).to_contain_text("weight")
    kept = told.inner_text()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.move(5, 5)
    assert told.inner_text() == kept and canvas.get_attribute("data-locked") == "4 0"
    page.keyboard.press("ArrowRight")
    expect(canvas).to_have_attribute("data-locked", "4 1")
    page.keyboard.press("Escape")
    expect(canvas).to_have_attribute("data-locked", "")
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.move(5, 5)
    expect(told).to_contain_text("Point at a cell")


def test_kept_tokens_are_let_go_by_escape(new_page):
    page = opened(new_page, LINES)
    told = page.locator(".told").last
    page.locator("g.token").nth(2).click()
    page.locator("g.token").nth(3).click()
    expect(told).to_contain_text("added up over 2 tokens")
    page.mouse.move(5, 5)
    page.keyboard.press("Escape")
    expect(page.locator("g.token[aria-pressed='true']")).to_have_count(0)


def test_digits_and_arrows_choose_a_head(new_page):
    page = opened(new_page, f"{CELLS}&layer=1&head=0")
    chosen = page.locator(CHOSEN)
    expect(chosen).to_have_attribute("aria-label", re.compile("^Layer 1, Head 0"))
    page.keyboard.press("4")
    expect(chosen).to_have_attribute("aria-label", re.compile("^Layer 1, Head 3"))
    page.wait_for_url("**head=3**")
    chosen.focus()
    page.keyboard.press("ArrowDown")
    expect(chosen).to_have_attribute("aria-label", re.compile("^Layer 2, Head 3"))
    page.keyboard.press("ArrowLeft")
    expect(chosen).to_have_attribute("aria-label", re.compile("^Layer 2, Head 2"))
    assert page.evaluate("document.activeElement.shadowRoot?.activeElement.ariaLabel").startswith("Layer 2, Head 2")
    page.keyboard.press("1")
    expect(chosen).to_have_attribute("aria-label", re.compile("^Layer 2, Head 0"))


def test_one_menu_saves_a_drawing_and_its_numbers(new_page):
    page = opened(new_page, CELLS)
    assert page.get_by_role("button", name="PNG", exact=True).count() == 0, "folded"
    nth = page.locator(":is(.tools, .buttons) button.save-menu").evaluate_all(
        "all => all.findIndex(each => each.closest('.tools'))"
    )
    for kind in ("PNG", "SVG", "CSV"):
        saved = save_drawing(page, kind, nth)
        assert saved.suggested_filename == f"explore-attention-cells-own.{kind.lower()}"
    rows = [line.split(",") for line in saved.path().read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["", "And", "·God", "·said", "·unto", "·Moses"] and len(rows) == 6
    assert rows[1][2:] == ["", "", "", ""], "what may not be looked at has no number"
    assert all(abs(sum(float(cell or 0) for cell in row[1:]) - 1) < 1e-4 for row in rows[1:])


def test_in_a_presentation_nothing_is_to_be_filled_in_and_letters_are_large(new_page):
    page = opened(new_page, f"{CELLS}&present=1", size=SMALL)
    assert not page.locator(".zoom").first.is_visible() and not page.locator("button.save-menu").first.is_visible()
    sizes = page.locator(".label, .layer, .told, .legend").evaluate_all(
        "all => all.filter(each => each.checkVisibility()).map(each => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert sizes and min(sizes) >= 20
    canvas = page.locator("canvas[data-shape]").first
    plain = canvas.evaluate("it => it.toDataURL()")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.95 * box["height"])
    expect(page.locator(".told").last).to_contain_text("weight")
    page.wait_for_timeout(200)
    assert canvas.evaluate("it => it.toDataURL()") != plain, "a ring is around what is pointed at"
