"""What surrounds every page: language, presentation mode, the address."""

import pytest
from playwright.sync_api import expect

from tests.support.waiting import PHONE, WIDE, wait_idle

CONTRAST = """(button) => {
    const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], ground) => [r, g, b].map((c, i) => a * c + (1 - a) * ground[i]);
    const light = (c) => c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const page = rgba(getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor);
    const ground = over(rgba(getComputedStyle(button).backgroundColor), page);
    const words = over(rgba(getComputedStyle(button.querySelector("p")).color), ground);
    const [low, high] = [light(ground), light(words)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""


def place(page, name: str):
    """The way to one of the four places."""
    return page.locator(".st-key-frame-places").get_by_role("link", name=name)


def test_the_browser_chooses_the_language(new_page):
    page = new_page("/", locale="zh-CN")
    expect(place(page, "看内部")).to_be_visible()


def test_language_is_switched_and_goes_into_the_address(new_page):
    page = new_page("/")
    page.locator(".st-key-lang").get_by_text("中").click()
    page.wait_for_url("**lang=zh**")
    wait_idle(page)
    again = new_page(page.url.partition("127.0.0.1")[2].partition("/")[2].join(["/", ""]))
    expect(place(again, "看内部")).to_be_visible()


OWN = """(place) => [...document.querySelectorAll(place)].map((it) => {
    const after = getComputedStyle(it, "::after");
    const letters = [...it.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    return [letters ? getComputedStyle(it).fontSize : "0px", after.content.replaceAll('"', "")];
})"""
"""How large Streamlit's own words are, and what stands in their place."""


def test_streamlits_own_words_are_chinese_too(new_page):
    page = new_page("/runs?lang=zh")
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_test_id("stMainMenuItem-print").wait_for()
    assert page.evaluate(OWN, "[data-testid^=stMainMenuItem-theme-]") == [
        ["0px", word] for word in ("随系统", "浅色", "深色")
    ]
    assert page.evaluate(OWN, "[data-testid=stMainMenuItemLabel]") == [["0px", word] for word in ("打印", "录制屏幕")]
    page.keyboard.press("Escape")
    page.get_by_test_id("stTextInput").locator("input:visible").first.press_sequentially("a")
    page.get_by_test_id("InputInstructions").first.wait_for()
    assert page.evaluate(OWN, "[data-testid=InputInstructions] > span") == [["0px", "按 Enter 确认"]]
    chosen = page.get_by_test_id("stMultiSelect").locator("input").first
    chosen.click()
    page.locator("[data-key=__select_all__]").wait_for()
    assert page.evaluate(OWN, "[data-key=__select_all__] [data-item-hl]") == [["0px", "全选"]]
    chosen.fill("nothing is called so")
    page.locator("[role=listbox][data-empty=true]").wait_for()
    assert page.evaluate(OWN, "[role=listbox][data-empty=true] [role=option] > span") == [["0px", "没有可选的项"]]


@pytest.mark.parametrize("path", ["/build", "/data"])
def test_quick_clicks_break_nothing(new_page, path):
    """Runs that overtake one another: what Streamlit sends in short, the browser still knows."""
    page = new_page(path)
    page.locator(".st-key-lang button").nth(1).wait_for()  # its code is the last to come
    for turn in range(80):
        page.evaluate("which => document.querySelectorAll('.st-key-lang button')[which].click()", (turn + 1) % 2)
        page.wait_for_timeout((0, 15, 30, 60, 90, 150, 250, 500)[turn % 8])  # a hand's own pace
    wait_idle(page)
    expect(page.locator(".st-key-lang button").first).to_be_enabled()


def test_presentation_shows_the_picture_enlarges_and_goes_into_the_address(new_page):
    page = new_page("/explore?run=bible-decoder", size={"width": 1280, "height": 720})
    before = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    page.locator(".st-key-frame-present button:visible").first.click()
    page.wait_for_url("**present=1**")
    wait_idle(page)
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > before
    for gone in (".st-key-stage-tabs", ".st-key-stage-command", ".st-key-stage-rest", ".st-key-frame-model"):
        expect(page.locator(gone)).to_be_hidden()
    picture = page.locator(".st-key-stage-picture").bounding_box()
    assert picture["y"] + picture["height"] <= 720 and picture["width"] * picture["height"] >= 0.6 * 1280 * 720
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "present" not in url)


def test_the_parts_of_the_header_stand_beside_each_other(new_page):
    """At the narrowest width without a bar below, in both languages, before a room too."""
    for path in ("/explore?run=bible-decoder", "/explore?run=bible-decoder&lang=zh", "/?present=1&lang=zh"):
        page = new_page(path, size={"width": 1024, "height": 720})
        parts = [page.locator(f".st-key-frame-{name}") for name in ("places", "model", "switches")]
        boxes = [part.bounding_box() for part in parts if part.is_visible()]
        ends = [box["x"] + box["width"] for box in boxes]
        assert all(end <= after["x"] + 0.5 for end, after in zip(ends, boxes[1:], strict=False)) and ends[-1] <= 1024
        assert page.locator(".st-key-frame-places").evaluate("it => it.scrollWidth <= it.clientWidth"), path


def test_back_leads_to_the_page_before_and_not_through_every_key(new_page):
    page = new_page("/?run=bible-decoder")
    box = page.locator("textarea").first
    box.click()
    box.press("End")
    for word in (" unto", " the", " people"):
        page.keyboard.type(word)
        page.wait_for_url(lambda url, word=word: url.endswith(word.replace(" ", "+")))
    place(page, "Lab").click()
    page.wait_for_url("**/train**")
    wait_idle(page)
    page.go_back()
    page.get_by_role("heading", name="A language model predicts what comes next.").wait_for()
    page.wait_for_url(lambda url: "the+people" in url)
    expect(page.locator("textarea").first).to_have_value("And God said unto the people")


def test_back_at_once_leads_to_the_whole_address_also_in_a_slow_browser(new_page):
    """The page that is left has just begun to tell its address; the browser hears of it late, before or after "back"."""
    page = new_page("/?run=bible-decoder")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.locator("textarea").first.press("End")
    page.keyboard.type(" unto")
    page.wait_for_url(lambda url: url.endswith("unto"))
    for _ in range(3):
        place(page, "Lab").click()
        page.wait_for_url("**/train**")
        page.go_back()
        page.get_by_role("heading", name="A language model predicts what comes next.").wait_for()
        wait_idle(page)
        page.wait_for_url(lambda url: url.endswith("/?run=bible-decoder&text=And+God+said+unto"))
        expect(page.locator("textarea").first).to_have_value("And God said unto")


def test_back_leads_over_what_a_page_filled_in_by_itself(new_page):
    page = new_page("/build")
    place(page, "Look inside").click()
    page.wait_for_url("**/explore**view=**")
    wait_idle(page)
    page.go_back()
    page.get_by_role("heading", name="Build a model").wait_for()
    wait_idle(page)
    assert page.evaluate("location.pathname") == "/build"


def test_back_leads_to_the_view_that_was_chosen_before(new_page):
    page = new_page("/explore?run=bible-decoder")
    page.wait_for_url("**view=attention**")
    page.get_by_text("Predictions", exact=True).click()
    page.wait_for_url("**view=predictions**")
    wait_idle(page)
    page.go_back()
    page.wait_for_url("**view=attention**")


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_lab_leads_from_a_run_to_the_plan(new_page, trained, size):
    page = new_page(f"/train?run={trained['clm']}", size=size)
    run = page.get_by_role("heading", name="small clm")
    run.wait_for()
    place(page, "Lab").click()
    page.get_by_role("heading", name="Train", exact=True).wait_for()
    page.wait_for_url(lambda url: "run=" not in url)
    wait_idle(page)
    page.go_back()
    page.wait_for_url(f"**run={trained['clm']}**")
    run.wait_for()


@pytest.mark.parametrize(
    "link, address", [("Change the settings and train again", "like"), ("Plan a new run", "preset")]
)
def test_from_a_run_to_the_plan_of_another_is_a_step(new_page, trained, link, address):
    page = new_page("/runs", size=PHONE)
    page.goto(f"/train?run={trained['clm']}")
    page.get_by_role("link", name=link).click()
    heading = page.get_by_role("heading", name="Train", exact=True)
    heading.wait_for()
    page.wait_for_url(lambda url: f"{address}=" in url and "run=" not in url)
    wait_idle(page)
    expect(page.locator(".st-key-stage-tabs")).to_be_in_viewport()
    page.reload()
    heading.wait_for()
    wait_idle(page)
    page.go_back()
    page.wait_for_url(f"**run={trained['clm']}")
    page.get_by_role("heading", name="small clm").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_main_button_can_be_read_also_while_it_cannot_be_pressed(new_page, scheme):
    page = new_page("/finetune", scheme=scheme)
    button = page.get_by_role("button", name="Teach a small model")
    assert button.is_enabled() and button.evaluate(CONTRAST) >= 4.5
    button.evaluate("(button) => { button.disabled = true; }")  # as it is while something is missing
    assert button.is_disabled() and button.evaluate(CONTRAST) >= 4.5
