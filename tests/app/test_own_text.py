"""A text of one's own on the Data page: kept, listed, opened again, and trained on."""

import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models.spec import ModelSpec
from playground.runs.config import RunConfig
from playground.runs.store import RunStore
from playground.text import uploads
from playground.text.prepare import prepare
from playground.text.spec import DataSpec, TokenizerSpec
from tests.app.test_data import bring, said, settled
from tests.unit.text.test_documents import pdf

STORY = "".join(f"Day {n}: the miller sang to the river of {n % 7} loaves.\n" for n in range(200))
FILE = b"Somebody else wrote this file, and it says nothing of mills.\n" * 50


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write(app: AppTest, text: str) -> None:
    """What the box in the browser would have sent: AppTest draws no component."""
    app.session_state["own.text"] = app.session_state["own.draft"] = text
    app.run()


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception
    return app


def pages() -> None:
    """The page that the session says."""
    from importlib import import_module

    import streamlit as st

    from playground.ui.frame import frame

    frame(st.session_state.get("at", "data"))
    import_module(f"playground.pages.{st.session_state.get('at', 'data')}.page").page()


def there_and_back(app: AppTest) -> None:
    for name in ("home", "data"):
        app.session_state["at"] = name
        app.run()
        assert not app.exception, app.exception


def test_without_a_file_the_box_is_open(open_page):
    app = open_page("data", corpus="file")
    assert app.button(key="own.train") and not app.metric
    assert "The needle moves while you write." in [caption.value for caption in app.caption]


@pytest.mark.parametrize("text", ["", "  \n ", "Too short."])
def test_too_short_a_text_says_what_to_do(open_page, text):
    app = open_page("data", corpus="file")
    write(app, text)
    assert "too short to learn from" in said(press(app, "own.train"))
    assert not uploads.uploads()


def test_a_written_text_is_kept_and_looked_at(open_page):
    app = open_page("data", corpus="file")
    write(app, STORY)
    settled(press(app, "own.look"))
    kept = uploads.uploads()
    assert [each.path.read_text() for each in kept] == [STORY] and uploads.is_written(kept[0].path)
    assert app.session_state["data.file"] == str(kept[0].path)
    assert app.selectbox(key="data.file").options[0].startswith("Day 0 the miller sang to the river of 0")
    assert app.query_params["file"] == kept[0].path.parent.name
    assert "own.draft" not in app.session_state


def test_training_takes_the_text_as_it_is_cut(open_page):
    app = open_page("data", corpus="file", tokenizer="char", vocabulary="300")
    write(app, STORY)
    press(app, "own.train")
    data = DataSpec.from_dict(app.session_state["draft.data"])
    assert data == DataSpec("file", path=str(uploads.uploads()[0].path), tokenizer=TokenizerSpec("char", 300))
    assert prepare(data).info["bytes"] == len(STORY)


def test_a_kept_text_opens_in_the_box_again(open_page):
    upload = uploads.write(STORY)
    app = open_page("data", corpus="file", file=upload.path.parent.name)
    assert app.session_state["own.text"] == STORY
    app.session_state["own.text"] = STORY + "And they lived.\n"
    settled(press(app.run(), "own.look"))
    assert {each.path.read_text() for each in uploads.uploads()} == {STORY, STORY + "And they lived.\n"}


def edit(app: AppTest, text: str, key: str = "own.look") -> Path:
    """Changes what is written, and where it is kept then."""
    write(app, text)
    press(app, key)
    app.run()
    return Path(app.session_state["data.file"])


def test_a_text_is_one_file_however_often_it_is_edited(open_page, home):
    app = open_page("data", corpus="file")
    for end in ("", "One more day.\n", "Two more days.\n", ""):
        last = edit(app, STORY + end)
    assert [each.path for each in uploads.uploads()] == [last] and last.read_text() == STORY
    assert not list((home / "uploads").glob(".part-*"))


def test_what_a_run_learns_from_stays_as_it_is(open_page, home):
    app = open_page("data", corpus="file")
    first, trash = edit(app, STORY), home / "trash"
    run = RunStore().create(RunConfig("learns", ModelSpec("decoder"), DataSpec("file", path=str(first))))
    second = edit(app, STORY + "A second day.\n")
    third = edit(app, STORY + "A third day.\n")
    assert {each.path for each in uploads.uploads()} == {first, third} and not second.exists()
    RunStore().delete(run.id)
    assert list(trash.iterdir())
    fourth = edit(app, STORY + "A fourth day.\n")
    assert first.read_text() == STORY and {each.path for each in uploads.uploads()} == {first, fourth}
    assert prepare(DataSpec("file", path=str(first), tokenizer=TokenizerSpec("byte"))).info["bytes"] == len(STORY)


def test_what_somebody_else_wrote_or_brought_stays_when_it_is_edited(open_page):
    theirs = uploads.write(STORY).path
    brought = uploads.keep(io.BytesIO((STORY + "Brought.\n").encode()), "mine.txt").path
    app = open_page("data", corpus="file", file=theirs.parent.name)
    app.session_state["own.text"] = STORY + "And they lived.\n"
    settled(press(app.run(), "own.look"))
    for text in (STORY + "Brought.\n", STORY + "Something else.\n"):
        edit(app, text)
    assert theirs.read_text() == STORY and brought.read_text() == STORY + "Brought.\n"
    assert len(uploads.uploads()) == 3


def test_what_somebody_else_wrote_too_stays(open_page):
    mine, theirs = open_page("data", corpus="file"), open_page("data", corpus="file")
    first = edit(mine, STORY)
    edit(mine, STORY)  # looked at again: it is still one person's
    theirs.button(key="data.write").click().run() if "data.write" in [each.key for each in theirs.button] else None
    assert edit(theirs, STORY) == first
    edit(mine, STORY + "One more day.\n")
    assert first.read_text() == STORY and len(uploads.uploads()) == 2


def test_what_somebody_else_chose_stays(open_page):
    mine = open_page("data", corpus="file")
    first = edit(mine, STORY)
    open_page("data", corpus="file", file=first.parent.name)
    edit(mine, STORY + "One more day.\n")
    assert first.read_text() == STORY and len(uploads.uploads()) == 2


def test_what_somebody_else_brought_later_stays(open_page):
    mine = open_page("data", corpus="file")
    first = edit(mine, STORY)
    assert uploads.keep(io.BytesIO(STORY.encode()), "theirs.txt").path == first
    edit(mine, STORY + "One more day.\n")
    assert first.read_text() == STORY and len(uploads.uploads()) == 2


def test_a_plan_to_train_on_a_text_follows_it(open_page):
    app = open_page("data", corpus="file")
    write(app, STORY)
    press(app, "own.train")
    app.run()
    kept = edit(app, STORY + "One more day.\n")
    assert app.session_state["draft.data"]["path"] == str(kept) and len(uploads.uploads()) == 1


def test_a_file_is_looked_at_and_the_box_is_a_click_away(open_page):
    app = settled(bring(open_page("data", corpus="file"), "other.txt", FILE))
    assert app.button(key="data.train") and not [each for each in app.button if each.key == "own.train"]
    press(app, "data.write")
    assert app.button(key="own.train") and app.session_state["own.text"] == ""
    write(app, "a draft")
    app.selectbox(key="data.file").set_value(str(uploads.uploads()[0].path)).run()
    press(app, "data.write")
    assert app.session_state["own.text"] == "a draft"  # kept while another text was looked at


def test_what_is_being_written_is_there_when_one_comes_back(open_page):
    uploads.keep(io.BytesIO(FILE), "other.txt")
    app = AppTest.from_function(pages, default_timeout=60)
    for name, value in {"corpus": "file", "tokenizer": "char", "vocabulary": "300"}.items():
        app.query_params[name] = value
    press(app.run(), "data.write")
    write(app, "a draft")
    assert "file" not in app.query_params
    there_and_back(app)
    assert app.session_state["own.text"] == "a draft" and app.session_state["data.kind"] == "char"
    assert app.button(key="own.train")
    app.selectbox(key="data.corpus").set_value("python-docs").run()
    there_and_back(app)
    assert app.session_state["data.corpus"] == "python-docs"  # the last that was looked at


def test_a_pdf_is_brought_like_a_text(open_page):
    app = settled(
        bring(open_page("data", corpus="file"), "paper.pdf", pdf([[f"Page {n} of the mill."] for n in range(40)]))
    )
    assert not app.error and app.metric[0].value == f"{sum(len(f'Page {n} of the mill.') + 1 for n in range(40))} B"


def test_a_scanned_pdf_says_what_to_do(open_page):
    app = bring(open_page("data", corpus="file"), "scan.pdf", pdf([[]]))
    assert "scan.pdf holds no text" in said(app) and "OCR" in said(app)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_train_tells_whether_the_text_is_enough(open_page, lang):
    upload = uploads.write(STORY)
    data = DataSpec("file", path=str(upload.path), tokenizer=TokenizerSpec("byte"))
    prepare(data)
    app = open_page("train", corpus="file", file=upload.path.parent.name, tokenizer="byte", lang=lang)
    wanted = "tokens per parameter" if lang == "en" else "个词元 ÷"
    assert any(wanted in caption.value for caption in app.caption)


def test_of_two_texts_that_are_called_alike_the_one_just_written_is_shown(open_page):
    app = open_page("data", corpus="file")
    first, second = STORY, STORY[:-3] + "!!\n"  # the same beginning and size
    for text in (first, second):
        if [button for button in app.button if button.key == "data.write"]:
            press(app, "data.write")
        write(app, text)
        press(app, "own.look")
        app.run()  # what the boxes say now
    assert Path(app.selectbox(key="data.file").value).read_text(encoding="utf-8") == second
    assert len(set(app.selectbox(key="data.file").options)) == len(app.selectbox(key="data.file").options)
