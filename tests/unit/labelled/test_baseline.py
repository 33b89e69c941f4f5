"""The linear model that a neural one is held against."""

import json

import numpy as np
import pytest

from playground.labelled.baseline import baseline
from playground.labelled.prepare import prepare_labelled


def test_it_is_right_about_texts_that_a_word_tells_apart(table, tokenizer):
    rows = [(f"number {i} was {'lovely' if i % 2 else 'dreadful'} in the end", f"{i % 2}") for i in range(120)]
    spec = table(rows)
    data = prepare_labelled(spec, "classify", tokenizer, 64)
    found = baseline(data, spec)
    assert (found["accuracy"], found["macro_f1"], found["n"], found["trained"]) == (1.0, 1.0, 24, 84)


def test_it_uses_the_same_share_and_is_kept(table, ratings, tokenizer):
    spec = table(ratings, train_fraction=0.5)
    data = prepare_labelled(spec, "classify", tokenizer, 64)
    found = baseline(data, spec)
    assert found["trained"] == 35 and found["n"] == 20
    (kept,) = data.folder.glob("baseline-*")
    assert json.loads(kept.read_text()) == found
    kept.write_text("{torn")
    again = baseline(data, spec)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}


def test_tags_by_a_word_and_its_neighbours(table, tokenizer):
    """Whether "run" is a noun is told by the word before it."""
    rows = [
        {
            "tokens": ["the" if i % 2 else "we", "run", f"word{i}"],
            "tags": ["D" if i % 2 else "P", "N" if i % 2 else "V", "O"],
        }
        for i in range(100)
    ]
    spec = table(rows, "t.jsonl")
    found = baseline(prepare_labelled(spec, "tag", tokenizer, 64), spec)
    assert found["accuracy"] == 1.0 and found["n"] == 3 * 20 and found["trained"] == 3 * 70


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_a_share_with_one_label_alone(table, tokenizer, task):
    rows = [("".join("!?."[i // 3**k % 3] for k in range(5)), "a" if i % 2 else "b") for i in range(100)]
    spec = table(rows, limit=1)
    data = prepare_labelled(spec, task, tokenizer, 64)
    found = baseline(data, spec)
    true = np.array(
        [
            code
            for i in range(len(data.test))
            for code in np.atleast_1d(data.test.labels[i] if task == "classify" else data.test.tags(i)[-1])
        ]
    )
    assert found["n"] == len(true) and found["accuracy"] in ((true == 0).mean(), (true == 1).mean())


def test_texts_without_words(table, tokenizer):
    rows = [
        ("".join("!?."[i // 3**k % 3] for k in range(5)) + ("+" if i % 2 else "-"), "ab"[i % 2]) for i in range(100)
    ]
    spec = table(rows)
    assert baseline(prepare_labelled(spec, "classify", tokenizer, 64), spec)["accuracy"] == 1.0
