"""The Build page as a person uses it: point, click, drag, and the picture follows."""

import pytest
from playwright.sync_api import expect

from tests.support.stage import open_drawer
from tests.support.waiting import PHONE, wait_idle

SLIDER = ".st-key-build-d_model input"


def block(page, name: str):
    return page.locator(f".main [data-key='{name}']").first


def picture(page):
    page.wait_for_selector(".main svg")
    return page.locator(".main svg")


def test_pointing_explains_and_clicking_unfolds(new_page):
    page = new_page("/build?preset=gpt2-tiny")
    picture(page)
    expect(page.locator(".inside h3")).to_have_text("Attention")
    block(page, "mlp").hover()
    tip = page.locator(".tip.shown")
    expect(tip).to_contain_text("widens its vector", use_inner_text=True)
    expect(tip).to_contain_text("128 → 512 → 128", use_inner_text=True)
    block(page, "mlp").click()
    expect(page.locator(".inside h3")).to_have_text("MLP")
    expect(page.locator(".inside svg")).to_contain_text("GELU")


def test_the_keyboard_suffices(new_page):
    page = new_page("/build?preset=lstm-tiny")
    picture(page)
    block(page, "embedding").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".inside h3")).to_have_text("Embedding")
    expect(block(page, "embedding")).to_have_attribute("aria-pressed", "true")


def test_an_unfolded_block_stays_unfolded(new_page):
    page = new_page("/build")
    picture(page)
    block(page, "head").click()
    open_drawer(page)
    page.locator(SLIDER).first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('d_model=144')")
    wait_idle(page)
    expect(page.locator(".inside h3")).to_have_text("Output matrix")
    expect(page.locator(".inside svg")).to_contain_text("144 → 1024")


def test_what_cannot_be_is_said_and_the_link_brings_it_back(new_page):
    page = new_page("/build?n_heads=8&d_model=256&position=alibi")
    picture(page)
    expect(page.locator(".main svg")).to_contain_text("8 heads")
    open_drawer(page)
    page.locator(".st-key-build-n_heads input").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("256 channels do not divide into 9 heads").wait_for()
    expect(page.locator(".main svg")).to_contain_text("8 heads")
    expect(page.get_by_role("button", name="Train this")).to_be_disabled()


def test_the_model_is_handed_to_training(new_page):
    page = new_page("/build?preset=gru-tiny")
    picture(page)
    page.get_by_role("button", name="Train this").click()
    page.wait_for_url("**/train**")


@pytest.mark.parametrize("preset", ["modern-tiny", "seq2seq-tiny", "lstm-small"])
def test_a_phone_shows_it_all(new_page, preset):
    page = new_page(f"/build?preset={preset}", size=PHONE)
    picture(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    widest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].filter((e) => e.shadowRoot?.querySelector(".main"))
          .map((e) => e.getBoundingClientRect().right))"""
    )
    assert widest <= PHONE["width"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_words_of_a_box_fit_into_it(new_page, language):
    page = new_page(f"/build?preset=modern-tiny&lang={language}")
    picture(page)
    page.wait_for_selector(".inside .box.small .title")
    boxes = page.locator(".box").evaluate_all(
        """boxes => boxes.map(box => {
            const frame = box.querySelector("rect:not(.ghost)"), words = [...box.querySelectorAll(".title, .sub")];
            const widest = Math.max(...words.map(text => text.getBBox().width));
            return [words.map(text => text.textContent).join(" · "), widest, frame.getBBox().width];
        })"""
    )
    assert len(boxes) > 10
    assert not [box for box in boxes if box[1] > box[2] - 6]
