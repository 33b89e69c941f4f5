"""Sharing: a teacher hides what the lesson is not about, and the class opens the link."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_accessibility import AXE
from tests.support.stage import close_drawer, open_drawer
from tests.support.waiting import PHONE, wait_idle


def open_share(page):
    page.get_by_role("button", name="Share").click()
    body = page.locator("[data-testid=stPopoverBody]")
    body.get_by_text("A link to what you see").wait_for()
    return body


def address(body) -> str:
    return body.locator("[data-testid=stCode] code").inner_text()


def path(link: str) -> str:
    return re.sub(r"^https?://[^/]+", "", link)


def test_a_lesson_hides_what_it_is_not_about(new_page):
    page = new_page("/build?preset=gpt2-tiny&n_layers=2")
    body = open_share(page)
    for name in ("Positions", "Page: Data"):
        body.get_by_role("combobox").fill(name)  # of a long list, which scrolls, only what is looked for
        page.get_by_role("option", name=name, exact=True).click()
    page.keyboard.press("Escape")
    body.locator("[data-testid=stCode] code", has_text="hide=build.position,data").wait_for()
    link = path(address(body))

    pupil = new_page(link)
    pupil.wait_for_selector(".main svg")
    open_drawer(pupil)
    expect(pupil.get_by_text("Layers", exact=True).first).to_be_visible()
    expect(pupil.get_by_text("Positions", exact=True).first).to_be_hidden()
    expect(pupil.get_by_role("radio", name="Text")).to_have_count(0)
    expect(pupil.locator(".main svg")).to_contain_text("× 2")
    close_drawer(pupil)
    pupil.get_by_role("button", name="Train this").click()
    pupil.wait_for_url("**/train**hide=build.position**")
    wait_idle(pupil)
    expect(pupil.get_by_text("Change it under Model")).to_have_count(1)
    expect(pupil.get_by_text("Change it under Text")).to_have_count(0)

    shown = open_share(pupil)
    shown.get_by_role("button", name="Show all that is hidden here").click()
    pupil.get_by_role("radio", name="Text").first.wait_for()
    pupil.wait_for_url(lambda url: "hide" not in url)


def test_the_sampling_can_be_hidden_too(new_page):
    page = new_page("/generate?run=bible-decoder&hide=generate.sampling")
    page.get_by_role("button", name="Write", exact=True).wait_for()
    open_drawer(page)
    expect(page.get_by_role("slider", name="Temperature")).to_have_count(0)
    expect(page.get_by_role("button", name="Beam search")).to_have_count(1)


def test_a_plan_is_opened_as_it_was_sent(new_page):
    page = new_page("/train?preset=gru-tiny&corpus=task-recall")
    slider = open_drawer(page).locator(".st-key-control-train-steps").get_by_role("slider")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowLeft")
    page.wait_for_url("**steps=300**")
    link = path(address(open_share(page)))
    other = new_page(link)
    expect(open_drawer(other).locator(".st-key-control-train-steps").get_by_role("slider")).to_have_attribute(
        "aria-valuetext", "300"
    )
    expect(other.locator(".st-key-control-train-model input").first).to_have_value("GRU, tiny")
    expect(other.get_by_text("Tokenizer: Characters")).not_to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_on_a_phone(new_page, scheme):
    page = new_page("/train", size=PHONE, scheme=scheme)
    box = open_share(page).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_where_it_unfolds(new_page, scheme):
    page = new_page("/build?hide=data", scheme=scheme)
    open_share(page).get_by_role("button", name="Show all that is hidden here").wait_for()
    wait_idle(page)
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not [(each["id"], node["html"], node["any"]) for each in serious for node in each["nodes"]]


def test_before_a_room_the_code_stands_in_the_corner_on_demand(new_page):
    page = new_page("/explore?run=bible-decoder&present=1", size={"width": 1280, "height": 720})
    page.get_by_role("button", name="Show the link as a code").click()
    tile = page.locator(".st-key-share-tile")
    tile.get_by_text("Only this computer reaches it").wait_for()
    box = tile.bounding_box()
    assert box["x"] > 640 and box["x"] + box["width"] <= 1280 and box["y"] > 360 and box["y"] + box["height"] <= 720
    page.get_by_role("button", name="Take the code away").click()
    expect(tile).to_have_count(0)


def test_a_link_hides_the_choice_of_the_model(new_page):
    page = new_page("/explore?run=bible-decoder&hide=explore.run")
    expect(page.locator(".st-key-frame-model .open")).to_be_hidden()
