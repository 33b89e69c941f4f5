"""The address in the browser is the one that the app means, also where a run is cut short while it tells it."""

import pytest
from streamlit.runtime.scriptrunner_utils.exceptions import RerunException
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest


@pytest.fixture
def browser(monkeypatch):
    """What the browser was told last, and whether the next telling is cut short by a click that waits already."""

    class Browser:
        address, cut = "", False

    tell = ScriptRunContext.enqueue

    def enqueue(context, message):
        if message.WhichOneof("type") == "page_info_changed":
            if Browser.cut:
                Browser.cut = False
                raise RerunException(RerunData())
            Browser.address = message.page_info_changed.query_string
        tell(context, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", enqueue)
    return Browser


def page() -> None:
    import streamlit as st

    from playground.ui import url_state

    url_state.remember("", **st.session_state.get("wanted", {}))
    st.text("drawn")


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"lang": None}, {"lang": "zh"}, "lang=zh"),
        ({"lang": "zh"}, {"lang": None}, ""),
        ({"lang": "zh", "hide": "a"}, {"lang": None, "hide": "b"}, "hide=b"),
        ({"run": 1}, {"run": 2}, "run=2"),
    ],
)
def test_the_browser_is_told_what_changed(before, after, told, cut, browser):
    app = AppTest.from_function(page)
    app.session_state["wanted"] = before
    app.run()
    app.session_state["wanted"], browser.cut = after, cut
    app.run()
    app.run()
    assert not app.exception and app.text[0].value == "drawn"
    assert browser.address == told


def test_a_browser_that_clicks_before_it_hears_is_told_again(browser):
    """It sends the address that it has, which is the one wanted now, and then hears of the one before."""
    app = AppTest.from_function(page)
    app.session_state["wanted"] = {"lang": "zh"}
    app.run()
    app.session_state["wanted"] = {"lang": None}
    app.run()
    assert browser.address == ""
    app.session_state["wanted"] = {"lang": "zh"}
    app.query_params["lang"] = "zh"
    app.run()
    assert browser.address == "lang=zh"


def test_what_was_told_is_not_told_again(browser):
    app = AppTest.from_function(page)
    app.session_state["wanted"] = {"lang": "zh"}
    app.run()
    browser.address = "nothing since"
    app.run()
    assert browser.address == "nothing since"
