"""One slider over the steps of a run, in every view: it moves what is looked at, and stands in the address."""

import re
import shutil

import pytest

from playground import gallery
from playground.runs import snapshots
from playground.training import worker
from playground.ui.places import VIEWS

RUNS = {
    "attention": "induction",
    "steps": "induction",
    "positions": "induction",
    "predictions": "induction",
    "intervene": "induction",
    "recurrent": "recall-lstm",
}


def texts(app) -> str:
    return "\n".join(found.value for kind in ("caption", "markdown", "text") for found in app.get(kind))


def slider(app, page, run):
    return app.select_slider(key=f"{page}.step.{run}.slider")


def address(app):
    said = app.query_params.get("step")
    return said[0] if isinstance(said, list) else said


def test_there_is_a_run_for_every_view():
    assert {*RUNS, "timeline"} == set(VIEWS), "the timeline has a clock of its own"


@pytest.mark.parametrize("view", RUNS)
def test_every_view_is_scrubbed_by_one_slider_and_its_arrows(open_page, view, monkeypatch):
    from playground.ui import cached

    run = RUNS[view]
    first, *middle, last = gallery.get(run).checkpoints()
    asked, found = [], cached.model
    monkeypatch.setattr(cached, "model", lambda run, step=None: asked.append(step) or found(run, step))
    app = open_page("explore", run=run, view=view)
    assert not app.exception and slider(app, "explore", run).value == last and address(app) is None
    assert len([each for each in app.select_slider if "step" in each.key]) == 1
    asked.clear()
    slider(app, "explore", run).set_value(first).run()
    assert not app.exception and not app.error and address(app) == str(first) and first in asked
    assert app.button(key=f"explore.step.{run}.before").disabled
    app.button(key=f"explore.step.{run}.after").click().run()
    second = [*middle, last][0]
    assert slider(app, "explore", run).value == second and address(app) == (str(second) if second != last else None)
    slider(app, "explore", run).set_value(last).run()
    assert address(app) is None and app.button(key=f"explore.step.{run}.after").disabled


def test_a_link_opens_its_step_in_every_view(open_page):
    for view, run in RUNS.items():
        first = gallery.get(run).checkpoints()[0]
        app = open_page("explore", run=run, view=view, step=str(first))
        assert slider(app, "explore", run).value == first and address(app) == str(first), view


def test_the_picture_is_that_of_the_step(open_page):
    app = open_page("explore", run="induction", view="attention", step="300")
    assert "step 300," in texts(app)
    slider(app, "explore", "induction").set_value(1500).run()
    assert "step 1,500," in texts(app)


def test_a_model_with_one_step_has_no_slider(open_page):
    app = open_page("explore", run="positions-alibi", view="attention")
    assert not app.exception and not [each for each in app.select_slider if "step" in each.key]


def test_texts_are_written_by_the_step_that_is_chosen(open_page):
    run = "stories-decoder"
    first, *_, last = gallery.get(run).checkpoints()
    app = open_page("generate", run=run)
    assert slider(app, "generate", run).value == last
    slider(app, "generate", run).set_value(first).run()
    assert not app.exception and not app.error and address(app) == str(first)


def test_steps_without_a_checkpoint_are_looked_at_by_their_snapshots(open_page, new_run):
    run = new_run()
    assert worker.run(run) == "finished"
    for step in run.checkpoints()[:-1]:
        shutil.rmtree(run.checkpoint(step))
    app = open_page("explore", run=run.id, view="attention", step="5")
    assert not app.exception and not app.error and re.search(r"step 5, \d+ tokens", texts(app))
    assert slider(app, "explore", run.id).options == [f"step {step}" for step in snapshots.steps_of(run)]


@pytest.mark.parametrize("said", ["7", "-1", "²", "1e3"])
def test_a_step_that_there_is_not_is_the_latest(open_page, said):
    app = open_page("explore", run="induction", view="attention", step=said)
    assert slider(app, "explore", "induction").value == 1500 and address(app) is None
