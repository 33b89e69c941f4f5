"""What a person called a run is shown as it is written, wherever it is shown: Markdown of it would draw, link and shout."""

import json

import pytest

from playground.runs.store import RunStore

NAME = "**loud** ![seen](https://elsewhere.example/x.png) :red[x]"
TEXTS = ("markdown", "caption", "info", "warning", "error", "success", "title", "header", "subheader")


@pytest.fixture
def named(new_run, tmp_path, monkeypatch):
    """A finished run, and one that waits, of that name."""
    from playground.training.worker import run as train

    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = new_run()
    assert train(run) == "finished"
    store = RunStore()
    store.rename(run.id, NAME)
    waiting = store.duplicate(run.id)
    (waiting.path / "run.json").write_text(json.dumps({**waiting.about(), "name": NAME}))
    waiting.update_status(state="queued", device="cpu")
    monkeypatch.setattr("playground.runs.submit.revive", lambda: False)
    return run, waiting


def shown(app) -> list[str]:
    """All that the browser reads as Markdown: texts, the labels of controls, and links to pages."""
    found = [each.value for kind in TEXTS for each in getattr(app, kind)]
    for kind in (
        "button",
        "selectbox",
        "multiselect",
        "text_input",
        "toggle",
        "segmented_control",
        "checkbox",
        "slider",
        "metric",
    ):
        found += [each.label for each in getattr(app, kind, [])]
    found += [each.proto.label for each in app.get("page_link")]
    for each in app.get("segmented_control"):
        found += list(each.options)
    return found


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("home", {"run": "{done}"}),
        ("train", {}),
        ("train", {"run": "{done}", "with": "{waits}"}),
        ("train", {"run": "{waits}"}),
        ("train", {"parent": "{done}@12"}),
        ("train", {"like": "{done}"}),
        ("runs", {"runs": "{done}"}),
        ("runs", {"runs": "{done},{waits}"}),
        ("generate", {"run": "{done}"}),
        ("export", {"run": "{done}"}),
        ("explore", {"run": "{done}", "view": "attention"}),
        ("explore", {"run": "{done}", "view": "steps"}),
        ("explore", {"run": "{done}", "view": "predictions"}),
        ("explore", {"run": "{done}", "view": "positions"}),
        ("explore", {"run": "{done}", "view": "intervene"}),
        ("finetune", {"parent": "{done}"}),
        ("finetune", {"run": "{done}"}),
    ],
)
def test_a_name_is_no_markdown(open_page, named, page, query):
    done, waits = named
    app = open_page(page, **{key: value.format(done=done.id, waits=waits.id) for key, value in query.items()})
    found = [text for text in shown(app) if "![seen]" in text or "**loud**" in text or ":red[x]" in text]
    assert not found


@pytest.mark.parametrize(
    ("name", "preset", "corpus", "shown"),
    [
        ("gpt2-tiny on three-kingdoms", "gpt2-tiny", "three-kingdoms", "GPT-2 tiny reads Three Kingdoms · 900 steps"),
        (
            "lstm-tiny on task-recall (2)",
            "lstm-tiny",
            "task-recall",
            "LSTM tiny learns to remember one symbol · 900 steps (2)",
        ),
        ("eval every ÷ 2, steps 1500 → 900", "gpt2-tiny", "asv-bible", "GPT-2 tiny reads the Bible · 900 steps"),
        ("my own (2)", "gpt2-tiny", "asv-bible", "my own (2)"),
        ("essays on Rome", "gpt2-tiny", "asv-bible", "essays on Rome"),
        ("gpt2-tiny on notes.txt", "gpt2-tiny", "file", "gpt2-tiny on notes.txt"),
    ],
)
def test_what_nobody_named_is_called_by_what_it_is(name, preset, corpus, shown):
    from playground.ui.titles import readable

    about = {"name": name, "preset": preset, "data": {"corpus": corpus}, "training": {"steps": 900}}
    assert readable(about) == shown


def test_cards_tell_what_changed_and_read_nothing_again(tmp_path, monkeypatch):
    from playground.ui import model_cards
    from tests.support.made_runs import make_run

    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    run = make_run(tmp_path, "seen")
    find = lambda: next(card for card, _ in model_cards.cards() if card.id == run.id)
    card = find()
    assert len(card.curve) == model_cards.POINTS and card.curve[0] == model_cards.HIGHEST and card.curve[-1] < 20
    read = []
    monkeypatch.setattr(model_cards, "_read", lambda run, with_curve: read.append(run.id) or card)
    find()
    assert not read
    run.update_status(loss=1.5)
    find()
    assert read == [run.id]
