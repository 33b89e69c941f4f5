"""Pairs from a package of the shape of chatterbot-corpus, with dialogues made up here."""

import pytest

from playground.core.errors import PlaygroundError
from playground.text.catalogue import CORPORA
from playground.text.chatterbot_dialogues import LONGEST, dialogues


@pytest.fixture
def package(tmp_path, monkeypatch):
    """``package(colours="…")`` writes files of a stand-in for chatterbot_corpus, which cannot be imported."""
    folder = tmp_path / "chatterbot_corpus"
    (folder / "data/english").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> None:
        for name, text in files.items():
            (folder / f"data/english/{name}.yml").write_text(text, encoding="utf-8")

    return write


def test_several_replies_make_several_pairs(package):
    package(colours="conversations:\n- - A colour?\n  - Blue\n  - Green\n  - 'Red:\n    dark'\n")
    assert list(dialogues("english")) == [("A colour?", "Blue"), ("A colour?", "Green"), ("A colour?", "Red: dark")]


def test_in_a_talk_each_text_replies_to_the_one_before(package):
    package(conversations="conversations:\n- - Hi\n  - Hello\n  - How are you?\n")
    assert list(dialogues("english")) == [("Hi", "Hello"), ("Hello", "How are you?")]


def test_in_a_list_questions_and_answers_take_turns(package):
    package(trivia="conversations:\n- - One?\n  - '1'\n  - Two?\n  - '2'\n- - Alone?\n")
    assert list(dialogues("english")) == [("One?", "1"), ("Two?", "2")]


def test_what_is_left_out(package):
    """Copies, what is empty or long, files of programs, and a conversation that is no list."""
    long = "x" * (LONGEST + 1)
    package(
        a=f"conversations:\n- - q\n  - r\n  - r\n  - ''\n  - {long}\n- a lone text\n- []\n",
        coding="conversations:\n- - write\n  - x = 1\n",
    )
    assert list(dialogues("english")) == [("q", "r")]


@pytest.mark.parametrize(
    "text",
    [
        "conversations: [",
        "talks:\n- - q\n  - r\n",
        "conversations: 7\n",
        "conversations:\n- - 1\n  - 2\n",
        "- q\n",
        "conversations:\n- - !!python/object/apply:os.getcwd []\n  - r\n",
        "\x00",
    ],
)
def test_a_damaged_file_is_named(package, text):
    package(bad=text)
    with pytest.raises(PlaygroundError, match="data/english/bad.yml of chatterbot_corpus is damaged") as caught:
        list(dialogues("english"))
    assert caught.value.hint


def test_a_folder_without_dialogues_is_told(package):
    with pytest.raises(PlaygroundError, match="data/english of chatterbot_corpus is damaged"):
        list(dialogues("english"))


@pytest.mark.skipif(not CORPORA["dialogues-en"].available, reason="chatterbot-corpus is not installed")
@pytest.mark.parametrize(("language", "fewest"), [("english", 1000), ("chinese", 500)])
def test_the_package_holds_what_is_said_of_it(language, fewest):
    pairs = list(dialogues(language))
    assert len(pairs) > fewest and len(set(pairs)) == len(pairs)
