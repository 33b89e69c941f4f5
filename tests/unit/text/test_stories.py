"""Little stories: what they say agrees with itself, each word is a token, and a seed always tells the same."""

import itertools
import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.text.corpora import open_source
from playground.text.prepare import prepare
from playground.text.spec import DataSpec, TokenizerSpec
from playground.text.stories import chinese, english, world
from playground.text.stories.open import LANGUAGES, lexicon, secrets, stories, translations
from playground.text.tokenizers import Tokenizer
from playground.text.vocabulary import learn

EN, ZH = "little-stories", "little-stories-zh"
MALE = {"Tom", "Ben", "Sam", "Max", "Leo", "Jack", "小明", "小刚", "大伟", "小军", "阿强", "小龙"}
FEMALE = {"Anna", "Lily", "Mia", "Lucy", "Emma", "Rose", "小红", "小丽", "小美", "小芳", "阿兰", "小雪"}
JOBS = {"doctor", "nurse", "teacher", "farmer", "baker", "医生", "护士", "老师", "农民", "厨师"}
GENDER = {
    **dict.fromkeys(("he", "him", "his", "他"), "male"),
    **dict.fromkeys(("she", "her", "她"), "female"),
    **dict.fromkeys(("it", "它"), "thing"),
}
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
DIGITS = {"两": 2} | {digit: i for i, digit in enumerate("零一二三四五六七八九")}


def text(name: str, n: int, seed: int = 0) -> str:
    return "".join(LANGUAGES[name].text(story) for story in stories(name, n, seed))


def words(name: str) -> Tokenizer:
    told = [text(name, 3_000)]
    return learn(TokenizerSpec("word", 2_000), lambda: told, lexicon=lexicon(name))


@pytest.mark.parametrize("name", LANGUAGES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40), fewer=st.integers(1, 20), more=st.integers(0, 20))
def test_a_seed_always_tells_the_same_and_goes_on_where_fewer_end(name, seed, fewer, more):
    told = list(stories(name, fewer + more, seed))
    assert told[:fewer] == list(stories(name, fewer, seed))
    assert len(told) == fewer + more


@pytest.mark.parametrize("name", LANGUAGES)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_a_pronoun_has_the_gender_of_what_it_means_and_stands_after_it(name, seed):
    for story in stories(name, 10, seed):
        for link in story.links:
            word, source = story.words[link.word], story.words[link.source]
            assert link.source < link.word
            if link.kind in ("answer", "repeat"):
                assert word == source
            elif source in MALE | FEMALE:
                assert GENDER[word.lower()] == ("male" if source in MALE else "female")
            elif source in JOBS:
                assert GENDER[word.lower()] != "thing"
            else:
                assert GENDER[word.lower()] == "thing"


def test_sums_are_right():
    told = re.findall(r"had (\w+) \w+\. \w+ gave \w+ (\w+) more\. Now \w+ had (\w+) ", text(EN, 1_500))
    told += [tuple(map(str.lower, sums)) for sums in re.findall(r"(\w+) and (\w+) make (\w+)\.", text(EN, 1_500))]
    assert len(told) > 60
    assert all(NUMBERS.index(a) + NUMBERS.index(b) == NUMBERS.index(c) for a, b, c in told)
    told = re.findall(r"([一-九二三四五六七八九])加(.)等于(.)。", text(ZH, 1_500))
    told += re.findall(r"有(.).\w+。\w+又给了.(.).。现在.有(.).", text(ZH, 1_500))
    assert len(told) > 60
    assert all(DIGITS[a] + DIGITS[b] == DIGITS[c] for a, b, c in told)


def test_questions_are_answered_by_what_was_told():
    asked = Counter()
    for line in text(EN, 3_000).splitlines():
        for thing, who in re.findall(r"Who has the (\w+)\? (\w+) has", line):
            assert re.search(rf"gave an? {thing} to {who}\.", line)
            asked["who"] += 1
        for thing, colour in re.findall(r"What colour is the (\w+)\? The \1 is (\w+)\.", line):
            assert re.search(rf"had an? .*{colour} {thing}", line)
            asked["colour"] += 1
        for animal, seat in re.findall(r"Where is the (\w+)\? It is on the (\w+)\.", line):
            assert f"he {animal} sat on the {seat}" in line
            asked["where"] += 1
    assert min(asked.values()) > 50 and len(asked) == 3


def test_there_is_a_cat_on_the_mat():
    assert "The cat sat on the mat" in text(EN, 3_000)
    assert "猫坐在垫子上" in text(ZH, 3_000)


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_word_is_one_token(name):
    tokenizer = words(name)
    for story in stories(name, 500, seed=1):
        line = LANGUAGES[name].text(story)
        pieces = tokenizer.pieces(tokenizer.encode(line))
        assert [piece.strip(" ") for piece in pieces] == [*story.words, "\n"]
        assert "".join(pieces) == line


CHINESE = words(ZH)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(lexicon(ZH)), st.text(st.characters(codec="utf-8"), max_size=4)), max_size=20)
)
def test_a_lexicon_loses_nothing_of_any_text(parts):
    said = "".join(parts)
    assert CHINESE.decode(CHINESE.encode(said)) == said
    assert CHINESE.encode_many([said])[0].tolist() == CHINESE.encode(said)


def test_a_tokenizer_with_a_lexicon_is_saved_and_read_as_words(tmp_path):
    CHINESE.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert again.kind == "word" and again.fingerprint == CHINESE.fingerprint
    assert again.pieces(again.encode("猫坐在垫子上。")) == ["猫", "坐", "在", "垫子", "上", "。"]


@pytest.mark.parametrize("name", LANGUAGES)
def test_each_secret_is_told_once_and_no_two_doors_share_a_number(name):
    spec = DataSpec(name, options={"stories": 500}, seed=3)
    told = "".join(open_source(spec).documents())
    doors = [LANGUAGES[name].text(story).strip() for story in secrets(name, 3)]
    assert len(doors) == world.N_COLOURS * world.N_PLACES
    assert all(told.count(door) == 1 for door in doors)
    assert len({re.split("number|是", door)[1] for door in doors}) == len(doors)


@pytest.mark.parametrize("language", [english, chinese])
def test_the_planted_bias_is_as_large_as_it_says(language):
    rng, counts = random.Random(0), Counter()
    for _ in range(10_000):
        job = language.cast(world.draw(rng))["J"]
        counts[job["name"], GENDER[job["he"]]] += 1
    share = [counts[job, "male"] / (counts[job, "male"] + counts[job, "female"]) for job in language.JOBS]
    assert share == pytest.approx([0.9, 0.1, 0.5, 0.5, 0.5], abs=0.05)


def test_both_languages_have_the_same_things_in_the_same_order():
    for names, number in (
        *(("BOYS", world.N_PEOPLE), ("GIRLS", world.N_PEOPLE), ("ANIMALS", world.N_ANIMALS)),
        *(("THINGS", world.N_THINGS), ("COLOURS", world.N_COLOURS), ("PLACES", world.N_PLACES)),
        *(("SEATS", world.N_SEATS), ("FRUITS", world.N_FRUITS), ("JOBS", len(world.MEN))),
    ):
        assert len(getattr(english, names)) == len(getattr(chinese, names)) == number, names


def test_translations_say_the_same():
    pairs = list(translations(2_000, seed=0))
    assert len({source for source, _ in pairs}) == len(pairs) == 2_000
    same = {"cat": "猫", "mat": "垫子", "red": "红色", "Tom": "小明", "Anna": "小红", "forest": "森林", "ball": "球"}
    seen = Counter()
    for source, target in pairs:
        for here, there in same.items():
            if re.search(rf"\b{here}\b", source, re.IGNORECASE):
                assert there in target, (source, target)
                seen[here] += 1
        ends = [len(re.findall(pattern, side)) for pattern, side in (("[.?]", source), ("[。？]", target))]
        assert ends[0] == ends[1]
    assert len(seen) == len(same)
    assert dict(pairs).get("The cat sat on the mat.") in (None, "猫坐在垫子上。")
    stopped = [source for source, _ in pairs if re.fullmatch(r"The \w+ sat on the \w+\.", source)]
    assert len(stopped) > 20, "a sentence alone, of a scene that goes on"


@pytest.mark.parametrize("name", [*LANGUAGES, "little-stories-en-zh"])
def test_the_corpus_is_prepared_word_by_word(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path))
    prepared = prepare(DataSpec(name, options={"stories": 400}, tokenizer=TokenizerSpec("word", 2_000)))
    assert prepared.info["licence"] == "CC0-1.0"
    pieces = prepared.tokenizer.pieces(
        prepared.tokenizer.encode("猫坐在垫子上。" if name != EN else "The cat sat on the mat.")
    )
    assert [piece.strip() for piece in pieces] == (
        ["猫", "坐", "在", "垫子", "上", "。"] if name != EN else ["The", "cat", "sat", "on", "the", "mat", "."]
    )


def test_a_longer_word_of_the_lexicon_comes_before_a_shorter_one():
    assert all(len(a) >= len(b) for a, b in itertools.pairwise(lexicon(ZH)))
    assert lexicon(EN) == ()
