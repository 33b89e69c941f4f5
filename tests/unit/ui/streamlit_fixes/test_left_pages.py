"""A page that was left asks for nothing any more."""

from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests

from playground.ui.streamlit_fixes import left_pages


@pytest.fixture
def passed(monkeypatch) -> list[ClientState]:
    """What is asked of Streamlit in the end."""
    asked: list[ClientState] = []
    monkeypatch.setattr(AppSession, "request_rerun", AppSession.request_rerun)
    monkeypatch.setattr(left_pages, "_request", lambda session, state: asked.append(state))
    left_pages.apply()
    return asked


def session(shown: str, *waits: RerunData) -> SimpleNamespace:
    """A session that shows a page, with requests that its next run has not begun with."""
    requests = ScriptRequests()
    for each in waits:
        requests.request_rerun(each)
    return SimpleNamespace(
        _scriptrunner=SimpleNamespace(_requests=requests),
        _pages_manager=SimpleNamespace(current_page_script_hash=shown),
    )


def part(page: str) -> ClientState:
    return ClientState(fragment_id="part", page_script_hash=page)


@pytest.mark.parametrize(
    ("shown", "waits", "page", "is_run"),
    [
        ("learn", [], "learn", True),
        ("inside", [], "learn", False),  # the new page runs already
        ("learn", [RerunData(page_script_hash="inside")], "learn", False),  # it waits
        ("learn", [RerunData(page_script_hash="inside")], "inside", True),
        ("learn", [RerunData(page_script_hash="learn", fragment_id="other")], "learn", True),  # parts wait together
        ("", [], "learn", True),  # the first page of all
    ],
)
def test_a_part_is_run_on_its_own_page(passed, shown, waits, page, is_run):
    AppSession.request_rerun(session(shown, *waits), part(page))
    assert [state.page_script_hash for state in passed] == ([page] if is_run else [])


def test_whole_pages_are_always_run(passed):
    AppSession.request_rerun(session("learn"), ClientState(page_script_hash="inside"))
    AppSession.request_rerun(session("learn"), None)
    assert len(passed) == 2
