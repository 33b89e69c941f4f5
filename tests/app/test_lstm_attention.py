"""The LSTM with attention that ships, as the pages show it."""

import itertools

import pytest

from playground import gallery
from playground.text.tasks import open_task
from playground.text.tokenizers import Tokenizer
from playground.training.load_model import load_model
from playground.training.samples import greedy_answer
from playground.ui import server_start
from tests.app.test_explore import texts
from tests.app.test_explore_recurrent import shown

DATE = "18 October 2007"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    server_start.torch_loaded.set()


def test_only_the_views_that_it_has_are_offered():
    from playground.ui.model_views import views_of

    others = ["attention", "positions", "recurrent", "predictions", "intervene"]
    assert views_of(gallery.get("dates-lstm")) == [*others, "timeline"]
    assert "steps" in views_of(gallery.get("dates"))


@pytest.mark.parametrize("view", ["attention", "positions", "recurrent", "predictions", "intervene"])
def test_every_view_opens(open_page, view):
    app = open_page("explore", run="dates-lstm", view=view, text=DATE)
    assert not app.exception and not app.error and app.session_state["explore.view"] == view


def test_its_alignment_is_the_attention_that_is_shown(open_page):
    app = open_page("explore", run="dates-lstm", view="attention", text=DATE)
    assert "Where it writes “" in texts(app)
    assert not [box for box in app.selectbox if box.key == "explore.attention.part" and len(box.options) > 1]


def test_one_alignment_has_no_head_to_choose_and_no_number(open_page):
    app = open_page("explore", run="dates-lstm", view="attention", text=DATE)
    assert "head 0" not in texts(app) and "Each picture is one head" not in texts(app)
    assert not [box for box in app.selectbox if box.key and box.key.startswith("explore.attention.way")]
    held = [element.proto.json for element in app.get("bidi_component") if element.proto.json]
    assert not any('"off"' in data for data in held), "no grid of heads"
    assert "Layer 0, head 0" in texts(open_page("explore", run="dates", view="attention", layer="0", head="0"))


@pytest.mark.parametrize(("layer", "side"), [(0, "source"), (1, "source"), (2, "target")])
def test_gates_of_both_sides_are_shown_over_the_text_that_each_reads(open_page, layer, side):
    app = open_page("explore", run="dates-lstm", view="recurrent", text=DATE, layer=str(layer))
    tokens = shown(app)["tokens"]
    assert len(tokens) == (len(DATE) if side == "source" else 1 + len("2007-10-18"))


def test_dates_that_are_drawn_anew_are_translated():
    """With the weights that ship, in half precision; the calendar is the truth."""
    run = gallery.get("dates-lstm")
    model, tokenizer = load_model(run), Tokenizer.load(run.tokenizer_path)
    drawn = open_task("task-dates", run.config().data.options, seed=1).documents()
    right = [
        tokenizer.decode(greedy_answer(model, tokenizer.encode(question), tokenizer, 16)) == answer
        for question, answer in itertools.islice(drawn, 200)
    ]
    assert sum(right) >= 198


def test_its_first_checkpoint_knows_nothing(open_page):
    app = open_page("explore", run="dates-lstm", view="predictions", text=DATE, target="2007-10-18", step="0")
    assert not app.error
    (loss,) = [box.value for box in app.metric if box.label == "Loss of this text"]
    assert float(loss.split()[0]) > 4
