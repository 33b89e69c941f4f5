"""Attention step by step on one screen: formulas where one points, the five steps one after another, a changed number."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.stage import open_drawer
from tests.support.views import share_of_window
from tests.support.waiting import wait_idle

FORMULAS = {
    '["product",1]': "q·k(cat) = 0.70·0.40 + 0.80·0.50 + 0.90·0.60 = 1.22",
    '["scaled",1]': "1.22 ÷ √3 = 0.70",
    '["weight",1]': "exp(0.70) ÷ (exp(0.29) + exp(0.70) + exp(1.12)) = 2.02 ÷ 6.42 = 0.31",
    '["part",1,0]': "0.31 · v(cat) = 0.31 · (0.40, 0.50, 0.60) = (0.13, 0.16, 0.19)",
    '["z",0,0]': "z₁ = 0.21·0.10 + 0.31·0.40 + 0.48·0.70 = 0.48",
}


def test_pointing_at_a_number_tells_how_it_was_computed(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder&causal=1")
    for cell, formula in FORMULAS.items():
        page.locator(f"svg.steps [data-cell='{cell}']").hover()
        expect(page.locator("p.told").first).to_have_text(formula)
    page.locator("""svg.steps [data-cell='["mask",3]']""").hover()
    expect(page.locator("p.told").first).to_contain_text("“on” comes later", use_inner_text=True)
    page.locator("svg.steps").focus()
    page.mouse.move(5, 300)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("p.told").first).to_have_text(FORMULAS['["product",1]'])


def test_another_token_becomes_the_query(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder")
    chosen = page.locator("button.query[aria-pressed=true]")
    expect(chosen).to_have_text("sat")
    page.locator("button.query", has_text="mat").click()
    expect(chosen).to_have_text("mat")
    expect(chosen).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(chosen).to_have_text("the")
    page.wait_for_url("**query=4**")
    page.locator("svg.steps text", has_text="cat").first.click()
    expect(chosen).to_have_text("cat")
    page.locator(".st-key-stage-notice", has_text="“cat” gives most weight to “sat”").wait_for()


def test_a_text_that_is_typed_takes_the_place_of_the_example(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder")
    page.locator("svg.steps text", has_text="cat").first.wait_for()
    box = page.locator("textarea").first
    box.fill("And God said unto Moses")
    page.locator("svg.steps text", has_text="God").first.wait_for()
    page.wait_for_url("**example=0**")


def test_space_plays_the_five_steps(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder&present=1")
    later = page.locator("svg.steps g.later")
    page.locator("svg.steps").wait_for()
    expect(later).to_have_count(0)
    page.keyboard.press(" ")
    expect(later).to_have_count(4)
    expect(page.locator("p.told").first).to_have_text(re.compile("^1. The query of “sat” times the key"))
    expect(later).to_have_count(3)
    expect(page.locator("p.told").first).to_have_text(re.compile("^2. Divided by √3"))
    page.keyboard.press(" ")
    expect(later).to_have_count(0)


def test_a_digit_chooses_the_head_of_a_run(new_page):
    page = new_page("/explore?view=steps&run=induction&example=0")
    page.locator("svg.steps").wait_for()
    page.keyboard.press("4")
    page.wait_for_url("**head=3**")
    page.locator(".st-key-stage-notice", has_text="Layer 0, head 3").wait_for()


def test_a_changed_number_moves_the_picture(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder")
    page.locator("svg.steps").wait_for()
    drawer = open_drawer(page)
    drawer.get_by_text("Causal mask").click()
    expect(page.locator("svg.steps text", has_text=re.compile("^−∞$"))).to_have_count(3)
    table = drawer.locator("[data-testid=stDataFrame] canvas").first
    place = table.bounding_box()
    x, y = place["x"] + place["width"] * 0.4, place["y"] + place["height"] / 7 * 1.5  # the first word's first number
    for at in (x - 30, x):  # the table looks at where the pointer moves, and needs a moment to
        page.mouse.move(at, y)
        page.wait_for_timeout(200)
    page.mouse.click(x, y, delay=100)
    page.wait_for_timeout(200)
    page.keyboard.press("5")
    page.wait_for_timeout(200)
    page.keyboard.press("Enter")
    page.wait_for_url("**numbers=**")
    page.locator("svg.steps text", has_text="5.00").first.wait_for()
    drawn, over = page.locator("svg.steps").bounding_box(), drawer.bounding_box()
    assert drawn["x"] + drawn["width"] <= over["x"] + 1, "the picture moves aside: the table lies over nothing of it"


@pytest.mark.parametrize("example", [0, 1])
@pytest.mark.parametrize("presented", ["", "&present=1"])
def test_the_steps_fill_the_window(new_page, example, presented):
    page = new_page(
        f"/explore?view=steps&run=bible-decoder&example={example}{presented}", size={"width": 1280, "height": 720}
    )
    page.locator("svg.steps").wait_for()
    wait_idle(page)
    share, whole = share_of_window(page)
    assert whole and share >= 0.6
    page.wait_for_function(
        "(least) => { const sizes = [...document.querySelectorAll('*')].flatMap(x => x.shadowRoot ? [...x.shadowRoot"
        ".querySelectorAll('svg.steps text, p.told, button.query, button.play')] : [])"
        ".map(x => parseFloat(getComputedStyle(x).fontSize)); return sizes.length > 40 && Math.min(...sizes) >= least; }",
        arg=20 if presented else 13,
    )
    drawn = page.locator("svg.steps").bounding_box()
    last = page.locator("""svg.steps [data-cell='["z",0,0]']""").bounding_box()
    assert last["y"] + last["height"] <= drawn["y"] + drawn["height"] + 1, "the sum is not cut off"
    assert last["y"] + last["height"] >= drawn["y"] + 0.85 * drawn["height"], "the rows fill the height"
