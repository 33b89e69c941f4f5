"""Charts, curves, bars and the model's picture on a stage: they fill it, follow its size, and can be read from afar."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.drawings_app import DRAWINGS
from tests.support.serving import ROOT, serve
from tests.support.views import FILLED, FORMS, LEAST_TEXT, RECORD, SIZES, SMALL
from tests.support.waiting import eventually

DRAWN = ".st-key-stage-picture :is(.main-svg, canvas, svg, .bars li, .row, ol li)"


@pytest.fixture(scope="module")
def drawings(tmp_path_factory) -> Iterator[str]:
    """The address of a server that shows one drawing at a time."""
    home: Path = tmp_path_factory.mktemp("drawings")
    with serve(home, script=ROOT / "tests/support/drawings_app.py") as started:
        yield started.address


@pytest.fixture
def opened(drawings: str, browser) -> Iterator:
    """Opens a drawing in a window of one of `SIZES`; a failure in the browser fails the test."""
    contexts, said = [], []

    def open_drawing(name: str, size: str = "1280x720", width: int = 0):
        window, presents = SIZES[size]
        context = browser.new_context(viewport={**window, **({"width": width} if width else {})}, locale="en-US")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.add_init_script(f"({RECORD})()")
        page.goto(f"{drawings}/?draw={name}{'&present=1' if presents else ''}")
        page.locator(DRAWN).filter(visible=True).first.wait_for()
        return page

    yield open_drawing
    for context in contexts:
        context.close()
    assert not said


def filled(page) -> None:
    """The drawing comes to fill its place, with nothing cut off: plotly draws again when its place has its size."""
    eventually(page, lambda: (found := page.evaluate(FILLED))["share"] > 0.8 and not found["cut"], 20)


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_fills_its_place_and_follows_the_window(opened, name):
    page = opened(name)
    filled(page)
    for width, height in ((1440, 900), (1000, 600)):
        page.set_viewport_size({"width": width, "height": height})
        filled(page)
    page.set_viewport_size({"width": 390, "height": 844})
    eventually(page, lambda: page.evaluate(FILLED)["cut"] == [], 20)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_can_be_read_from_the_last_row(opened, name):
    page = opened(name, "presenting")
    filled(page)
    assert page.evaluate(SMALL, LEAST_TEXT) == []
    assert [form for form in page.evaluate(FORMS) if 'class="plot"' not in form] == []


def test_a_chart_gives_everything_from_one_menu(opened):
    page = opened("chart")
    expect(page.locator(".st-key-stage-notice")).to_contain_text("its own rhythm")
    assert page.get_by_role("button", name="PNG", exact=True).count() == 0
    page.get_by_role("button", name="Save").click()
    for kind in ("PNG", "SVG", "CSV", "NPZ"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"drawn-chart.{kind.lower()}"


def test_the_tools_of_curves_fold_into_a_menu(opened):
    page = opened("curves")
    menu = page.get_by_role("button", name="Options", exact=True).last
    smoothing = page.get_by_role("slider", name="smoothing")
    expect(smoothing).to_be_hidden()
    menu.click()
    expect(smoothing).to_be_visible()
    page.get_by_role("button", name="log y").click()
    expect(page.get_by_role("button", name="log y")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(smoothing).to_be_hidden()


def test_the_names_of_runs_stand_at_the_ends_of_their_lines(opened):
    page = opened("curves")
    page.mouse.move(5, 5)
    written = page.locator(".plot canvas").first.evaluate("it => [...it.written.keys()]")
    assert {f"Model {i} reads a long book" for i in range(3)} <= set(written)


@pytest.mark.parametrize("width", [1000, 1280])
def test_a_block_and_its_inside_are_seen_together(opened, width):
    page = opened("seq2seq-tiny", width=width)
    block = page.locator(".main [data-key='encoderattention']")
    block.click()
    expect(page.locator(".inside h3")).to_have_text("Attention")
    inside = page.locator(".inside .picture")
    expect(inside).to_have_attribute("data-inside", "encoderattention")
    left, right = block.bounding_box(), inside.bounding_box()
    assert left["x"] + left["width"] <= right["x"] and right["x"] + right["width"] <= width
    assert right["y"] >= 0 and right["y"] + right["height"] <= 720


def test_on_a_phone_the_inside_lies_over_the_model_until_it_is_put_away(opened):
    page = opened("gpt2-tiny", width=390)
    inside = page.locator(".inside .picture")
    expect(inside).to_be_hidden()
    page.locator(".main [data-key='mlp']").click()
    expect(inside).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(inside).to_be_hidden()
