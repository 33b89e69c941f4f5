"""Errors in the parts of a page that run again alone, and a model brought from elsewhere."""

import ast
import io
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import playground
from playground.core import limited_process
from playground.onnx_export.export import export
from playground.runs import gallery
from playground.runs.store import RunStore
from tests.support.mutants import forking

PACKAGE = Path(playground.__file__).parent


def test_every_part_that_runs_again_alone_tells_its_errors():
    found = []
    for path in [*PACKAGE.rglob("*.py"), PACKAGE.parent / "app.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            bare = isinstance(node, ast.Attribute) and node.attr == "fragment" and getattr(node.value, "id", "") == "st"
            imported = (
                isinstance(node, ast.ImportFrom)
                and node.module == "streamlit"
                and "fragment" in [a.name for a in node.names]
            )
            if bare or imported:
                found.append(path.relative_to(PACKAGE.parent).as_posix())
    assert found == ["playground/ui/messages.py"]


def alone() -> None:
    """A part that fails as it is told to, below a sentence of its page."""
    import streamlit as st

    from playground.core.errors import PlaygroundError
    from playground.ui.messages import fragment

    @fragment(key="part")
    def part() -> None:
        how = st.radio("how", ["well", "told", "bug"])
        if how == "told":
            raise PlaygroundError("The file is empty.", "Bring another one.")
        if how == "bug":
            raise ZeroDivisionError("a bug")

    st.write("above")
    part()
    st.write("below")


@pytest.mark.parametrize(
    ("how", "said"),
    [("told", "The file is empty\\.\n\nBring another one\\."), ("bug", "Something went wrong on this page")],
)
def test_an_error_of_such_a_part_is_a_sentence_in_its_place(how, said, caplog):
    app = AppTest.from_function(alone).run()
    assert not app.error
    app.radio[0].set_value(how).run()
    assert not app.exception and said.replace("\\.", ".") in app.error[0].value.replace("\\", "")
    assert [text.value for text in app.markdown] == ["above", "below"]
    assert ("ZeroDivisionError" in caplog.text) == (how == "bug"), "the log tells what the page does not"


@pytest.fixture
def at_home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def by_a_doorkeeper(doorkeeper, monkeypatch) -> None:
    """Children that open what was brought are forks of one process, each in a tenth of the time."""
    monkeypatch.setattr(limited_process, "LimitedProcess", forking(doorkeeper))


def packed(folder: Path) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, f"model/{path.relative_to(folder)}")
    return made.getvalue()


def bring(app: AppTest, name: str, content: bytes) -> AppTest:
    box = next(each for each in app.file_uploader if "zip" in each.label)
    box.set_value((name, content, "application/zip")).run()
    if "finetune.model.job" in app.session_state:  # the page looks by itself, every third of a second
        app.session_state["finetune.model.job"].wait()
        app.run()
    return app


def chosen(app: AppTest) -> str:
    return next(box for box in app.selectbox if box.label == "Start from").value


@pytest.mark.parametrize("parent", ["bible-encoder", "bible-decoder"])
def test_a_packed_model_from_elsewhere_is_the_one_to_start_from(open_page, at_home, parent):
    exported = export(gallery.get(parent)).folder
    app = bring(open_page("finetune"), "elsewhere.zip", packed(exported))
    assert not app.exception and not app.error, [each.value for each in [*app.exception, *app.error]]
    (run,) = RunStore().list()
    assert chosen(app) == run.id and app.query_params["parent"] in (run.id, [run.id])
    assert run.config().model.d_model == gallery.get(parent).config().model.d_model
    box = next(each for each in app.selectbox if each.label == "Start from")
    box.set_value("bible-lstm").run()
    assert not app.exception and chosen(app) == "bible-lstm", "and another one can be chosen afterwards"


def test_no_page_asks_for_a_folder_of_the_server(open_page, at_home):
    """It told any visitor what there is on the machine, and took in private folders."""
    app = open_page("finetune")
    assert not [box for box in app.text_input if "folder" in box.label.lower() or "path" in (box.key or "")]
    assert any("python -m playground import" in text.value for text in app.caption)


def test_what_is_being_opened_can_be_stopped(open_page, at_home):
    app = open_page("finetune")
    box = next(each for each in app.file_uploader if "zip" in each.label)
    box.set_value(("model.zip", packed(export(gallery.get("bible-decoder")).folder), "application/zip")).run()
    next(button for button in app.button if button.key == "finetune.model.stop").click().run()
    app.session_state["finetune.model.job"].wait()
    app.run()
    assert not app.exception and "stopped" in app.error[0].value and RunStore().list() == []
    assert [path.name for path in RunStore().root.iterdir()] == [], "nothing of it is left"


@pytest.mark.parametrize("content", [b"PK no zip file", b""], ids=["broken", "empty"])
def test_what_is_no_model_ends_in_a_sentence_and_leaves_the_choice(open_page, at_home, by_a_doorkeeper, content):
    app = open_page("finetune")
    before = chosen(app)
    bring(app, "broken.zip", content)
    assert not app.exception and len(app.error) == 1 and "zip" in app.error[0].value
    assert chosen(app) == before and RunStore().list() == []
    bring(app, "good.zip", packed(export(gallery.get("bible-decoder")).folder))
    assert not app.exception and not app.error, "the uploader takes another one"
    assert chosen(app) == RunStore().list()[0].id
