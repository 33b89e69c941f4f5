"""Text of strangers in addresses and errors: it costs what its length costs, and is shortened where it is told."""

import random
import re
from types import SimpleNamespace

import pytest

from models.spec import ModelSpec, SpecError
from playground.core.errors import PlaygroundError, meant, shortened
from playground.runs.store import RunStore
from playground.ui import language, url_state

LONG = 1_000_000
KNOWN = [english for english in language.sentences("zh") if re.search(r"\{1\}", english)]


@pytest.fixture
def chinese(monkeypatch):
    monkeypatch.setattr(language, "language", lambda: "zh")


def nearly(template: str) -> str:
    """A text with all of a sentence's words, again and again, but not its end."""
    return (re.sub(r"\{\d+\}", "x", template) + " ") * (LONG // len(template)) + "!"


HOSTILE = {
    "one word": lambda: "a" * LONG,
    "many sentences": lambda: "It is. " * (LONG // 7),
    "full stops": lambda: ". " * (LONG // 2),
    "white space": lambda: " " * LONG,
    "lines": lambda: ".\n" * (LONG // 2),
    "nearly a sentence": lambda: nearly("{0} is not a choice for {1}; known are {2}."),
    "the parts of one": lambda: "is not a choice for ; known are " * (LONG // 32),
    "holes": lambda: "{0} {1}" * (LONG // 7),
    "Chinese": lambda: "是，" * (LONG // 2),
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_million_characters_are_told(text, chinese):
    """The whole of it, also where nothing has shortened it: a status of a run from elsewhere."""
    assert len(language.told(HOSTILE[text]())) <= 1500


@pytest.mark.parametrize("template", KNOWN[:40])
def test_each_sentence_is_looked_for_in_linear_time(template):
    """Today's pages give up after 1,500 characters; a sentence alone takes a million."""
    shape = language.shape_of(template)
    assert shape.values_in(nearly(template)) is None
    inner = re.sub(r"\{\d+\}", "x" * (LONG // 4), template)
    assert shape.values_in(inner) == ["x" * (LONG // 4)] * (len(shape.parts) - 1)


def test_values_are_those_of_the_lazy_regular_expression():
    """The meaning of a shape, on every text of up to nine characters over its own letters."""
    rng = random.Random(0)
    for template in (
        "{0}",
        "a{0}",
        "{0}b",
        "a{0}b",
        "{0}a{1}",
        "a{0}ab{1}b",
        "{0}aa{1}aa{2}",
        "{0}{1}",
        "ab",
        "{0}b{1}b{2}b",
    ):
        lazy = re.compile("(.+?)".join(map(re.escape, re.split(r"\{\d\}", template))), re.DOTALL)
        for _ in range(2000):
            text = "".join(rng.choices("ab\n", k=rng.randrange(9)))
            found = lazy.fullmatch(text)
            assert language.shape_of(template).values_in(text) == (list(found.groups()) if found else None), (
                template,
                text,
            )


def test_braces_in_a_value_stay(chinese):
    said = language.told("{{x}} {0} has no checkpoint yet.")
    assert said.startswith("{{x}} {0}") and re.search(r"[一-鿿]", said)


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
    with pytest.raises((PlaygroundError, SpecError)) as error:
        wrong()
    assert len(error.value.message) <= 1500 and language.told(error.value.message)


def test_a_name_is_looked_for_among_any_number_of_names():
    assert meant(["lable"], ["text", "label"]) == "Did you mean label? "
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
