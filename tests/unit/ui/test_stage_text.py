"""The text of the stage and its address: a link is opened, what the page wrote itself is no link."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st

    from playground.ui.stage_text import keep_text, linked_text

    st.session_state["linked"] = linked_text("box", "explore", "text")
    keep_text("box", "explore", "text", st.session_state["linked"] or st.session_state["typed"])


def sent(app: AppTest, said: str, typed: str = "") -> str:
    """What is taken for a link when a browser whose address says that sends what was typed."""
    app.query_params["text"] = said
    app.session_state["typed"] = typed
    app.run()
    return app.session_state["linked"]


def test_an_address_that_was_written_here_is_no_link_however_late_it_comes():
    app = AppTest.from_function(script)
    assert sent(app, "a") == "a"
    for said, typed in (("a", "ab"), ("a", "abc"), ("ab", "abcd"), ("ab", "abcde"), ("abcd", "abcdef")):
        assert sent(app, said, typed) == "", said
    assert app.query_params["text"] == "abcdef"


def test_another_address_is_a_link_and_so_is_one_that_was_left():
    app = AppTest.from_function(script)
    assert sent(app, "a") == "a"
    sent(app, "a", "ab")
    assert sent(app, "elsewhere", "ab") == "elsewhere"
    sent(app, "elsewhere", "b")
    sent(app, "b", "c")
    assert sent(app, "elsewhere", "c") == "elsewhere", "the browser has heard of a later one since"
