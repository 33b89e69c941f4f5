"""Parts of a page that run again by themselves undo nothing that people do."""

from functools import partial

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests
from streamlit.testing.v1 import AppTest, local_script_runner

from playground.ui.streamlit_fixes import rerun_widgets


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(ScriptRequests, "_request_rerun_locked", ScriptRequests._request_rerun_locked)
    rerun_widgets.apply()


def asked(*requests: RerunData) -> dict:
    """What the controls are set to by requests that all wait for the same run."""
    one = ScriptRequests()
    for each in requests:
        assert one.request_rerun(each)
    found = one.on_scriptrunner_ready().rerun_data.widget_states.widgets
    return {state.id: getattr(state, state.WhichOneof("value")) for state in found}


def shown(**values: int | bool) -> WidgetStates:
    """What a browser sends: numbers for sliders, True for a button that was pressed."""
    kinds = {bool: "trigger_value", int: "int_value"}
    return WidgetStates(widgets=[WidgetState(id=name, **{kinds[type(value)]: value}) for name, value in values.items()])


def test_a_tick_brings_no_value():
    assert asked(RerunData(widget_states=shown(steps=3), fragment_id="part", is_auto_rerun=True)) == {}


@pytest.mark.parametrize("order", [1, -1])
def test_beside_a_tick_what_was_touched_counts(order):
    touched = RerunData(widget_states=shown(steps=4, train=True))
    tick = RerunData(widget_states=shown(steps=3), fragment_id="part", is_auto_rerun=True)
    assert asked(*[touched, tick][::order]) == {"steps": 4, "train": True}


def page():
    import streamlit as st

    if st.button("Begin"):
        st.session_state["file"] = "new"
    st.selectbox("File", ["old", "new"], key="file")
    st.slider("Steps", 0, 10, 5, key="steps")


def pressed_and_ticked(monkeypatch) -> AppTest:
    """A slider is moved, the button pressed, and a tick comes from a browser that has not drawn that yet."""
    at = AppTest.from_function(page).run()
    at.slider(key="steps").set_value(7).run()
    before = at._tree.get_widget_states()
    at.button[0].click().run()
    assert at.selectbox[0].value == "new"
    monkeypatch.setattr(local_script_runner, "RerunData", partial(RerunData, is_auto_rerun=True))
    return at._run(before)


def test_a_press_is_not_undone(monkeypatch):
    at = pressed_and_ticked(monkeypatch)
    assert (at.selectbox[0].value, at.slider[0].value) == ("new", 7)


def test_streamlit_still_needs_it(monkeypatch):
    """The day this fails, Streamlit keeps the press itself: `ticks` can go."""
    monkeypatch.setattr(ScriptRequests, "_request_rerun_locked", rerun_widgets._request)
    assert pressed_and_ticked(monkeypatch).selectbox[0].value == "old"
