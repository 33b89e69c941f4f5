"""The shipped runs, and which of them a person sees first in each language."""

import json

import pytest

from playground.core.errors import PlaygroundError
from playground.runs import gallery
from playground.runs.folder import RunFolder
from playground.text.catalogue import CORPORA


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """``shelf(ids, order)`` puts empty runs with these ids where the gallery is, and the order beside them."""

    def fill(ids, order):
        for run_id in ids:
            (tmp_path / run_id).mkdir()
            (tmp_path / run_id / "run.json").write_text("{}", encoding="utf-8")
        (tmp_path / "order.json").write_text(json.dumps(order), encoding="utf-8")

    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    return fill


def ids(language):
    return [run.id for run in gallery.runs(language)]


def test_each_language_has_an_order_of_its_own(shelf):
    shelf(["a", "b", "c"], {"en": ["c", "a", "b"], "zh": ["b", "c", "a"]})
    assert ids("en") == ["c", "a", "b"] and ids("zh") == ["b", "c", "a"]


def test_runs_that_the_order_does_not_name_come_last_by_name(shelf):
    shelf(["y", "a", "x", "b"], {"en": ["b", "a"], "zh": ["x"]})
    assert ids("en") == ["b", "a", "x", "y"] and ids("zh") == ["x", "a", "b", "y"]


def test_names_without_a_run_and_languages_without_an_order_change_nothing(shelf):
    shelf(["a", "b"], {"en": ["gone", "b", "missing", "a"], "zh": ["a", "b"]})
    assert ids("en") == ids("fr") == ["b", "a"]


def test_an_empty_gallery_needs_no_order(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    assert gallery.runs("en") == gallery.runs("zh") == []


def test_the_shipped_orders_name_every_run_once():
    shipped = {path.parent.name for path in gallery.FOLDER.glob("*/run.json")}
    orders = json.loads((gallery.FOLDER / "order.json").read_text(encoding="utf-8"))
    orders.pop("opens")
    for language, order in orders.items():
        assert len(order) == len(set(order)) and shipped <= set(order), language
        assert ids(language) == [run_id for run_id in order if run_id in shipped]


def test_a_run_opens_where_its_story_is_seen():
    assert gallery.opens(gallery.get("grokking")) == "train"
    assert gallery.opens(gallery.get("dialogue")) == "generate"
    assert gallery.opens(gallery.get("stories-decoder")) is None


def test_a_recipe_keeps_the_snapshots_that_ship():
    for run in gallery.runs():
        *before, last = run.checkpoints()
        assert tuple(before) == run.config().training.keep_steps, run.id
        assert last == run.status().step, run.id


def test_of_another_place_the_order_says_nothing(shelf, tmp_path):
    shelf(["a"], {"en": ["a"], "opens": {"a": "train", "b": "train"}})
    assert gallery.opens(gallery.get("a")) == "train"
    assert gallery.opens(RunFolder(tmp_path / "elsewhere" / "b")) is None


def test_the_first_run_is_in_the_persons_language():
    for language in ("en", "zh"):
        assert CORPORA[gallery.runs(language)[0].config().data.corpus].language == language


def test_what_ships_is_found_by_its_id_and_told_from_other_runs(tmp_path):
    run = gallery.runs()[0]
    assert gallery.get(run.id) == run and gallery.holds(run)
    assert not gallery.holds(RunFolder(tmp_path / run.id))
    with pytest.raises(PlaygroundError, match="nothing-of-this-name"):
        gallery.get("nothing-of-this-name")
