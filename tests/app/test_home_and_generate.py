"""The first page and the writing page, without a browser: what they draw, and what they say when they cannot."""

import pytest

from models.presets import PRESETS
from playground.runs import gallery
from playground.runs.store import RunStore
from playground.training import worker
from playground.ui import server_start

TINY = {"d_model": 32, "n_layers": 1, "n_heads": 2, "context_length": 32}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """No runs, and none that ship with the app."""
    monkeypatch.setattr(gallery, "FOLDER", tmp_path / "gallery")
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    server_start.torch_loaded.set()


@pytest.fixture
def trained(new_run):
    """``trained("bert-tiny", ...)``: a run of twelve steps."""

    def make(preset: str = "gpt2-tiny", objective: str = "clm", corpus: str = "python-docs"):
        spec = PRESETS[preset].spec.replace(**TINY)
        folder = new_run(spec.to_dict(), {"objective": objective}, {"corpus": corpus})
        assert worker.run(folder) == "finished"
        return folder

    return make


def texts(app) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "error")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def test_without_a_model_both_pages_invite_to_train(open_page):
    for name in ("home", "generate"):
        assert "No trained model yet" in texts(open_page(name))


def test_home_shows_a_model_at_work(open_page, trained):
    folder = trained()
    app = open_page("home")
    assert app.selectbox(key="home.run").value == folder.id
    assert not app.error


@pytest.mark.parametrize(
    ("preset", "objective", "corpus"),
    [
        ("gpt2-tiny", "clm", "python-docs"),
        ("lstm-tiny", "clm", "python-docs"),
        ("bert-tiny", "mlm", "python-docs"),
        ("seq2seq-tiny", "seq2seq", "task-dates"),
        ("gru-tiny", "clm", "task-recall"),
    ],
)
def test_every_kind_of_model_opens(open_page, trained, preset, objective, corpus):
    folder = trained(preset, objective, corpus)
    app = open_page("generate", run=folder.id)
    assert not app.error
    assert app.text_area and app.text_area[0].value


def test_the_address_chooses_run_and_prompt(open_page, trained):
    first, _ = trained(), trained("lstm-tiny")
    app = open_page("generate", run=first.id, prompt="def main")
    assert app.selectbox(key="generate.run").value == first.id
    assert app.text_area[0].value == "def main"


def test_a_run_that_is_gone_is_said_and_another_one_is_shown(open_page, trained):
    folder = trained()
    app = open_page("generate", run="gone-abc")
    assert "There is no run" in app.error[0].value
    assert app.selectbox(key="generate.run").value == folder.id


def test_a_run_without_a_checkpoint_cannot_be_chosen(open_page, new_run):
    new_run()
    assert len(RunStore().list()) == 1
    assert "No trained model yet" in texts(open_page("generate"))


def test_a_text_longer_than_the_model_reads_is_a_sentence(open_page, trained):
    folder = trained("bert-tiny", "mlm")
    app = open_page("generate", run=folder.id)
    app.text_area[0].set_value("word " * 200).run()
    assert any("this model reads 32" in str(error.value).replace("\\", "") for error in app.error)
    assert not app.exception


def test_the_pages_speak_chinese(open_page):
    assert "还没有训练好的模型" in texts(open_page("generate", lang="zh"))
