"""The timeline among the views of a model, without a browser."""

import json
from collections import OrderedDict

import pytest
from streamlit.testing.v1 import AppTest

from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.runs.frames import from_bytes
from playground.runs.snapshots import steps_of
from playground.ui import timeline
from playground.ui.model_views import views_of


def explore(**query: str) -> AppTest:
    def script() -> None:
        from playground.pages.explore.page import page

        page()

    app = AppTest.from_function(script, default_timeout=60)
    for name, value in {"view": "timeline", **query}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception, app.exception
    return app


def drawn(app: AppTest) -> dict:
    """What the picture was given."""
    held = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    return next(each for each in held if "frames" in each)


def test_the_birth_of_the_induction_head_is_told_and_marked():
    app = explore(run="induction")
    given = drawn(app)
    assert len(given["frames"]) == len(steps_of(gallery.get("induction"))) == 7 and given["mode"] == "timeline"
    assert any("induction head" in event["what"] for event in given["events"])
    assert "induction head" in " ".join(each.value for each in app.markdown)


def test_two_runs_play_on_one_clock():
    given = drawn(explore(run="recall-gru", beside="recall-lstm"))
    assert given["names"] and len(given["names"]) == 2 and len(given["second"]) == 2


def test_a_model_of_one_step_has_no_timeline():
    assert "timeline" not in views_of(gallery.get("bible-decoder")) and "timeline" in views_of(gallery.get("induction"))


def test_a_timeline_is_worked_out_once(monkeypatch):
    run = gallery.get("recall-gru")
    first = timeline.look_back(run, "H", ">HABC?")
    monkeypatch.setattr(timeline, "_worked_out", lambda *asked: pytest.fail("again"))
    assert timeline.look_back(run, "H", ">HABC?") is first
    assert [from_bytes(each).about["step"] for each in first.frames] == steps_of(run)


def test_what_cannot_be_played_leaves_the_page_as_it_is(monkeypatch):
    def refused(*asked):
        raise PlaygroundError("The snapshot is damaged.")

    monkeypatch.setattr(timeline, "_worked_out", refused)
    monkeypatch.setattr(timeline, "_kept", OrderedDict)
    from playground.runs.look import LookRequest

    assert timeline.timeline_of(gallery.get("recall-gru"), LookRequest(text="other")) == timeline.Played()
