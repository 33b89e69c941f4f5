"""The Explore page as a person uses it: typing, pointing, choosing, and coming back by a link."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.support.stage import close_drawer, open_drawer, save_drawing
from tests.support.waiting import wait_idle

VIEWS = ("attention", "steps", "positions", "recurrent", "predictions", "intervene")


def canvas(page, nth: int = 0):
    """A heatmap's canvas; the heads' pictures have none of its shape."""
    return page.locator("canvas[data-shape]").nth(nth)


def menu_of(page, drawing: str) -> int:
    """Which of the page's menus that save a drawing belongs to the one with this in it."""
    return page.locator("button.save-menu").evaluate_all(
        "(all, drawing) => all.findIndex(each => each.closest('.root').querySelector(drawing))", drawing
    )


def wait_for_shape(page, wanted: str) -> None:
    page.locator(f"canvas[data-shape='{wanted}']").first.wait_for()


def test_typing_redraws_and_pointing_asks_nobody(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&draw=cells&text=And+God")
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
    told = page.locator(".told").last
    for word in ("query", "key", "weight", "unto"):
        expect(told).to_contain_text(word)
    assert page.evaluate("() => window.asked") == 0 and not sent
    canvas(page).focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".told").last).to_contain_text("said", use_inner_text=True)


def test_a_head_is_chosen_and_a_link_opens_it(new_page):
    page = new_page("/explore?run=induction&view=attention")
    page.get_by_text("Head 1.3 partly looks at what followed").wait_for()  # the copier opens on its induction head
    page.locator("button.head.named .label", has_text="induction").wait_for()
    head = page.get_by_role("button", name=re.compile("^Layer 0, Head 3"))
    head.click()
    expect(head).to_have_attribute("aria-pressed", "true")
    page.wait_for_url("**layer=0**")
    address = page.url[page.url.index("/explore") :]
    other = new_page(address)
    expect(other.get_by_role("button", name=re.compile("^Layer 0, Head 3"))).to_have_attribute("aria-pressed", "true")
    other.get_by_role("link", name="Compute it step by step").click()
    other.wait_for_url("**view=steps**")


def test_a_head_forms_as_the_step_moves(new_page):
    page = new_page("/explore?run=induction&view=attention&layer=1&head=3")
    label = page.locator("button.head .label").nth(7)
    expect(label).to_have_text("induction")
    slider = page.get_by_role("slider", name=re.compile("Training step"))
    slider.focus()
    slider.press("Home")
    page.wait_for_url("**step=0**")
    label.get_by_text("1.3", exact=True).wait_for()  # at the first step nobody copies: it has a number, no name


def test_keys_choose_a_head_and_the_drawing(new_page):
    page = new_page("/explore?run=induction&view=attention&layer=1&head=3")
    page.locator("g.token").first.wait_for()
    wait_idle(page)
    page.locator("body").press("2")
    expect(page.get_by_role("button", name=re.compile("^Layer 1, Head 1"))).to_have_attribute("aria-pressed", "true")
    page.wait_for_url("**head=1**")
    page.locator("body").press("l")
    wait_for_shape(page, "21 × 21")
    page.wait_for_url("**draw=cells**")
    box = page.locator("textarea").first
    box.focus()
    box.press("End")
    page.keyboard.type("3l")  # in a field they are letters
    expect(box).to_have_value(re.compile("3l$"))
    wait_idle(page)
    expect(page.get_by_role("button", name=re.compile("^Layer 1, Head 1"))).to_have_attribute("aria-pressed", "true")


def test_words_are_joined_until_pieces_are_asked_for(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=Take+thou+Abraham")
    page.locator("g.token").first.wait_for()
    expect(page.locator("g.token text")).to_have_text(["Take", "·thou", "·Abraham"] * 2)
    open_drawer(page).get_by_text("Show pieces").click()
    expect(page.locator("g.token text").first).to_have_text("T")
    assert page.locator("g.token").count() > 6


def test_lines_and_tokens_that_are_kept(new_page):
    page = new_page("/explore?run=induction&view=attention&draw=lines")
    token = page.locator("g.token").nth(14)
    token.hover()
    told = page.locator(".told").first
    expect(told).to_contain_text("→", use_inner_text=True)
    token.click()
    page.locator("g.token").nth(16).click()
    expect(told).to_contain_text("added up over 2 tokens", use_inner_text=True)


def test_a_text_goes_along_from_view_to_view(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention")
    box = page.locator("textarea").first
    box.wait_for()
    wait_idle(page)
    box.fill("In the beginning")
    page.wait_for_url("**text=In+the+beginning**")
    page.get_by_role("radio", name="Writing").click()
    page.wait_for_url("**/generate**")
    expect(page.locator("textarea").first).to_have_value("In the beginning")
    page.locator(".strip .token.end").wait_for()
    page.locator("textarea").first.fill("And Moses")
    page.wait_for_url("**prompt=And+Moses**")
    wait_idle(page)
    page.get_by_role("radio", name="Predictions").click()
    page.wait_for_url("**/explore**")
    expect(page.locator("textarea").first).to_have_value("And Moses")
    page.locator(".strip .token", has_text="Moses").wait_for()


def test_what_was_expected_stands_beside_the_text(new_page):
    page = new_page("/explore?run=bible-decoder&view=predictions&text=And+God+said+unto+Moses")
    page.locator(".strip .token", has_text="unto").click()
    page.wait_for_url("**place=3**")
    page.locator(".st-key-stage-picture .gtitle", has_text="position 3").wait_for()
    page.get_by_text("Most surprising: “").wait_for()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)  # the one of the place before is gone
    whole = page.locator(".st-key-stage-picture").bounding_box()
    for part in (page.locator(".strip"), page.locator(".js-plotly-plot")):
        box = part.bounding_box()
        assert box["y"] >= whole["y"] and box["y"] + box["height"] <= whole["y"] + whole["height"] + 1


def test_the_worked_example_is_changed_by_hand(new_page):
    page = new_page("/explore?view=steps&run=bible-decoder")
    page.get_by_text("1. Scores: the dot product of the query with each key").wait_for()
    wait_for_shape(page, "1 × 6")
    page.locator(".katex", has_text="11.613").first.wait_for()
    open_drawer(page).get_by_text("Causal mask").click()
    close_drawer(page)
    page.get_by_text("3 of 6 keys are masked").wait_for()
    page.locator(".katex", has_text="11.613").first.wait_for(state="detached")


def test_a_head_is_switched_off_and_on(new_page):
    page = new_page("/explore?run=induction&view=intervene")
    notice = page.locator(".st-key-stage-notice")
    notice.get_by_text("Click a head to switch it off").wait_for()
    head = page.get_by_role("button", name=re.compile("^Layer 1, Head 3"))
    head.click()
    notice.get_by_text("Without 1.3").wait_for()
    page.get_by_role("heading", name="Without 1.3").wait_for()
    page.wait_for_url("**off=1.3**")
    expect(head).to_have_attribute("aria-pressed", "true")
    head.click()
    notice.get_by_text("Click a head to switch it off").wait_for()


def open_data(page) -> None:
    """Unfolds the table of heads and opens the ways to take its numbers away."""
    page.get_by_text("What each head does, in numbers").click()
    # Below the table, which is loaded when it is unfolded and moves the button away from under the pointer.
    page.get_by_test_id("stDataFrame").locator("canvas").first.wait_for()
    page.get_by_role("button", name="Data").first.click()


def test_pictures_and_numbers_can_be_taken_away(new_page):
    page = new_page("/explore?run=induction&view=attention&draw=cells")
    wait_for_shape(page, "21 × 21")
    for kind in ("PNG", "SVG"):
        saved = save_drawing(page, kind, menu_of(page, "canvas[data-shape]"))
        assert saved.suggested_filename == f"explore-attention-cells-own.{kind.lower()}"
    open_data(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="NPZ").first.press("Enter")
    import numpy as np

    with np.load(download.value.path()) as data:
        assert data["self"].shape == (2, 4, 21, 21) and np.allclose(data["self"].sum(-1), 1, atol=1e-5)


def test_a_slow_network_still_gets_its_file(new_page):
    page, other = new_page("/explore?run=induction&view=attention&draw=cells"), new_page("/data")
    wait_for_shape(page, "21 × 21")
    open_data(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="NPZ").first.press("Enter")
    for _ in range(3):  # Streamlit forgets what it made for one page when two runs of any pages have ended
        other.reload()
        wait_idle(other)
    assert page.request.get(download.value.url).body() == download.value.path().read_bytes()


@pytest.mark.parametrize(
    ("view", "drawing", "name", "word"),
    [
        ("attention", ".grid", "explore-attention-grid", "induction"),
        ("predictions", ".strip", "explore-predictions-strip", "<bos>"),
        ("predictions", None, "explore-predictions-expected", "Probability"),
        ("intervene", None, "explore-intervene-ranking-self", "1.3"),
    ],
)
def test_every_drawing_is_saved_as_it_looks(new_page, view, drawing, name, word):
    """As a PNG that is not one colour, and as an SVG with its words in it; a chart has a menu of its own."""
    import io
    import xml.etree.ElementTree as tree

    import numpy as np
    from PIL import Image

    page = new_page(f"/explore?run=induction&view={view}")
    if drawing:
        page.locator(drawing).first.wait_for()
    else:
        page.locator(f".st-key-{name} .main-svg").first.wait_for(state="attached")
        page.locator(f".st-key-figure-menu-{name}").get_by_role("button").click()
    wait_idle(page)
    held = {}
    for kind in ("PNG", "SVG"):
        if drawing:
            saved = save_drawing(page, kind, menu_of(page, drawing))
        else:
            with page.expect_download() as download:
                page.get_by_role("button", name=kind, exact=True).last.click()
            saved = download.value
        assert saved.suggested_filename == f"{name}.{kind.lower()}"
        held[kind] = Path(saved.path()).read_bytes()
    assert len(np.unique(np.asarray(Image.open(io.BytesIO(held["PNG"])).convert("L")))) > 10
    words = [text for element in tree.fromstring(held["SVG"]).iter() for text in [(element.text or "").strip()] if text]
    assert word in words


def test_a_units_curve_follows_the_mouse_and_asks_nobody(new_page):
    page = new_page("/explore?run=bible-lstm&view=recurrent&look=states")
    page.locator("canvas[data-shape^='16 ×']").wait_for()
    page.evaluate(
        "() => { const send = WebSocket.prototype.send; window.asked = 0;"
        " WebSocket.prototype.send = function (...x) { window.asked++; return send.apply(this, x); }; }"
    )
    before = canvas(page).evaluate("canvas => canvas.toDataURL()")
    middle = {"x": 600, "y": 250}
    canvas(page).hover(position=middle)
    expect(page.locator(".told").first).to_contain_text("hidden state", use_inner_text=True)
    page.wait_for_function(
        "before => [...document.querySelectorAll('*')].map(e => e.shadowRoot?.querySelector('canvas[data-shape]') "
        "|| e.querySelector?.('canvas[data-shape]')).find(Boolean).toDataURL() !== before",
        arg=before,
    )
    assert page.evaluate("() => window.asked") == 0
    canvas(page).click(position=middle)
    page.wait_for_url(re.compile(r"unit=\d+"))
    unit = re.search(r"unit=(\d+)", page.url)[1]
    page.get_by_role("heading", name=f"Unit {unit}", exact=True).wait_for()


def test_a_part_of_the_text_is_drawn_over(new_page):
    page = new_page("/explore?run=bible-lstm&view=recurrent&look=find")
    boxes = page.locator(".brushed .token")
    first, last = boxes.nth(2).bounding_box(), boxes.nth(6).bounding_box()
    page.mouse.move(first["x"] + 4, first["y"] + 8)
    page.mouse.down()
    page.mouse.move(last["x"] + 4, last["y"] + 8, steps=4)
    page.mouse.up()
    page.wait_for_url("**span=2-7**")
    open_drawer(page)
    page.get_by_test_id("stSliderThumbValue").nth(1).get_by_text("7", exact=True).wait_for()
    expect(page.get_by_test_id("stSliderThumbValue").first).to_have_text("2")


def test_texts_and_steps_side_by_side(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=And+God+said&draw=cells")
    drawer = open_drawer(page)
    drawer.get_by_role("combobox", name="The same head").click()
    page.get_by_role("option", name="on other texts").click()
    wait_idle(page)
    box = drawer.get_by_label("Text 2")
    box.fill("In the beginning God")
    page.wait_for_url("**other1=**")
    wait_for_shape(page, "3 × 3")
    page.locator("canvas[data-shape]:not([data-shape='3 × 3'])").wait_for()
    close_drawer(page)
    boxes = [canvas(page, nth).bounding_box() for nth in (0, 1)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2 and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 1
    page = new_page("/explore?run=induction&view=attention&layer=1&head=3&with=step&then=0&draw=cells")
    page.get_by_text("step 0", exact=True).first.wait_for()
    canvas(page, 1).wait_for()
    page.get_by_text("Beside it: ").wait_for()


def test_where_a_model_looks_as_it_writes(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=And+God&draw=cells&pieces=1")
    wait_for_shape(page, "2 × 2")
    more = open_drawer(page).get_by_test_id("stNumberInputField")
    more.fill("6")
    more.press("Enter")
    wait_for_shape(page, "8 × 8")
    page.wait_for_url("**more=6**")
    close_drawer(page)
    canvas(page).focus()
    canvas(page).press("ArrowDown")
    for _ in range(7):
        canvas(page).press("ArrowDown")
    expect(page.locator(".told").last).to_contain_text("(generated)", use_inner_text=True)


def test_a_translator_looks_where_the_number_stands(new_page):
    """Cross-attention: the written 7 was copied from the 7 that was read."""
    page = new_page(
        "/explore?run=dates&view=attention&draw=cells&layer=1&head=0&text=September+27,+2020+%3D&target=2020-09-27&draw=cells"
    )
    wait_for_shape(page, "11 × 20")
    canvas(page).focus()
    page.keyboard.press("ArrowDown")  # the first cell; then to the row that writes the 7, and to the 7 that is read
    for key in (*["ArrowDown"] * 9, *["ArrowRight"] * 11):
        page.keyboard.press(key)
    told = page.locator(".told").last.inner_text()
    assert re.search(r"query →\s7 · key 7 · weight 0\.[3-9]", told), told


def test_what_may_not_be_looked_at_is_paper_and_says_so(new_page):
    page = new_page("/explore?run=bible-decoder&view=attention&text=And+God+said+unto&draw=cells")
    wait_for_shape(page, "4 × 4")
    place = canvas(page).bounding_box()
    page.mouse.move(place["x"] + place["width"] * 0.93, place["y"] + place["height"] * 0.4)
    expect(page.locator(".told").last).to_have_text(re.compile("masked: it comes later$"))
    page.mouse.move(place["x"] + place["width"] * 0.4, place["y"] + place["height"] * 0.93)
    expect(page.locator(".told").last).to_contain_text("weight", use_inner_text=True)
    expect(page.locator(".legend.closed").last).to_be_visible()
    kept = save_drawing(page, "SVG", menu_of(page, "canvas[data-shape]"))
    assert "url(#hatch)" in Path(kept.path()).read_text(encoding="utf-8")
    wait_idle(page)
    page = new_page("/explore?run=bible-encoder&view=attention&text=And+God+said+unto&draw=cells")
    wait_for_shape(page, "4 × 4")
    assert page.locator(".legend.closed").last.is_hidden(), "an encoder hides nothing"


def test_rows_of_a_translation_say_what_is_written(new_page):
    page = new_page("/explore?run=dates&view=attention&part=cross&text=March+5,+2031+%3D&target=2031-03-05&draw=cells")
    wait_for_shape(page, "11 × 15")
    canvas(page).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".told").last).to_have_text(re.compile(r"^query →.2 · key M · weight [0-9.e-]+$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_has_the_colour_of_the_page(new_page, scheme):
    """The heads of an easy text change nothing: the middle of a diverging scale, on whatever page."""
    page = new_page("/explore?run=dates&view=intervene", scheme=scheme)
    ground = page.evaluate("() => getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    painted = "node => 'rgb(' + [...node.getContext('2d').getImageData(48, 48, 1, 1).data].slice(0, 3).join(', ') + ')'"
    heads = page.locator("button.head canvas")
    heads.first.wait_for()
    assert {head.evaluate(painted) for head in heads.all()} == {ground}


def test_the_number_beside_the_schedule_is_its_top(new_page):
    page = new_page("/train?preset=modern-tiny")
    panel = open_drawer(page).locator("figure.panel", has_text="Learning rate, before it starts")
    panel.locator(".value", has_text="top 0.006").wait_for()
    panel.locator(".plot").focus()
    page.keyboard.press("End")
    panel.locator(".value", has_text=re.compile(r"^1\.2e-4$")).wait_for()  # what is pointed at is told as it is
