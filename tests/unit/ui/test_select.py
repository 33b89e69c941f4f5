"""A box whose options change: what the page takes is what the browser shows."""

import pytest
from streamlit.testing.v1 import AppTest


def boxes():
    import streamlit as st

    from playground.ui.select import select, select_several

    options = ["rnn", "lstm", "gru"] if not st.session_state.get("changed") else ["lstm", "gru"]
    st.session_state["one"] = select("One", options, key="box")
    st.session_state["many"] = select_several("Many", options, ["lstm"], key="boxes")


@pytest.fixture
def chosen():
    """A page on which "rnn" was chosen in both boxes, before it became no option any more."""
    app = AppTest.from_function(boxes).run()
    app.selectbox(key="box").select("rnn")
    app.multiselect(key="boxes").set_value(["rnn"]).run()
    app.session_state["changed"] = True
    return app.run()


def test_the_browser_is_told_what_is_taken_in_the_place_of_an_option_that_is_gone(chosen):
    assert not chosen.exception
    box, several = chosen.selectbox(key="box").proto, chosen.multiselect(key="boxes").proto
    assert chosen.session_state["one"] == "lstm" and chosen.session_state["many"] == ["lstm"]
    assert box.set_value and box.raw_value == "lstm"
    assert several.set_value and list(several.raw_values) == ["lstm"]


def test_a_choice_that_is_still_offered_stays():
    app = AppTest.from_function(boxes).run()
    app.selectbox(key="box").select("gru").run()
    app.session_state["changed"] = True
    app.run()
    assert app.session_state["one"] == "gru" == app.selectbox(key="box").value
