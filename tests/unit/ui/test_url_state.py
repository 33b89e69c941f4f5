"""The table of all that stands in addresses: each row once, with a control that exists; old names are read, never written."""

import pytest
from streamlit.testing.v1 import AppTest

from playground.ui import url_state
from playground.ui.url_state import CONTROLS, PAGES, PARAMETERS, Parameter


def test_a_page_has_each_parameter_once():
    rows = [(page, name) for row in PARAMETERS for page in row.pages or PAGES for name in (row.name, *row.old_names)]
    assert len(rows) == len(set(rows))


def test_a_control_that_is_named_can_be_hidden():
    assert set(CONTROLS) == set(PAGES)
    for row in PARAMETERS:
        assert not row.control or all(row.control in CONTROLS[page] for page in row.pages), row


@pytest.mark.parametrize(
    ("row", "text", "value"),
    [
        (Parameter("a", int, 3), "7", 7),
        (Parameter("a", int, 3), "²", 3),
        (Parameter("a", int), "9" * 400, None),
        (Parameter("a", float, 0.5), "x", 0.5),
        (Parameter("a", bool, True), "0", False),
        (Parameter("a", bool, True), "maybe", True),
        (Parameter("a", tuple), "b,a,,b", ("b", "a")),
        (Parameter("a", tuple), "", ()),
    ],
)
def test_a_text_becomes_a_value_of_its_type(row, text, value):
    assert row.parse(text) == value


@pytest.mark.parametrize(
    ("row", "value", "text"),
    [
        (Parameter("a", bool, True), False, "0"),
        (Parameter("a", bool, True), True, ""),
        (Parameter("a", tuple), [1, 2], "1,2"),
        (Parameter("a", str, "usual"), "usual", ""),
        (Parameter("a", int, None), 0, "0"),
        (Parameter("a"), None, ""),
    ],
)
def test_a_value_becomes_a_text_and_the_default_none(row, value, text):
    assert row.write(value) == text


def test_what_the_table_does_not_have_is_refused():
    with pytest.raises(KeyError):
        url_state.parameter("train", "no_such")
    with pytest.raises(KeyError):
        url_state.parameter("", "steps")


def reads_and_writes() -> None:
    import streamlit as st

    from playground.ui import url_state

    st.session_state["read"] = url_state.text("train", "constant_fraction"), url_state.text("finetune", "view")
    url_state.remember("train", constant_fraction=0.25)


def test_names_of_earlier_versions_are_read_and_never_written():
    app = AppTest.from_function(reads_and_writes)
    app.query_params["hold"], app.query_params["view"] = "0.5", "gained"
    app.run()
    assert app.session_state["read"] == ("0.5", "pretraining")
    assert dict(app.query_params) == {"constant_fraction": "0.25", "view": "gained"}


def test_a_new_name_counts_more_than_the_old_one():
    app = AppTest.from_function(reads_and_writes)
    app.query_params["hold"], app.query_params["constant_fraction"] = "0.5", "0.1"
    app.run()
    assert app.session_state["read"][0] == "0.1"
