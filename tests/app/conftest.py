"""The app without a browser: Streamlit's own tester runs a page's script and shows what it would draw."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_page():
    """``open_page("train", run="x")``: the app on that page, run once; fails where an error was shown as a bug."""

    def open_it(name: str = "home", **query: str) -> AppTest:
        app = AppTest.from_function(show, default_timeout=60, args=(name,))
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception, app.exception
        assert not [error for error in app.error if "Something went wrong" in error.value], "the log has the bug"
        return app

    return open_it


def show(name: str) -> None:
    """One page inside the app's frame, as app.py opens it."""
    from importlib import import_module

    from playground.ui.frame import frame
    from playground.ui.messages import shown_errors

    frame(name)
    with shown_errors():
        import_module(f"playground.pages.{name}.page").page()
