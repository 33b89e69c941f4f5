"""The writing page in a real browser: write, look into a token, branch, stop, fill in, answer."""

import json
from contextlib import suppress

import numpy as np
import pytest
from playwright.sync_api import TimeoutError, expect

from playground.inference.sampling import Sampling, steps
from playground.ui.components import FOLDER
from tests.support.stage import close_drawer, open_drawer
from tests.support.views import share_of_window
from tests.support.waiting import wait_idle

STATE = (
    """() => [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector(".root")?.ui).find(Boolean)"""
)


def open_writer(new_page, run: str, **choices):
    page = new_page(f"/generate?run={run}", **choices)
    page.locator(".strip .token.end").wait_for()
    page.locator(".right .bars li").first.wait_for()
    return page


def settled(page) -> None:
    """Waits until nothing is being written and the distribution is that of the place chosen."""
    page.wait_for_function(f"() => {{ const ui = ({STATE})(); return ui && !ui.data.working; }}")
    page.wait_for_function(f"() => !({STATE})().bars.classList.contains('stale')")
    wait_idle(page)


def write(page, n: int) -> None:
    """Asks for so many tokens, by the button in the command line."""
    field = open_drawer(page).get_by_role("spinbutton", name="How many tokens")
    field.fill(str(n))
    field.press("Enter")
    wait_idle(page)
    close_drawer(page)
    page.get_by_role("button", name="Write", exact=True).click()


def n_tokens(page) -> int:
    return page.locator(".strip .token:not(.end)").count()


def test_write_look_into_a_token_and_branch(new_page, trained):
    page = open_writer(new_page, trained["clm"])
    given = n_tokens(page)
    write(page, 30)
    page.get_by_text("tokens/s, by PyTorch").wait_for()
    settled(page)
    assert given < n_tokens(page) <= given + 30
    place = given + 3
    chosen = page.locator(".strip .token").nth(place)
    chosen.click()
    settled(page)
    expect(page.locator(".right h4")).to_contain_text("Instead of")
    assert page.locator(".bars li.chosen").count() <= 1
    row = page.locator(".bars li:not(.chosen) button").first
    piece = row.locator(".piece").text_content()
    row.click()
    page.wait_for_function(f"() => ({STATE})().data.tokens.length === {place + 1}")
    expect(page.locator(".strip .token").nth(place)).to_have_text(piece)
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"() => ({STATE})().data.tokens.length > {place + 1}")


def test_sliders_answer_without_the_server(new_page, trained):
    page = open_writer(new_page, trained["clm"])
    open_drawer(page)
    slider = page.get_by_role("slider", name="Temperature")
    likeliest = [
        slider.evaluate(
            f"""(slider, value) => {{
                slider.value = value;
                slider.dispatchEvent(new Event("input"));
                return ({STATE})().bars.querySelector(".share").textContent;
            }}""",
            value,
        )
        for value in (0.5, 0.9, 1.3, 1.7, 0.2)
    ]
    assert len(set(likeliest)) == 5, "each is there before anybody else could answer"
    expect(page.locator(".right .caption")).not_to_contain_text("dashed")
    page.get_by_role("slider", name="Top-k").fill("3")
    expect(page.locator(".bars li:not(.gone)")).to_have_count(3)
    expect(page.locator(".bars li.gone.first")).to_have_count(1)
    expect(page.locator(".right .caption")).to_contain_text("dashed")
    expect(page.locator(".stages")).to_contain_text("3 left")
    page.wait_for_url("**k=3**")
    wait_idle(page)


def test_the_address_holds_the_sliders(new_page, trained):
    page = open_writer(new_page, f"{trained['clm']}&t=1.5&k=4")
    assert page.locator(".stages").text_content().count("4 left") == 1
    open_drawer(page)
    expect(page.get_by_role("slider", name="Temperature")).to_have_value("1.5")


@pytest.mark.parametrize("present", [False, True])
def test_what_it_writes_is_the_picture(new_page, trained, present):
    """Whole on the screen, and largest of all; before a room the button stands in it, and no field."""
    page = open_writer(
        new_page, f"{trained['clm']}{'&present=1' if present else ''}", size={"width": 1280, "height": 720}
    )
    share, whole = share_of_window(page)
    assert whole and share >= 0.6
    picture = page.locator(".st-key-stage-picture")
    assert picture.locator("input:visible, textarea:visible").count() == 0
    assert picture.get_by_role("button", name="Write", exact=True).count() == int(present)
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_text("tokens/s, by PyTorch").wait_for()


def test_writing_is_stopped(new_page, trained):
    page = open_writer(new_page, trained["clm"])
    given = n_tokens(page)
    drawer = open_drawer(page)
    drawer.get_by_text("At the end of the text").click()
    wait_idle(page)
    field = drawer.get_by_role("spinbutton", name="How many tokens")
    field.fill("1000")
    field.press("Enter")
    wait_idle(page)
    close_drawer(page)
    for _ in range(4):  # this small model may have written it all before the click arrives
        page.get_by_role("button", name="Write", exact=True).click()
        with suppress(TimeoutError):
            page.get_by_role("button", name="Stop").click(timeout=2000)
        settled(page)
        if "Stopped." in page.locator(".status").text_content():
            break
        page.get_by_role("button", name="Clear").click()
        settled(page)
    expect(page.locator(".status")).to_contain_text("Stopped.")
    assert n_tokens(page) < given + 1000


def test_beam_search_offers_texts_to_take(new_page, trained):
    page = open_writer(new_page, trained["clm"])
    given = n_tokens(page)
    drawer = open_drawer(page)
    field = drawer.get_by_role("spinbutton", name="How many tokens")
    field.fill("8")
    field.press("Enter")
    wait_idle(page)
    drawer.get_by_role("button", name="Beam search").click()
    close_drawer(page)
    page.locator(".beams .found").first.wait_for()
    expect(page.locator(".beams .found")).to_have_count(4)
    page.locator(".beams .found").first.click()
    page.wait_for_function(f"() => ({STATE})().data.tokens.length > {given}")
    settled(page)


def test_the_text_is_walked_with_the_keyboard(new_page, trained):
    page = open_writer(new_page, trained["clm"])
    page.locator(".strip .token.end").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator(".right h4")).to_contain_text("Instead of")


def test_a_model_of_pairs_answers(new_page, trained):
    page = open_writer(new_page, trained["seq2seq"])
    expect(page.get_by_role("textbox", name="The question")).not_to_have_value("")
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_text("tokens/s, by PyTorch").wait_for()
    settled(page)
    assert n_tokens(page) > 0


def test_a_word_is_hidden_by_a_click_and_filled_by_another(new_page, trained):
    page = new_page(f"/generate?run={trained['mlm']}")
    page.locator(".strip .token").first.wait_for()
    wait_idle(page)
    hidden = page.locator(".strip .token.dashed").count()
    page.locator(".strip .token:not(.dashed)").last.click()
    page.wait_for_function(
        f"""() => [...document.querySelectorAll("*")].some(
            (e) => e.shadowRoot?.querySelectorAll(".token.dashed").length > {hidden})"""
    )
    wait_idle(page)
    now = page.locator(".strip .token.dashed").count()
    expect(page.locator(".groups section")).to_have_count(now)
    page.locator(".groups section").first.get_by_role("button").first.click()
    page.wait_for_function(
        f"""() => [...document.querySelectorAll("*")].some(
            (e) => e.shadowRoot?.querySelectorAll(".token.dashed").length === {now - 1})"""
    )


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"temperature": 0.0},
        {"temperature": 0.7, "top_k": 5},
        {"temperature": 1.4, "top_p": 0.8},
        {"temperature": 1e-9, "top_p": 0.5},
        {"min_p": 0.2},
        {"temperature": 0.8, "top_k": 30, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.3},
        {"temperature": 0.0, "repetition_penalty": 1.8},
    ],
)
def test_the_browser_samples_as_the_server_does(browser, choices):
    """Both take the same steps: the same names, the same tokens left, the same probabilities."""
    sampling, generator = Sampling(**choices), np.random.default_rng(0)
    page = browser.new_page()
    page.add_script_tag(content=(FOLDER / "sampling.js").read_text(encoding="utf-8"))
    for _ in range(5):
        logits = generator.normal(scale=3, size=200).astype(np.float32)
        logits[generator.integers(0, 200, 20)] = logits[0]  # ties
        seen = generator.integers(0, 200, 30).tolist()
        asked = json.dumps([logits.tolist(), vars(sampling), seen])
        here = page.evaluate(f"() => samplingSteps(...{asked}).map((step) => [step.name, Array.from(step.p)])")
        there = steps(logits, sampling, seen)
        assert [name for name, _ in here] == [name for name, _ in there]
        for (name, probabilities), (_, expected) in zip(here, there, strict=True):
            np.testing.assert_allclose(probabilities, expected, atol=1e-12, err_msg=name)
    page.close()
