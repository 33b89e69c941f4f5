"""Text of strangers in addresses and errors: it costs what its length costs, and is shortened where it is told."""

import re
from types import SimpleNamespace

import pytest

from models.message import Message, from_json, to_json
from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError, UserError, meant, shortened
from playground.runs.store import RunStore
from playground.ui import language, url_state

LONG = 1_000_000
FIELDS = ("value", "name", "choices")


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "zh")


def nearly(template: str) -> str:
    """A text with all of a sentence's words, again and again, but not its end."""
    return (re.sub(r"\{\w+\}", "x", template) + " ") * (LONG // len(template)) + "!"


HOSTILE = {
    "one word": lambda: "a" * LONG,
    "many sentences": lambda: "It is. " * (LONG // 7),
    "full stops": lambda: ". " * (LONG // 2),
    "white space": lambda: " " * LONG,
    "lines": lambda: ".\n" * (LONG // 2),
    "nearly a sentence": lambda: nearly("{value} is not a choice for {name}; known are {choices}."),
    "the parts of one": lambda: "is not a choice for ; known are " * (LONG // 32),
    "holes": lambda: "{0} {1}" * (LONG // 7),
    "Chinese": lambda: "是，" * (LONG // 2),
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_million_characters_are_told(text, chinese):
    """The whole of it, also where nothing has shortened it: a status of a run from elsewhere."""
    assert len(language.translated(HOSTILE[text]())) <= 1500


@pytest.mark.parametrize("text", HOSTILE)
def test_a_million_characters_in_a_value_are_told(text, chinese):
    message = Message(
        "{value!r} is not a choice for {name}; known are {choices}.", **dict.fromkeys(FIELDS, HOSTILE[text]())
    )
    read = from_json(to_json(message))
    assert len(language.translated(message)) <= 1500 and len(language.translated(read)) <= 1500


def test_braces_in_a_value_stay(chinese):
    said = language.translated(Message("{name} has no checkpoint yet.", name="{{x}} {name}"))
    assert said.startswith("{{x}} {name}") and re.search(r"[一-鿿]", said)


@pytest.mark.parametrize("kind", [PlaygroundError, SpecError])
def test_what_was_typed_is_shortened_in_an_error(kind):
    error = kind("begins " + "a" * LONG + " ends", "does " + "b" * LONG + " too")
    for text, first, last in (
        (error.message, "begins", "ends"),
        (error.hint, "does", "too"),
        (str(error), "begins", "ends"),
    ):
        assert len(text) <= 1500 and text.startswith(first) and text.endswith(last) and " … " in text
    assert kind("a" * 1500).message == "a" * 1500 and shortened("a" * 1501) != "a" * 1501


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ModelSpec.from_dict({"architecture": "x" * LONG}),
        lambda: ModelSpec.from_dict({"architecture": "decoder", **{f"n_leyers{i}": 3 for i in range(100_000)}}),
        lambda: ModelSpec.from_dict({"architecture": "decoder", "d_model": "1" * LONG}),
        lambda: RunStore().get("x" * LONG),
    ],
)
def test_a_long_mistake_is_told(wrong, chinese, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    with pytest.raises(UserError) as error:
        wrong()
    assert len(error.value.message) <= 1500 and language.translated(error.value.message)


def test_a_name_is_looked_for_among_any_number_of_names():
    assert meant(["lable"], ["text", "label"]) == "Did you mean label?"
    assert meant(["x" * LONG] * 1000, ["x" * (LONG - 1)]) == ""
    assert meant([f"c{i}" for i in range(1000)], ("y" * 90 + str(i) for i in range(100_000))) == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        ("007", 7),
        ("²", None),
        ("٣", None),
        ("-1", None),
        ("", None),
        ("1.5", None),
        ("9" * 5000, None),
    ],
)
def test_a_number_of_an_address(text, number):
    assert url_state.whole(text) == number


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("build", {"preset": "decoder " * 6000}),
        ("build", {"d_mlp": "9" * 400}),
        ("train", {"preset": "decoder " * 6000}),
        ("train", {"parent": "x. " * 16_000}),
        ("train", {"parent": "bible-decoder@²"}),
        ("train", {"parent": "bible-decoder@" + "9" * 5000}),
        ("train", {"run": "x. " * 16_000}),
        ("train", {"steps": "9" * 5000}),
        ("data", {"corpus": "python-docs", "limit": "²"}),
        ("data", {"corpus": "python-docs", "vocabulary": "²"}),
        ("data", {"corpus": "python-docs", "vocabulary": "9" * 5000}),
        ("data", {"corpus": "task-recall", "options": "pairs:²"}),
        ("data", {"corpus": "is not a choice for ; known are " * 1500}),
        ("finetune", {"run": "x. " * 16_000}),
        ("finetune", {"parent": "x. " * 16_000}),
        ("explore", {"run": "bible-decoder", "view": "intervene", "off": "²." * 1000, "places": "9.²"}),
        ("explore", {"run": "bible-decoder", "view": "positions", "cell": "9" * 5000 + ".1"}),
        ("explore", {"run": "bible-decoder", "view": "attention", "query": "9" * 5000}),
    ],
)
def test_a_link_of_a_stranger_opens(open_page, tmp_path, monkeypatch, page, query):
    """In Chinese, and whatever it says; the page tells what it cannot use."""
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    open_page(page, lang="zh", **query)


def test_a_run_that_is_named_often_is_drawn_once(monkeypatch, new_run):
    from playground.pages.train.watch import compared

    run, other = new_run(), new_run()
    monkeypatch.setattr(url_state, "text", lambda page, name: ",".join([other.id] * 3000))
    monkeypatch.setattr("playground.pages.train.watch.RunStore", lambda: SimpleNamespace(get=lambda id: other))
    assert [each.id for each in compared(run)] == [other.id]
