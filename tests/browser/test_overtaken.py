"""A component's script loads while the page goes on: Chromium hands it to the calls that wait for it in any order."""

import re

import pytest
from playwright.sync_api import expect

from playground.text import uploads
from tests.browser.test_own_text import LINES
from tests.support.stage import open_drawer
from tests.support.waiting import WIDE, eventually, wait_idle

SCRIPT_ASKED = re.compile(r"import\((\w+)\),\[\],import\.meta\.url")
HOLD = """
    const waiting = [];
    window.held = (script) => new Promise((done) => waiting.push(() => done(script)));
    window.heldCalls = () => waiting.length;
    window.release = async () => {
        window.held = (script) => script;
        for (const go of waiting.reverse()) {
            go();
            await new Promise((done) => setTimeout(done, 20));
        }
    };
"""


@pytest.fixture
def holding(tabs):
    """A page on which every call of a component waits, until ``release()`` lets them go, the newest first."""
    page = tabs.take(WIDE, "light", "en-US")
    page.add_init_script(HOLD)

    def held(route):
        answer = route.fetch()
        script, places = SCRIPT_ASKED.subn(r"held(import(\1)),[],import.meta.url", answer.text())
        assert places == 1, "Streamlit calls its components in another way now"
        route.fulfill(response=answer, body=script)

    page.route("**/BidiComponent.*.js", held)
    yield page
    tabs.give_back(page)


def test_the_newest_is_drawn_whichever_comes_last(holding, home, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    uploads.write("This text is older than the press. " + "".join(LINES[:9]))
    page = holding
    page.goto("/data?corpus=file")
    page.locator(".st-key-own-box [data-testid=stBidiComponentIsolated]").wait_for(state="attached")
    wait_idle(page)
    calls = page.evaluate("heldCalls()")
    assert calls
    open_drawer(page).get_by_role("button", name="Write or paste a text").click()
    eventually(page, lambda: page.evaluate("heldCalls()") > calls)
    wait_idle(page)
    page.evaluate("release()")
    box = page.get_by_label("Your text")
    expect(box).to_be_attached()
    expect(box).to_have_value("", timeout=5000)
