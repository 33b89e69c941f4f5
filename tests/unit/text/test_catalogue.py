"""Which texts a person is offered first."""

import pytest

from playground.text.catalogue import CORPORA, for_reader


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_persons_own_language_comes_first_then_pairs_with_it(language):
    languages = [corpus.language for corpus in for_reader(language).values()]
    own = languages.count(language)
    assert own > 1 and set(languages[:own]) == {language}
    pairs = sum("→" in each and language in each.split("→") for each in languages)
    assert pairs > 0 and all("→" in each for each in languages[own : own + pairs])
    assert all(language not in each.split("→") for each in languages[own + pairs :])


@pytest.mark.parametrize("language", ["en", "zh", "fr"])
def test_every_corpus_is_offered_once_under_its_own_name(language):
    offered = for_reader(language)
    assert len(offered) == len(CORPORA) and offered == CORPORA


def test_what_is_as_near_keeps_the_order_of_the_catalogue():
    assert list(for_reader("fr")) == list(CORPORA), "no text is in this language"
    chinese = [name for name, corpus in CORPORA.items() if corpus.language == "zh"]
    assert list(for_reader("zh"))[: len(chinese)] == chinese


def test_the_first_text_is_the_little_stories_of_the_language():
    assert next(iter(for_reader("en"))) == "little-stories" and next(iter(for_reader("zh"))) == "little-stories-zh"
