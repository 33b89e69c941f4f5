"""What surrounds every page: language, presentation mode, the address."""

from tests.browser.waiting import PHONE, wait_idle


def test_the_browser_chooses_the_language(new_page):
    page = new_page("/", locale="zh-CN")
    assert page.get_by_role("link", name="首页").count() or page.get_by_text("首页").count()


def test_language_is_switched_and_goes_into_the_address(new_page):
    page = new_page("/")
    page.locator(".st-key-lang").get_by_text("中").click()
    page.wait_for_url("**lang=zh**")
    wait_idle(page)
    again = new_page(page.url.partition("127.0.0.1")[2].partition("/")[2].join(["/", ""]))
    assert again.get_by_text("首页").count()


def test_presentation_mode_enlarges_and_goes_into_the_address(new_page):
    page = new_page("/")
    before = page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    page.locator(".st-key-present label").first.click()
    page.wait_for_url("**present=1**")
    wait_idle(page)
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > before


def test_nothing_is_wider_than_a_phone(new_page):
    page = new_page("/", size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_back_leads_to_the_page_before_and_not_through_every_key(new_page):
    page = new_page("/?run=bible-decoder")
    box = page.locator("textarea").first
    box.click()
    box.press("End")
    for word in (" unto", " the", " people"):
        page.keyboard.type(word)
        page.wait_for_url(lambda url, word=word: url.endswith(word.replace(" ", "+")))
    page.get_by_role("link", name="Build").first.click()
    page.wait_for_url("**/build**")
    wait_idle(page)
    page.go_back()
    page.get_by_role("heading", name="A language model predicts what comes next.").wait_for()
    page.wait_for_url(lambda url: url.endswith("the+people"))
    assert page.locator("textarea").first.input_value() == "And God said unto the people"
