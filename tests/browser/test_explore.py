"""The Explore page as a person uses it: typing, pointing, choosing, and coming back by a link."""

import re

import pytest

from tests.browser.waiting import PHONE, wait_idle

VIEWS = ("attention", "steps", "positions", "recurrent", "predictions", "intervene")


def canvas(page, nth: int = 0):
    """A heatmap's canvas; the heads' pictures have none of its shape."""
    return page.locator("canvas[data-shape]").nth(nth)


def shape(page, nth: int = 0) -> str:
    return canvas(page, nth).get_attribute("data-shape")


def wait_for_shape(page, wanted: str) -> None:
    page.locator(f"canvas[data-shape='{wanted}']").first.wait_for()


def test_typing_redraws_and_pointing_asks_nobody(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=And+God")
    wait_for_shape(page, "2 × 2")
    box = page.locator("textarea").first
    box.click()
    box.press("End")
    page.keyboard.type(" said unto")
    wait_for_shape(page, "4 × 4")
    page.wait_for_url(re.compile(r"text=And\+God\+said\+unto"))
    wait_idle(page)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.asked = 0;"
        " WebSocket.prototype.send = function (...x) { window.asked++; return send.apply(this, x); }; }"
    )
    place = canvas(page).bounding_box()
    for share in (0.3, 0.5, 0.7, 0.9):
        page.mouse.move(place["x"] + place["width"] * share, place["y"] + place["height"] * 0.9)
    told = page.locator(".told").last.inner_text()
    assert "query" in told and "key" in told and "weight" in told and "unto" in told
    assert page.evaluate("() => window.asked") == 0 and not sent
    canvas(page).focus()
    page.keyboard.press("ArrowUp")
    assert "said" in page.locator(".told").last.inner_text()


def test_a_head_is_chosen_and_a_link_opens_it(new_page):
    page = new_page("/explore?run=induction&view=attention")
    page.get_by_role("heading", name="Layer 1, head 3").wait_for()  # the copier opens on its induction head
    page.locator("button.head.named .label", has_text="induction").wait_for()
    page.get_by_role("button", name=re.compile("^Layer 0, Head 3")).click()
    page.get_by_role("heading", name="Layer 0, head 3").wait_for()
    page.wait_for_url("**layer=0**")
    address = page.url[page.url.index("/explore") :]
    other = new_page(address)
    other.get_by_role("heading", name="Layer 0, head 3").wait_for()
    other.get_by_role("link", name="Compute it step by step").click()
    other.get_by_text("Layer 0, head 3 of A copier").wait_for()


def test_a_head_forms_as_the_step_moves(new_page):
    page = new_page("/explore?run=induction&view=attention&layer=1&head=3")
    label = page.locator("button.head .label").nth(7)
    page.get_by_role("heading", name="Layer 1, head 3").wait_for()
    assert label.inner_text() == "induction"
    slider = page.get_by_role("slider", name=re.compile("Training step"))
    slider.focus()
    slider.press("Home")
    page.wait_for_url("**at=0**")
    label.get_by_text("1.3", exact=True).wait_for()  # at the first step nobody copies: it has a number, no name


def test_lines_and_tokens_that_are_kept(new_page):
    page = new_page("/explore?run=induction&view=attention&draw=lines")
    token = page.locator("g.token").nth(14)
    token.hover()
    told = page.locator(".told").last
    assert "→" in told.inner_text()
    token.click()
    page.locator("g.token").nth(16).click()
    assert "added up over 2 tokens" in told.inner_text()


def test_the_worked_example_is_changed_by_hand(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder")
    page.get_by_text("1. How well does each key match").wait_for()
    wait_for_shape(page, "1 × 6")
    page.locator(".katex", has_text="11.613").first.wait_for()
    page.get_by_text("Causal mask").click()
    page.get_by_text("3 of 6 keys are hidden").wait_for()
    page.locator(".katex", has_text="11.613").first.wait_for(state="detached")


def test_a_head_is_switched_off_and_on(new_page):
    page = new_page("/explore?run=induction&view=intervene")
    page.get_by_text("Nothing is changed yet").wait_for()
    head = page.get_by_role("button", name=re.compile("^Layer 1, Head 3"))
    head.click()
    page.get_by_role("heading", name="Without 1.3").wait_for()
    page.wait_for_url("**off=1.3**")
    assert head.get_attribute("aria-pressed") == "true"
    head.click()
    page.get_by_text("Nothing is changed yet").wait_for()


def test_pictures_and_numbers_can_be_taken_away(new_page):
    page = new_page("/explore?run=induction&view=attention")
    wait_for_shape(page, "21 × 21")
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"explore-attention-cells-own.{kind.lower()}"
    page.get_by_text("What each head does, in numbers").click()
    page.get_by_role("button", name="Data").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="NPZ").first.press("Enter")
    import numpy as np

    with np.load(download.value.path()) as data:
        assert data["self"].shape == (2, 4, 21, 21) and np.allclose(data["self"].sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_cut_off_on_a_phone(new_page, view):
    run = "bible-lstm" if view == "recurrent" else "bible-decoder"
    page = new_page(f"/explore?run={run}&view={view}", size=PHONE, scheme="dark")
    page.get_by_text("View").first.wait_for(state="attached")
    wait_idle(page)
    wide = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= PHONE["width"] + 1
