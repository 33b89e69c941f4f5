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
