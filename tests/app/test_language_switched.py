"""The language is changed there and back before the page is drawn: what was chosen stays chosen.

The browser then still sends the titles of the language before, which are none of the titles of now.
"""

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1.element_tree import Multiselect, Selectbox

PAGES = {
    "build": {"preset": "gpt2-tiny", "norm": "rmsnorm"},
    "data": {"corpus": "task-dates"},
    "train": {"preset": "rnn-tiny", "corpus": "task-dates"},
    "finetune": {"parent": "bible-decoder", "task": "answer"},
    "runs": {},
    "explore": {"run": "bible-lstm", "view": "gates"},
    "export": {"run": "dates"},
}


def chosen(app) -> dict[str, object]:
    return {box.key: box.value for box in [*app.selectbox, *app.multiselect]}


@pytest.fixture
def in_the_other_language(monkeypatch):
    """From now on, every box sends a title that it does not know."""

    def send(box) -> WidgetState:
        state = WidgetState(id=box.id)
        if isinstance(box, Selectbox):
            state.string_value = "它用另一种语言的名字"
        else:
            state.string_array_value.data[:] = ["它用另一种语言的名字" for _ in box.value]
        return state

    def begin():
        for kind in (Selectbox, Multiselect):
            monkeypatch.setattr(kind, "_widget_state", property(send))

    return begin


@pytest.mark.parametrize("page", PAGES)
def test_what_was_chosen_stays(open_page, in_the_other_language, page):
    app = open_page(page, **PAGES[page])
    app.run()  # the choices of the address have been drawn
    before, address = chosen(app), dict(app.query_params)
    assert before
    in_the_other_language()
    app.run()
    assert not app.exception and not app.error
    assert chosen(app) == before
    assert dict(app.query_params) == address


def test_a_filter_of_the_runs_stays(open_page, in_the_other_language):
    app = open_page("runs")
    app.multiselect(key="runs.kinds").select("decoder").run()
    in_the_other_language()
    app.run()
    assert app.multiselect(key="runs.kinds").value == ["decoder"]


def test_a_switch_that_says_nothing_leaves_the_language_of_the_address(open_page):
    app = open_page("runs", lang="zh")
    app.session_state["lang"] = None
    app.run()
    assert not app.exception and app.title[0].value == "实验"
