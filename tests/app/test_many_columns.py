"""Tables of very many columns: the boxes offer some hundreds, among them what was found, and say how many there are."""

import io

import pytest
from streamlit.testing.v1 import AppTest

from playground.text import uploads
from playground.ui.table_columns import OFFERED
from tests.app.conftest import show

N = 900


@pytest.fixture
def wide(tmp_path, monkeypatch):
    """A table whose columns with text and label are its last ones."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    names = [f"column {i}" for i in range(N - 2)]
    numbers, animals = ["7"] * (N - 2), ["cat", "dog"] * 40
    rows = [",".join([*numbers, f"the {animal} sat here {i} times", animal]) for i, animal in enumerate(animals)]
    table = "\n".join([",".join([*names, "text", "label"]), *rows])
    return uploads.keep(io.BytesIO(table.encode()), "wide.csv").path


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_function(show, default_timeout=60, args=(page,))
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception and not app.error, [error.value for error in app.error]
    return app


def box(app: AppTest, label: str):
    return next(each for each in app.selectbox if each.label == label)


def told(app: AppTest) -> bool:
    return any(f"first {OFFERED} of {N} columns" in caption.value.replace("\\", "") for caption in app.caption)


def test_the_data_page_offers_some_hundreds(wide, monkeypatch):
    monkeypatch.setattr("playground.pages.data.page.ready", lambda spec: None)
    asked = {"corpus": "file", "file": wide.parent.name}
    column = box(opened("data", **asked), "Column with the text")
    assert len(column.options) <= OFFERED + 10
    app = opened("data", **asked, column=f"column {N - 5}")
    assert box(app, "Column with the text").value == f"column {N - 5}", "what a link asks for is offered too"
    assert told(app)


def test_the_fine_tune_page_offers_what_was_found(wide):
    app = opened("finetune", task="classify", data="file", file=wide.parent.name)
    text, label = (box(app, f"Column with the {what}") for what in ("text", "label"))
    assert (text.value, label.value) == ("text", "label") and told(app)
    assert max(len(text.options), len(label.options)) <= OFFERED + 10
