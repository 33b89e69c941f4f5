"""Writing a text in the browser: the scale follows, the text is trained on, a million characters are pasted."""

import re

from playwright.sync_api import expect

from playground.runs.store import RunStore
from tests.support.stage import DRAWER, close_drawer, open_drawer
from tests.support.waiting import PHONE, eventually, wait_idle

LINES = [f"On day {n} the miller walked to the river, and his {n % 7} children sang of bread.\n" for n in range(200)]


def place(page) -> float:
    """Where the scale's mark stands, in percent."""
    style = page.locator(".pointer").get_attribute("style") or ""
    found = re.search(r"left:\s*([\d.]+)%", style)
    return float(found[1]) if found else -1.0


def open_box(new_page, **more):
    """The page with the empty box, and the box; where there are files, it is a click away."""
    page = new_page("/data?corpus=file", **more)
    open_drawer(page)
    page.get_by_text("Tokenizer").first.wait_for()  # below all that is asked about files
    another = page.get_by_role("button", name="Write or paste a text")
    another.or_(
        page.get_by_text("Or write in the box.")
    ).wait_for()  # what is drawn first is not always what stands first
    if another.count():
        another.click()  # also while the text that is there is still being prepared
        page.locator(DRAWER).wait_for(state="hidden")  # by itself: it lies over the box on a phone
    else:
        close_drawer(page)
    box = page.get_by_label("Your text")
    expect(box).to_have_value("")
    return page, box


def test_the_scale_moves_while_one_writes(new_page):
    page, box = open_box(new_page)
    box.fill("".join(LINES[:20]))
    eventually(page, lambda: place(page) > 0)
    before = place(page)
    box.press("Control+End")
    box.press_sequentially("".join(LINES[20:24]))  # the box is not left, and nothing is clicked
    eventually(page, lambda: place(page) > before)
    assert box.evaluate("box => box.getRootNode().activeElement === box")
    expect(box).to_have_value("".join(LINES[:24]))


def test_what_is_written_is_trained_on(new_page, home):
    page, box = open_box(new_page)
    text = "Written in a browser.\n" + "".join(LINES)
    box.fill(text)
    page.get_by_role("button", name="Train on this").click()  # at once: what was written last counts too
    page.wait_for_url("**/train**")
    wait_idle(page)
    kept = next((home / "uploads").glob("*/Written in a browser*.txt"))
    assert kept.read_text() == text and kept.parent.name in page.url
    open_drawer(page).get_by_role("slider", name="Steps").press("Home")
    wait_idle(page)
    close_drawer(page)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**run=**")
    runs = lambda: [run for run in RunStore(home / "runs").list() if run.config().data.path == str(kept)]
    eventually(page, lambda: [run.status().state for run in runs()] == ["finished"], 180)


def test_a_million_characters_are_pasted(new_page):
    page, box = open_box(new_page)
    text = "".join(LINES) * 70
    assert len(text) > 1_000_000
    box.evaluate(
        """(box, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }""",
        text,
    )
    eventually(page, lambda: re.search(r"about \d{3} k tokens", page.locator(".said").inner_text()))
    assert box.evaluate("box => box.value.length") == len(text)


def test_a_smaller_model_is_a_click_away(new_page):
    page, box = open_box(new_page)
    box.fill("".join(LINES))
    page.get_by_text("Take a smaller model").click()
    page.wait_for_url("**/build**d_model=64**")
    wait_idle(page)
    page.go_back()
    page.get_by_label("Your text").wait_for()
    expect(page.get_by_label("Your text")).to_have_value("".join(LINES))


def test_a_phone_writes_too(new_page):
    page, box = open_box(new_page, size=PHONE, scheme="dark")
    box.fill("".join(LINES))
    eventually(page, lambda: place(page) > 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_on_a_phone_the_box_comes_into_sight_and_then_its_tokens(new_page, home, monkeypatch):
    from playground.text import uploads

    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    uploads.write("There is a text already.\n" + "".join(LINES))
    page, box = open_box(new_page, size=PHONE)
    expect(box).to_be_in_viewport(ratio=0.9)
    assert box.evaluate("box => box.getRootNode().activeElement === box")
    page.keyboard.insert_text("At once, without a tap.\n" + "".join(LINES))
    page.get_by_role("button", name="See it as tokens").click()
    expect(page.locator(".st-key-data-headline").get_by_text("Tokens", exact=True)).to_be_in_viewport()
