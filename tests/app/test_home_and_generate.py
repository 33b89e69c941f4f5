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


def shown_run(app) -> str:
    """The run that a page has taken, as its address says."""
    said = app.query_params["run"]
    return said[0] if isinstance(said, list) else said


def texts(app) -> str:
    kinds = ("title", "subheader", "markdown", "caption", "error")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


def test_without_a_model_both_pages_invite_to_train(open_page):
    for name in ("home", "generate"):
        assert "No trained model yet" in texts(open_page(name))


def test_home_shows_a_model_at_work(open_page, trained):
    folder = trained()
    app = open_page("home")
    assert shown_run(app) == folder.id
    assert not app.error
    said = texts(app)
    assert "comes next" in said or "is shared by many others" in said, "what there is to see in it"
    assert "It was surprised most by" in said


@pytest.mark.parametrize(
    ("p", "surprise", "said"),
    [
        (0.72, None, "The model is 72% sure that “·unto” comes next. Type on, or click a bar to append it."),
        (0.34, None, "The model gives “·unto” 34%; the rest"),
        (0.02, None, "even “·unto” gets only 2%."),
        (0.72, {"piece": " God", "p": 0.002}, "It was surprised most by “·God”, to which it had given < 1%."),
        (0.72, {"piece": " God", "p": 0.56}, "comes next. Type on, or click a bar to append it."),
    ],
)
def test_the_notice_says_how_sure_the_model_is(p, surprise, said):
    from playground.pages.home.page import notice

    assert said in notice([{"piece": " unto", "p": p}], surprise)


def test_the_notice_names_a_word_that_the_model_does_not_know():
    from playground.pages.home.page import notice

    said = notice([{"piece": "\\xe5", "p": 0.3}], {"piece": " God", "p": 0.002}, "猫")
    assert "“part of a character” 30%" in said and "“猫” is not in its vocabulary" in said
    assert "surprised" not in said and "xe5" not in said


@pytest.mark.parametrize(("name", "told"), [("A decoder of tales", 0), ("Tales", 1)])
def test_the_kind_of_a_model_is_told_once(name, told):
    from playground.pages.home.page import computed_by

    said = computed_by(name, "Decoder", 12, 3, 0.1)
    assert said.startswith(f"{name}, ") and ("Decoder of 12 parameters" in said) == told


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
    assert app.session_state[f"generate.given.prompt.{folder.id}"], "it begins with its own sample"
    told = texts(app)
    assert "Next the model expects" in told if objective != "mlm" else "Click a word to hide it" in told


def test_the_address_chooses_run_and_prompt(open_page, trained):
    first, _ = trained(), trained("lstm-tiny")
    app = open_page("generate", run=first.id, prompt="def main")
    assert shown_run(app) == first.id
    assert app.session_state[f"generate.given.prompt.{first.id}"] == "def main"
    assert app.query_params["prompt"] == "def main"


def test_a_run_that_is_gone_is_said_and_another_one_is_shown(open_page, trained):
    folder = trained()
    app = open_page("generate", run="gone-abc")
    assert "There is no run" in app.error[0].value
    assert shown_run(app) == folder.id


def test_a_run_without_a_checkpoint_cannot_be_chosen(open_page, new_run):
    new_run()
    assert len(RunStore().list()) == 1
    assert "No trained model yet" in texts(open_page("generate"))


def test_a_text_longer_than_the_model_reads_is_a_sentence(open_page, trained):
    folder = trained("bert-tiny", "mlm")
    app = open_page("generate", run=folder.id, prompt="word " * 90)
    assert any("this model reads 32" in str(error.value).replace("\\", "") for error in app.error)
    assert not app.exception


def test_the_pages_speak_chinese(open_page):
    assert "还没有训练好的模型" in texts(open_page("generate", lang="zh"))


def test_the_shortest_word_is_hidden_first_and_each_is_measured_once(monkeypatch):
    """Chinese is written without spaces: to `word_at` a page of it is one word."""
    from playground.generation import fill_mask
    from playground.pages.generate.page import first_blank

    class Tokenizer:
        mask_id = -1

        def pieces(self, ids):
            return [words[i] for i in ids]

    measured, word_at = [], fill_mask.word_at
    monkeypatch.setattr(fill_mask, "word_at", lambda pieces, i: measured.append(i) or word_at(pieces, i))
    words = ["The", " bee", "s", " hu", "m", ".", " A", " hon", "ey", "comb"]
    assert first_blank(Tokenizer(), list(range(10))) == {6}
    words, measured[:] = ["这", "。", *"那" * 3000], []
    assert first_blank(Tokenizer(), list(range(len(words)))) == set(range(2, len(words)))
    assert len(measured) == 1
