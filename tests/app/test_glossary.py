"""One word per thing: the glossary of each language, against every sentence of the app."""

import csv
import re

import pytest

from playground.ui.language import FOLDER
from playground.ui.locale import update

KNOWN = update.translations("zh")
FIELD = re.compile(r"\{[^{}]*\}")


def rows(language: str) -> list[dict[str, str]]:
    with (FOLDER / language / "glossary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def words(sentence: str) -> str:
    """A sentence without its fields, whose names are no words of it."""
    return FIELD.sub("", sentence)


@pytest.mark.parametrize("row", rows("zh"), ids=lambda row: row["chinese"])
def test_a_term_has_one_chinese_word(row):
    said = {english: chinese for english, chinese in KNOWN.items() if re.search(row["term"], words(english), re.I)}
    assert said, "a row of the glossary that no sentence needs"
    assert not {english: chinese for english, chinese in said.items() if not re.search(row["chinese"], chinese)}


@pytest.mark.parametrize("row", [row for row in rows("zh") if row["never"]], ids=lambda row: row["never"])
def test_no_other_word_is_used_for_it(row):
    assert not {english: chinese for english, chinese in KNOWN.items() if row["never"] in chinese}


def test_readers_are_addressed_in_one_way():
    assert not {english: chinese for english, chinese in KNOWN.items() if "你" in chinese}
    assert any("您" in chinese for chinese in KNOWN.values())


def test_a_run_has_one_name():
    """实验, where a run of training is meant; 运行 is what a program does."""
    noun = re.compile(r"(?<![a-z] )\b(the|a|this|that|another|no|your|of|these) runs?\b(?! out)", re.I)
    said = {english: chinese for english, chinese in KNOWN.items() if noun.search(words(english))}
    assert len(said) > 20
    assert not {
        english: chinese for english, chinese in said.items() if re.search("(这个|一个|该|另一个|此)运行", chinese)
    }


@pytest.mark.parametrize("row", rows("en"), ids=lambda row: row["say"])
def test_english_says_it_in_one_way(row):
    assert not [english for english in KNOWN if re.search(row["never"], words(english))]
