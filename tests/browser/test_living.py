"""The living picture: exact under the pointer, quick while it plays, silent until somebody settles on something."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from playground.ui.components.living_page import living_page
from tests.browser.test_accessibility import AXE, violations
from tests.support.living import DRAWN_IN, FIND
from tests.support.living_app import STEPS
from tests.support.made_frames import Happened, made_frame, tensors
from tests.support.serving import ROOT, serve
from tests.support.waiting import PHONE, WIDE, eventually


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """A server that shows living pictures, and the file of what they answer."""
    home = tmp_path_factory.mktemp("living")
    with serve(home, script=ROOT / "tests/support/living_app.py") as started:
        yield started.address, home / "answers.jsonl"


@pytest.fixture
def show(place, browser) -> Iterator:
    """Opens a picture; an error in the browser fails the test."""
    contexts, said = [], []

    def open_picture(what: str, size: dict = WIDE, present: bool = False, **more) -> Page:
        context = browser.new_context(viewport=size, **{"locale": "en-US", **more})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{place[0]}/?show={what}{'&present=1' if present else ''}")
        page.locator(".living .tile").first.wait_for()
        page.wait_for_function(f"() => ({FIND})()?.drawn > 0")
        return page

    yield open_picture
    for context in contexts:
        context.close()
    assert not said


def tile(page: Page, key: str):
    return page.locator(f'.pictures .tile[data-key="{key}"]')


def told(page: Page):
    return page.locator(".living .told-line")


def point(page: Page, key: str, row: int, column: int, rows: int, columns: int) -> None:
    box = tile(page, key).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * (column + 0.5) / columns, box["y"] + box["height"] * (row + 0.5) / rows)


def number(value: np.float16) -> str:
    """As five digits have it."""
    return f"{float(value):.5g}".replace("-", "−")


def scrub_to(page: Page, step: str) -> None:
    page.get_by_role("slider").press(step)


def test_the_number_under_the_pointer_is_the_frames(show):
    page = show("timeline")
    weights = tensors(STEPS[-1])["layers.1.attention.weights"]
    point(page, "layers.1.attention.weights:2", 7, 3, 12, 12)
    expect(told(page)).to_contain_text(f"“·light” (7) → “·the” (3) = {number(weights[2, 7, 3])} ")
    expect(told(page)).to_contain_text("layers.1.attention.weights[2, 7, 3] · step 800")
    scrub_to(page, "ArrowLeft")
    hidden = tensors(STEPS[-2])["layers.0.mlp.hidden"]
    point(page, "layers.0.mlp.hidden", 5, 11, 12, 64)
    expect(told(page)).to_contain_text(f"= {number(hidden[5, 11])} · layers.0.mlp.hidden[5, 11] · step 450")
    point(page, "embeddings", 9, 4, 16, 12)  # its tokens go from left to right
    expect(told(page)).to_contain_text(f"= {number(tensors(STEPS[-2])['embeddings'][4, 9])} · embeddings[4, 9]")


def test_the_length_of_a_residual_vector_is_told(show):
    page = show("timeline")
    norm = np.linalg.norm(tensors(STEPS[-1])["layers.1.output"][4].astype(np.float32))
    point(page, "layers.1.output", 0, 4, 1, 12)
    expect(told(page)).to_contain_text("“·land” (4)")
    shown = float(told(page).inner_text().split("norm ")[1].split(" ")[0])
    assert shown == pytest.approx(norm, rel=1e-4)


def test_a_click_opens_a_tensor_and_esc_closes_it(show):
    page = show("timeline")
    tile(page, "layers.0.attention.weights:1").click()
    large = page.locator(".opened")
    expect(large).to_have_accessible_name("Layer 0, head 1: Attention weights")
    expect(large).to_contain_text("layers.0.attention.weights[1]")
    weights = tensors(STEPS[-1])["layers.0.attention.weights"][1].astype(np.float32)
    expect(large).to_contain_text(f"mean {number(np.float32(float(f'{weights.mean():.4g}')))}")
    expect(large).to_contain_text(f"norm {number(np.float32(float(f'{np.linalg.norm(weights):.4g}')))}")
    large.get_by_role("button", name="head 2").click()
    expect(large).to_contain_text("layers.0.attention.weights[2]")
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(tile(page, "layers.0.attention.weights:1")).to_be_focused()


def test_what_is_pinned_and_opened_is_reported_once_settled(show, place):
    page = show("timeline")
    answers = place[1]
    tile(page, "layers.1.attention.weights:0").click(modifiers=["Shift"])
    tile(page, "embeddings").click(modifiers=["Shift"])
    expect(page.locator(".pins .tile")).to_have_count(2)
    last = lambda: json.loads(answers.read_text().splitlines()[-1])
    eventually(page, lambda: last()["pinned"] == ["layers.1.attention.weights:0", "embeddings"])
    page.get_by_role("button", name="Unpin: Embeddings").click()
    tile(page, "layers.0.mlp.hidden").click()
    eventually(page, lambda: last() == {"pinned": ["layers.1.attention.weights:0"], "opened": "layers.0.mlp.hidden"})


def test_keys_open_and_pin_what_has_the_focus(show):
    page = show("timeline")
    tile(page, "embeddings").focus()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "layers.0.attention.weights:0")).to_be_focused()
    expect(told(page)).to_contain_text("mean ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("p")
    expect(page.locator(".pins .tile")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".opened")).to_be_visible()


def test_pointing_sends_nothing_to_the_server(show, place):
    page = show("timeline")
    answers = place[1]
    before, sent = len(answers.read_text().splitlines()), []
    page.evaluate("""() => { window.sent = 0; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { window.sent++; return send.call(this, data); }; }""")
    page.on("request", lambda request: sent.append(request.url))
    for column in range(12):
        point(page, "layers.0.attention.weights:0", 11, column, 12, 12)
        expect(told(page)).to_contain_text(f"[0, 11, {column}]")
    scrub_to(page, "Home")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(600)  # longer than what a person settled on waits
    assert (page.evaluate("window.sent"), sent) == (0, [])
    assert len(answers.read_text().splitlines()) == before


def test_it_plays_at_25_pictures_a_second(show):
    page = show("large")
    scrub_to(page, "Home")
    page.get_by_role("button", name="Play").click()
    page.evaluate(DRAWN_IN, 300)  # the first pictures prepare their colours
    assert page.evaluate(DRAWN_IN, 2000) >= 25
    expect(page.locator(".status")).not_to_contain_text("step 0 ")
    page.get_by_role("button", name="Pause").click()
    page.evaluate(DRAWN_IN, 100)  # the last picture
    assert page.evaluate(DRAWN_IN, 300) == 0


def test_without_motion_colours_are_never_mixed(show):
    page = show("timeline", reduced_motion="reduce")
    expect(page.locator(".caption")).not_to_contain_text("mixed")
    page.get_by_role("slider").evaluate("slider => { slider.value = 1.4; slider.dispatchEvent(new Event('input')); }")
    expect(page.locator(".status")).to_contain_text("step 50 ")
    colours = "tile => [...tile.querySelector('canvas').getContext('2d').getImageData(0, 0, 12, 12).data]"
    between = tile(page, "layers.0.attention.weights:0").evaluate(colours)
    page.get_by_role("slider").evaluate("slider => { slider.value = 1; slider.dispatchEvent(new Event('input')); }")
    page.evaluate(DRAWN_IN, 50)
    assert tile(page, "layers.0.attention.weights:0").evaluate(colours) == between


def test_the_scrubber_goes_by_keys_and_to_events(show):
    page = show("timeline")
    status = page.locator(".status")
    for key, step in (("Home", 0), ("ArrowRight", 50), ("ArrowRight", 200), ("ArrowLeft", 50), ("End", 800)):
        scrub_to(page, key)
        expect(status).to_contain_text(f"step {step} ")
    event = page.get_by_role("button", name="step 200: Head 1.2 starts to look back")
    event.hover()
    expect(told(page)).to_contain_text("Head 1.2 starts to look back")
    event.click()
    expect(status).to_contain_text("step 200 ")
    page.get_by_role("slider").press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


@pytest.mark.parametrize(("by", "step"), [("step", 400), ("tokens", 100), ("seconds", 100), ("loss", 400)])
def test_a_second_run_is_aligned(show, by, step):
    """The first stands at step 450: 45 000 tokens, 225 s, loss 0.91. At its steps 0, 100, 400 and 900 the second has seen
    0, 40 000, 160 000 and 360 000 tokens in 0, 200, 800 and 1800 s, and has losses of 5, 1.67, 0.56 and 0.26.
    """
    page = show("beside")
    scrub_to(page, "ArrowLeft")
    page.get_by_label("Align by").select_option(by)
    steps = page.locator(".picture .step")
    expect(steps.first).to_contain_text("step 450 ")
    expect(steps.last).to_contain_text(f"step {step} ")


def test_alive_it_counts_frames_and_holds_still_when_asked(show):
    page = show("alive")
    status = page.locator(".status")
    expect(status).to_contain_text("frames per second")
    page.get_by_role("button", name="Pause the picture").click()
    held = status.inner_text().split(" · ")[0]
    page.evaluate(DRAWN_IN, 1200)
    assert status.inner_text().split(" · ")[0] == held
    page.get_by_role("button", name="Resume the picture").click()
    expect(status).not_to_contain_text(held)


def test_the_page_plays_alone(browser, tmp_path):
    """From a file, with no request, whatever a token holds."""
    evil = "</script><img src=https://example.com/x>"
    pieces = [evil, *[f"t{i}" for i in range(11)]]
    frames = [made_frame(step, pieces=pieces) for step in STEPS]
    events = [Happened(200, "head", "A head was born")]
    file = tmp_path / "picture.html"
    file.write_text(living_page("Kings & lands", frames, events), encoding="utf-8")
    context = browser.new_context(viewport=WIDE)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", name="Kings & lands")).to_be_visible()
    scrub_to(page, "Home")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".status")).to_contain_text("step 50 ")
    point(page, "layers.1.attention.weights:2", 7, 3, 12, 12)
    expect(told(page)).to_contain_text("layers.1.attention.weights[2, 7, 3]")
    assert (asked, said) == ([file.as_uri()], [])
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["timeline", "pinned", "beside"])
def test_nothing_stands_in_the_way_of_a_screen_reader(show, what, scheme):
    page = show(what, color_scheme=scheme)
    page.evaluate(AXE)
    assert not violations(page)


@pytest.mark.parametrize(("size", "present"), [(WIDE, False), ({"width": 1280, "height": 720}, True), (PHONE, False)])
def test_it_fits_every_screen(show, size, present):
    """Nothing is wider than its place; from afar all letters are large."""
    page = show("pinned" if not present else "timeline", size, present)
    wide = f"() => {{ const living = ({FIND})(); return living.scrollWidth - living.clientWidth; }}"
    assert page.evaluate(wide) <= 0
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    if present:
        sizes = f"""() => [...({FIND})().querySelectorAll("*")].filter((each) => each.checkVisibility() &&
            [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
            .map((each) => parseFloat(getComputedStyle(each).fontSize))"""
        assert min(page.evaluate(sizes)) >= 20
